//! A gateway with the clients of the suite, and the steps that nearly every module takes: authorization, code, id_token, userinfo.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::Value;
use sha2::{Digest, Sha256};
use toml::Table;

use super::visit::{End, Visit, Visitor};
use crate::support::{
    Answer, Auth, Client, METHOD, Request, Setup, TestGateway, Tokens, claims_by_jwks, client_request, header, query,
};

/// Where the suite is.
pub const SITE: &str = "https://www.certification.openid.net/";
const CALLBACK: &str = "https://www.certification.openid.net/test/a/empress/callback";

/// `client` of the suite's configuration.
pub const FIRST: Client = Client::erpnext("conformance-1", "canary-secret-of-conformance-1-0123456789", CALLBACK);
/// `client2`.
pub const SECOND: Client = Client::erpnext("conformance-2", "canary-secret-of-conformance-2-0123456789", CALLBACK);
/// `client_secret_post`.
pub const POST: Client =
    Client::erpnext("conformance-post", "canary-secret-of-conformance-post-0123456", CALLBACK).with(Auth::Post);

/// How an answer comes to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Query,
    Fragment,
    FormPost,
}

/// The blocks that `docs/conformance.md` tells operators to use, with secrets in place of the files.
pub fn client_blocks() -> Vec<Table> {
    let page = include_str!("../../../docs/conformance.md");
    let (_, from) = page.split_once("```toml\n").expect("the blocks");
    let (text, _) = from.split_once("```").expect("their end");
    let blocks: Table = toml::from_str(text).expect("TOML");
    let blocks = blocks["client"].as_array().expect("clients").clone();
    let with_secret = |block: toml::Value| {
        let mut block = block.as_table().expect("a client").clone();
        let id = block["id"].as_str().expect("an id").to_owned();
        let client = [FIRST, SECOND, POST].into_iter().find(|client| client.id == id);
        block.remove("secret_file").expect("a secret of its own");
        block.insert("secret".to_owned(), client.expect("one of the three").secret.into());
        block
    };
    blocks.into_iter().map(with_secret).collect()
}

/// A gateway as a plan finds it.
pub struct Suite {
    pub gateway: TestGateway,
    /// What the plan asks for.
    mode: Mode,
}

impl Suite {
    pub fn start(mode: Mode) -> Self {
        Self::with(mode, Setup::new())
    }

    pub fn with(mode: Mode, setup: Setup) -> Self {
        Self::with_clients(mode, setup, &client_blocks())
    }

    /// The login page is the gateway's own: the suite's browser runs no script of today.
    pub fn with_clients(mode: Mode, setup: Setup, blocks: &[Table]) -> Self {
        let setup = setup.set("login.page", "gateway");
        let setup = blocks.iter().fold(setup, |setup, block| setup.client(&toml::to_string(block).expect("TOML")));
        Self { gateway: setup.start(), mode }
    }

    /// A browser without any cookies.
    pub fn visitor(&self) -> Visitor<'_> {
        Visitor::new(&self.gateway)
    }

    /// The request that modules begin with: `openid`, a state, a nonce.
    pub fn request(&self, client: Client) -> AuthorizationRequest {
        let request = AuthorizationRequest { pairs: Vec::new() }
            .with("client_id", client.id)
            .with("redirect_uri", client.redirect_uri)
            .with("scope", "openid")
            .with("state", "bPmkSkXFsM")
            .with("nonce", "LHQ4fUoCkR")
            .with("response_type", "code");
        if self.mode == Mode::FormPost { request.with("response_mode", "form_post") } else { request }
    }

    pub fn discovery(&self) -> Value {
        self.gateway.get("/.well-known/openid-configuration").json()
    }

    /// What every answer to the client is held to: how it came, where to, `state`, `iss`.
    fn is_answered(&self, request: &AuthorizationRequest, visit: &Visit) {
        let End::Client { mode, uri, .. } = &visit.end else { panic!("{}", visit.page()) };
        assert_eq!(*mode, self.mode, "how it is sent");
        assert_eq!(uri, CALLBACK);
        assert_eq!(visit.parameter("state"), request.value("state"));
        assert_eq!(visit.parameter("iss"), Some(self.gateway.url().as_str()), "RFC 9207");
    }

    /// An error that comes to the client with the parameters that it may have (OpenID Connect Core §3.1.2.6); its code.
    pub fn error(&self, request: &AuthorizationRequest, visit: &Visit) -> String {
        self.is_answered(request, visit);
        let allowed = ["error", "error_description", "error_uri", "state", "iss"];
        assert!(visit.names().iter().all(|name| allowed.contains(name)), "{:?}", visit.names());
        // RFC 6749 §4.1.2.1
        let described = visit.parameter("error_description").unwrap_or_default();
        assert!(described.chars().all(|c| matches!(c, ' '..='!' | '#'..='[' | ']'..='~')), "{described}");
        visit.parameter("error").expect("an error").to_owned()
    }

    /// The code of a successful answer.
    pub fn code(&self, request: &AuthorizationRequest, visit: &Visit) -> String {
        self.is_answered(request, visit);
        let mut names = visit.names();
        // Those of the redirect URI's own query.
        names.retain(|name| !name.starts_with("dummy"));
        names.sort_unstable();
        assert_eq!(names, ["code", "iss", "state"]);
        visit.parameter("code").expect("a code").to_owned()
    }

    /// From the authorization request to userinfo, with the checks of each step.
    pub fn flow(&self, visitor: &mut Visitor<'_>, client: Client, request: &AuthorizationRequest) -> Flow {
        self.flow_with(visitor, client, request, &[])
    }

    /// The same with more in the token request.
    pub fn flow_with(
        &self,
        visitor: &mut Visitor<'_>,
        client: Client,
        request: &AuthorizationRequest,
        extra: &[(&str, &str)],
    ) -> Flow {
        let visit = visitor.visit(request.get());
        self.rest_of_flow(client, request, visit, extra)
    }

    /// The flow from the answer of the authorization endpoint on.
    pub fn rest_of_flow(
        &self,
        client: Client,
        request: &AuthorizationRequest,
        visit: Visit,
        extra: &[(&str, &str)],
    ) -> Flow {
        let code = self.code(request, &visit);
        let tokens = token_response(&self.exchange(client, &code, extra));
        let claims = self.id_token(client, &tokens, request.value("nonce"));
        let userinfo = self.userinfo(&Request::get(&format!("{METHOD}openid_profile")).bearer(&tokens.access));
        assert_eq!(userinfo["sub"], claims["sub"], "OpenID Connect Core §5.3.2");
        Flow { visit, code, tokens, claims, userinfo }
    }

    pub fn exchange(&self, client: Client, code: &str, extra: &[(&str, &str)]) -> Answer {
        let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", client.redirect_uri)];
        let form = [&form, extra].concat();
        self.gateway.send(&client_request(client, "get_token", &form))
    }

    /// The claims of an id_token with the checks of OpenID Connect Core §3.1.3.7, by the keys of JWKS.
    pub fn id_token(&self, client: Client, tokens: &Tokens, nonce: Option<&str>) -> Value {
        let head = header(&tokens.id_token);
        assert!(head["kid"].is_string() && head["alg"] == "RS256", "{head}");
        let claims = claims_by_jwks(&self.gateway, client, Algorithm::RS256, &tokens.id_token);
        assert_eq!(claims["nonce"].as_str(), nonce, "{claims}");
        assert!(claims["sub"].as_str().is_some_and(|sub| !sub.is_empty() && sub.len() < 256 && sub.is_ascii()));
        let (issued, expires) = (claims["iat"].as_i64().expect("iat"), claims["exp"].as_i64().expect("exp"));
        let age = jsonwebtoken::get_current_timestamp().cast_signed() - issued;
        assert!(issued < expires && (-60..300).contains(&age), "{claims}");
        let half = &Sha256::digest(tokens.access.as_bytes())[..16];
        assert_eq!(claims["at_hash"], URL_SAFE_NO_PAD.encode(half));
        are_standard(&claims);
        claims
    }

    /// The claims of userinfo (OpenID Connect Core §5.3.2).
    pub fn userinfo(&self, request: &Request) -> Value {
        let answer = self.gateway.send(request);
        assert_eq!(answer.status, 200, "{answer}");
        assert!(is_json(&answer), "{answer}");
        let claims = answer.json();
        assert!(claims["sub"].as_str().is_some_and(|sub| !sub.is_empty()), "{claims}");
        are_standard(&claims);
        claims
    }
}

/// A token response as RFC 6749 §5.1 and OpenID Connect Core §3.1.3.3 want it.
pub fn token_response(answer: &Answer) -> Tokens {
    let tokens = Tokens::of(answer);
    assert!(is_json(answer), "{answer}");
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), (Some("no-store"), Some("no-cache")));
    assert!(tokens.body["token_type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")));
    assert!(tokens.body["expires_in"].as_u64().is_some_and(|seconds| seconds > 0), "{answer}");
    tokens
}

fn is_json(answer: &Answer) -> bool {
    answer.header("content-type").is_some_and(|kind| kind.split(';').next() == Some("application/json"))
}

/// Standard claims have the types of OpenID Connect Core §5.1, and one without a value is left out.
fn are_standard(claims: &Value) {
    for (name, value) in claims.as_object().expect("an object") {
        let is_right = match name.as_str() {
            "email_verified" | "phone_number_verified" => value.is_boolean(),
            "updated_at" => value.is_u64(),
            "address" => value.as_object().is_some_and(|parts| parts.values().all(is_text)),
            "birthdate" => value.as_str().is_some_and(is_date),
            "sub" | "name" | "given_name" | "family_name" | "middle_name" | "nickname" | "preferred_username"
            | "profile" | "picture" | "website" | "email" | "gender" | "zoneinfo" | "locale" | "phone_number" => {
                is_text(value)
            }
            _ => true,
        };
        assert!(is_right, "{name}: {claims}");
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty() && !text.eq_ignore_ascii_case("null"))
}

fn is_date(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').map(str::len).collect();
    (parts == [4] || parts == [4, 2, 2]) && text.split('-').all(|part| part.bytes().all(|b| b.is_ascii_digit()))
}

/// What a flow has given.
pub struct Flow {
    pub visit: Visit,
    pub code: String,
    pub tokens: Tokens,
    /// Of the id_token.
    pub claims: Value,
    pub userinfo: Value,
}

/// The parameters of an authorization request, in their order.
#[derive(Clone)]
pub struct AuthorizationRequest {
    pairs: Vec<(String, String)>,
}

impl AuthorizationRequest {
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        Self { pairs: pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect() }
    }

    /// Sets a parameter.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        let mut request = self.without(name);
        request.pairs.push((name.to_owned(), value.to_owned()));
        request
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.pairs.retain(|(other, _)| other != name);
        self
    }

    /// The same parameters the other way round.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.pairs.reverse();
        self
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// As JSON, for a request object.
    pub fn json(&self) -> Value {
        self.pairs.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
    }

    pub fn get(&self) -> Request {
        Request::get(&format!("{METHOD}authorize?{}", query(&self.borrowed())))
    }

    pub fn post(&self) -> Request {
        Request::form(&format!("{METHOD}authorize"), &self.borrowed()).header("Origin", SITE.trim_end_matches('/'))
    }

    pub fn borrowed(&self) -> Vec<(&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}
