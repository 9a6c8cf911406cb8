//! Pushed authorization requests (RFC 9126): the client sends its request itself, and the browser carries a reference.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use serde::Serialize;

use super::{
    Endpoints, Peer,
    browser::Browser,
    client_auth::{CheckedClient, PresentedClient},
    cors::AnswerOf,
    form,
    parameters::Parameters,
    respond::{Answer, OAuthError, json, no_store},
};
use crate::{
    oauth::{AuthorizationRequest, ClientId, ErrorCode, KeyThumbprint, TokenHash},
    store::PendingRequest,
};

/// What our references begin with (RFC 9126 §2.2).
const REFERENCE: &str = "urn:ietf:params:oauth:request_uri:";
/// How long a browser may take to bring one. Login and consent are not in it: the request is stored anew for them.
const LIFE: Duration = Duration::from_secs(60);

/// A pushed request that a browser brings.
pub(super) enum Pushed {
    /// For the first time.
    New(Box<AuthorizationRequest>),
    /// Again: it is stored for this browser, under the reference.
    Going,
}

#[derive(Serialize)]
struct Reference {
    request_uri: String,
    expires_in: u64,
}

impl Endpoints {
    pub(super) async fn push_request(&self, request: Request<Bytes>, peer: Peer) -> Result<Answer, OAuthError> {
        let form = form(&request)?;
        let presented = PresentedClient::of(request.headers(), &form)?;
        let checked = self.token_endpoint_client(&presented, peer).await?;
        if !matches!(checked, CheckedClient::Authenticated(_)) || checked.client().source.is_anybodys() {
            // Anybody can name such a client, or make one, and each request is a row.
            self.count_browser(peer)?;
        }
        let client = Arc::clone(checked.client());
        self.check_is_running(&client).await?;
        if form.sent("request_uri").is_some() {
            return Err(OAuthError::invalid_request("request_uri can't be pushed: send the request's parameters"));
        }
        if form.sent("client_id").is_some_and(|id| id != client.id.as_str()) {
            return Err(OAuthError::invalid_request("client_id names another client than the one that authenticates"));
        }
        let mut pushed = self.check_pushed(&client, &form)?;
        pushed.dpop_key = self.pushed_key(&request, pushed.dpop_key)?;
        let reference = self.store_pushed(pushed).await?;
        let mut answer = json(StatusCode::CREATED, &reference);
        no_store(&mut answer);
        answer.extensions_mut().insert(AnswerOf(client));
        Ok(answer)
    }

    /// The key that the code will be bound to: of the proof beside the request, or of `dpop_jkt` (RFC 9449 §10.1).
    fn pushed_key(
        &self,
        request: &Request<Bytes>,
        named: Option<KeyThumbprint>,
    ) -> Result<Option<KeyThumbprint>, OAuthError> {
        let of = ("POST", request.uri().path());
        match (self.access.proven_key(request.headers(), of, self.issuer.clock.now())?, named) {
            (Some(proven), Some(named)) if proven != named => {
                Err(OAuthError::new(ErrorCode::InvalidDpopProof, "dpop_jkt names another key than the DPoP proof"))
            }
            (proven, named) => Ok(proven.or(named)),
        }
    }

    async fn store_pushed(&self, request: AuthorizationRequest) -> Result<Reference, OAuthError> {
        let now = self.issuer.clock.now();
        let request_uri = format!("{REFERENCE}{}", self.unguessable());
        let pending =
            PendingRequest { request, browser: Browser::pushed(), received_at: now, expires_at: now.plus(LIFE) };
        self.issuer.store.put_request(TokenHash::of(&request_uri), pending).await?;
        Ok(Reference { request_uri, expires_in: LIFE.as_secs() })
    }

    /// The request that a browser's parameters refer to; `None` where they refer to none of ours. What else they say but who
    /// the client is counts for nothing (RFC 9126 §4). From the first browser that brings it on it is that browser's alone, which may
    /// bring it again until its user has decided (FAPI 2.0 Security Profile §5.3.2.2).
    pub(super) async fn pushed(
        &self,
        parameters: &Parameters,
        browser: &Browser,
    ) -> Result<Option<Pushed>, OAuthError> {
        let gone = || {
            OAuthError::invalid_request(
                "request_uri is unknown, was used before or has expired: push the request again",
            )
        };
        if parameters.count("request_uri") > 1 {
            return Err(OAuthError::invalid_request("the parameter request_uri is repeated"));
        }
        let Some(uri) = parameters.get("request_uri").filter(|uri| uri.starts_with(REFERENCE)) else {
            return Ok(None);
        };
        let id = parameters.get("client_id").ok_or_else(|| OAuthError::invalid_request("client_id is missing"))?;
        let (handle, now) = (TokenHash::of(uri), self.issuer.clock.now());
        // Looked at first: what another client presents stays for the one that pushed it.
        let stored = self.issuer.store.request(handle, now).await?.ok_or_else(gone)?;
        if stored.request.client_id != ClientId::new(id) {
            return Err(gone());
        }
        if browser.is(&stored.browser) {
            return Ok(Some(Pushed::Going));
        }
        if stored.browser != Browser::pushed() {
            return Err(gone());
        }
        // Another browser may have been quicker since.
        let taken = self.issuer.store.take_request(handle, now).await?;
        let taken = taken.filter(|taken| taken.browser == Browser::pushed()).ok_or_else(gone)?;
        Ok(Some(Pushed::New(Box::new(taken.request))))
    }
}
