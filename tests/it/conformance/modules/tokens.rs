//! Codes that come twice, and refresh tokens.

use std::time::Duration;

use crate::{
    conformance::suite::{FIRST, Flow, Mode, SECOND, Suite, token_response},
    support::{Answer, Client, Setup, Tokens, pause},
};

/// An error of the token endpoint (RFC 6749 §5.2).
fn is_invalid_grant(answer: &Answer) {
    assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_grant"), "{answer}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let described = answer.json()["error_description"].as_str().unwrap_or_default().to_owned();
    assert!(described.chars().all(|c| matches!(c, ' '..='!' | '#'..='[' | ']'..='~')), "{described}");
}

/// oidcc-codereuse
pub fn a_code_works_once(mode: Mode) {
    let suite = Suite::start(mode);
    let flow = suite.flow(&mut suite.visitor(), FIRST, &suite.request(FIRST));
    is_invalid_grant(&suite.exchange(FIRST, &flow.code, &[]));
}

/// oidcc-codereuse-30seconds: what is shown after 30 s there, which is half of a code's life, is shown here past all of a shorter life
pub fn a_code_that_comes_again_later_ends_what_it_gave(mode: Mode) {
    let suite = Suite::with(mode, Setup::new().set("tokens.code_ttl", "2s"));
    let flow = suite.flow(&mut suite.visitor(), FIRST, &suite.request(FIRST));
    pause(Duration::from_millis(2200));
    assert_eq!(suite.gateway.profile(&flow.tokens.access).status, 200, "until then it works");
    is_invalid_grant(&suite.exchange(FIRST, &flow.code, &[]));
    suite.gateway.refuses("the access token has ended", &flow.tokens.access);
    assert_eq!(suite.gateway.profile(&flow.tokens.access).status, 401);
    is_invalid_grant(&suite.gateway.refresh(FIRST, &flow.tokens.refresh, &[]));
}

/// oidcc-refresh-token
pub fn a_refresh_token_works_for_its_own_client_alone(mode: Mode) {
    let suite = Suite::start(mode);
    let discovery = suite.discovery();
    let lists = |key: &str, value: &str| discovery[key].as_array().is_some_and(|list| list.contains(&value.into()));
    assert!(lists("grant_types_supported", "refresh_token") && lists("scopes_supported", "offline_access"));
    let first = offline(&suite, FIRST);
    // The first client repeats its scopes, the second leaves them out.
    refreshed(&suite, FIRST, &first, &[("scope", "openid offline_access")]);
    let second = offline(&suite, SECOND);
    let second = refreshed(&suite, SECOND, &second, &[]);
    let scope = [("scope", "openid offline_access")];
    is_invalid_grant(&suite.gateway.refresh(FIRST, &second.refresh, &scope));
}

fn offline(suite: &Suite, client: Client) -> Flow {
    let request = suite.request(client).with("scope", "openid offline_access").with("prompt", "consent");
    let flow = suite.flow(&mut suite.visitor(), client, &request);
    assert!(flow.tokens.refresh.bytes().all(|byte| matches!(byte, 0x20..=0x7e)), "RFC 6749 A.17");
    flow
}

/// A refresh with what OpenID Connect Core §12.2 says of its id_token.
fn refreshed(suite: &Suite, client: Client, before: &Flow, extra: &[(&str, &str)]) -> Tokens {
    // `iat` has seconds.
    pause(Duration::from_secs(1));
    let mut tokens = token_response(&suite.gateway.refresh(client, &before.tokens.refresh, extra));
    assert_ne!(tokens.access, before.tokens.access);
    let claims = suite.id_token(client, &tokens, None);
    for name in ["iss", "sub", "aud", "azp", "auth_time"] {
        assert_eq!(claims[name], before.claims[name], "{name}");
    }
    assert!(claims["iat"].as_u64() > before.claims["iat"].as_u64(), "{claims}");
    assert_eq!(suite.gateway.profile(&tokens.access).status, 200);
    if tokens.refresh.is_empty() {
        tokens.refresh.clone_from(&before.tokens.refresh);
    }
    tokens
}
