//! Grant types, and what id_tokens are.

use jsonwebtoken::Algorithm;

use super::{Walk, authorization};
use crate::{
    standin::{ALICE, ALICE_PASSWORD},
    support::{
        Browser, DEVICE_GRANT, Device, METHOD, PASSWORD, POST, Request, SERVICE, SHOP, TV, Tokens, claims,
        claims_by_jwks, claims_by_secret, header,
    },
};

pub const GRANT_TYPES: [&str; 9] = [
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "password",
    "implicit",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:openid:params:grant-type:ciba",
];

/// Some client gets a token by it.
pub fn grant_type(walk: &Walk, grant_type: &str) -> bool {
    let gateway = &walk.gateway;
    let gives = |client, form: &[(&str, &str)]| {
        let form = [&[("grant_type", grant_type)], form].concat();
        let answer = gateway.as_client(client, "get_token", &form);
        answer.status == 200 && !Tokens::of(&answer).access.is_empty()
    };
    match grant_type {
        "authorization_code" => !gateway.tokens(ALICE, SHOP, &[]).access.is_empty(),
        "refresh_token" => {
            let tokens = gateway.tokens(ALICE, SHOP, &[]);
            gives(SHOP, &[("refresh_token", &tokens.refresh)])
        }
        "client_credentials" => walk.has(SERVICE) && gives(SERVICE, &[]),
        "password" => walk.has(PASSWORD) && gives(PASSWORD, &[("username", ALICE), ("password", ALICE_PASSWORD)]),
        DEVICE_GRANT if walk.has(TV) => {
            let device = Device::ask(gateway, TV, &[]);
            let mut browser = Browser::of(gateway, ALICE);
            let page = browser.type_code(&device.user_code);
            browser.decide_device(&page, "allow");
            gives(TV, &[("device_code", &device.code)])
        }
        "implicit" => authorization::response_type(walk, "token"),
        _ => walk.clients.iter().any(|client| gives(*client, &[("assertion", "x"), ("device_code", "x")])),
    }
}

/// Two clients are told the same of a user, or different things.
pub fn subject_type(walk: &Walk, subject_type: &str) -> bool {
    let subject = |client| claims(&walk.gateway.tokens(ALICE, client, &[]).id_token)["sub"].clone();
    (subject(SHOP) == subject(POST)) == (subject_type == "public")
}

pub const ALGORITHMS: [&str; 13] = [
    "none", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "EdDSA",
    "Ed25519",
];

/// Some client's id_tokens are signed by it, and can be verified.
pub fn algorithm(walk: &Walk, algorithm: &str) -> bool {
    walk.with_browser().any(|client| {
        let tokens = walk.gateway.tokens(ALICE, client, &[]);
        if header(&tokens.id_token)["alg"] != algorithm {
            return false;
        }
        let claims = match algorithm {
            "HS256" => claims_by_secret(&walk.gateway, client, &tokens.id_token),
            "RS256" => claims_by_jwks(&walk.gateway, client, Algorithm::RS256, &tokens.id_token),
            "ES256" => claims_by_jwks(&walk.gateway, client, Algorithm::ES256, &tokens.id_token),
            "EdDSA" => claims_by_jwks(&walk.gateway, client, Algorithm::EdDSA, &tokens.id_token),
            other => panic!("how is {other} verified?"),
        };
        claims["aud"] == client.id
    })
}

/// Whether an introspection answer is signed with this (RFC 9701 §7).
pub fn introspection_algorithm(walk: &Walk, name: &str) -> bool {
    let request = Request::form(&format!("{METHOD}introspect_token"), &[("token", "x")]).basic(SHOP.id, SHOP.secret);
    let answer = walk.gateway.send(&request.header("Accept", "application/token-introspection+jwt"));
    header(&answer.text())["alg"] == name
}
