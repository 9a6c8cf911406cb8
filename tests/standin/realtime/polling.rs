//! A client by long polling: a GET waits for the next packet, a POST brings one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::super::body::BodySink;
use super::super::head::Head;
use super::super::random;
use super::super::wire::Wire;
use super::{Shared, asking, open_packet, query};

/// The sessions.
pub type Polls = BTreeMap<String, Poll>;

/// One of them.
pub struct Poll {
    packets: UnboundedSender<String>,
    waiting: Option<UnboundedReceiver<String>>,
}

/// A poll in which nothing happens ends with a ping.
const PING_INTERVAL: Duration = Duration::from_secs(25);

/// Answers one request; `None` when the connection is over.
pub async fn answer(wire: &mut Wire, head: &Head, shared: &Arc<Shared>) -> Option<()> {
    let mut sink = BodySink::new("text/plain");
    wire.body(head.framing().ok()?, &mut sink).await.ok()?;
    let body = String::from_utf8_lossy(&sink.finish().recorded).into_owned();
    let origin = head.field("origin").unwrap_or_default().to_owned();
    if query(head, "transport").as_deref() != Some("polling") {
        return reply(wire, &origin, 400, "application/json", "{\"code\":0,\"message\":\"Transport unknown\"}").await;
    }
    let Some(sid) = query(head, "sid") else {
        let (sid, (packets, waiting)) = (random::letters(20), unbounded_channel());
        shared.polls().insert(sid.clone(), Poll { packets, waiting: Some(waiting) });
        let open = open_packet(&sid, "\"websocket\"");
        return reply(wire, &origin, 200, "text/plain; charset=UTF-8", &open).await;
    };
    let packets = shared.polls().get(&sid).map(|poll| poll.packets.clone());
    let Some(packets) = packets else {
        return reply(wire, &origin, 400, "application/json", "{\"code\":1,\"message\":\"Session ID unknown\"}").await;
    };
    if head.method == "POST" {
        if let Some(namespace) = body.strip_prefix("40") {
            let namespace = namespace.trim_end_matches(',');
            let said = match asking::join(head, namespace).await {
                Ok(member) => {
                    shared.joined().push(member.user);
                    follow(shared, namespace, packets.clone());
                    format!("40{namespace},{{\"sid\":\"{}\"}}", random::letters(20))
                }
                Err(problem) => format!("44{namespace},{{\"message\":\"{problem}\"}}"),
            };
            // The session is there: it was found above.
            let _ = packets.send(said);
        }
        return reply(wire, &origin, 200, "text/html", "ok").await;
    }
    let waiting = shared.polls().get_mut(&sid).and_then(|poll| poll.waiting.take());
    let Some(mut waiting) = waiting else {
        return reply(wire, &origin, 400, "application/json", "{\"code\":2,\"message\":\"Bad request\"}").await;
    };
    let packet = timeout(PING_INTERVAL, waiting.recv()).await.ok().flatten().unwrap_or_else(|| "2".to_owned());
    if let Some(poll) = shared.polls().get_mut(&sid) {
        poll.waiting = Some(waiting);
    }
    reply(wire, &origin, 200, "text/plain; charset=UTF-8", &packet).await
}

/// Events to everybody go to this session, too.
fn follow(shared: &Arc<Shared>, namespace: &str, packets: UnboundedSender<String>) {
    let (mut events, namespace) = (shared.events.subscribe(), namespace.to_owned());
    tokio::spawn(async move {
        while let Ok(event) = events.recv().await {
            if packets.send(format!("42{namespace},{event}")).is_err() {
                return;
            }
        }
    });
}

async fn reply(wire: &mut Wire, origin: &str, status: u16, kind: &str, body: &str) -> Option<()> {
    let reason = if status == 200 { "OK" } else { "Bad Request" };
    let allowed = if origin.is_empty() { String::new() } else { format!("Access-Control-Allow-Origin: {origin}\r\n") };
    let answer = format!(
        "HTTP/1.1 {status} {reason}\r\n{allowed}Vary: Origin\r\nAccess-Control-Allow-Credentials: true\r\n\
         Content-Type: {kind}\r\nContent-Length: {}\r\ncache-control: no-store\r\nConnection: keep-alive\r\n\
         Keep-Alive: timeout=5\r\n\r\n{body}",
        body.len()
    );
    wire.send(answer.as_bytes()).await.ok()
}
