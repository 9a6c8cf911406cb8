//! The grants without a browser, and clients with rules of their own.

use crate::{
    standin::{ALICE, BOB},
    support::{APP, Auth, Browser, IMPLICIT, MANAGERS, POST, SERVICE, SHOP, Setup, TestGateway, Tokens, authorize_url},
};

#[test]
fn client_credentials_act_as_the_service_user() {
    let gateway = TestGateway::start();
    let ask = |client, extra: &[(&str, &str)]| {
        let form: Vec<_> = [("grant_type", "client_credentials")].iter().chain(extra).copied().collect();
        gateway.as_client(client, "get_token", &form)
    };
    let answer = ask(SERVICE, &[]);
    let tokens = Tokens::of(&answer);
    assert!(tokens.refresh.is_empty() && tokens.id_token.is_empty(), "{answer}");
    assert_eq!(tokens.body["scope"], "all read:Customer");
    gateway.acts_as(&tokens.access, BOB);
    let narrow = Tokens::of(&ask(SERVICE, &[("scope", "read:Customer")]));
    assert_eq!(narrow.body["scope"], "read:Customer");
    assert_eq!(ask(SERVICE, &[("scope", "openid")]).error(), "invalid_scope");
    assert_eq!(ask(SERVICE.with(Auth::None), &[]).error(), "invalid_client");
    for other in [SHOP, APP, POST] {
        assert_eq!(ask(other, &[]).error(), "unauthorized_client", "{}", other.id);
    }
    assert_eq!(gateway.introspect(SERVICE, &tokens.access)["username"], BOB);
}

#[test]
fn a_disabled_service_user_gets_nothing() {
    let gateway = Setup::new().set("erpnext.user_ttl", "1s").start();
    let ask = || gateway.as_client(SERVICE, "get_token", &[("grant_type", "client_credentials")]);
    let tokens = Tokens::of(&ask());
    gateway.standin.set_enabled(BOB, false);
    let answer = crate::support::until("he is known as disabled", || Some(ask()).filter(|answer| answer.status != 200));
    assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_grant"));
    gateway.refuses("a disabled user's token", &tokens.access);
}

#[test]
fn unknown_grant_types_and_those_of_the_fragment_are_unsupported() {
    let gateway = TestGateway::start();
    for grant_type in ["implicit", "urn:ietf:params:oauth:grant-type:saml2-bearer", "x"] {
        let answer = gateway.as_client(IMPLICIT, "get_token", &[("grant_type", grant_type)]);
        assert_eq!((answer.status, answer.error().as_str()), (400, "unsupported_grant_type"), "{grant_type}");
    }
    assert_eq!(gateway.as_client(SHOP, "get_token", &[]).error(), "invalid_request");
    for grant_type in ["authorization_code", "refresh_token"] {
        let answer = gateway.as_client(SHOP, "get_token", &[("grant_type", grant_type)]);
        assert_eq!(answer.error(), "invalid_request", "{grant_type}");
    }
}

#[test]
fn a_client_with_roles_is_for_users_who_have_one() {
    let gateway = Setup::new().set("erpnext.user_ttl", "1s").start();
    let tokens = gateway.tokens(ALICE, MANAGERS, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    let mut bob = Browser::of(&gateway, BOB);
    let answer = bob.get(&authorize_url(MANAGERS, &[]));
    assert_eq!(answer.redirected_error(), "access_denied");
    // Once the role is gone, the refresh is refused.
    gateway.standin.set_roles(ALICE, &["Sales User"]);
    let refused = crate::support::until("the role is known as gone", || {
        Some(gateway.refresh(MANAGERS, &tokens.refresh, &[])).filter(|answer| answer.status != 200)
    });
    assert_eq!((refused.status, refused.error().as_str()), (400, "invalid_grant"));
}
