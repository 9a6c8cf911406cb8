//! The crate openidconnect, unmodified, against the gateway: `empress-gateway-rust-test target/debug/examples/demo`

mod browser;
mod demo;

use std::{
    env,
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use openidconnect::{
    AccessToken, AdditionalProviderMetadata, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndSessionUrl,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IntrospectionUrl, IssuerUrl, LogoutProviderMetadata, LogoutRequest,
    Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PostLogoutRedirectUrl, ProviderMetadata, RedirectUrl,
    RefreshToken, RequestTokenError, RevocationUrl, Scope, TokenIntrospectionResponse as _, TokenResponse as _,
    core::{
        CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
        CoreErrorResponseType, CoreGrantType, CoreIdTokenClaims, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
        CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreRevocableToken,
        CoreSubjectIdentifierType, CoreTokenResponse, CoreUserInfoClaims,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ureq::http::{Request, Response};

use browser::Browser;
use demo::{Demo, send};

/// What the crate's own metadata leaves to extensions (RFC 8414).
#[derive(Clone, Debug, Deserialize, Serialize)]
struct OAuthMetadata {
    introspection_endpoint: IntrospectionUrl,
    revocation_endpoint: RevocationUrl,
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for OAuthMetadata {}

type Metadata = ProviderMetadata<
    LogoutProviderMetadata<OAuthMetadata>,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Site = CoreClient<EndpointSet, EndpointNotSet, EndpointSet, EndpointSet, EndpointMaybeSet, EndpointMaybeSet>;

/// How the tests went.
#[derive(Default)]
struct Results {
    passed: usize,
    failed: usize,
}

impl Results {
    /// Runs it, and notes how it went. The name is the sentence.
    fn test<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> Option<T> {
        let outcome = panic::catch_unwind(AssertUnwindSafe(work)).ok();
        if outcome.is_some() {
            self.passed += 1;
            println!("ok    {name}");
        } else {
            self.failed += 1;
            println!("FAIL  {name}");
        }
        outcome
    }
}

/// One client of the demo, and who logs in to it.
struct Party<'d> {
    demo: &'d Demo,
    site: Site,
    id: String,
    user: usize,
    is_confidential: bool,
}

impl<'d> Party<'d> {
    fn new(demo: &'d Demo, metadata: &Metadata, client: &str, user: usize) -> Self {
        let id = demo.text(&format!("/clients/{client}/id")).to_owned();
        let secret = demo.described.pointer(&format!("/clients/{client}/secret")).and_then(Value::as_str);
        let is_confidential = secret.is_some();
        let extra = &metadata.additional_metadata().additional_metadata;
        let (introspection, revocation) = (&extra.introspection_endpoint, &extra.revocation_endpoint);
        // See `send`.
        let revocation = revocation.as_str().replacen("http:", "https:", 1);
        let secret = secret.map(|secret| ClientSecret::new(secret.to_owned()));
        let site = CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(id.clone()), secret)
            .set_redirect_uri(RedirectUrl::new(demo.text("/callback").to_owned()).expect("a URL"))
            .set_introspection_url(introspection.clone())
            .set_revocation_url(RevocationUrl::new(revocation).expect("a URL"));
        Self { demo, site, id, user, is_confidential }
    }

    fn user(&self) -> &str {
        self.demo.text(&format!("/users/{}/name", self.user))
    }

    /// Through the code flow with PKCE: the token response, and the id_token's claims by the keys of JWKS.
    fn log_in(&self, browser: &mut Browser<'_>) -> (CoreTokenResponse, CoreIdTokenClaims) {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let request = self.site.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        let (url, state, nonce) = request.add_scope(Scope::new("all".to_owned())).set_pkce_challenge(challenge).url();
        let back = browser.authorize(&url, self.user);
        let parameter = |name: &str| {
            let found = back.query_pairs().find(|(key, _)| key == name);
            found.unwrap_or_else(|| panic!("no {name} in {back}")).1.into_owned()
        };
        assert_eq!(&parameter("state"), state.secret());
        assert_eq!(parameter("iss"), self.demo.text("/gateway"));
        let code = AuthorizationCode::new(parameter("code"));
        let request = self.site.exchange_code(code).expect("a token endpoint").set_pkce_verifier(verifier);
        let tokens = request.request(&send).expect("tokens");
        let verifier = self.site.id_token_verifier();
        let id_token = tokens.id_token().expect("an id_token");
        let claims = id_token.claims(&verifier, &nonce).expect("a good id_token").clone();
        (tokens, claims)
    }

    fn has_profile(&self, tokens: &CoreTokenResponse, claims: &CoreIdTokenClaims) {
        let subject = Some(claims.subject().clone());
        let request = self.site.user_info(tokens.access_token().clone(), subject).expect("an endpoint");
        let profile: CoreUserInfoClaims = request.request(&send).expect("the profile");
        assert_eq!(profile.email().map(|email| email.as_str()), Some(self.user()));
    }

    fn whoami(&self, token: &AccessToken) -> Response<Vec<u8>> {
        let url = format!("{}/api/method/frappe.auth.get_logged_user", self.demo.text("/gateway"));
        let request = Request::get(url).header("Authorization", format!("Bearer {}", token.secret()));
        send(request.body(Vec::new()).expect("a request")).expect("an answer")
    }

    fn acts(&self, tokens: &CoreTokenResponse) {
        let answer: Value = serde_json::from_slice(self.whoami(tokens.access_token()).body()).expect("JSON");
        assert_eq!(answer["message"], self.user());
    }

    fn refresh(&self, before: &CoreTokenResponse, claims: &CoreIdTokenClaims) -> CoreTokenResponse {
        let token = before.refresh_token().expect("a refresh token");
        let request = self.site.exchange_refresh_token(token).expect("a token endpoint");
        let after = request.request(&send).expect("tokens");
        assert_ne!(after.access_token().secret(), before.access_token().secret());
        let id_token = after.id_token().expect("an id_token");
        let verifier = self.site.id_token_verifier();
        // It has no nonce (OpenID Connect Core §12.2).
        let again = id_token.claims(&verifier, |nonce: Option<&Nonce>| nonce.map_or(Ok(()), |_| Err("a nonce".into())));
        assert_eq!(again.expect("a good id_token").subject(), claims.subject());
        after
    }

    fn introspect(&self, tokens: &CoreTokenResponse, is_active: bool) {
        let told = self.site.introspect(tokens.access_token()).request(&send).expect("an answer");
        assert_eq!(told.active(), is_active);
        assert_eq!(told.client_id().map(|id| id.as_str()), is_active.then_some(self.id.as_str()));
        assert_eq!(told.username(), is_active.then_some(self.user()));
    }

    fn revoke(&self, tokens: &CoreTokenResponse, refresh: &RefreshToken) {
        let token = CoreRevocableToken::RefreshToken(refresh.clone());
        self.site.revoke_token(token).expect("an endpoint").request(&send).expect("an answer");
        let answer = self.whoami(tokens.access_token());
        let challenge = answer.headers().get("WWW-Authenticate").and_then(|value| value.to_str().ok());
        assert_eq!(answer.status(), 401);
        assert!(challenge.is_some_and(|challenge| challenge.contains("error=\"invalid_token\"")));
        let refused = self.site.exchange_refresh_token(refresh).expect("a token endpoint").request(&send);
        let Err(RequestTokenError::ServerResponse(error)) = refused else { panic!("it works still: {refused:?}") };
        assert_eq!(error.error(), &CoreErrorResponseType::InvalidGrant);
    }
}

impl Party<'_> {
    fn log_out(&self, endpoint: EndSessionUrl) {
        let mut browser = Browser::new(self.demo);
        let (tokens, _) = self.log_in(&mut browser);
        let after = PostLogoutRedirectUrl::new(self.demo.text("/callback").to_owned()).expect("a URL");
        let request = LogoutRequest::from(endpoint)
            .set_id_token_hint(tokens.id_token().expect("an id_token"))
            .set_post_logout_redirect_uri(after)
            .set_state(CsrfToken::new("bye".to_owned()));
        let answer = browser.get(request.http_get_url().as_str());
        let back = format!("{}?state=bye", self.demo.text("/callback"));
        assert_eq!(browser::location(&answer), Some(back.as_str()));
        let who = format!("{}/api/method/frappe.auth.get_logged_user", self.demo.text("/gateway"));
        assert_eq!(browser.get(&who).status(), 403);
        assert_eq!(self.whoami(tokens.access_token()).status(), 401);
    }
}

fn walk(results: &mut Results, metadata: &Metadata, party: &Party<'_>) -> Option<()> {
    let flow = "a code flow with PKCE gives tokens, and JWKS verifies the id_token";
    let (tokens, claims) = results.test(flow, || party.log_in(&mut Browser::new(party.demo)))?;
    results.test("userinfo names the subject of the id_token", || party.has_profile(&tokens, &claims));
    results.test("the API is called as that user", || party.acts(&tokens));
    let refreshed = results.test("a refresh gives a new access token", || party.refresh(&tokens, &claims))?;
    let refresh = refreshed.refresh_token().or(tokens.refresh_token()).expect("a refresh token");
    if party.is_confidential {
        results.test("introspection says whose token it is", || party.introspect(&refreshed, true));
    }
    let revoked = "a revoked token is refused by the next call, and with it the whole grant";
    results.test(revoked, || party.revoke(&refreshed, refresh));
    let endpoint = metadata.additional_metadata().end_session_endpoint.clone().expect("an endpoint");
    results.test("a logout ends the login session and leads back to the client", || party.log_out(endpoint));
    if party.is_confidential {
        results.test("a revoked token is not active", || party.introspect(&refreshed, false));
    }
    Some(())
}

fn main() -> ExitCode {
    let Some(program) = env::args().nth(1) else {
        eprintln!("usage: empress-gateway-rust-test PATH-OF-THE-DEMO");
        return ExitCode::from(2);
    };
    let demo = Demo::start(&program);
    let mut results = Results::default();
    let issuer = IssuerUrl::new(demo.text("/gateway").to_owned()).expect("a URL");
    let metadata = results.test("discovery names the endpoints, and JWKS is read", || {
        let metadata = Metadata::discover(&issuer, &send).expect("the document");
        let extra = &metadata.additional_metadata().additional_metadata;
        assert!(extra.authorization_response_iss_parameter_supported);
        metadata
    });
    if let Some(metadata) = metadata {
        println!("a confidential client");
        walk(&mut results, &metadata, &Party::new(&demo, &metadata, "demo-web", 0));
        println!("a public client");
        walk(&mut results, &metadata, &Party::new(&demo, &metadata, "demo-app", 1));
    }
    println!("openidconnect: {} passed, {} failed", results.passed, results.failed);
    ExitCode::from(u8::from(results.failed > 0 || results.passed == 0))
}
