//! `dpop-negative-tests`: a token that works, and one proof after the other beside it that the protected resource must refuse or take.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::{Fapi, RESOURCE, with_nonce};
use crate::support::{Answer, Request, Setup, SigningClient, token_hash};

/// A token, and calls with it.
struct Scene {
    fapi: Fapi,
    token: String,
}

impl Scene {
    fn new(algorithm: Algorithm) -> Self {
        let fapi = Fapi::with(Setup::new(), algorithm);
        let (tokens, _) = fapi.flow(&fapi.first, &fapi.request(&fapi.first));
        Self { fapi, token: tokens.access }
    }

    fn holder(&self) -> &SigningClient {
        &self.fapi.first.holder
    }

    fn url(&self) -> String {
        format!("{}{RESOURCE}", self.fapi.suite.gateway.url())
    }

    fn call(&self, changes: &[(&str, Value)]) -> Answer {
        self.fapi.call(self.holder(), &self.token, changes)
    }

    fn claims(&self, nonce: Option<Value>) -> Vec<(&'static str, Value)> {
        let ath = ("ath", token_hash(&self.token));
        [ath].into_iter().chain(nonce.map(|nonce| ("nonce", nonce))).collect()
    }

    /// A proof that is right.
    fn proof(&self, nonce: Option<Value>) -> String {
        self.holder().proof(("GET", &self.url()), &self.claims(nonce))
    }

    /// A call whose proof is made of a right one.
    fn with(&self, change: impl Fn(String) -> String) -> Answer {
        with_nonce(|nonce| self.fapi.called_with(&self.token, &change(self.proof(nonce))))
    }

    /// A call whose proof has another header, signed with it.
    fn with_header(&self, change: impl Fn(&mut Value)) -> Answer {
        self.with(|proof| {
            let (head, claims) = parts(&proof);
            let mut head: Value = serde_json::from_slice(&head).expect("JSON");
            change(&mut head);
            self.holder().sign(&head, &serde_json::from_slice(&claims).expect("JSON"))
        })
    }

    fn request(&self) -> Request {
        Request::get(RESOURCE).header("Authorization", &format!("DPoP {}", self.token))
    }
}

/// Header and claims of a JWT.
fn parts(jwt: &str) -> (Vec<u8>, Vec<u8>) {
    let mut parts = jwt.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64url"));
    (parts.next().expect("a header"), parts.next().expect("claims"))
}

fn refused(what: &str, answer: &Answer) {
    assert!(matches!(answer.status, 400 | 401), "{what}: {answer}");
    assert_ne!(answer.error(), "use_dpop_nonce", "{what}");
}

fn taken(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 200, "{what}: {answer}");
}

/// `dpop-negative-tests`: what the proof says
#[test]
fn claims_of_a_proof_that_are_missing_or_another_requests_are_refused() {
    let scene = Scene::new(Algorithm::ES256);
    let (url, now) = (scene.url(), jsonwebtoken::get_current_timestamp());
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        refused(name, &scene.call(&[(name, Value::Null)]));
    }
    for (what, change) in [
        ("another method", ("htm", json!("PUT"))),
        ("another URL", ("htu", json!(format!("{url}ohnonotagain")))),
        ("another token", ("ath", token_hash("another"))),
        // Without a nonce, as the suite sends it first.
        ("an hour ahead", ("iat", json!(now + 3600))),
        ("an hour old", ("iat", json!(now - 3600))),
    ] {
        refused(what, &scene.call(&[change]));
    }
    taken("a query and a fragment", &scene.call(&[("htu", json!(format!("{url}?all#not")))]));
    taken("capital letters", &scene.call(&[("htu", json!(url.replace("http://", "HTTP://")))]));
    taken("more than is known", &scene.call(&[("tx_id_key", json!(now))]));
    let fixed = [("jti", json!("fixed"))];
    taken("an id", &scene.call(&fixed));
    refused("the id again", &scene.call(&fixed));
    taken("a right one", &scene.call(&[]));
}

/// `dpop-negative-tests`: how the proof is made
#[test]
fn proofs_that_are_not_made_and_signed_as_they_must_are_refused() {
    let scene = Scene::new(Algorithm::ES256);
    refused("two parts", &scene.with(|proof| proof.rsplit_once('.').expect("a signature").0.to_owned()));
    refused("no typ", &scene.with_header(|head| drop(head.as_object_mut().expect("an object").remove("typ"))));
    refused("another typ", &scene.with_header(|head| head["typ"] = "jwt".into()));
    refused("no alg", &scene.with_header(|head| drop(head.as_object_mut().expect("an object").remove("alg"))));
    refused("no jwk", &scene.with_header(|head| drop(head.as_object_mut().expect("an object").remove("jwk"))));
    refused("a private key", &scene.with_header(|head| head["jwk"]["d"] = head["jwk"]["x"].clone()));
    refused(
        "none",
        &scene.with(|proof| {
            let (head, claims) = parts(&proof);
            let mut head: Value = serde_json::from_slice(&head).expect("JSON");
            head["alg"] = "none".into();
            format!("{}.{}.", URL_SAFE_NO_PAD.encode(head.to_string()), URL_SAFE_NO_PAD.encode(claims))
        }),
    );
    refused(
        "a wrong signature",
        &scene.with(|proof| {
            let (signed, signature) = proof.rsplit_once('.').expect("a signature");
            let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
            for byte in &mut bytes {
                *byte ^= 0x5a;
            }
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes))
        }),
    );
    refused("another key", &scene.fapi.call(&SigningClient::new(), &scene.token, &[]));
    taken("more than is known", &scene.with_header(|head| head["tx_id"] = 1.into()));
    taken("a right one", &scene.call(&[]));
}

/// `dpop-negative-tests`: how it is sent
#[test]
fn a_call_has_one_proof_and_the_scheme_of_bound_tokens() {
    let scene = Scene::new(Algorithm::ES256);
    let send = |request: &Request| scene.fapi.suite.gateway.send(request);
    taken("a header in capitals", &with_nonce(|nonce| send(&scene.request().header("DPOP", &scene.proof(nonce)))));
    let two = with_nonce(|nonce| {
        let request = scene.request().header("DPoP", &scene.proof(nonce.clone()));
        send(&request.header("DPoP", &scene.proof(nonce)))
    });
    refused("two", &two);
    refused("none", &send(&scene.request()));
    refused("as a bearer token", &send(&Request::get(RESOURCE).bearer(&scene.token)));
    taken("a right one", &scene.call(&[]));
}

/// `dpop-negative-tests`, of a client with a key of RSA
#[test]
fn a_proof_by_rs256_is_refused() {
    let scene = Scene::new(Algorithm::PS256);
    let by_rs256 = with_nonce(|nonce| {
        let proof = scene.holder().proof_by(Algorithm::RS256, ("GET", &scene.url()), &scene.claims(nonce));
        scene.fapi.called_with(&scene.token, &proof)
    });
    refused("RS256", &by_rs256);
    taken("a right one", &scene.call(&[]));
}
