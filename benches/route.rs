//! What it costs to parse a target and to decide where its request goes.
#![expect(clippy::expect_used, reason = "a bench may panic")]

use std::hint::black_box;

use criterion::Criterion;
use empress_gateway::{
    config::{RouteAuth, RouteSettings},
    route::{Router, Target},
};
use http::Method;

fn rule(path: &str, auth: RouteAuth, scopes: &[&str]) -> RouteSettings {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    RouteSettings { path: path.to_owned(), auth, scopes, ..RouteSettings::default() }
}

fn main() {
    let without = Router::new(&[]).expect("no rules");
    let with = Router::new(&[
        rule("/api/method/frappe.client.get_list", RouteAuth::Deny, &[]),
        rule("/api/method/{method}", RouteAuth::Bearer, &["call"]),
        rule("/api/resource/{doctype}", RouteAuth::Bearer, &["read:{doctype}"]),
        rule("/api/resource/{doctype}/{name}", RouteAuth::Bearer, &["read:{doctype}"]),
    ]);
    let with = with.expect("rules");
    let mut criterion = Criterion::default().configure_from_args();
    for (name, raw) in [
        ("api", "/api/resource/Customer?fields=%5B%22name%22%5D&limit_page_length=20"),
        ("asset", "/assets/frappe/dist/css/desk.bundle.QWERTY.css"),
        ("escaped", "/api/resource/Sales%20Invoice/ACC-SINV-2026-00001"),
    ] {
        criterion.bench_function(&format!("parse target, {name}"), |bencher| {
            bencher.iter(|| Target::parse(black_box(raw)).is_ok());
        });
        let target = Target::parse(raw).expect("a target");
        criterion.bench_function(&format!("route without rules, {name}"), |bencher| {
            bencher.iter(|| without.route(&Method::GET, black_box(&target)));
        });
        criterion.bench_function(&format!("route with four rules, {name}"), |bencher| {
            bencher.iter(|| with.route(&Method::GET, black_box(&target)));
        });
    }
    criterion.final_summary();
}
