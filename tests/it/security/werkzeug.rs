//! What werkzeug and Frappe took from 1200 bodies, against what the gateway sees in them
//! (`tests/vectors/werkzeug-bodies.py`). The gateway may refuse more than it must, but may miss nothing.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use empress_gateway::route::{BodyKind, BodyScan, Found, Seen};
use serde::Deserialize;

const CASES: &str = include_str!("../../vectors/werkzeug-bodies.json");

#[derive(Deserialize)]
struct Case {
    content_type: String,
    body: String,
    /// `None`: the body could not be read, and the request failed.
    seen: Option<BTreeMap<String, String>>,
}

fn scanned(kind: &BodyKind, body: &[u8], size: usize) -> Result<Seen, Found> {
    let mut scan = BodyScan::new(kind);
    body.chunks(size).try_for_each(|piece| scan.push(piece))?;
    scan.finish()?;
    Ok(scan.seen())
}

#[test]
fn nothing_that_werkzeug_sees_is_missed() {
    let cases: Vec<Case> = serde_json::from_str(CASES).expect("JSON");
    let (mut sessions, mut calls, mut passed) = (0, 0, 0);
    for case in &cases {
        let kind = BodyKind::of([case.content_type.as_bytes()]).expect("a content type that is clear");
        let body = STANDARD.decode(&case.body).expect("base64");
        let text = String::from_utf8_lossy(&body);
        let verdict = scanned(&kind, &body, body.len().max(1));
        for size in [1, 2, 7] {
            assert_eq!(scanned(&kind, &body, size), verdict, "{text:?}");
        }
        let Some(seen) = &case.seen else { continue };
        if seen.contains_key("sid") {
            sessions += 1;
            assert!(matches!(verdict, Err(Found::Session | Found::Malformed)), "{text:?}: {verdict:?}");
        } else if seen.contains_key("cmd") {
            calls += 1;
            let told = verdict.map_or(true, |seen| seen.call);
            assert!(told, "{text:?}: {verdict:?}");
        }
        passed += usize::from(verdict.is_ok());
    }
    assert!(sessions > 90 && calls > 80 && passed > 300, "{sessions}, {calls}, {passed} of {}", cases.len());
}
