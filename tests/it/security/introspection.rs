//! Introspection: T31, T32, T34.

use serde_json::json;

use crate::{
    standin::ALICE,
    support::{APP, LEGACY, METHOD, POST, Request, SCOPED, SHOP, Setup, TestGateway, Tokens, until},
};

fn path() -> String {
    format!("{METHOD}introspect_token")
}

/// T31
#[test]
fn introspection_can_be_closed_to_callers_without_credentials() {
    let gateway =
        Setup::new().set("introspection.require_client_auth", true).set("revocation.require_client_auth", true).start();
    let tokens = gateway.tokens(ALICE, LEGACY, &[]);
    let form = [("token", tokens.access.as_str())];
    for endpoint in ["introspect_token", "revoke_token"] {
        let answer = gateway.send(&Request::form(&format!("{METHOD}{endpoint}"), &form));
        assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_client"), "{endpoint}");
        let named = [form[0], ("client_id", LEGACY.id)];
        let answer = gateway.send(&Request::form(&format!("{METHOD}{endpoint}"), &named));
        assert_eq!(answer.status, 401, "{endpoint}: a name alone proves nothing: {answer}");
    }
    assert_eq!(gateway.introspect(SHOP, &tokens.access)["active"], true);
    // A public client proves nothing.
    assert_eq!(gateway.as_client(APP, "introspect_token", &form).status, 401);
    gateway.acts_as(&tokens.access, ALICE);
}

/// T31
#[test]
fn wrong_credentials_are_401_and_a_get_is_405() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let form = [("token", tokens.access.as_str())];
    for request in [
        Request::form(&path(), &form).basic(SHOP.id, "wrong"),
        Request::form(&path(), &form).basic(SHOP.id, ""),
        Request::form(&path(), &form).basic("nobody", SHOP.secret),
        Request::form(&path(), &form).basic(POST.id, POST.secret),
        Request::form(&path(), &form).header("Authorization", "Basic !!!"),
        Request::form(&path(), &form).bearer(&tokens.access),
        Request::form(&path(), &[form[0], ("client_id", SHOP.id), ("client_secret", SHOP.secret)]),
        Request::form(&path(), &[form[0], ("client_id", POST.id), ("client_secret", "wrong")]),
        Request::form(&path(), &[form[0], ("client_id", "nobody")]),
    ] {
        let answer = gateway.without_upstream("wrong credentials", || gateway.send(&request));
        assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_client"), "{request:?}");
        assert!(!answer.text().contains("active\""), "{answer}");
    }
    let get = Request::get(&format!("{}?token={}", path(), tokens.access)).basic(SHOP.id, SHOP.secret);
    assert_eq!(gateway.without_upstream("a GET", || gateway.send(&get)).status, 405);
    assert_eq!(gateway.introspect(POST, &tokens.access)["active"], true);
}

/// T32
#[test]
fn whatever_is_not_active_looks_alike() {
    let gateway = Setup::new().set("tokens.access_ttl", "8s").set("erpnext.user_ttl", "1s").start();
    let inactive = |what: &str, token: &str| {
        assert_eq!(gateway.introspect(SHOP, token), json!({ "active": false }), "{what}");
    };
    let tokens = gateway.tokens(ALICE, SCOPED, &[]);
    assert_eq!(gateway.introspect(SHOP, &tokens.access)["active"], true);
    until("it has expired", || (gateway.introspect(SHOP, &tokens.access) == json!({ "active": false })).then_some(()));
    let told = gateway.introspect(SHOP, &tokens.refresh);
    assert_eq!((&told["active"], told.get("token_type"), told.get("email")), (&true.into(), None, None));
    let fresh = Tokens::of(&gateway.refresh(SCOPED, &tokens.refresh, &[]));
    gateway.standin.set_enabled(ALICE, false);
    until("she is known as disabled", || {
        let told = gateway.introspect(SHOP, &fresh.refresh);
        (told == json!({ "active": false })).then_some(())
    });
    inactive("a disabled user's", &fresh.access);
    gateway.refuses("a disabled user's", &fresh.access);
    assert_eq!(gateway.refresh(SCOPED, &fresh.refresh, &[]).error(), "invalid_grant");
    gateway.standin.set_enabled(ALICE, true);
    until("she is enabled again", || (gateway.introspect(SHOP, &fresh.refresh)["active"] == true).then_some(()));
    gateway.revoke(SCOPED, &fresh.refresh);
    for (what, token) in [
        ("revoked", fresh.access.as_str()),
        ("revoked", &fresh.refresh),
        ("garbage", "garbage"),
        ("blank", " "),
        ("no ASCII", "ä\u{0}"),
        ("long", &"a".repeat(60_000)),
    ] {
        inactive(what, token);
    }
}

/// T32
#[test]
fn a_token_of_a_megabyte_is_413() {
    let gateway = TestGateway::start();
    let form = format!("token={}", "a".repeat(1 << 20));
    let request = Request::new("POST", &path()).basic(SHOP.id, SHOP.secret);
    let request = request.body("application/x-www-form-urlencoded", form.as_bytes());
    assert_eq!(gateway.without_upstream("huge", || gateway.send(&request)).status, 413);
}

/// T34
#[test]
fn another_clients_credentials_revoke_nothing() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    for token in [&tokens.access, &tokens.refresh] {
        for other in [SCOPED, APP, POST] {
            let answer = gateway.revoke(other, token);
            assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
        }
    }
    gateway.acts_as(&tokens.access, ALICE);
    assert_eq!(gateway.send(&Request::form(&format!("{METHOD}revoke_token"), &[("token", "junk")])).text(), "{}");
    let wrong = Request::form(&format!("{METHOD}revoke_token"), &[("token", &tokens.access)]).basic(SHOP.id, "wrong");
    assert_eq!(gateway.send(&wrong).status, 401);
    gateway.acts_as(&tokens.access, ALICE);
    gateway.revoke(SHOP, &tokens.refresh);
    gateway.refuses("revoked by its own client", &tokens.access);
}
