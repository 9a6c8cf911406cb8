//! Bodies: whatever ERPNext takes from one, we saw or refused. A line with the content type, then the body.
#![no_main]

use std::sync::LazyLock;

use empress_fuzz::{first_line, python, same_in_pieces};
use empress_gateway::{
    config::Config,
    fuzzing::field_values,
    route::{BodyKind, BodyScan, Fields, Found, RESERVED_METHODS, Route, Router, Seen, Target},
};
use http::{HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

static ROUTER: LazyLock<Router> = LazyLock::new(|| {
    let config = Config::from_toml(include_str!("rules.toml")).expect("a configuration");
    Router::new(&config.route).expect("rules")
});

fuzz_target!(|bytes: &[u8]| {
    let Some((content_type, body)) = first_line(bytes) else { return };
    let Ok(content_type) = HeaderValue::from_bytes(content_type.trim_ascii()) else { return };
    let Ok(kind) = BodyKind::of([content_type.as_bytes()]) else { return };
    let verdict = same_in_pieces(body, |size| scanned(BodyScan::new(&kind), body, size));
    guarding_refuses_what_is_seen(&kind, body, verdict);
    let fields = Fields::parse(&kind, body);
    let Ok(seen) = verdict else { return };
    let Some(answer) = python::body(content_type.as_bytes(), body) else { return };
    let theirs = answer["fields"].as_object().expect("an object");
    assert!(!theirs.contains_key("sid"), "a session passed: {answer}");
    assert!(seen.call || !theirs.contains_key("cmd"), "a call passed: {answer}");
    assert!(seen.method || !theirs.contains_key("method"), "a method passed: {answer}");
    for text in theirs.values().filter_map(Value::as_str) {
        assert!(!text.trim_start().starts_with(RESERVED_METHODS), "ERPNext's own OAuth: {answer}");
    }
    if let Ok(fields) = fields {
        same_fields(&fields, theirs, &answer);
        the_rules_hold(&fields, theirs, answer["written"].as_object());
    }
});

fn scanned(mut scan: BodyScan, body: &[u8], size: usize) -> Result<Seen, Found> {
    body.chunks(size).try_for_each(|piece| scan.push(piece))?;
    scan.finish()?;
    Ok(scan.seen())
}

fn guarding_refuses_what_is_seen(kind: &BodyKind, body: &[u8], verdict: Result<Seen, Found>) {
    let guarded = BodyScan::new(kind).guarded(Seen { call: true, method: true });
    let again = scanned(guarded, body, body.len().max(1));
    match verdict {
        Ok(Seen { call: false, method: false }) => assert_eq!(again, verdict),
        Ok(_) => assert_eq!(again, Err(Found::Call)),
        Err(_) => assert!(again.is_err()),
    }
}

fn same_fields(fields: &Fields, theirs: &Map<String, Value>, answer: &Value) {
    for (name, value) in theirs {
        let ours = field_values(fields, name);
        // Numbers that are no 64-bit ones are the same as far as rules go.
        let same = |ours: &&Value| match (*ours, value) {
            (Value::String(_), _) | (_, Value::String(_)) => **ours == *value,
            _ => std::mem::discriminant(*ours) == std::mem::discriminant(value),
        };
        assert!(ours.iter().any(same), "{name:?} is {ours:?} to us: {answer}");
    }
    assert_eq!(fields.logs_in(), fields.logs_in() || theirs.get("cmd").is_some_and(|cmd| cmd == "login"));
}

/// What is denied is, under every name that the body may give it.
fn the_rules_hold(fields: &Fields, theirs: &Map<String, Value>, written: Option<&Map<String, Value>>) {
    let refused = |method: Method, target: &str| {
        let target = Target::parse(target).expect("a target");
        matches!(ROUTER.route_with(&method, &target, Some(fields)), Route::Refuse(_))
    };
    let is = |map: &Map<String, Value>, name: &str, text: &str| map.get(name).is_some_and(|value| value == text);
    if is(theirs, "cmd", "evil.call") {
        assert!(refused(Method::POST, "/"), "{theirs:?}");
    }
    if is(theirs, "doctype", "Forbidden") {
        for method in ["frappe.client.get", "frappe.client.delete", "frappe.desk.reportview.get"] {
            assert!(refused(Method::POST, &format!("/api/method/{method}")), "{method}: {theirs:?}");
            assert!(!is(theirs, "cmd", method) || refused(Method::POST, "/"), "{method}: {theirs:?}");
        }
    }
    for name in ["doctype", "parenttype"] {
        if written.is_some_and(|written| is(written, name, "Forbidden")) {
            assert!(refused(Method::PUT, "/api/resource/Item/x"), "{name}: {written:?}");
        }
    }
}
