//! Tokens that are bound to a key (RFC 9449), from the proof at the token endpoint to the one beside each request.

use serde_json::{Value, json};

use crate::{
    standin::ALICE,
    support::{
        APP, Answer, Browser, Client, METHOD, Request, SERVICE, SHOP, Setup, SigningClient, TestGateway, Tokens,
        authorize_url, client_request, exchange_request, is_invalid_token, parameters, query, token_hash,
    },
};

const WHOAMI: &str = "/api/method/frappe.auth.get_logged_user";

/// A key, and what its holder sends.
pub struct Holder<'g> {
    gateway: &'g TestGateway,
    pub key: SigningClient,
}

impl<'g> Holder<'g> {
    pub fn new(gateway: &'g TestGateway) -> Self {
        Self { gateway, key: SigningClient::new() }
    }

    /// A nonce of the gateway's, for who asks without one.
    fn nonce(&self) -> Value {
        let url = format!("{}{METHOD}get_token", self.gateway.url());
        let request = client_request(SHOP, "get_token", &[("grant_type", "refresh_token"), ("refresh_token", "x")]);
        let answer = self.gateway.send(&request.header("DPoP", &self.key.proof(("POST", &url), &[])));
        assert_eq!((answer.status, answer.error().as_str()), (400, "use_dpop_nonce"), "{answer}");
        answer.header("dpop-nonce").expect("a nonce").into()
    }

    /// A request to one of our endpoints with a proof.
    pub fn proven(&self, request: &Request, endpoint: &str) -> Answer {
        let url = format!("{}{METHOD}{endpoint}", self.gateway.url());
        let proof = self.key.proof(("POST", &url), &[("nonce", self.nonce())]);
        self.gateway.send(&request.clone().header("DPoP", &proof))
    }

    pub fn tokens(&self, client: Client, extra: &[(&str, &str)]) -> Tokens {
        let code = Browser::of(self.gateway, ALICE).code(client, extra);
        let answer = self.proven(&exchange_request(client, &code, &[]), "get_token");
        assert!(answer.header("dpop-nonce").is_some(), "the next one: {answer}");
        let tokens = Tokens::of(&answer);
        assert_eq!(tokens.body["token_type"], "DPoP");
        tokens
    }

    /// A proof for a call of the API.
    fn proof(&self, token: &str, changes: &[(&str, Value)]) -> String {
        let standard = [("nonce", self.nonce()), ("ath", token_hash(token))];
        self.key.proof(("GET", &format!("{}{WHOAMI}", self.gateway.url())), &[&standard[..], changes].concat())
    }

    fn call(&self, token: &str, proof: &str) -> Answer {
        let request = Request::get(WHOAMI).header("Authorization", &format!("DPoP {token}"));
        self.gateway.send(&request.header("DPoP", proof))
    }

    pub fn acts(&self, token: &str) {
        let answer = self.call(token, &self.proof(token, &[]));
        assert_eq!((answer.status, &answer.json()["message"]), (200, &json!(ALICE)), "{answer}");
    }
}

/// The 401 of a token whose key was not shown.
fn is_challenged(what: &str, answer: &Answer, error: &str) {
    assert_eq!(answer.status, 401, "{what}: {answer}");
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with("DPoP realm=\""), "{what}: {answer}");
    assert!(challenge.contains(&format!("error=\"{error}\"")), "{what}: {answer}");
    assert!(challenge.contains("algs=\"PS256 ES256 EdDSA\""), "{what}: {answer}");
    assert_eq!(answer.json()["error"], error, "{what}");
}

#[test]
fn a_bound_token_acts_for_the_holder_of_its_key_through_refresh_userinfo_and_introspection() {
    let gateway = TestGateway::start();
    let holder = Holder::new(&gateway);
    let tokens = holder.tokens(SHOP, &[]);
    holder.acts(&tokens.access);
    let seen = gateway.standin.requests();
    let last = seen.iter().rfind(|record| record.target == WHOAMI).expect("it was forwarded");
    assert!(last.header("dpop").is_none() && !last.header("authorization").expect("one").contains(&tokens.access));
    let told = gateway.introspect(SHOP, &tokens.access);
    assert_eq!((&told["token_type"], &told["cnf"]["jkt"]), (&json!("DPoP"), &json!(holder.key.thumbprint())));
    let endpoint = format!("{METHOD}openid_profile");
    let url = format!("{}{endpoint}", gateway.url());
    let changes = [("nonce", holder.nonce()), ("ath", token_hash(&tokens.access))];
    let request = Request::get(&endpoint).header("Authorization", &format!("DPoP {}", tokens.access));
    let profile = gateway.send(&request.header("DPoP", &holder.key.proof(("GET", &url), &changes)));
    assert_eq!(profile.json()["email"], ALICE, "{profile}");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
    let refreshed = Tokens::of(&holder.proven(&client_request(SHOP, "get_token", &refresh), "get_token"));
    holder.acts(&refreshed.access);
}

#[test]
fn the_refresh_token_of_a_public_client_is_bound_and_needs_no_rotation() {
    let gateway = TestGateway::start();
    let (holder, thief) = (Holder::new(&gateway), Holder::new(&gateway));
    let tokens = holder.tokens(APP, &[]);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
    let request = client_request(APP, "get_token", &refresh);
    assert_eq!(gateway.send(&request).error(), "invalid_grant", "without a proof");
    assert_eq!(thief.proven(&request, "get_token").error(), "invalid_grant", "with another key");
    let refreshed = Tokens::of(&holder.proven(&request, "get_token"));
    assert_eq!(refreshed.refresh, tokens.refresh);
    holder.acts(&refreshed.access);
}

#[test]
fn a_code_that_was_asked_for_with_a_key_is_worth_nothing_without_it() {
    let gateway = TestGateway::start();
    let (holder, thief) = (Holder::new(&gateway), Holder::new(&gateway));
    let thumbprint = holder.key.thumbprint();
    let named = [("dpop_jkt", thumbprint.as_str())];
    holder.acts(&holder.tokens(APP, &named).access);
    let stolen = |by: Option<&Holder<'_>>| {
        let code = Browser::of(&gateway, ALICE).code(APP, &named);
        let request = exchange_request(APP, &code, &[]);
        let answer = by.map_or_else(|| gateway.send(&request), |by| by.proven(&request, "get_token"));
        assert_eq!(answer.error(), "invalid_grant", "{answer}");
    };
    stolen(None);
    stolen(Some(&thief));
    let junk = Browser::of(&gateway, ALICE).get(&authorize_url(APP, &[("dpop_jkt", "junk")]));
    assert_eq!(junk.redirected_error(), "invalid_request");
}

#[test]
fn a_pushed_request_with_a_proof_binds_its_code() {
    let gateway = TestGateway::start();
    let (holder, thief) = (Holder::new(&gateway), Holder::new(&gateway));
    let push = |extra: &[(&str, &str)]| {
        let url = authorize_url(SHOP, extra);
        let pairs = parameters(url.split_once('?').expect("a query").1);
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = client_request(SHOP, "pushed_authorization_request", &pairs);
        holder.proven(&request, "pushed_authorization_request")
    };
    assert_eq!(push(&[("dpop_jkt", &thief.key.thumbprint())]).error(), "invalid_dpop_proof");
    let code = || {
        let reference = push(&[]).json()["request_uri"].as_str().expect("a reference").to_owned();
        let url = format!("{METHOD}authorize?{}", query(&[("client_id", SHOP.id), ("request_uri", &reference)]));
        let mut browser = Browser::of(&gateway, ALICE);
        let page = browser.get(&url);
        let answer = if page.status == 200 { browser.decide(&page, "allow") } else { page };
        answer.parameter("code").expect("a code")
    };
    assert_eq!(gateway.exchange(SHOP, &code(), &[]).error(), "invalid_grant");
    let answer = holder.proven(&exchange_request(SHOP, &code(), &[]), "get_token");
    holder.acts(&Tokens::of(&answer).access);
}

#[test]
fn a_client_can_be_held_to_bound_tokens_and_acts_by_itself_with_them() {
    let service = "id = 'held'\nsecret = 'canary-secret-of-held-0123456789abcdef'\ndpop_bound_access_tokens = true\n\
                   grant_types = ['client_credentials']\nservice_user = 'alice@example.com'\nscopes = ['all']";
    let gateway = Setup::new().client(service).start();
    let held = SERVICE.named("held", "").with_secret("canary-secret-of-held-0123456789abcdef");
    let holder = Holder::new(&gateway);
    let request = client_request(held, "get_token", &[("grant_type", "client_credentials")]);
    assert_eq!(gateway.send(&request).error(), "invalid_dpop_proof");
    holder.acts(&Tokens::of(&holder.proven(&request, "get_token")).access);
}

/// T74
#[test]
fn a_bound_token_is_refused_without_a_fresh_proof_of_its_key_for_this_request() {
    let gateway = TestGateway::start();
    let (holder, thief) = (Holder::new(&gateway), Holder::new(&gateway));
    let token = holder.tokens(SHOP, &[]).access;
    let refused = |what: &str, answer: &Answer| is_challenged(what, answer, "invalid_dpop_proof");
    let (result, reached) = gateway.upstream_of(|| {
        is_challenged("as a bearer token", &gateway.whoami(&token), "invalid_token");
        let alone = Request::get(WHOAMI).header("Authorization", &format!("DPoP {token}"));
        refused("no proof", &gateway.send(&alone));
        let two = alone.clone().header("DPoP", &holder.proof(&token, &[])).header("DPoP", &holder.proof(&token, &[]));
        refused("two proofs", &gateway.send(&two));
        refused("no JWT", &holder.call(&token, "junk"));
        let nonce = holder.call(&token, &holder.proof(&token, &[("nonce", Value::Null)]));
        is_challenged("no nonce", &nonce, "use_dpop_nonce");
        assert!(nonce.header("dpop-nonce").is_some(), "{nonce}");
        let foreign = holder.call(&token, &holder.proof(&token, &[("nonce", json!("foreign"))]));
        is_challenged("a nonce of somebody's", &foreign, "use_dpop_nonce");
        refused("another key", &holder.call(&token, &thief.proof(&token, &[])));
        let at = |path: &str| json!(format!("{}{path}", gateway.url()));
        let past = std::time::UNIX_EPOCH.elapsed().expect("a time").as_secs() - 70;
        for (what, change) in [
            ("another method", ("htm", json!("POST"))),
            ("another path", ("htu", at(&format!("{WHOAMI}x?y=1")))),
            ("another case", ("htu", at(&WHOAMI.to_uppercase()))),
            ("a slash", ("htu", at(&format!("{WHOAMI}/")))),
            ("another host", ("htu", json!(format!("https://evil.example{WHOAMI}")))),
            ("another token", ("ath", token_hash("another"))),
            ("no token", ("ath", Value::Null)),
            ("too old", ("iat", json!(past))),
            ("no id", ("jti", Value::Null)),
        ] {
            refused(what, &holder.call(&token, &holder.proof(&token, &[change])));
        }
    });
    assert!(reached.is_empty(), "{result:?}: {reached:?}");
    let proof = holder.proof(&token, &[]);
    assert_eq!(holder.call(&token, &proof).status, 200);
    refused("the same proof again", &holder.call(&token, &proof));
    let unbound = gateway.tokens(ALICE, SHOP, &[]).access;
    is_challenged("a bearer token", &holder.call(&unbound, &holder.proof(&unbound, &[])), "invalid_token");
    gateway.revoke(SHOP, &token);
    is_invalid_token("revoked", &holder.call(&token, &holder.proof(&token, &[])));
}

/// T74
#[test]
fn a_proof_from_before_a_restart_is_worth_nothing() {
    let mut gateway = TestGateway::start();
    let (token, proof, key) = {
        let holder = Holder::new(&gateway);
        let token = holder.tokens(SHOP, &[]).access;
        let proof = holder.proof(&token, &[]);
        (token, proof, holder.key)
    };
    gateway.restart();
    let holder = Holder { gateway: &gateway, key };
    is_challenged("its nonce is gone", &holder.call(&token, &proof), "use_dpop_nonce");
    holder.acts(&token);
}

#[test]
fn where_a_body_is_judged_by_rules_one_proof_is_enough_and_none_is_too_little() {
    let rule = "path = '/api/resource/{doctype}'\nmethods = ['POST']\nauth = 'bearer'\nscopes = ['all']";
    let gateway =
        Setup::new().route(rule).route("path = '/api/method/frappe.client.get_list'\nauth = 'bearer'").start();
    let holder = Holder::new(&gateway);
    let token = holder.tokens(SHOP, &[]).access;
    let path = "/api/method/frappe.client.get_list";
    let request = |proof: Option<&str>| {
        let request = Request::form(path, &[("doctype", "ToDo"), ("cmd", "frappe.client.get_list")]);
        let request = request.header("Authorization", &format!("DPoP {token}"));
        gateway.send(&proof.into_iter().fold(request, |request, proof| request.header("DPoP", proof)))
    };
    let url = format!("{}{path}", gateway.url());
    let proof = holder.key.proof(("POST", &url), &[("nonce", holder.nonce()), ("ath", token_hash(&token))]);
    is_challenged("no proof", &request(None), "invalid_dpop_proof");
    let answer = request(Some(&proof));
    assert_ne!(answer.status, 401, "{answer}");
    is_challenged("again", &request(Some(&proof)), "invalid_dpop_proof");
}
