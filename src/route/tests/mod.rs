//! Whole targets through the router, and what must hold for every target there is.

mod calls;

use proptest::prelude::*;

use super::*;
use crate::oauth::Scopes;

fn rule(path: &str, auth: RouteAuth, scopes: &[&str]) -> RouteSettings {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    RouteSettings {
        path: path.to_owned(),
        methods: Vec::new(),
        auth,
        scopes,
        strict: false,
        reads: false,
        resource: false,
    }
}

fn route_by(rules: &[RouteSettings], method: &Method, target: &str) -> Route {
    let target = Target::parse(target).expect("a good target");
    Router::new(rules).expect("good rules").route(method, &target)
}

fn terms_by(rules: &[RouteSettings], target: &str) -> Terms {
    match route_by(rules, &Method::GET, target) {
        Route::Upstream(terms) => terms,
        other => panic!("{target}: {other:?}"),
    }
}

fn allows(rules: &[RouteSettings], scopes: &str, target: &str) -> bool {
    terms_by(rules, target).demand.is_met_by(&Scopes::parse(scopes).expect("scopes"))
}

fn customer_rules() -> Vec<RouteSettings> {
    let read =
        |path| RouteSettings { methods: vec![Method::GET], ..rule(path, RouteAuth::Bearer, &["read:{doctype}"]) };
    vec![read("/api/resource/{doctype}"), read("/api/resource/{doctype}/{name}")]
}

/// T39, T40, T42, T43, T45
#[test]
fn what_two_parsers_could_read_in_two_ways_is_refused() {
    for (target, why) in [
        ("/public/../api/resource/User", BadTarget::DotSegment),
        ("/assets/%2e%2e/api/x", BadTarget::DotSegment),
        ("/assets/..%2fapi", BadTarget::DotSegment),
        ("/assets/..;/api", BadTarget::DotSegment),
        ("/assets/.%2E;a=b/api", BadTarget::DotSegment),
        ("/api/./resource", BadTarget::DotSegment),
        ("/api/resource/User/.", BadTarget::DotSegment),
        ("/api\\resource\\User", BadTarget::Backslash),
        ("/api%5cresource", BadTarget::Backslash),
        ("/a%2f/b", BadTarget::EmptySegment),
        ("/a#/assets/x", BadTarget::Illegal),
        ("/a?b#c", BadTarget::Illegal),
        ("/a b", BadTarget::Illegal),
        ("/a%00", BadTarget::Illegal),
        ("/a%0d%0aX: y", BadTarget::Illegal),
        ("/a%0d%0aX:y", BadTarget::Illegal),
        ("/a%C2%85", BadTarget::Illegal),
        ("/a%c0%afb", BadTarget::NotUtf8),
        ("/a%ff", BadTarget::NotUtf8),
        ("/a%4", BadTarget::Encoding),
        ("/a%zz", BadTarget::Encoding),
        ("", BadTarget::NoOriginForm),
        ("*", BadTarget::NoOriginForm),
        ("api/x", BadTarget::NoOriginForm),
        ("http://other/api", BadTarget::NoOriginForm),
        ("other:443", BadTarget::NoOriginForm),
    ] {
        assert_eq!(Target::parse(target), Err(why), "{target}");
    }
}

#[test]
fn harmless_spellings_are_written_in_one_way() {
    for (target, forwarded) in [
        ("/app/item/50%25?x=%41", "/app/item/50%25?x=%41"),
        ("//api/resource/User", "/api/resource/User"),
        ("/api//method/%66rappe.ping", "/api/method/frappe.ping"),
        ("/api%2Fmethod/x", "/api/method/x"),
        ("/files/\u{fc}.png", "/files/%C3%BC.png"),
        ("/files/%c3%bc.png", "/files/%C3%BC.png"),
        ("/x%23%3f", "/x%23%3F"),
        // T44
        ("/%252e%252e%252fx", "/%252e%252e%252fx"),
        ("/...", "/..."),
        ("/a;b=c/d", "/a;b=c/d"),
        ("/.well-known/x", "/.well-known/x"),
    ] {
        assert_eq!(Target::parse(target).expect(target).forwarded(), forwarded);
    }
    assert_eq!(Target::parse("/app/home").expect("good").rewritten(), None);
}

/// T05, T06
#[test]
fn no_spelling_of_a_reserved_method_goes_upstream() {
    for target in [
        "/api/method/frappe.integrations.oauth2.get_token/",
        "//api/method/frappe.integrations.oauth2.get_token",
        "/api//method/frappe.integrations.oauth2.get_token",
        "/api/v1/method/frappe.integrations.oauth2.get_token",
        "/api/v2/method/frappe.integrations.oauth2.get_token",
        "/api/method/%66rappe.integrations.oauth2.get_token",
        "/api/method/frappe%2Eintegrations%2Eoauth2%2Eget_token",
        "/api%2fmethod%2ffrappe.integrations.oauth2.get_token",
        "/api/method/frappe.integrations.oauth2.get_token?cmd=frappe.ping&sid=1",
    ] {
        assert_eq!(route_by(&[], &Method::POST, target), Route::Endpoint(Endpoint::Token), "{target}");
    }
    let closed = route_by(&[], &Method::POST, "/api/method/frappe.integrations.oauth2.get_token/x");
    assert_eq!(closed, Route::Refuse(Refusal::Closed));
    let other_letters = route_by(&[], &Method::POST, "/API/method/frappe.integrations.oauth2.get_token");
    assert_eq!(other_letters, Route::Refuse(Refusal::Closed));
    terms_by(&[], "/api/method/%2566rappe.integrations.oauth2.get_token");
}

/// T01
#[test]
fn cmd_naming_a_reserved_method_is_refused_on_any_path() {
    for target in [
        "/?cmd=frappe.integrations.oauth2.introspect_token&token=x",
        "/app?a=b&%63md=frappe%2Eintegrations.oauth2.x",
        "/?cmd=frappe.ping&cmd=frappe.integrations.oauth2.x",
        "/?cmd=+frappe.integrations.oauth2.x",
    ] {
        assert_eq!(route_by(&[], &Method::GET, target), Route::Refuse(Refusal::ReservedMethod), "{target}");
    }
    terms_by(&[], "/?cmd=login");
    terms_by(&[], "/?cmd=frappe.integrations.oauth2_logins.login_via_github");
    assert_eq!(route_by(&[], &Method::GET, "/?cmd=a&cmd=b"), Route::Refuse(Refusal::AmbiguousMethod));
}

/// T38
#[test]
fn a_login_session_in_the_query_is_refused_except_where_the_realtime_server_asks() {
    for target in [
        "/app?sid=x",
        "/app?s%69d",
        "/api/method/frappe.auth.get_logged_user?sid=x",
        "/api/method/frappe.realtime.get_user_info?sid=x&cmd=frappe.auth.get_logged_user",
        "/socket.io/?sid=x&cmd=frappe.auth.get_logged_user",
        "/socket.io/?EIO=4&cmd=upload_file",
    ] {
        assert_eq!(route_by(&[], &Method::GET, target), Route::Refuse(Refusal::SidInQuery), "{target}");
    }
    assert!(terms_by(&[], "/api/method/frappe.realtime.get_user_info?sid=x").sid_in_query);
    assert!(!terms_by(&[], "/api/method/frappe.realtime.get_user_info").sid_in_query);
    let polled = terms_by(&[], "/socket.io/?EIO=4&transport=polling&sid=x");
    assert!(polled.service == Service::Realtime && !polled.sid_in_query, "Engine.IO's session, not ERPNext's");
}

/// T46
#[test]
fn a_doctype_scope_opens_that_doctype_alone() {
    let rules = customer_rules();
    assert!(allows(&rules, "read:Customer", "/api/resource/Customer"));
    assert!(allows(&rules, "read:Customer", "/api/v2/document/Customer/ACME"));
    assert!(allows(&rules, "read:Sales_Invoice", "/api/resource/Sales%20Invoice/A%2F1"));
    for target in [
        "/api/resource/customer",
        "/api/resource/User",
        "/api/resource/customer%2FACME",
        "/api/v2/document/User",
        "/api/v1/resource/User/x",
        "/api/method/frappe.client.get_list?doctype=User",
        "/api/v2/method/User/x",
        "/api/resource/Customer/ACME?run_method=delete",
        "/api/v2/document/Customer/ACME/method/delete",
        "/api/v2/doctype/User/count",
        "/api/resource/Customer%20",
        "/api/resource/Customer?cmd=frappe.client.get_list",
        "/private/files/x",
    ] {
        assert!(!allows(&rules, "read:Customer", target), "{target}");
        assert!(allows(&rules, "all", target), "{target}");
    }
}

#[test]
fn without_scopes_in_the_rules_any_token_will_do() {
    let rules = [rule("/api/**", RouteAuth::Bearer, &[])];
    assert!(allows(&rules, "openid", "/api/resource/User"));
    assert!(allows(&rules, "", "/files/x"));
}

#[test]
fn strict_scopes_are_not_met_by_all() {
    let strict = RouteSettings { strict: true, ..rule("/api/method/{m}", RouteAuth::Bearer, &["call:{m}", "more"]) };
    assert!(!allows(std::slice::from_ref(&strict), "all", "/api/method/x"));
    assert!(!allows(std::slice::from_ref(&strict), "all more", "/?cmd=x"));
    assert!(allows(&[strict], "call:x more", "/api/method/x"));
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = [
        RouteSettings { methods: vec![Method::GET], ..rule("/api/method/ping", RouteAuth::Optional, &[]) },
        rule("/api/method/{method}", RouteAuth::Deny, &[]),
    ];
    assert_eq!(terms_by(&rules, "/api/method/ping").rule, Some(0));
    assert!(matches!(route_by(&rules, &Method::HEAD, "/api/method/ping"), Route::Upstream(_)));
    for (method, target) in [
        (Method::POST, "/api/method/ping"),
        (Method::GET, "/api/method/Ping"),
        (Method::GET, "/api/v2/method/pong"),
        (Method::GET, "/api/method/ping?cmd=pong"),
        (Method::GET, "/?cmd=pong"),
    ] {
        assert_eq!(route_by(&rules, &method, target), Route::Refuse(Refusal::Denied), "{target}");
    }
    assert_eq!(terms_by(&rules, "/app").rule, None);
}

#[test]
fn the_letter_case_of_a_doctype_is_no_way_around_a_rule_that_denies() {
    let rules = [rule("/api/resource/System Settings/**", RouteAuth::Deny, &[])];
    for target in ["/api/resource/system%20settings", "/api/v2/document/SYSTEM%20SETTINGS%20/x"] {
        assert_eq!(route_by(&rules, &Method::GET, target), Route::Refuse(Refusal::Denied), "{target}");
    }
}

#[test]
fn the_letter_case_of_a_doctype_is_no_way_to_a_later_rule_that_opens_more() {
    let rules = [
        rule("/api/resource/User/**", RouteAuth::Optional, &["read:User"]),
        rule("/api/resource/**", RouteAuth::Optional, &["read"]),
    ];
    assert!(allows(&rules, "read", "/api/resource/Item"));
    for target in ["/api/resource/User", "/api/resource/user", "/api/v2/document/USER%20/x"] {
        assert!(!allows(&rules, "read", target), "{target}");
    }
}

#[test]
fn the_realtime_server_has_its_own_path() {
    assert_eq!(terms_by(&[], "/socket.io/?EIO=4").service, Service::Realtime);
    assert_eq!(terms_by(&[], "/socket.iox").service, Service::Web);
}

#[test]
fn bad_rules_are_all_told_of() {
    let rules = [
        rule("api", RouteAuth::Bearer, &[]),
        rule("/a/{x}", RouteAuth::Bearer, &["read:{y}"]),
        rule("/b", RouteAuth::Deny, &["x"]),
        rule("/c", RouteAuth::Bearer, &["a b"]),
        rule("/d", RouteAuth::Bearer, &[]),
        RouteSettings { methods: vec![Method::GET], ..rule("/d", RouteAuth::Bearer, &[]) },
    ];
    let problems = Router::new(&rules).expect_err("bad rules").0;
    assert_eq!(problems.iter().map(|problem| problem.index).collect::<Vec<_>>(), [0, 1, 2, 3, 5]);
}

#[test]
fn nothing_counts_as_a_read_where_documents_are_written() {
    let problems = |path: &str| {
        let rule = RouteSettings { reads: true, ..rule(path, RouteAuth::Bearer, &[]) };
        Router::new(&[rule]).err().map(|problems| problems.to_string()).unwrap_or_default()
    };
    for path in [
        "/api/resource/{doctype}",
        "/api/resource/Item/{name}",
        "/api/v2/document/{doctype}",
        "/api/v2/document/{doctype}/{name}/method/{method}",
        "/**",
        "/api/**",
        "/*/**",
        "/{a}/{b}/{c}",
        "/api/*/Customer",
        "/api/{kind}/{doctype}",
        "/api/v2/**",
        "/api/v2/{kind}/Customer",
        "/api/*/document/**",
        "/{api}/v1/resource/Customer",
        "/API/Resource/Customer",
        "/Api/V2/Document/Customer",
        "/API/v1/**",
    ] {
        assert!(problems(path).contains("a POST writes documents"), "{path}: {}", problems(path));
    }
    for path in ["/api/method/mcp.handle", "/api/method/{method}", "/api/v2/method/**", "/mcp/**", "/mcp", "/*/mcp"] {
        assert_eq!(problems(path), "", "{path}");
    }
}

/// What Frappe runs for a path, written down from `frappe/api` and what werkzeug does before it.
fn frappe_method(forwarded: &str) -> Option<String> {
    let path = forwarded.split('?').next().unwrap_or_default();
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
    let path = format!("/{}", decoded.trim_start_matches('/'));
    let rest = path.strip_prefix("/api/")?;
    let rest = rest.strip_prefix("v1/").or_else(|| rest.strip_prefix("v2/")).unwrap_or(rest);
    rest.strip_prefix("method/")?.split('/').next().map(str::to_owned)
}

fn any_spelling(text: &'static str) -> impl Strategy<Value = String> {
    proptest::collection::vec(0u8..6, text.len()).prop_map(move |ways| {
        text.bytes().zip(ways).fold(String::new(), |spelled, (byte, way)| match way {
            0 => format!("{spelled}%{byte:02x}"),
            1 => format!("{spelled}%{byte:02X}"),
            2 if byte == b'/' => format!("{spelled}//"),
            _ => format!("{spelled}{}", char::from(byte)),
        })
    })
}

proptest! {
    #[test]
    fn parsing_never_panics_and_what_is_forwarded_parses_to_itself(raw in "/?[ -~\u{80}-\u{ff}]{0,40}") {
        if let Ok(target) = Target::parse(&raw) {
            let forwarded = target.forwarded();
            let again = Target::parse(&forwarded).expect("what is forwarded is good");
            prop_assert_eq!(again.path(), target.path());
            prop_assert_eq!(again.forwarded(), forwarded.as_str());
            prop_assert!(forwarded.bytes().all(|byte| byte > b' ' && byte != b'#'));
        }
    }

    #[test]
    fn paths_of_dots_slashes_and_encodings_keep_their_meaning(raw in "(/|//|\\.|%2e|%2f|%5c|;|a|%25|api|method|v1|v2){0,12}") {
        let raw = format!("/{raw}");
        if let Ok(target) = Target::parse(&raw) {
            let forwarded = target.forwarded();
            prop_assert!(!forwarded.contains("//"));
            prop_assert!(!forwarded.split('/').any(|segment| segment == "." || segment == ".."));
            let again = Target::parse(&forwarded).expect("good");
            prop_assert_eq!(again.forwarded(), forwarded.as_str());
        }
    }

    #[test]
    fn no_spelling_reaches_the_natives(raw in any_spelling("/api/method/frappe.integrations.oauth2.get_token"), tail in "(/|/x|\\?a=b)?") {
        let raw = raw + &tail;
        if let Ok(target) = Target::parse(&raw) {
            let route = Router::new(&[]).expect("no rules").route(&Method::POST, &target);
            let ran = frappe_method(&target.forwarded());
            let reserved = ran.is_some_and(|method| method.starts_with(RESERVED_METHODS));
            prop_assert!(!(reserved && matches!(route, Route::Upstream(_))), "{}", raw);
        }
    }
}

#[test]
fn a_request_that_may_log_in_is_told_by_method_path_and_query() {
    let router = Router::new(&[]).expect("no rules");
    let may = |method: Method, target: &str| match router.route(&method, &Target::parse(target).expect("a target")) {
        Route::Upstream(terms) => terms.may_log_in,
        other => panic!("{other:?}"),
    };
    for target in ["/api/method/login", "/api/v2/method/login/", "/x?cmd=login", "/api/method/login?cmd=frappe.ping"] {
        assert!(may(Method::POST, target), "{target}");
    }
    assert!(may(Method::GET, "/api/method/login?usr=a&pwd=b"));
    for target in ["/", "/login", "/api/method/frappe.ping", "/?cmd=frappe.ping"] {
        assert!(!may(Method::GET, target), "{target}");
        assert!(!may(Method::POST, target), "{target}: by its body only");
    }
}
