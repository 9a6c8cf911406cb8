//! T79: secrets, tokens, codes and cookies of whole flows are searched in everything that the gateway leaves behind.

use std::{collections::BTreeMap, fs};

use crate::{
    standin::{ALICE, ALICE_PASSWORD, BOB, BOB_PASSWORD, Failure, GATEWAY_API_SECRET},
    support::{
        APP, Answer, Browser, IMPLICIT, LEGACY, METHOD, PASSWORD, Request, SERVICE, SHOP, Setup, TestGateway, Tokens,
        VERIFIER, authorize_url, hidden, query,
    },
};

/// The canaries by what they are, and every error that was answered.
#[derive(Default)]
struct Seen {
    canaries: BTreeMap<String, String>,
    errors: Vec<String>,
}

impl Seen {
    fn add(&mut self, what: &str, text: &str) {
        assert!(text.len() >= 8, "{what}: too short to be searched: {text:?}");
        self.canaries.insert(text.to_owned(), what.to_owned());
    }

    fn tokens(&mut self, what: &str, tokens: &Tokens) {
        for (part, text) in [("access", &tokens.access), ("refresh", &tokens.refresh), ("id", &tokens.id_token)] {
            if !text.is_empty() {
                self.add(&format!("{part} token of {what}"), text);
            }
        }
    }

    fn error(&mut self, answer: &Answer) {
        assert!(answer.status >= 400, "{answer}");
        self.errors.push(answer.to_string());
    }

    /// The canaries that are in this text.
    fn in_text(&self, text: &str) -> Vec<&str> {
        self.canaries
            .iter()
            .filter(|(canary, _)| text.contains(canary.as_str()))
            .map(|(_, what)| what.as_str())
            .collect()
    }

    fn in_bytes(&self, bytes: &[u8]) -> Vec<&str> {
        let found = |canary: &str| bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
        self.canaries.iter().filter(|(canary, _)| found(canary)).map(|(_, what)| what.as_str()).collect()
    }
}

/// Flows that succeed.
fn succeed(gateway: &TestGateway, seen: &mut Seen) -> Vec<Tokens> {
    let mut all = Vec::new();
    let mut browser = Browser::of(gateway, ALICE);
    for client in [SHOP, APP, LEGACY] {
        let page = browser.get(&authorize_url(client, &[("nonce", "canary-nonce-77"), ("state", "canary-state-77")]));
        seen.add("a form's token", &hidden(&page, "token"));
        seen.add("a handle", &hidden(&page, "handle"));
        let code = browser.decide(&page, "allow").parameter("code").expect("a code");
        seen.add("a code", &code);
        let tokens = Tokens::of(&gateway.exchange(client, &code, &[]));
        seen.tokens(client.id, &tokens);
        let refreshed = Tokens::of(&gateway.refresh(client, &tokens.refresh, &[]));
        seen.tokens(client.id, &refreshed);
        gateway.acts_as(&tokens.access, ALICE);
        gateway.introspect(SHOP, &refreshed.access);
        gateway.profile(&refreshed.access);
        all.extend([tokens, refreshed]);
    }
    let implicit = browser.authorize(IMPLICIT, &[("response_type", "id_token token"), ("nonce", "canary-nonce-77")]);
    seen.add("an implicit token", &implicit.parameter("access_token").expect("a token"));
    seen.add("an implicit id_token", &implicit.parameter("id_token").expect("an id_token"));
    let form = [("grant_type", "password"), ("username", BOB), ("password", BOB_PASSWORD)];
    let tokens = Tokens::of(&gateway.as_client(PASSWORD, "get_token", &form));
    gateway.acts_as(&tokens.access, BOB);
    seen.tokens("the password grant", &tokens);
    let form = [("grant_type", "client_credentials")];
    seen.tokens("the service", &Tokens::of(&gateway.as_client(SERVICE, "get_token", &form)));
    for (name, value) in &browser.cookies {
        if name == "sid" || name.contains("empress") {
            seen.add(&format!("the cookie {name}"), value);
        }
    }
    all
}

/// Requests that fail, each with something in it that must not be repeated.
fn fail(gateway: &TestGateway, seen: &mut Seen, tokens: &[Tokens]) {
    let access = tokens[0].access.as_str();
    let other = if access.ends_with('A') { "Q" } else { "A" };
    let broken = format!("{}{other}", &access[..access.len() - 1]);
    for token in [tokens[0].refresh.as_str(), "emp_at_canary-junk-0123456789", broken.as_str()] {
        seen.add("a bad bearer", token);
        seen.error(&gateway.whoami(token));
        seen.error(&gateway.profile(token));
    }
    seen.add("a wrong secret", "canary-wrong-secret-77");
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens[0].refresh.as_str())];
    let path = format!("{METHOD}get_token");
    seen.error(&gateway.send(&Request::form(&path, &form).basic(SHOP.id, "canary-wrong-secret-77")));
    let pairs = query(&[("client_secret", SHOP.secret), ("code", "emp_ac_canary-in-the-query")]);
    seen.add("a code in the query", "emp_ac_canary-in-the-query");
    seen.error(&gateway.send(&Request::form(&format!("{path}?{pairs}"), &form)));
    seen.error(&gateway.exchange(SHOP, "emp_ac_canary-in-the-query", &[]));
    seen.add("a wrong verifier", "canary-verifier-canary-verifier-canary-verifier");
    seen.error(&gateway.exchange(
        SHOP,
        "emp_ac_x",
        &[("code_verifier", "canary-verifier-canary-verifier-canary-verifier")],
    ));
    seen.error(&gateway.send(&Request::get(&format!("/app?{}", query(&[("sid", "canary-sid-in-the-query")])))));
    seen.add("a sid in the query", "canary-sid-in-the-query");
    seen.error(
        &gateway.send(&Request::get(&authorize_url(SHOP, &[("redirect_uri", "https://canary-evil-uri.example/")]))),
    );
    seen.error(&gateway.send(&Request::get(&authorize_url(SHOP, &[("client_id", "canary-client-id")])).html()));
    let wrong = [("grant_type", "password"), ("username", ALICE), ("password", "canary-wrong-password")];
    seen.add("a wrong password", "canary-wrong-password");
    seen.error(&gateway.as_client(PASSWORD, "get_token", &wrong));
    gateway.standin.fail(Failure::Refuse);
    seen.error(&gateway.whoami(access));
    seen.error(&gateway.send(&Request::get("/app").html()));
    gateway.standin.heal();
    gateway.standin.fail_times(1, "get_logged_user", Failure::Garbage);
    seen.error(&gateway.whoami(access));
}

/// T79
#[test]
fn no_secret_is_in_a_log_a_metric_an_error_the_store_or_on_its_way_to_erpnext() {
    let folder = tempfile::tempdir().expect("a folder");
    let trail = folder.path().join("audit.jsonl");
    let mut gateway = Setup::new().set("log.audit_file", trail.display().to_string()).start();
    let mut seen = Seen::default();
    let tokens = succeed(&gateway, &mut seen);
    fail(&gateway, &mut seen, &tokens);
    gateway.revoke(SHOP, &tokens[0].access);
    for (what, text) in [
        ("the API secret", GATEWAY_API_SECRET),
        ("the secret of shop", SHOP.secret),
        ("the secret of legacy", LEGACY.secret),
        ("the verifier", VERIFIER),
        ("a password", ALICE_PASSWORD),
        ("a password", BOB_PASSWORD),
    ] {
        seen.add(what, text);
    }
    for row in gateway.standin.bearer_rows() {
        seen.add("a shadow token", &row.access_token);
    }
    let log = gateway.log();
    assert!(log.lines().count() > 20, "the log is there: {log}");
    assert_eq!(seen.in_text(&log), Vec::<&str>::new(), "in the log");
    for line in ["canary-state-77", "canary-nonce-77", "canary-evil-uri"] {
        assert!(!log.contains(line), "what a request said is in the log: {line}");
    }
    let audit = fs::read_to_string(&trail).expect("the audit trail");
    assert!(audit.lines().count() > 10, "the audit trail is there: {audit}");
    assert_eq!(seen.in_text(&audit), Vec::<&str>::new(), "in the audit trail");
    assert_eq!(seen.in_text(&gateway.admin("/metrics").text()), Vec::<&str>::new(), "in the metrics");
    for error in &seen.errors {
        assert_eq!(seen.in_text(error), Vec::<&str>::new(), "in an error: {error}");
    }
    check_upstream(&gateway, &seen);
    check_store(&gateway, &seen, "while it runs");
    gateway.kill_9();
    check_store(&gateway, &seen, "after it was killed");
}

/// ERPNext hears its own things alone: passwords, sids, API key and shadow tokens.
fn check_upstream(gateway: &TestGateway, seen: &Seen) {
    let own = ["a password", "a wrong password", "the cookie sid", "the API secret", "a shadow token"];
    for record in gateway.standin.requests() {
        let found = seen.in_text(&record.text());
        let foreign: Vec<_> = found.into_iter().filter(|what| !own.contains(what)).collect();
        assert_eq!(foreign, Vec::<&str>::new(), "on its way to ERPNext: {} {}", record.method, record.target);
        // Not even its own things in a URL, which servers log.
        assert_eq!(seen.in_text(&record.target), Vec::<&str>::new(), "in a URL: {} {}", record.method, record.target);
    }
}

fn check_store(gateway: &TestGateway, seen: &Seen, when: &str) {
    let mut searched = 0;
    for entry in fs::read_dir(gateway.folder()).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !name.starts_with("empress.db") {
            continue;
        }
        let bytes = fs::read(&path).expect("a file");
        searched += bytes.len();
        assert_eq!(seen.in_bytes(&bytes), Vec::<&str>::new(), "in {name} {when}");
    }
    assert!(searched > 10_000, "the store is there");
}
