//! How clients show who they are, endpoint by endpoint.

use super::Walk;
use crate::{
    standin::ALICE,
    support::{APP, Auth, Browser, Client, LEGACY, METHOD, POST, Request, SHOP, client_request, exchange_request},
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
        // Whatever is to take the secret's place.
        _ => vec![SHOP.with(Auth::None)],
    }
}

fn assertion<'a>(method: &str, form: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let jwt_bearer = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let shown = [jwt_bearer, ("client_assertion", "e30.e30.e30")];
    if method.ends_with("_jwt") { [form, &shown].concat() } else { form.to_vec() }
}

/// A code is exchanged.
pub fn at_token(walk: &Walk, method: &str) -> bool {
    users_of(walk, method).into_iter().any(|client| {
        let code = Browser::of(&walk.gateway, ALICE).code(client, &[]);
        let answer = walk.gateway.send(&exchange_request(client, &code, &assertion(method, &[])));
        assert!(answer.status == 200 || answer.error() == "invalid_client", "{answer}");
        answer.status == 200
    })
}

/// The client's own, with the authentication of the method.
fn told(walk: &Walk, method: &str, client: Client, endpoint: &str) -> (String, crate::support::Answer) {
    let tokens = walk.gateway.tokens(ALICE, if method == "none" { client } else { own(client) }, &[]);
    let form = assertion(method, &[("token", &tokens.access)]);
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
    (tokens.access.clone(), answer)
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
