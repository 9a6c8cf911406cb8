//! Request targets: what we decide on is what ERPNext does. The first byte chooses the HTTP method.
#![no_main]

use std::{collections::BTreeSet, sync::LazyLock};

use empress_fuzz::python;
use empress_gateway::{
    config::Config,
    route::{RESERVED_METHODS, Route, Router, Service, Step, Target},
};
use http::Method;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const METHODS: [Method; 7] =
    [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::HEAD, Method::OPTIONS];

static ROUTER: LazyLock<Router> = LazyLock::new(|| {
    let config = Config::from_toml(include_str!("rules.toml")).expect("a configuration");
    Router::new(&config.route).expect("rules")
});

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, raw)) = bytes.split_first() else { return };
    let (Some(method), Ok(raw)) = (METHODS.get(usize::from(*choice % 7)), std::str::from_utf8(raw)) else { return };
    let Ok(target) = Target::parse(raw) else { return };
    let forwarded = target.forwarded();
    let again = Target::parse(&forwarded).expect("a target that was taken once");
    assert_eq!(again.path(), target.path());
    assert_eq!(again.forwarded(), forwarded);
    let (route, steps) = ROUTER.explain(method, &target);
    assert_eq!(route, ROUTER.route(method, &target));
    let Some(seen) = python::target(method.as_str(), &forwarded) else { return };
    same_path_and_query(&target, &seen);
    if let Route::Upstream(terms) = &route
        && *method != Method::OPTIONS
    {
        let asked: BTreeSet<_> = steps.iter().map(|step: &Step| step.name.as_str()).collect();
        let login = does(&seen).is_some_and(|done| done == Done::Calls("login".to_owned()));
        assert!(!login || terms.may_log_in, "a login passed as something else: {seen}");
        assert!(terms.sid_in_query || !target.query().has("sid") || terms.service == Service::Realtime);
        rules_were_asked(&asked, &seen);
    }
});

fn same_path_and_query(target: &Target<'_>, seen: &Value) {
    assert_eq!(seen["path"].as_str(), Some(target.path()), "{seen}");
    let pairs = seen["args"].as_array().expect("pairs");
    let names: BTreeSet<_> = pairs.iter().filter_map(|pair| pair[0].as_str()).collect();
    for name in names {
        let theirs: Vec<_> = pairs.iter().filter(|pair| pair[0] == name).filter_map(|pair| pair[1].as_str()).collect();
        let ours: Vec<_> = target.query().values(name).collect();
        assert_eq!(ours, theirs, "{name:?} in {seen}");
    }
    for name in ["cmd", "sid", "doctype"] {
        assert_eq!(target.query().has(name), pairs.iter().any(|pair| pair[0] == name), "{name:?} in {seen}");
    }
}

#[derive(PartialEq, Eq)]
enum Done {
    Calls(String),
    Reaches(String),
    Other,
}

/// What ERPNext does at the request, by `cmd` or by the path.
fn does(seen: &Value) -> Option<Done> {
    if let Some(cmd) = seen["cmd"].as_str().filter(|cmd| !cmd.is_empty()) {
        return Some(Done::Calls(cmd.to_owned()));
    }
    let does = seen["does"].as_object()?;
    let text = |name: &str| does.get(name).and_then(Value::as_str);
    Some(match (text("endpoint")?, text("method"), text("doctype"), text("name")) {
        ("call" | "call_v2", Some(method), _, _) => Done::Calls(method.to_owned()),
        ("document", _, Some(doctype), Some(name)) => Done::Reaches(format!("{doctype}/{name}")),
        ("doctype", _, Some(doctype), _) => Done::Reaches(doctype.to_owned()),
        _ => Done::Other,
    })
}

fn rules_were_asked(asked: &BTreeSet<&str>, seen: &Value) {
    match does(seen) {
        Some(Done::Calls(method)) => {
            assert!(!method.trim_start().starts_with(RESERVED_METHODS), "ERPNext's own OAuth: {seen}");
            assert_ne!(method, "evil.call", "denied: {seen}");
            assert!(asked.contains(format!("/api/method/{method}").as_str()), "{asked:?} for {seen}");
        }
        Some(Done::Reaches(what)) => {
            assert_ne!(what.split('/').next(), Some("Forbidden"), "denied: {seen}");
            assert!(asked.contains(format!("/api/resource/{what}").as_str()), "{asked:?} for {seen}");
        }
        Some(Done::Other) => assert!(!asked.is_empty(), "{seen}"),
        None => {}
    }
}
