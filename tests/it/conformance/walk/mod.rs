//! The discovery document, walked value by value: each that is listed works when it is used, each that is known of and not listed is
//! refused. A key without a check, or a value that no check knows, fails.

mod authorization;
mod claims;
mod client_auth;
mod endpoints;
mod logout;
mod tokens;

use std::cell::OnceCell;

use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use crate::{
    standin::ALICE,
    support::{
        APP, Auth, BACKEND, BACKEND_BLOCK, Browser, Client, EDDSA, ES256, IMPLICIT, LEGACY, PASSWORD, POST, Publisher,
        Receiver, SCOPED, SERVICE, SHOP, Setup, SigningClient, TV, TV_BLOCK, TestGateway,
    },
};

/// The client that is told of logouts.
const TOLD: Client =
    SHOP.named("told", "https://told.example/cb").with_secret("canary-secret-of-told-0123456789abcdef");

/// Has a key for each algorithm that clients may sign with, and no secret.
const SIGNED: Client = SHOP.named("signed", "https://signed.example/cb").with(Auth::None).with_secret("");

/// The gateway whose document it is.
struct Walk {
    gateway: TestGateway,
    /// The clients that it has, of those that the checks use.
    clients: Vec<Client>,
    /// The claims that are told of Alice, once they have been asked for.
    told: OnceCell<Map<String, Value>>,
    /// The server of [`TOLD`].
    receiver: Receiver,
    /// Where clients describe themselves.
    publisher: Publisher,
    /// The keys of [`SIGNED`].
    signers: [SigningClient; 3],
}

/// How a value is seen to be true.
enum Check {
    /// The issuer.
    Issuer,
    /// The endpoint answers as what it is called; it has this name below the origin.
    Endpoint(&'static str, fn(&Walk, &str)),
    /// The values that are known of: each is listed if, and only if, it works.
    List(&'static [&'static str], fn(&Walk, &str) -> bool),
    /// It is as the document says.
    Flag(fn(&Walk) -> bool),
}

/// Every key of the document.
const CHECKS: [(&str, Check); 40] = [
    ("issuer", Check::Issuer),
    ("authorization_endpoint", Check::Endpoint("authorize", endpoints::authorization)),
    ("token_endpoint", Check::Endpoint("get_token", endpoints::token)),
    ("device_authorization_endpoint", Check::Endpoint("device_authorization", endpoints::device_authorization)),
    ("userinfo_endpoint", Check::Endpoint("openid_profile", endpoints::userinfo)),
    ("revocation_endpoint", Check::Endpoint("revoke_token", endpoints::revocation)),
    ("introspection_endpoint", Check::Endpoint("introspect_token", endpoints::introspection)),
    ("jwks_uri", Check::Endpoint("jwks.json", endpoints::jwks)),
    ("scopes_supported", Check::List(&authorization::SCOPES, authorization::scope)),
    ("response_types_supported", Check::List(&authorization::RESPONSE_TYPES, authorization::response_type)),
    ("response_modes_supported", Check::List(&authorization::RESPONSE_MODES, authorization::response_mode)),
    ("prompt_values_supported", Check::List(&authorization::PROMPTS, authorization::prompt)),
    ("code_challenge_methods_supported", Check::List(&["S256", "plain", "S512"], authorization::challenge_method)),
    ("grant_types_supported", Check::List(&tokens::GRANT_TYPES, tokens::grant_type)),
    ("subject_types_supported", Check::List(&["public", "pairwise"], tokens::subject_type)),
    ("dpop_signing_alg_values_supported", Check::List(&client_auth::ALGORITHMS, client_auth::proof_algorithm)),
    ("id_token_signing_alg_values_supported", Check::List(&tokens::ALGORITHMS, tokens::algorithm)),
    ("introspection_signing_alg_values_supported", Check::List(&tokens::ALGORITHMS, tokens::introspection_algorithm)),
    ("token_endpoint_auth_methods_supported", Check::List(&client_auth::METHODS, client_auth::at_token)),
    ("token_endpoint_auth_signing_alg_values_supported", Check::List(&client_auth::ALGORITHMS, client_auth::algorithm)),
    (
        "revocation_endpoint_auth_signing_alg_values_supported",
        Check::List(&client_auth::ALGORITHMS, client_auth::algorithm),
    ),
    (
        "introspection_endpoint_auth_signing_alg_values_supported",
        Check::List(&client_auth::ALGORITHMS, client_auth::algorithm),
    ),
    (
        "pushed_authorization_request_endpoint",
        Check::Endpoint("pushed_authorization_request", endpoints::pushed_request),
    ),
    (
        "require_pushed_authorization_requests",
        Check::Flag(|walk| Browser::of(&walk.gateway, ALICE).authorize(SHOP, &[]).parameter("code").is_none()),
    ),
    ("revocation_endpoint_auth_methods_supported", Check::List(&client_auth::METHODS, client_auth::at_revocation)),
    (
        "introspection_endpoint_auth_methods_supported",
        Check::List(&client_auth::METHODS, client_auth::at_introspection),
    ),
    ("claims_supported", Check::List(&claims::CLAIMS, claims::claim)),
    ("ui_locales_supported", Check::List(&authorization::LOCALES, authorization::locale)),
    ("claim_types_supported", Check::List(&["normal", "aggregated", "distributed"], claims::claim_type)),
    ("claims_parameter_supported", Check::Flag(claims::parameter)),
    ("request_parameter_supported", Check::Flag(|walk| authorization::takes(walk, "request"))),
    ("request_uri_parameter_supported", Check::Flag(|walk| authorization::takes(walk, "request_uri"))),
    // What is not taken needs no registration.
    ("require_request_uri_registration", Check::Flag(|walk| authorization::takes(walk, "request_uri"))),
    ("authorization_response_iss_parameter_supported", Check::Flag(authorization::names_the_issuer)),
    ("end_session_endpoint", Check::Endpoint("end_session", logout::endpoint)),
    ("backchannel_logout_supported", Check::Flag(|walk| logout::notice(walk).is_some())),
    ("backchannel_logout_session_supported", Check::Flag(logout::names_the_session)),
    ("frontchannel_logout_supported", Check::Flag(logout::loads_a_page_of_the_client)),
    ("registration_endpoint", Check::Endpoint("register_client", endpoints::registration)),
    ("client_id_metadata_document_supported", Check::Flag(endpoints::takes_documents)),
];

/// Shows that what is not listed is refused.
type Refused = fn(&Walk);

/// Those that the document has only where it is switched on.
const OPTIONAL: [(&str, Refused); 3] = [
    ("client_id_metadata_document_supported", |walk| assert!(!endpoints::takes_documents(walk))),
    ("registration_endpoint", endpoints::no_registration),
    ("device_authorization_endpoint", endpoints::no_device_authorization),
];

#[test]
fn discovery_lists_what_works_and_nothing_else() {
    let clients = vec![SHOP, APP, LEGACY, IMPLICIT, PASSWORD, SERVICE, POST, ES256, EDDSA, SCOPED, TV, BACKEND];
    Walk::new(Setup::new().client(TV_BLOCK).client(BACKEND_BLOCK), clients).every_value();
}

#[test]
fn discovery_of_a_site_without_lax_clients_lists_less() {
    let others =
        ["legacy", "implicit", "password", "managers", "trusted", "service", "es256", "eddsa", "scoped"].into_iter();
    let setup = others.fold(Setup::new(), Setup::without_client).open_to_registration();
    let setup = setup.set("registration.metadata_documents", true);
    let setup = setup.set("introspection.require_client_auth", true).set("revocation.require_client_auth", true);
    let walk = Walk::new(setup, vec![SHOP, APP, POST]);
    walk.every_value();
    let document = walk.document();
    assert_eq!(document.get("device_authorization_endpoint"), None);
    assert!(document.get("registration_endpoint").is_some(), "{document}");
    assert_eq!(document["client_id_metadata_document_supported"], true);
    assert_eq!(document["response_types_supported"], serde_json::json!(["code"]));
    assert_eq!(document["grant_types_supported"], serde_json::json!(["authorization_code", "refresh_token"]));
    assert_eq!(document["id_token_signing_alg_values_supported"], serde_json::json!(["RS256"]));
}

impl Walk {
    /// Alice has a picture too: of everything that a claim tells she has something.
    fn new(setup: Setup, clients: Vec<Client>) -> Self {
        let (receiver, publisher) = (Receiver::start(), Publisher::start());
        let setup = publisher.allowed_in(setup);
        let setup = setup.client(&format!(
            "id = '{}'\nsecret = '{}'\nredirect_uris = ['{}']\npost_logout_redirect_uris = ['{}']\nbackchannel_logout_uri = '{}'",
            TOLD.id,
            TOLD.secret,
            TOLD.redirect_uri,
            logout::AFTER,
            receiver.url("/told"),
        ));
        let signers = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::PS256].map(SigningClient::of);
        let [first, second, third] = &signers;
        let setup = setup.client(&SigningClient::block(&[first, second, third], SIGNED, ""));
        let gateway = setup.start_on(|site| site.set_image(ALICE, Some("/files/alice.png")));
        Self { gateway, clients, told: OnceCell::new(), receiver, publisher, signers }
    }

    fn document(&self) -> Value {
        self.gateway.get("/.well-known/openid-configuration").json()
    }

    fn has(&self, client: Client) -> bool {
        self.clients.iter().any(|other| other.id == client.id)
    }

    /// The clients of the list that a browser can log in for.
    fn with_browser(&self) -> impl Iterator<Item = Client> {
        self.clients.iter().copied().filter(|client| ![SERVICE.id, PASSWORD.id, TV.id, BACKEND.id].contains(&client.id))
    }

    fn every_value(&self) {
        let document = self.document();
        let found = document.as_object().expect("an object");
        for key in found.keys() {
            assert!(CHECKS.iter().any(|(known, _)| known == key), "nothing checks the key {key}");
        }
        for (key, check) in &CHECKS {
            if let Some(value) = found.get(*key) {
                self.is_true(key, value, check);
            } else {
                let optional = OPTIONAL.iter().find(|(optional, _)| optional == key);
                let (_, is_refused) = optional.unwrap_or_else(|| panic!("{key} is missing: {document}"));
                is_refused(self);
            }
        }
    }

    fn is_true(&self, key: &str, value: &Value, check: &Check) {
        match check {
            Check::Issuer => assert_eq!(value, &Value::from(self.gateway.url()), "{key}"),
            Check::Endpoint(name, works) => {
                let url = value.as_str().unwrap_or_else(|| panic!("{key}: {value}"));
                let path = url.strip_prefix(&self.gateway.url()).unwrap_or_else(|| panic!("{key}: {value}"));
                assert!(path.ends_with(name), "{key}: {value}");
                works(self, path);
            }
            Check::List(known, works) => {
                let listed = value.as_array().unwrap_or_else(|| panic!("{key}: {value}"));
                let listed: Vec<_> = listed.iter().map(|value| value.as_str().expect("text")).collect();
                for (at, value) in listed.iter().enumerate() {
                    assert!(known.contains(value), "{key}: nothing checks the value {value}");
                    assert!(!listed[..at].contains(value), "{key}: {value} is listed twice");
                }
                for value in *known {
                    assert_eq!(listed.contains(value), works(self, value), "{key}: {value}: listed, and works");
                }
            }
            Check::Flag(is_so) => assert_eq!(value, &Value::Bool(is_so(self)), "{key}"),
        }
    }
}
