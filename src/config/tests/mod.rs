//! A configuration as an operator writes it, and as it goes wrong.

mod clients;
mod files;

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SHIPPED: &str = include_str!("../../../conf/empress-gateway.toml");

/// The least that works, then `more`.
fn parse(more: &str) -> Result<Config, Problems> {
    Config::from_toml(&format!("server.public_url = \"https://erp.example.com\"\n{more}"))
}

fn config(more: &str) -> Config {
    parse(more).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Paths and messages of what is wrong.
fn problems(more: &str) -> Vec<(String, String)> {
    let problems = parse(more).expect_err(more);
    problems.list.into_iter().map(|problem| (problem.path, problem.message)).collect()
}

/// That exactly this key is wrong, with this in the message.
#[track_caller]
fn assert_wrong(more: &str, path: &str, part: &str) {
    let found = problems(more);
    let [(at, message)] = found.as_slice() else { panic!("{more}\n{found:?}") };
    assert_eq!(at, path, "{more}\n{found:?}");
    assert!(message.contains(part), "{message}");
}

#[test]
fn the_shipped_file_shows_every_default() {
    assert_eq!(Config::from_toml(SHIPPED), Ok(Config::default()));
}

#[test]
fn the_shipped_file_names_every_key() {
    // serde tells all keys of a section when it meets one that is none of them.
    for section in [
        "server",
        "admin",
        "erpnext",
        "tokens",
        "cache",
        "limits",
        "introspection",
        "revocation",
        "registration",
        "agents",
        "cors",
        "login",
        "pages",
        "log",
    ] {
        let found = problems(&format!("{section}.no_such_key = 1"));
        let keys = found[0].1.split_once("there are: ").map_or_else(|| found[0].1.as_str(), |(_, keys)| keys);
        let within = SHIPPED.split(&format!("\n[{section}]\n")).nth(1).expect(section);
        for key in keys
            .replace(" or ", ", ")
            .split(", ")
            .filter(|key| !["tls", "urls", "api_key", "initial_token"].contains(key))
        {
            assert!(
                within.contains(&format!("\n{key} = ")) || within.starts_with(&format!("{key} = ")),
                "{section}.{key}"
            );
        }
    }
}

#[test]
fn its_optional_blocks_work_when_they_are_uncommented() {
    let uncomment = |line: &'static str| {
        line.strip_prefix("# ").filter(|rest| rest.starts_with('[') || is_assignment(rest)).unwrap_or(line)
    };
    let uncommented = SHIPPED.lines().map(uncomment).collect::<Vec<_>>().join("\n");
    let config = Config::from_toml(&uncommented).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.server.tls, Some(TlsSettings::default()));
    let [client] = config.client.as_slice() else { panic!("one client") };
    let default = ClientSettings::default();
    assert_eq!(
        (&client.scopes, &client.grant_types, client.mode),
        (&default.scopes, &default.grant_types, default.mode)
    );
    let [route] = config.route.as_slice() else { panic!("one route") };
    assert_eq!((route.auth, route.methods.as_slice()), (RouteAuth::Bearer, &[http::Method::GET][..]));
}

fn is_assignment(line: &str) -> bool {
    line.split_once(" = ")
        .is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()))
}

#[test]
fn everything_that_is_wrong_is_reported_at_once_with_its_line() {
    let text = "[server]\n\
                public_url = \"http://erp.example.com\"\n\
                lisen = [\"127.0.0.1:80\"]\n\
                trusted_proxies = [\"10.0.0.0/8\", \"10.0.0.0/99\"]\n\
                [tokens]\n\
                access_ttl = 3600\n\
                code_ttl = \"11m\"\n\
                [[client]]\n\
                id = \"a\"\n\
                redirect_uris = [\"https://a.example/cb\"]\n\
                [[client]]\n\
                id = \"a\"\n\
                redirect_uris = [\n\
                \"https://b.example/cb\",\n\
                \"https://b.example/#frag\",\n\
                ]\n\
                [[route]]\n\
                path = \"api\"\n\
                auth = \"baerer\"\n\
                [no_such_section]\n\
                x = 1\n";
    let problems = Config::from_toml(text).expect_err("much is wrong").list;
    let found: Vec<_> = problems.iter().map(|problem| (problem.line, problem.path.as_str())).collect();
    assert_eq!(
        found,
        [
            (Some(2), "server.public_url"),
            (Some(3), "server.lisen"),
            (Some(4), "server.trusted_proxies[1]"),
            (Some(6), "tokens.access_ttl"),
            (Some(7), "tokens.code_ttl"),
            (Some(12), "client[1].id"),
            (Some(15), "client[1].redirect_uris[1]"),
            (Some(18), "route[0].path"),
            (Some(19), "route[0].auth"),
            (Some(20), "no_such_section"),
        ],
        "{problems:#?}"
    );
}

#[test]
fn broken_toml_is_reported_with_its_line() {
    let problems = Config::from_toml("[server]\nlisten = [\n\n[admin\n").expect_err("no TOML");
    assert!(problems.list.iter().all(|problem| problem.message.starts_with("not TOML: ")), "{problems}");
    assert!(problems.list.iter().any(|problem| problem.line.is_some_and(|line| line > 1)), "{problems}");
    let problems =
        Config::from_toml("[admin]\nlisten = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"\n").expect_err("twice");
    assert_eq!(problems.list[0].line, Some(3), "{problems}");
}

#[test]
fn the_public_url_is_needed() {
    let problems = Config::from_toml("").expect_err("needed").list;
    assert_eq!((problems[0].path.as_str(), problems[0].line), ("server.public_url", None));
    let problems = Config::from_toml("\n[server]\nthreads = 1\n").expect_err("needed").list;
    assert_eq!((problems[0].path.as_str(), problems[0].line), ("server.public_url", Some(2)));
}

#[test]
fn values_are_taken_as_they_are_meant() {
    let config = config(
        "server.listen = [\"127.0.0.1:0\", \"[::1]:0\"]\nserver.trusted_proxies = [\"192.0.2.7\", \"fd00::/8\"]\n\
         erpnext.urls = [\"http://10.0.0.2:8000\"]\nerpnext.socketio_url = \"http://10.0.0.2:9000\"\nerpnext.site_name = \"erp\"\n\
         cache.ttl = \"500ms\"\nlimits.authorize = \"5/s\"\nserver.max_header = \"1MiB\"\n"
            .replace("1MiB", "1023KiB")
            .as_str(),
    );
    assert_eq!(config.server.listen.len(), 2);
    assert_eq!(config.server.trusted_proxies[0].to_string(), "192.0.2.7/32");
    assert_eq!(config.erpnext.url.as_str(), "http://10.0.0.2:8000");
    assert_eq!(config.erpnext.socketio_url.map(|url| url.port()), Some(9000));
    assert_eq!(config.erpnext.site_name.as_deref(), Some("erp"));
    assert_eq!(config.cache.ttl, Duration::from_millis(500));
    assert_eq!(config.limits.authorize.interval(), Duration::from_millis(200));
}

#[test]
fn values_that_cannot_work_are_refused() {
    for (text, path, part) in [
        ("server.listen = []", "server.listen", "no listener"),
        ("server.tls.listen = []", "server.tls.listen", "no listener"),
        ("server.header_timeout = \"0s\"", "server.header_timeout", "more than nothing"),
        ("server.max_header = \"2MiB\"", "server.max_header", "from 4KiB to 1023KiB"),
        ("server.max_connections = 0", "server.max_connections", "at least 1"),
        ("server.threads = -1", "server.threads", "invalid value"),
        (
            "server.listen = [\"127.0.0.1:80\", \"127.0.0.1:80\"]",
            "server.listen[1]",
            "already taken by server.listen[0]",
        ),
        ("admin.listen = \"127.0.0.1:8080\"", "admin.listen", "already taken by server.listen[0]"),
        ("erpnext.url = \"http://127.0.0.1:8000/\"", "erpnext.url", "no path"),
        ("erpnext.site_name = \"a\\nb\"", "erpnext.site_name", "visible ASCII"),
        ("erpnext.shadow_token_ttl = \"1m\"", "erpnext.shadow_token_ttl", "10m"),
        ("erpnext.clients = \"on\"", "erpnext.clients", "expected `sync` or `off`"),
        ("tokens.access_ttl = \"1500ms\"", "tokens.access_ttl", "whole seconds"),
        ("tokens.refresh_ttl = \"30m\"", "tokens.refresh_ttl", "at least tokens.access_ttl (1h)"),
        ("tokens.refresh_grace = \"1h\"", "tokens.refresh_grace", "10m"),
        ("tokens.id_token_alg = \"HS256\"", "tokens.id_token_alg", "RS256"),
        ("tokens.key_rotation = \"1s\"", "tokens.key_rotation", "1h"),
        ("cache.capacity = 0", "cache.capacity", "at least 1"),
        ("cache.ttl = \"0s\"", "cache.ttl", "more than nothing"),
        ("limits.authorize = \"0/m\"", "limits.authorize", "60/m"),
        ("store.path = \"\"", "store.path", "name a file"),
        ("cors.allowed_origins = [\"https://a.example\", \"*\"]", "cors.allowed_origins[1]", "origin"),
        ("log.level = \"loud\"", "log.level", "unknown variant"),
        ("admin = 1", "admin", "invalid type"),
    ] {
        let found = problems(text);
        assert!(found.iter().any(|(at, message)| at == path && message.contains(part)), "{text}: {found:?}");
    }
}

#[test]
fn what_is_not_built_is_said_never_ignored() {
    for (text, path) in
        [("store.kind = \"redis\"", "store.kind"), ("store.url = \"redis://127.0.0.1:6379/0\"", "store.url")]
    {
        assert_wrong(text, path, "not built yet");
    }
}

#[test]
fn who_may_register_is_said_soundly() {
    let good = "registration.enabled = true\nregistration.redirect_hosts = [\"app.example.com\", \"[::1]\"]";
    assert_eq!(config(good).registration.redirect_hosts.len(), 2);
    for (text, key, part) in [
        ("redirect_hosts = [\"https://a.example\"]", "redirect_hosts[0]", "write a host"),
        ("scopes = []", "scopes", "empty"),
        ("unused_ttl = \"0s\"", "unused_ttl", "more than nothing"),
        ("max_clients = 0", "max_clients", "at least 1"),
        ("initial_token = \"two words\"", "initial_token", "one word"),
        ("initial_token = \"a\"\nregistration.initial_token_file = \"/b\"", "initial_token", "not both"),
    ] {
        assert_wrong(&format!("registration.{text}"), &format!("registration.{key}"), part);
    }
}

#[test]
fn what_is_worth_knowing_is_a_notice() {
    assert_eq!(config("").notices(), Vec::<String>::new());
    let open = "erpnext.password_grant = true\nerpnext.clients = \"off\"\nadmin.listen = \"0.0.0.0:9180\"\n\
                server.trusted_proxies = [\"0.0.0.0/0\"]";
    assert_eq!(config(open).notices().len(), 3);
    let notices = config("[[client]]\nid = \"s1p7u9lop3\"\nmode = \"strict\"").notices();
    assert!(notices.iter().any(|notice| notice.contains("client[0]") && notice.contains("ERPNext")), "{notices:?}");
}

#[test]
fn upstream_is_given_once() {
    assert_wrong("erpnext.url = \"http://a\"\nerpnext.urls = [\"http://b\"]", "erpnext.urls", "not both");
    assert_wrong("erpnext.urls = []", "erpnext.urls", "empty");
    assert_wrong("erpnext.urls = [\"http://a\", \"http://b\", \"http://a\"]", "erpnext.urls[2]", "already");
}

#[test]
fn routes_that_contradict_themselves_or_each_other_are_refused() {
    let route = |more: &str| format!("[[route]]\npath = \"/a\"\n{more}\n");
    assert_wrong("[[route]]\nauth = \"deny\"", "route[0].path", "needed");
    assert_wrong(&route("auth = \"pass\"\nscopes = [\"x\"]"), "route[0].scopes", "remove the scopes");
    assert_wrong(&route("strict = true"), "route[0].strict", "it has none");
    assert_wrong(&route("scopes = [\"a b\"]"), "route[0].scopes[0]", "one scope");
    assert_wrong(&route("methods = [\"get\"]"), "route[0].methods[0]", "capitals");
    assert_wrong(&(route("") + &route("methods = [\"GET\"]")), "route[1].path", "never reached: route[0]");
    assert_wrong(
        &(route("methods = [\"GET\", \"PUT\"]") + &route("methods = [\"GET\"]")),
        "route[1].path",
        "never reached",
    );
    assert_eq!(config(&(route("methods = [\"GET\"]") + &route(""))).route.len(), 2);
}

#[test]
fn a_problem_does_not_bring_others_that_follow_from_it() {
    // The default grant type would ask for the redirect URIs that could not be read.
    assert_wrong(
        "[[client]]\nid = \"a\"\nredirect_uris = [\"nonsense\"]",
        "client[0].redirect_uris[0]",
        "absolute URI",
    );
    assert_wrong("tokens.access_ttl = \"soon\"\ntokens.refresh_ttl = \"1m\"", "tokens.access_ttl", "a duration is");
    assert_wrong("[[client]]\nid = 5\nredirect_uris = [\"https://a.example/cb\"]", "client[0].id", "invalid type");
}

const KEYS: &[&str] =
    &["server.listen", "server.tls", "client", "route", "erpnext.urls", "store", "log.level", "limits.authorize", "x"];
const VALUES: &[&str] =
    &["1", "true", "\"\"", "\"10s\"", "[]", "[1]", "{}", "[\"a\"]", "{ a = 1 }", "nan", "1979-05-27", "[[1]]"];
const LINES: &[&str] = &[
    "[[client]]",
    "[[route]]",
    "[server]",
    "[server.tls]",
    "id = \"a\"",
    "jwks = { a = [nan] }",
    "redirect_uris = [1]",
];

fn key_or_junk() -> impl Strategy<Value = String> {
    let assignment = (prop::sample::select(KEYS), prop::sample::select(VALUES));
    prop_oneof![
        assignment.prop_map(|(key, value)| format!("{key} = {value}")),
        prop::sample::select(LINES).prop_map(str::to_owned),
        "\\PC{0,20}",
    ]
}

proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(lines in prop::collection::vec(key_or_junk(), 0..8)) {
        if let Err(problems) = Config::from_toml(&lines.join("\n")) {
            prop_assert!(!problems.list.is_empty());
        }
    }

    #[test]
    fn no_bytes_make_the_loader_panic(text in any::<String>()) {
        let _ = Config::from_toml(&text);
    }
}
