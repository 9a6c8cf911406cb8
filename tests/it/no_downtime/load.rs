//! Requests with good tokens, without a pause, on connections that are kept as long as the gateway keeps them.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    standin::ALICE,
    support::{Answer, Connection, Over, Request, SHOP, TestGateway, until},
};

/// Enough to be in the middle of a request at any moment.
const THREADS: usize = 8;

/// What the load has seen.
#[derive(Debug, Default)]
pub struct Seen {
    pub answered: AtomicUsize,
    pub failed: Mutex<Vec<String>>,
}

/// Does `work` while the gateway is asked who the user is, by token and by refreshed token; tells what failed.
pub fn under_load(gateway: &TestGateway, work: impl FnOnce(&Seen)) {
    let tokens: Vec<_> = (0..THREADS).map(|_| gateway.tokens(ALICE, SHOP, &[])).collect();
    let (seen, over, port) = (Seen::default(), AtomicBool::new(false), gateway.port());
    thread::scope(|scope| {
        let ends = Over(&over);
        for tokens in &tokens {
            let (seen, over) = (&seen, &over);
            scope.spawn(move || ask(port, &tokens.access, seen, over));
        }
        progress(&seen);
        work(&seen);
        progress(&seen);
        drop(ends);
    });
    let failed = seen.failed.into_inner().expect("no thread has failed");
    let answered = seen.answered.into_inner();
    assert!(failed.is_empty(), "{} of {answered} failed: {:?}", failed.len(), failed.first());
    #[expect(clippy::print_stdout, reason = "docs/reliability.md has the figures")]
    {
        println!("{answered} requests answered, 0 failed");
    }
    for tokens in &tokens {
        gateway.acts_as(&tokens.access, ALICE);
        assert_eq!(gateway.refresh(SHOP, &tokens.refresh, &[]).status, 200);
    }
}

/// Waits until the load has been answered some more.
pub fn progress(seen: &Seen) {
    let before = seen.answered.load(Ordering::Relaxed);
    until("the load goes on", || (seen.answered.load(Ordering::Relaxed) > before + 20 * THREADS).then_some(()));
}

fn ask(port: u16, token: &str, seen: &Seen, over: &AtomicBool) {
    let request = Request::get("/api/method/frappe.auth.get_logged_user").bearer(token);
    let mut kept: Option<Connection> = None;
    while !over.load(Ordering::Relaxed) {
        let connection = kept.take().map_or_else(|| Connection::open(port), Ok);
        let asked = connection.and_then(|mut connection| {
            let answer = connection.send(&request)?;
            Ok((connection, answer))
        });
        match asked {
            Ok((connection, answer)) if answer.status == 200 => {
                kept = keeps(&answer).then_some(connection);
            }
            Ok((_, answer)) => seen.failed.lock().expect("no thread has failed").push(format!("{answer}")),
            Err(error) => seen.failed.lock().expect("no thread has failed").push(error.to_string()),
        }
        seen.answered.fetch_add(1, Ordering::Relaxed);
    }
}

fn keeps(answer: &Answer) -> bool {
    answer.header("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close"))
}
