//! Token exchange: what must not come of it, and how what comes of it ends.

use rusqlite::Connection;

use crate::{
    flows::dpop::Holder,
    standin::{ALICE, Bearer, ORDINARY_CLIENT},
    support::{
        ACCESS_TOKEN_TYPE, AGENT, AGENT_SCOPE, APP, Answer, Auth, BACKEND, BACKEND_BLOCK, Browser, ES256,
        EXCHANGE_GRANT, METHOD, POST, RELAY, RELAY_BLOCK, Request, SCOPED, SHOP, Setup, TestGateway, Tokens,
        exchange_token_request, until,
    },
};

fn start() -> TestGateway {
    Setup::new().client(BACKEND_BLOCK).client(RELAY_BLOCK).start()
}

#[track_caller]
fn is_refused(what: &str, answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status, answer.error().as_str()), (status, error), "{what}: {answer}");
    assert!(answer.json().get("access_token").is_none(), "{what}: {answer}");
}

/// A token of the shop's, one of the backend's that is made from it, and one of the agent's that is made from that.
fn line(gateway: &TestGateway, subject: &str) -> [String; 3] {
    let first = Tokens::of(&gateway.exchange_token(BACKEND, subject, &[])).access;
    let second = Tokens::of(&gateway.exchange_token(RELAY, &first, &[])).access;
    let line = [subject.to_owned(), first, second];
    for token in &line {
        gateway.acts_as(token, ALICE);
    }
    line
}

#[track_caller]
fn has_ended(gateway: &TestGateway, what: &str, line: &[String]) {
    for token in line {
        gateway.refuses(what, token);
    }
}

#[test]
fn a_scope_that_the_token_or_the_client_lacks_is_refused() {
    let gateway = start();
    let scoped = gateway.tokens(ALICE, SCOPED, &[("scope", "openid read:ToDo")]);
    let all = gateway.tokens(ALICE, SHOP, &[("scope", "all")]);
    for (what, subject, scope) in [
        ("the client's, not the token's", &scoped, "openid all"),
        ("the token's, not the client's", &scoped, "read:ToDo"),
        ("nobody's", &scoped, "openid write"),
        ("one that `all` does not stand for", &all, "read:Customer"),
        ("malformed", &all, "a\"b"),
    ] {
        let answer = gateway.exchange_token(BACKEND, &subject.access, &[("scope", scope)]);
        is_refused(what, &answer, 400, "invalid_scope");
    }
    let first = Tokens::of(&gateway.exchange_token(BACKEND, &all.access, &[]));
    assert_eq!(first.body["scope"], "all");
    is_refused("nothing is left", &gateway.exchange_token(RELAY, &first.access, &[]), 400, "invalid_scope");
    let narrow = gateway.tokens(ALICE, SHOP, &[]);
    let narrow = Tokens::of(&gateway.exchange_token(BACKEND, &narrow.access, &[("scope", "openid")]));
    let back = gateway.exchange_token(BACKEND, &narrow.access, &[("scope", "all openid")]);
    is_refused("no way back", &back, 400, "invalid_scope");
}

#[test]
fn a_token_of_a_client_that_is_not_listed_looks_like_an_unknown_one() {
    let gateway = start();
    let foreign = gateway.tokens(ALICE, ES256, &[]);
    let unknown = gateway.exchange_token(BACKEND, "junk", &[]);
    is_refused("junk", &unknown, 400, "invalid_request");
    let answer = gateway.exchange_token(BACKEND, &foreign.access, &[]);
    assert_eq!((answer.status, answer.json()), (unknown.status, unknown.json()));
    let shops = gateway.tokens(ALICE, SHOP, &[]);
    let answer = gateway.exchange_token(RELAY, &shops.access, &[]);
    assert_eq!(answer.json(), unknown.json(), "it may exchange the backend's alone");
    assert!(gateway.log().contains("subject_token_of_another_client"));
    gateway.acts_as(&foreign.access, ALICE);
}

#[test]
fn only_a_client_that_may_and_that_authenticates_exchanges() {
    let lax = BACKEND_BLOCK.replace("'backend'", "'lax'").replace("scopes =", "mode = 'compat'\nscopes =");
    let gateway = Setup::new().client(BACKEND_BLOCK).client(&lax).start();
    let subject = gateway.tokens(ALICE, SHOP, &[]).access;
    for client in [SHOP, APP, POST] {
        is_refused(client.id, &gateway.exchange_token(client, &subject, &[]), 400, "unauthorized_client");
    }
    let wrong = gateway.exchange_token(BACKEND.with_secret("wrong"), &subject, &[]);
    is_refused("a wrong secret", &wrong, 401, "invalid_client");
    let none = gateway.exchange_token(BACKEND.with(Auth::None), &subject, &[]);
    is_refused("no secret", &none, 401, "invalid_client");
    let lax = BACKEND.named("lax", "").with(Auth::None);
    is_refused("no secret, which is allowed else", &gateway.exchange_token(lax, &subject, &[]), 401, "invalid_client");
}

#[test]
fn only_active_access_tokens_are_exchanged_and_for_nothing_else() {
    let gateway = start();
    let mut browser = Browser::of(&gateway, ALICE);
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let (code, changed) = (browser.code(SHOP, &[]), format!("{}x", tokens.access));
    for (what, subject) in
        [("refresh", &tokens.refresh), ("id_token", &tokens.id_token), ("a code", &code), ("mistyped", &changed)]
    {
        is_refused(what, &gateway.exchange_token(BACKEND, subject, &[]), 400, "invalid_request");
    }
    let type_of = |name: &str| format!("urn:ietf:params:oauth:token-type:{name}");
    for (name, value) in [
        ("subject_token", String::new()),
        ("subject_token_type", String::new()),
        ("subject_token_type", type_of("jwt")),
        ("subject_token_type", type_of("id_token")),
        ("subject_token_type", type_of("refresh_token")),
        ("requested_token_type", type_of("refresh_token")),
        ("requested_token_type", type_of("id_token")),
        ("actor_token", tokens.access.clone()),
        ("actor_token_type", ACCESS_TOKEN_TYPE.to_owned()),
    ] {
        let answer = gateway.exchange_token(BACKEND, &tokens.access, &[(name, &value)]);
        is_refused(&format!("{name}={value}"), &answer, 400, "invalid_request");
    }
    let twice = [("subject_token", tokens.access.as_str()), ("subject_token", tokens.access.as_str())];
    is_refused("twice", &gateway.exchange_token(BACKEND, "", &twice), 400, "invalid_request");
    let bare = gateway.as_client(BACKEND, "get_token", &[("grant_type", EXCHANGE_GRANT)]);
    is_refused("nothing", &bare, 400, "invalid_request");
}

/// Whoever may hand tokens to a backend must not be able to have it locked out.
#[test]
fn junk_that_a_backend_was_handed_does_not_count_against_it() {
    let gateway = Setup::new().client(BACKEND_BLOCK).set("limits.token_failures", "3/m").start();
    let subject = gateway.tokens(ALICE, SHOP, &[]).access;
    for number in 0..8 {
        let answer = gateway.exchange_token(BACKEND, &format!("emp_at_{number}"), &[]);
        is_refused("junk", &answer, 400, "invalid_request");
    }
    assert_eq!(gateway.exchange_token(BACKEND, &subject, &[]).status, 200);
}

#[test]
fn an_expired_or_revoked_token_is_not_exchanged() {
    let gateway = start();
    let revoked = gateway.tokens(ALICE, SHOP, &[]).access;
    gateway.revoke(SHOP, &revoked);
    is_refused("revoked", &gateway.exchange_token(BACKEND, &revoked, &[]), 400, "invalid_request");
    let expired = gateway.tokens(ALICE, SHOP, &[]).access;
    let store = Connection::open(gateway.folder().join("empress.db")).expect("opened");
    store.execute("UPDATE access_tokens SET expires_at = 1", []).expect("changed");
    is_refused("expired", &gateway.exchange_token(BACKEND, &expired, &[]), 400, "invalid_request");
}

/// Whoever has seen a bound token must not make an unbound one of it.
#[test]
fn a_token_that_is_bound_to_a_key_is_exchanged_by_the_holder_of_that_key_alone() {
    let gateway = start();
    let (holder, other) = (Holder::new(&gateway), Holder::new(&gateway));
    let bound = holder.tokens(SHOP, &[]).access;
    is_refused("no proof", &gateway.exchange_token(BACKEND, &bound, &[]), 400, "invalid_request");
    let request = exchange_token_request(BACKEND, &bound, &[]);
    is_refused("another key", &other.proven(&request, "get_token"), 400, "invalid_request");
    assert_eq!(holder.proven(&request, "get_token").status, 200);
}

#[test]
fn exchanges_of_exchanged_tokens_have_an_end() {
    let gateway = start();
    let mut token = gateway.tokens(ALICE, SHOP, &[]).access;
    for _ in 0..4 {
        token = Tokens::of(&gateway.exchange_token(BACKEND, &token, &[])).access;
    }
    gateway.acts_as(&token, ALICE);
    is_refused("the fifth", &gateway.exchange_token(BACKEND, &token, &[]), 400, "invalid_request");
    is_refused("of another", &gateway.exchange_token(RELAY, &token, &[]), 400, "invalid_request");
}

/// T59: what is in memory ends as well, and at once.
#[test]
fn what_was_made_from_a_grant_ends_with_it_at_once() {
    let gateway = start();
    let whole = line(&gateway, &gateway.tokens(ALICE, SHOP, &[]).access);
    assert_eq!(gateway.revoke(SHOP, &whole[0]).status, 200);
    has_ended(&gateway, "revoked", &whole);
    let part = line(&gateway, &gateway.tokens(ALICE, SHOP, &[]).access);
    assert_eq!(gateway.revoke(BACKEND, &part[1]).status, 200);
    has_ended(&gateway, "revoked by the backend", &part[1..]);
    gateway.acts_as(&part[0], ALICE);

    let tokens = gateway.tokens(ALICE, APP, &[]);
    let whole = line(&gateway, &tokens.access);
    let next = Tokens::of(&gateway.refresh(APP, &tokens.refresh, &[]));
    gateway.acts_as(&whole[2], ALICE);
    gateway.refresh(APP, &next.refresh, &[]);
    assert_eq!(gateway.refresh(APP, &tokens.refresh, &[]).error(), "invalid_grant", "a reuse");
    has_ended(&gateway, "a refresh token that was reused", &whole);

    let code = Browser::of(&gateway, ALICE).code(SHOP, &[]);
    let whole = line(&gateway, &Tokens::of(&gateway.exchange(SHOP, &code, &[])).access);
    assert_eq!(gateway.exchange(SHOP, &code, &[]).error(), "invalid_grant", "a replay");
    has_ended(&gateway, "a code that was replayed", &whole);
}

#[test]
fn what_was_made_from_a_grant_ends_with_the_users_consent_and_the_login_session() {
    let gateway = start();
    let mut browser = Browser::of(&gateway, ALICE);
    let granted = |browser: &mut Browser<'_>| {
        let code = browser.code(POST, &[]);
        Tokens::of(&gateway.exchange(POST, &code, &[]))
    };
    let whole = line(&gateway, &granted(&mut browser).access);
    let path = format!("{METHOD}connected_apps");
    let page = browser.get(&path);
    let html = page.text();
    // The entries are in the order of ids: agent, backend, post.
    let last = html.rfind("name=\"token\" value=\"").expect("a form") + "name=\"token\" value=\"".len();
    let token = html[last..].split('"').next().expect("its end");
    assert_eq!(browser.post(&path, &[("client", POST.id), ("token", token)]).status, 303);
    has_ended(&gateway, "ended by the user", &whole);

    let tokens = granted(&mut browser);
    let whole = line(&gateway, &tokens.access);
    let page = browser.get(&format!("{METHOD}end_session?id_token_hint={}", tokens.id_token));
    if page.text().contains("value=\"logout\"") {
        browser.decide(&page, "logout");
    }
    has_ended(&gateway, "logged out", &whole);
}

#[test]
fn what_was_made_from_a_grant_ends_when_another_process_ends_that() {
    let gateway = start();
    let whole = line(&gateway, &gateway.tokens(ALICE, SHOP, &[]).access);
    let command = std::process::Command::new(env!("CARGO_BIN_EXE_empress-gateway"))
        .args(["token", "revoke", "--client", SHOP.id, "--config"])
        .arg(gateway.folder().join("gateway.toml"))
        .output()
        .expect("the binary starts");
    assert!(command.status.success(), "{command:?}");
    for token in &whole {
        until("the token is refused", || (gateway.whoami(token).status == 401).then_some(()));
    }
}

#[test]
fn a_user_who_is_disabled_or_may_not_use_the_client_is_not_acted_for() {
    let managers = format!("{BACKEND_BLOCK}\nallowed_roles = ['Accounts Manager']");
    let gateway = Setup::new().client(&managers).start();
    let subject = gateway.tokens(ALICE, SHOP, &[]).access;
    is_refused("the role is missing", &gateway.exchange_token(BACKEND, &subject, &[]), 400, "invalid_grant");
    let gateway = Setup::new().client(BACKEND_BLOCK).set("erpnext.user_ttl", "1s").start();
    let subject = gateway.tokens(ALICE, SHOP, &[]).access;
    let made = Tokens::of(&gateway.exchange_token(BACKEND, &subject, &[])).access;
    gateway.standin.set_enabled(ALICE, false);
    let answer = until("she is known as disabled", || {
        Some(gateway.exchange_token(BACKEND, &subject, &[])).filter(|answer| answer.status != 200)
    });
    is_refused("disabled", &answer, 400, "invalid_request");
    gateway.refuses("disabled", &made);
}

#[test]
fn a_token_whose_client_is_gone_is_not_exchanged() {
    let mut gateway = start();
    let subject = gateway.tokens(ALICE, SHOP, &[]).access;
    gateway.reload(Setup::new().client(BACKEND_BLOCK).client(RELAY_BLOCK).without_client(SHOP.id));
    is_refused("its client is gone", &gateway.exchange_token(BACKEND, &subject, &[]), 400, "invalid_request");
}

#[test]
fn a_token_that_erpnext_issued_is_not_exchanged() {
    const NATIVE: &str = "mkOkEgw4kHitB9RXtR7Kjyy6Auiwxq";
    let block = BACKEND_BLOCK.replace("'shop'", &format!("'{ORDINARY_CLIENT}'"));
    let setup = Setup::new().client(&block).in_step();
    let gateway = setup.start_on(|standin| standin.add_bearer(Bearer::new(NATIVE, ORDINARY_CLIENT, ALICE)));
    gateway.acts_as(NATIVE, ALICE);
    is_refused("ERPNext's own", &gateway.exchange_token(BACKEND, NATIVE, &[]), 400, "invalid_request");
}

/// What an agent may not do, nobody may do with its token; and who is one gets less for a token that is worth more.
#[test]
fn an_agent_stays_one_and_gets_less_for_a_token_of_everything() {
    let exchanging =
        format!("grant_types = ['authorization_code', '{EXCHANGE_GRANT}']\nexchanges_tokens_of = ['shop', 'agent']");
    let backend = BACKEND_BLOCK.replace("'shop',", "'shop', 'agent',");
    let gateway = Setup::new().client(&backend).agent(&exchanging).start();
    let tokens = gateway.ticked(ALICE, AGENT, AGENT_SCOPE, &["erp:write"]);
    is_refused("an agent's token", &gateway.exchange_token(BACKEND, &tokens.access, &[]), 400, "invalid_request");
    let narrow = Tokens::of(&gateway.exchange_token(AGENT, &tokens.access, &[("scope", "erp:read")]));
    assert_eq!(narrow.body["scope"], "erp:read");
    let all = gateway.tokens(ALICE, SHOP, &[("scope", "all")]).access;
    let reads = Tokens::of(&gateway.exchange_token(AGENT, &all, &[]));
    assert_eq!(reads.body["scope"], "erp:read");
    let echo = |token: &str| gateway.send(&Request::form("/api/method/echo", &[("x", "1")]).bearer(token)).status;
    assert_eq!((echo(&reads.access), echo(&narrow.access)), (403, 403));
    gateway.acts_as(&reads.access, ALICE);
    let writes = Tokens::of(&gateway.exchange_token(AGENT, &all, &[("scope", "erp:write")]));
    assert_eq!(echo(&writes.access), 200);
    is_refused("all", &gateway.exchange_token(AGENT, &all, &[("scope", "all")]), 400, "invalid_scope");
}
