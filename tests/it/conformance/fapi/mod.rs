//! `fapi2-security-profile-final-test-plan`, for `plain_fapi`, `openid_connect`, `private_key_jwt`, `dpop`, `unsigned` and
//! `plain_response`: every authorization request is pushed by a client that signs, and every token is bound to a key. Each test is
//! one module, its name in the comment before it without `fapi2-security-profile-final-`.

mod assertions;
mod dpop;
mod proofs;
mod requests;
mod responses;
mod tokens;

use std::sync::atomic::{AtomicU64, Ordering};

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use toml::Table;

use super::{
    suite::{AuthorizationRequest, Mode, Suite},
    visit::Visit,
};
use crate::support::{
    Answer, Auth, CHALLENGE, Client, JWT_BEARER, METHOD, Request, Setup, SigningClient, Tokens, VERIFIER,
    claims_by_jwks, header, token_hash,
};

const CALLBACK: &str = "https://www.certification.openid.net/test/a/empress/callback";
/// What the plan has the second client registered with.
const WITH_QUERY: &str = "https://www.certification.openid.net/test/a/empress/callback?dummy1=lorem&dummy2=ipsum";
const FIRST: Client = Client::erpnext("fapi-1", "", CALLBACK).with(Auth::None);
const SECOND: Client = Client::erpnext("fapi-2", "", WITH_QUERY).with(Auth::None);
/// What stands in for a bank's API.
const RESOURCE: &str = "/api/method/frappe.auth.get_logged_user";

/// A client of the plan's: the key that it signs with, and the one that its tokens are bound to.
struct Party {
    client: Client,
    key: SigningClient,
    holder: SigningClient,
    made: AtomicU64,
}

/// What a request to one of our endpoints has but for its form.
#[derive(Default)]
struct Shown<'a> {
    /// What is different in the assertion.
    assertion: &'a [(&'a str, Value)],
    /// What is different in the proof; `None`: there is none.
    proof: Option<&'a [(&'a str, Value)]>,
    /// Whose key the proof is of, if not the client's own.
    holder: Option<&'a SigningClient>,
}

/// A gateway as the plan finds it.
struct Fapi {
    suite: Suite,
    first: Party,
    second: Party,
}

impl Party {
    fn new(client: Client, algorithm: Algorithm) -> Self {
        let (key, holder) = (SigningClient::of(algorithm), SigningClient::of(algorithm));
        Self { client, key, holder, made: AtomicU64::new(0) }
    }

    /// The block of `docs/conformance.md` with this key in place of the example's.
    fn block(&self) -> Table {
        let page = include_str!("../../../../docs/conformance.md");
        let text = page.split("```toml\n").nth(2).and_then(|from| from.split("```").next()).expect("the blocks");
        let blocks: Table = toml::from_str(text).expect("TOML");
        let mut blocks = blocks["client"].as_array().expect("clients").iter().filter_map(toml::Value::as_table);
        let mut block = blocks.find(|block| block["id"].as_str() == Some(self.client.id)).expect("its block").clone();
        block.remove("jwks").expect("keys");
        assert_eq!(block["redirect_uris"].as_array(), Some(&vec![self.client.redirect_uri.into()]));
        let with_key = SigningClient::block(&[&self.key], self.client, &toml::to_string(&block).expect("TOML"));
        toml::from_str(&with_key).expect("TOML")
    }

    /// An assertion that is new, with these changes.
    fn assertion(&self, fapi: &Fapi, changes: &[(&str, Value)]) -> String {
        let id = format!("fapi {}", self.made.fetch_add(1, Ordering::Relaxed));
        self.key.assertion(&fapi.suite.gateway, self.client, &id, changes)
    }
}

impl Fapi {
    fn start() -> Self {
        Self::with(Setup::new(), Algorithm::ES256)
    }

    /// With other settings, or clients that sign by another algorithm.
    fn with(setup: Setup, algorithm: Algorithm) -> Self {
        let (first, second) = (Party::new(FIRST, algorithm), Party::new(SECOND, algorithm));
        let suite = Suite::with_clients(Mode::Query, setup, &[first.block(), second.block()]);
        Self { suite, first, second }
    }

    /// The request that modules begin with: `openid`, a state, a nonce, PKCE.
    fn request(&self, party: &Party) -> AuthorizationRequest {
        self.suite.request(party.client).with("code_challenge", CHALLENGE).with("code_challenge_method", "S256")
    }

    /// A request to one of our endpoints, and once more with the nonce where one is wanted.
    fn send(&self, party: &Party, endpoint: &str, form: &[(&str, &str)], shown: &Shown<'_>) -> Answer {
        let once = |nonce: Option<Value>| {
            let assertion = party.assertion(self, shown.assertion);
            let form = [form, &[JWT_BEARER, ("client_assertion", assertion.as_str())]].concat();
            let request = Request::form(&format!("{METHOD}{endpoint}"), &form);
            let Some(changes) = shown.proof else { return self.suite.gateway.send(&request) };
            let changes: Vec<_> = changes.iter().cloned().chain(nonce.map(|nonce| ("nonce", nonce))).collect();
            let url = format!("{}{METHOD}{endpoint}", self.suite.gateway.url());
            let proof = shown.holder.unwrap_or(&party.holder).proof(("POST", &url), &changes);
            self.suite.gateway.send(&request.header("DPoP", &proof))
        };
        with_nonce(once)
    }

    fn push(&self, party: &Party, request: &AuthorizationRequest, shown: &Shown<'_>) -> Answer {
        self.send(party, "pushed_authorization_request", &request.borrowed(), shown)
    }

    /// Where the browser takes the reference of a request that was pushed.
    fn by_reference(party: &Party, reference: &str) -> AuthorizationRequest {
        AuthorizationRequest::of(&[("client_id", party.client.id), ("request_uri", reference)])
    }

    /// Pushes a request and takes it through login and consent.
    fn visit(&self, party: &Party, request: &AuthorizationRequest) -> Visit {
        let reference = reference(&self.push(party, request, &Shown::default()));
        self.suite.visitor().visit(Self::by_reference(party, &reference).get())
    }

    /// The code that comes of a request.
    fn code(&self, party: &Party, request: &AuthorizationRequest) -> String {
        self.suite.code(request, &self.visit(party, request))
    }

    /// The exchange of a code with what `shown` has.
    fn exchange(&self, party: &Party, code: &str, shown: &Shown<'_>) -> Answer {
        self.send(party, "get_token", &exchange(party, code), shown)
    }

    /// The exchange of a code as it should be.
    fn tokens(&self, party: &Party, code: &str) -> Tokens {
        let answer = self.exchange(party, code, &Shown { proof: Some(&[]), ..Shown::default() });
        let tokens = Tokens::of(&answer);
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), (Some("no-store"), Some("no-cache")));
        assert_eq!(tokens.body["token_type"], "DPoP");
        assert!(tokens.body["expires_in"].as_u64().is_some_and(|seconds| seconds > 0), "{answer}");
        assert!(tokens.access.len() >= 22, "128 bits");
        tokens
    }

    /// From the request to the protected resource, with the checks of each step; what the id_token says comes with it.
    fn flow(&self, party: &Party, request: &AuthorizationRequest) -> (Tokens, Value) {
        let code = self.code(party, request);
        let tokens = self.tokens(party, &code);
        let claims = self.id_token(party, &tokens);
        assert_eq!(claims["nonce"].as_str(), request.value("nonce"), "{claims}");
        self.acts(&party.holder, &tokens.access);
        (tokens, claims)
    }

    /// The claims of an id_token, which is signed by none of the algorithms that FAPI does not allow.
    fn id_token(&self, party: &Party, tokens: &Tokens) -> Value {
        assert!(header(&tokens.id_token)["kid"].is_string());
        claims_by_jwks(&self.suite.gateway, party.client, Algorithm::ES256, &tokens.id_token)
    }

    /// A call of the protected resource with a proof of this key.
    fn call(&self, holder: &SigningClient, token: &str, changes: &[(&str, Value)]) -> Answer {
        let url = format!("{}{RESOURCE}", self.suite.gateway.url());
        with_nonce(|nonce| {
            let standard = [("ath", token_hash(token))].into_iter().chain(nonce.map(|nonce| ("nonce", nonce)));
            let changes: Vec<_> = standard.chain(changes.iter().cloned()).collect();
            self.called_with(token, &holder.proof(("GET", &url), &changes))
        })
    }

    fn called_with(&self, token: &str, proof: &str) -> Answer {
        let request = Request::get(RESOURCE).header("Authorization", &format!("DPoP {token}"));
        self.suite.gateway.send(&request.header("DPoP", proof))
    }

    /// The token works with its key; the answer has a date (RFC 9110 §6.6.1).
    fn acts(&self, holder: &SigningClient, token: &str) {
        let answer = self.call(holder, token, &[]);
        assert_eq!(answer.status, 200, "{answer}");
        assert!(answer.header("date").is_some(), "{answer}");
    }
}

/// Sends without a nonce, and with the one that is told where that is asked for.
fn with_nonce(mut send: impl FnMut(Option<Value>) -> Answer) -> Answer {
    let answer = send(None);
    match answer.header("dpop-nonce") {
        Some(nonce) if matches!(answer.status, 400 | 401) && answer.error() == "use_dpop_nonce" => {
            send(Some(nonce.into()))
        }
        _ => answer,
    }
}

/// The form of an exchange.
fn exchange<'a>(party: &Party, code: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", party.client.redirect_uri),
        ("code_verifier", VERIFIER),
    ]
}

/// The reference of a request that was pushed (RFC 9126 §2.2).
fn reference(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{answer}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.json()["expires_in"].as_u64().is_some_and(|seconds| (5..600).contains(&seconds)), "{answer}");
    let reference = answer.member("request_uri");
    assert!(reference.len() >= "urn:ietf:params:oauth:request_uri:".len() + 22, "128 bits: {reference}");
    reference
}

/// An error of the token or the pushed authorization request endpoint (RFC 6749 §5.2).
fn is_error(answer: &Answer, allowed: &[&str]) {
    let error = answer.error();
    assert!(allowed.contains(&error.as_str()), "{answer}");
    let status = if error == "invalid_client" { 401 } else { 400 };
    assert_eq!((answer.status, answer.header("content-type")), (status, Some("application/json")), "{answer}");
    let described = answer.json()["error_description"].as_str().unwrap_or_default().to_owned();
    assert!(described.chars().all(|c| matches!(c, ' '..='!' | '#'..='[' | ']'..='~')), "{described}");
}

/// A page for people, which leads nowhere.
fn is_error_page(visit: &Visit) {
    let page = visit.page();
    assert_eq!(page.status, 400, "{page}");
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page}");
    assert!(!page.text().contains("certification.openid.net"), "nothing leads there: {page}");
}

/// `discovery-end-point-verification`
#[test]
fn discovery_says_what_a_client_of_fapi_needs() {
    let fapi = Fapi::start();
    let document = fapi.suite.discovery();
    let url = fapi.suite.gateway.url();
    assert_eq!(
        (&document["issuer"], &document["jwks_uri"]),
        (&json!(url), &json!(format!("{url}/.well-known/jwks.json")))
    );
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    assert!(document["require_pushed_authorization_requests"].is_boolean());
    for endpoint in ["pushed_authorization_request_endpoint", "token_endpoint", "authorization_endpoint"] {
        assert!(document[endpoint].as_str().is_some_and(|endpoint| endpoint.starts_with(&url)), "{endpoint}");
    }
    for (list, value) in [
        ("response_types_supported", "code"),
        ("token_endpoint_auth_methods_supported", "private_key_jwt"),
        ("code_challenge_methods_supported", "S256"),
        ("scopes_supported", "openid"),
        ("subject_types_supported", "public"),
        ("id_token_signing_alg_values_supported", "ES256"),
        ("dpop_signing_alg_values_supported", "ES256"),
        ("token_endpoint_auth_signing_alg_values_supported", "ES256"),
    ] {
        assert!(document[list].as_array().is_some_and(|listed| listed.contains(&value.into())), "{list}: {document}");
    }
}
