//! The load of `benches/issue.sh`: token requests to a gateway that runs, on keep-alive connections of its own.
//!
//! `token_load PORT CONNECTIONS[@RATE] WORK`; with a rate, so many requests a second are due in all, and the time of each
//! counts from when it was due. WORK is
//!
//! - `code COUNT`: exchanges of codes, which are fetched before (login, then one authorization request each);
//! - `client_credentials COUNT`;
//! - `refresh COUNT`: the stable refresh tokens of a confidential client, a grant for each connection;
//! - `rotate COUNT`: those of a public client, each of which gives way to its successor;
//! - `present FILE`: requests with the access tokens that stand in the file, a line each;
//! - `unknown COUNT KEYFILE`: requests with well-formed access tokens that nobody was given;
//! - `junk COUNT`: requests with tokens of our prefix that were never made.
//!
//! When all is prepared it prints `ready` and waits for a line; then it runs and prints what it measured as JSON.
#![expect(clippy::print_stdout, reason = "it talks to the script that started it")]
#![expect(clippy::disallowed_methods, reason = "it measures")]
#![expect(clippy::cast_precision_loss, reason = "a number of connections")]

#[path = "token_load/connection.rs"]
mod connection;
#[path = "token_load/work.rs"]
mod work;

use std::{
    collections::BTreeMap,
    env,
    io::{self, BufRead as _, Write as _},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tokio::task::JoinSet;

use connection::Connection;
use work::Work;

/// What one connection saw.
#[derive(Default)]
struct Seen {
    statuses: BTreeMap<u16, u64>,
    times: Vec<Duration>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [port, connections, kind, rest @ ..] = arguments.as_slice() else {
        bail!("usage: token_load PORT CONNECTIONS[@RATE] WORK …");
    };
    let (connections, rate) = connections.split_once('@').unwrap_or((connections, ""));
    let (port, connections) = (port.parse().context("PORT")?, connections.parse().context("CONNECTIONS")?);
    let rate = if rate.is_empty() { None } else { Some(rate.parse::<f64>().context("RATE")?) };
    let work = Arc::new(Work::prepare(port, connections, kind, rest).await?);
    println!("ready");
    io::stdout().flush()?;
    io::stdin().lock().read_line(&mut String::new())?;
    let began = Instant::now();
    let mut running = JoinSet::new();
    for number in 0..connections {
        let pace = rate.map(|rate| Pace {
            first: began + Duration::from_secs_f64(number as f64 / rate),
            each: Duration::from_secs_f64(connections as f64 / rate),
        });
        running.spawn(run(port, number, Arc::clone(&work), pace));
    }
    let mut seen = Seen::default();
    while let Some(one) = running.join_next().await {
        let one = one??;
        for (status, count) in one.statuses {
            *seen.statuses.entry(status).or_default() += count;
        }
        seen.times.extend(one.times);
    }
    report(seen, began.elapsed());
    Ok(())
}

/// When a connection's requests are due.
struct Pace {
    first: Instant,
    each: Duration,
}

/// Sends requests, one at a time, until there are no more.
async fn run(port: u16, number: usize, work: Arc<Work>, pace: Option<Pace>) -> anyhow::Result<Seen> {
    let mut connection = Connection::open(port).await?;
    let mut seen = Seen::default();
    let mut last = None;
    let mut due = pace.as_ref().map(|pace| pace.first);
    while let Some(request) = work.next(number, last.as_ref()) {
        if let Some(due) = due {
            tokio::time::sleep_until(due.into()).await;
        }
        let began = due.unwrap_or_else(Instant::now);
        due = due.zip(pace.as_ref()).map(|(due, pace)| due + pace.each);
        let answer = connection.send(&request).await?;
        seen.times.push(began.elapsed());
        *seen.statuses.entry(answer.status).or_default() += 1;
        last = Some(answer);
    }
    Ok(seen)
}

fn report(seen: Seen, took: Duration) {
    let Seen { statuses, mut times } = seen;
    times.sort_unstable();
    let at =
        |part: usize| times.get(times.len() * part / 1000).or(times.last()).copied().unwrap_or_default().as_micros();
    let report = serde_json::json!({
        "statuses": statuses,
        "seconds": took.as_secs_f64(),
        "p50": at(500), "p90": at(900), "p99": at(990), "p999": at(999), "most": at(1000),
    });
    println!("{report}");
}
