//! How clients show who they are, endpoint by endpoint.

use super::{SIGNED, Walk};
use crate::{
    standin::ALICE,
    support::{
        APP, Auth, Browser, Client, JWT_BEARER, LEGACY, METHOD, POST, Request, SHOP, client_request, exchange_request,
    },
};

pub const METHODS: [&str; 7] = [
    "client_secret_basic",
    "client_secret_post",
    "none",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
];

/// The clients that use a method, and what each of them sends beside the form.
fn users_of(walk: &Walk, method: &str) -> Vec<Client> {
    match method {
        "client_secret_basic" => vec![SHOP],
        "client_secret_post" => vec![POST],
        "none" => {
            [APP, LEGACY].into_iter().filter(|client| walk.has(*client)).map(|client| client.with(Auth::None)).collect()
        }
        "private_key_jwt" => vec![SIGNED],
        // Whatever is to take the secret's place.
        _ => vec![SHOP.with(Auth::None)],
    }
}

/// A token can be bound to a key for it.
pub fn proof_algorithm(walk: &Walk, algorithm: &str) -> bool {
    let by_rsa = ["RS256", "RS512", "PS384", "PS512"].contains(&algorithm);
    let key = if by_rsa { "PS256" } else { algorithm };
    let Some(signer) = walk.signers.iter().find(|signer| signer.algorithm_name() == key) else { return false };
    let url = format!("{}{METHOD}get_token", walk.gateway.url());
    let algorithm = algorithm.parse().expect("an algorithm");
    let ask = |nonce: serde_json::Value| {
        let proof = signer.proof_by(algorithm, ("POST", &url), &[("nonce", nonce)]);
        let form = [("grant_type", "refresh_token"), ("refresh_token", "x")];
        walk.gateway.send(&client_request(SHOP, "get_token", &form).header("DPoP", &proof))
    };
    let first = ask(serde_json::Value::Null);
    let Some(nonce) = first.header("dpop-nonce").filter(|_| first.error() == "use_dpop_nonce") else {
        assert_eq!(first.error(), "invalid_dpop_proof");
        return false;
    };
    ask(nonce.into()).error() == "invalid_grant"
}

/// What a method that signs puts beside the form.
fn assertion(walk: &Walk, method: &str) -> String {
    match method {
        "private_key_jwt" => walk.signers[0].fresh(&walk.gateway, SIGNED),
        _ => "e30.e30.e30".to_owned(),
    }
}

fn with_assertion<'a>(method: &str, assertion: &'a str, form: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let shown = [JWT_BEARER, ("client_assertion", assertion)];
    if method.ends_with("_jwt") { [form, &shown].concat() } else { form.to_vec() }
}

pub const ALGORITHMS: [&str; 9] = ["PS256", "ES256", "EdDSA", "RS256", "RS512", "PS384", "PS512", "HS256", "none"];

/// A client may sign its assertions with it.
pub fn algorithm(walk: &Walk, algorithm: &str) -> bool {
    let by_rsa = ["RS256", "RS512", "PS384", "PS512"].contains(&algorithm);
    let key = if by_rsa { "PS256" } else { algorithm };
    // `none` and HS256 no key of a client's could make; the tests of `ClientKeys` have them.
    let Some(signer) = walk.signers.iter().find(|signer| signer.algorithm_name() == key) else { return false };
    let assertion = signer.fresh_by(algorithm.parse().expect("an algorithm"), &walk.gateway, SIGNED);
    let shown = [JWT_BEARER, ("client_assertion", assertion.as_str())];
    let form = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", SIGNED.id)];
    let answer = walk.gateway.send(&Request::form(&format!("{METHOD}get_token"), &[&form[..], &shown].concat()));
    answer.error() == "invalid_grant"
}

/// A code is exchanged.
pub fn at_token(walk: &Walk, method: &str) -> bool {
    users_of(walk, method).into_iter().any(|client| {
        let code = Browser::of(&walk.gateway, ALICE).code(client, &[]);
        let assertion = assertion(walk, method);
        let answer = walk.gateway.send(&exchange_request(client, &code, &with_assertion(method, &assertion, &[])));
        assert!(answer.status == 200 || answer.error() == "invalid_client", "{answer}");
        answer.status == 200
    })
}

/// The client's own, with the authentication of the method.
fn told(walk: &Walk, method: &str, client: Client, endpoint: &str) -> (String, crate::support::Answer) {
    let access = access_token(walk, method, client);
    let assertion = assertion(walk, method);
    let form = with_assertion(method, &assertion, &[("token", &access)]);
    let request = if method == "none" {
        // Nothing but the token from who has no method, the client's id from a public client.
        if client.id == APP.id {
            client_request(client, endpoint, &form)
        } else {
            Request::form(&format!("{METHOD}{endpoint}"), &form)
        }
    } else {
        client_request(client, endpoint, &form)
    };
    let answer = walk.gateway.send(&request);
    (access.clone(), answer)
}

/// A token of the client's own.
fn access_token(walk: &Walk, method: &str, client: Client) -> String {
    if client.id != SIGNED.id {
        return walk.gateway.tokens(ALICE, if method == "none" { client } else { own(client) }, &[]).access;
    }
    let code = Browser::of(&walk.gateway, ALICE).code(client, &[]);
    let assertion = assertion(walk, method);
    let answer = walk.gateway.send(&exchange_request(client, &code, &with_assertion(method, &assertion, &[])));
    crate::support::Tokens::of(&answer).access
}

/// The client as it gets its tokens.
fn own(client: Client) -> Client {
    if client.id == SHOP.id { SHOP } else { client }
}

/// A token ends.
pub fn at_revocation(walk: &Walk, method: &str) -> bool {
    users_of(walk, method).into_iter().any(|client| {
        let (token, answer) = told(walk, method, client, "revoke_token");
        assert!(answer.status == 200 || answer.error() == "invalid_client", "{answer}");
        walk.gateway.whoami(&token).status == 401
    })
}

/// A token is active.
pub fn at_introspection(walk: &Walk, method: &str) -> bool {
    users_of(walk, method).into_iter().any(|client| {
        let (_, answer) = told(walk, method, client, "introspect_token");
        assert!(answer.status == 200 || answer.error() == "invalid_client", "{answer}");
        answer.status == 200 && answer.json()["active"] == true
    })
}
