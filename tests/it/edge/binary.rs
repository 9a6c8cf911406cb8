//! The gateway itself behind TLS and HTTP/2: what it decides does not depend on how a request came. T42 to T45, T49, T55,
//! T56.

use std::net::SocketAddr;

use serde_json::Value;
use toml::Table;

use super::{
    frames::{Http2, get, headers, request},
    tls_site::Certificate,
};
use crate::support::{Request, SHOP, Setup, TestGateway, authorize_url, until};

/// The port is the kernel's choice, and told in the log.
fn start(certificate: &Certificate) -> (TestGateway, SocketAddr) {
    let mut tls = Table::new();
    tls.insert("listen".to_owned(), vec!["127.0.0.1:0"].into());
    tls.insert("certificate_file".to_owned(), certificate.files.certificate.to_string_lossy().into_owned().into());
    tls.insert("key_file".to_owned(), certificate.files.key.to_string_lossy().into_owned().into());
    let gateway = Setup::new().set("server.tls", tls).start();
    let member = |line: &Value, name: &str| line.get(name).or_else(|| line.get("fields")?.get(name)).cloned();
    // It serves a moment before it says where.
    let address = until("it says where it listens", || {
        let log = gateway.log();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let tls_line = lines.find(|line| member(line, "tls") == Some(true.into()))?;
        member(&tls_line, "address")?.as_str()?.parse().ok()
    });
    (gateway, address)
}

#[test]
fn a_path_is_judged_alike_whichever_protocol_it_came_by() {
    let certificate = Certificate::make();
    let (gateway, address) = start(&certificate);
    let mut refused = 0;
    for path in [
        "/api/method/ping",
        "/api/resource/User",
        "/assets/x",
        "/healthz",
        "/metrics",
        "/healthz/../api/resource/User",
        "/assets/../api/resource/User",
        "/assets/%2e%2e/api/resource/User",
        "/assets/%252e%252e%252fapi/resource/User",
        "/assets/x%00",
        "/assets/x%0d%0ay",
        "/assets/%c0%af",
        "/assets/%ff",
        "/assets/x%23y",
        "/assets\\..\\api",
        "//api/resource/User",
        "/?cmd=frappe.integrations.oauth2.introspect_token",
        "/api/method/frappe.integrations.oauth2.get_token",
        "/api/method/%66rappe.integrations.oauth2.get_token",
    ] {
        let (over_http1, seen_by_http1) = gateway.upstream_of(|| gateway.get(path));
        let (over_http2, seen_by_http2) = gateway.upstream_of(|| {
            let mut client = Http2::new(certificate.connect(address));
            client.send(&get(1, path)).unwrap();
            client.outcome(1)
        });
        assert_eq!(over_http2.status(), Some(over_http1.status), "{path}");
        let targets = |seen: &[crate::standin::Recorded]| {
            seen.iter().map(|record| (record.method.clone(), record.target.clone())).collect::<Vec<_>>()
        };
        assert_eq!(targets(&seen_by_http1), targets(&seen_by_http2), "{path}");
        refused += u32::from(over_http1.status == 400 && seen_by_http1.is_empty());
    }
    assert!(refused >= 6, "{refused}");
}

#[test]
fn the_name_of_a_prober_opens_nothing() {
    let certificate = Certificate::make();
    let (gateway, address) = start(&certificate);
    let mut client = Http2::new(certificate.connect(address));
    for (path, stream) in
        ["/healthz/../api/resource/User", "/api/resource/User", "/healthz"].into_iter().zip((1..).step_by(4))
    {
        let probe = [("user-agent", "kube-probe/1.30"), ("x-health", "1")];
        client.send(&get(stream, path)).unwrap();
        client.send(&headers(1, stream + 2, &request("GET", path, &probe))).unwrap();
        let by_name = client.outcome(stream + 2).status();
        assert_eq!(client.outcome(stream).status(), by_name, "{path}");
        let over_http1 = gateway.send(&Request::get(path).header("User-Agent", "kube-probe/1.30"));
        assert_eq!(by_name, Some(over_http1.status), "{path}");
    }
}

#[test]
fn fields_that_wsgi_would_merge_are_dropped_over_http2_too() {
    let certificate = Certificate::make();
    let (gateway, address) = start(&certificate);
    let fields = [
        ("x_frappe_site_name", "other"),
        ("x-frappe-site-name", "other"),
        ("x_forwarded_for", "1.2.3.4"),
        ("x-forwarded-for", "1.2.3.4"),
        ("remote-user", "Administrator"),
        ("cookie", "user_id=Administrator"),
        ("cookie", "theme=dark"),
    ];
    let (status, seen) = gateway.upstream_of(|| {
        let mut client = Http2::new(certificate.connect(address));
        client.send(&headers(1, 1, &request("GET", "/api/method/ping", &fields))).unwrap();
        client.outcome(1).status()
    });
    assert!(status.is_some());
    let text = seen[0].text();
    assert!(!text.contains("other") && !text.contains("1.2.3.4") && !text.contains("Administrator"), "{text}");
    assert_eq!(seen[0].headers("x-forwarded-proto"), ["https"], "{text}");
    assert_eq!(seen[0].headers("cookie"), ["theme=dark"], "{text}");
}

#[test]
fn cookies_that_are_nobodys_open_nothing() {
    let certificate = Certificate::make();
    let (gateway, address) = start(&certificate);
    let url = authorize_url(SHOP, &[]);
    let long = format!("sid={}", "a".repeat(9000));
    for cookie in [
        "sid=",
        "sid=0123456789abcdef",
        "sid=Guest; sid=Administrator",
        "sid=\"a; b",
        "=;=;;sid",
        "sid=a%00b%0d%0ac",
        "sid=\u{e9}",
        "user_id=Administrator; full_name=Administrator; system_user=yes",
        "__Host-empress=x.y.z; sid=x",
        &long,
    ] {
        let answer = gateway.send(&Request::get(&url).header("Cookie", cookie));
        let location = answer.header("location").unwrap_or_default();
        assert!(!location.contains("code="), "{cookie}: {answer}");
        assert!(answer.status >= 400 || location.contains("/login?"), "{cookie}: {answer}");
        let mut client = Http2::new(certificate.connect(address));
        client.send(&headers(1, 1, &request("GET", &url, &[("cookie", cookie)]))).unwrap();
        assert_eq!(client.outcome(1).status(), Some(answer.status), "{cookie}");
    }
}
