//! Codes and refresh tokens: whose they are, and for how long.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::{Fapi, Party, Shown, exchange, is_error};
use crate::support::{METHOD, Request, Setup, Tokens, pause};

/// With a proof, and nothing different.
const RIGHT: Shown<'_> = Shown { assertion: &[], proof: Some(&[]), holder: None };

/// `ensure-client-id-in-token-endpoint`: the id of the second client, signed by the first
#[test]
fn a_client_does_not_sign_for_another() {
    let fapi = Fapi::start();
    let code = fapi.code(&fapi.first, &fapi.request(&fapi.first));
    let second = fapi.second.client.id;
    let form = [&exchange(&fapi.first, &code)[..], &[("client_id", second)]].concat();
    for assertion in [&[("iss", json!(second)), ("sub", json!(second))][..], &[]] {
        let answer = fapi.send(&fapi.first, "get_token", &form, &Shown { assertion, ..RIGHT });
        is_error(&answer, &["invalid_client", "invalid_grant"]);
    }
    fapi.tokens(&fapi.first, &code);
}

/// `ensure-authorization-code-is-bound-to-client`
#[test]
fn a_code_is_worth_nothing_to_another_client() {
    let fapi = Fapi::start();
    let code = fapi.code(&fapi.first, &fapi.request(&fapi.first));
    is_error(&fapi.exchange(&fapi.second, &code, &RIGHT), &["invalid_grant"]);
}

/// `attempt-reuse-authorization-code-after-one-second`
#[test]
fn a_code_that_comes_again_ends_what_it_gave() {
    let fapi = Fapi::start();
    let code = fapi.code(&fapi.first, &fapi.request(&fapi.first));
    let tokens = fapi.tokens(&fapi.first, &code);
    pause(Duration::from_secs(1));
    is_error(&fapi.exchange(&fapi.first, &code, &RIGHT), &["invalid_grant"]);
    let answer = fapi.call(&fapi.first.holder, &tokens.access, &[]);
    assert_eq!(answer.status, 401, "{answer}");
}

/// `ensure-token-endpoint-fails-with-expired-auth-code`: past a shortened life instead of 62 s
#[test]
fn a_code_ends() {
    let fapi = Fapi::with(Setup::new().set("tokens.code_ttl", "2s"), Algorithm::ES256);
    let code = fapi.code(&fapi.first, &fapi.request(&fapi.first));
    pause(Duration::from_millis(3200));
    is_error(&fapi.exchange(&fapi.first, &code, &RIGHT), &["invalid_grant"]);
}

fn refreshed(fapi: &Fapi, party: &Party, before: &(Tokens, Value)) {
    // `iat` has seconds.
    pause(Duration::from_secs(1));
    let form = [("grant_type", "refresh_token"), ("refresh_token", before.0.refresh.as_str())];
    let tokens = Tokens::of(&fapi.send(party, "get_token", &form, &RIGHT));
    assert_ne!(tokens.access, before.0.access);
    // FAPI 2.0 Security Profile §5.3.2.1: no rotation for a client that authenticates.
    assert!(tokens.refresh.is_empty() || tokens.refresh == before.0.refresh, "{}", tokens.body);
    let claims = fapi.id_token(party, &tokens);
    for name in ["iss", "sub", "aud", "azp", "auth_time"] {
        assert_eq!(claims[name], before.1[name], "{name}");
    }
    assert!(claims["iat"].as_u64() > before.1["iat"].as_u64(), "{claims}");
    fapi.acts(&party.holder, &tokens.access);
}

/// `refresh-token`
#[test]
fn a_refresh_token_is_its_clients_alone_and_is_not_rotated() {
    let fapi = Fapi::start();
    let offline = |party: &Party| {
        let request = fapi.request(party).with("scope", "openid offline_access").with("prompt", "consent");
        fapi.flow(party, &request)
    };
    let first = offline(&fapi.first);
    assert!(first.0.refresh.len() >= 22 && first.0.refresh.bytes().all(|byte| matches!(byte, 0x20..=0x7e)));
    refreshed(&fapi, &fapi.first, &first);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", first.0.refresh.as_str()),
        ("scope", "openid offline_access"),
    ];
    let unauthenticated = [&form[..], &[("client_id", fapi.first.client.id)]].concat();
    let answer = fapi.suite.gateway.send(&Request::form(&format!("{METHOD}get_token"), &unauthenticated));
    is_error(&answer, &["invalid_client", "invalid_request", "invalid_grant"]);
    let without_proof = fapi.send(&fapi.first, "get_token", &form, &Shown::default());
    is_error(&without_proof, &["invalid_request", "invalid_grant", "invalid_dpop_proof"]);
    assert_eq!(without_proof.status, 400);

    let second = offline(&fapi.second);
    refreshed(&fapi, &fapi.second, &second);
    let form = [("grant_type", "refresh_token"), ("refresh_token", second.0.refresh.as_str())];
    is_error(&fapi.send(&fapi.first, "get_token", &form, &RIGHT), &["invalid_grant"]);
}
