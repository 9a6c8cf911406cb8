//! Who the client is (RFC 6749 §2.3): Basic, post, a signed assertion (RFC 7523) or none, one method at a time.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::{Endpoints, Peer, documents::NotDescribed, parameters::Parameters, respond::OAuthError};
use crate::{
    oauth::{Allowance, Client, ClientAuthMethod, ClientId, ClientKeys, ErrorCode, KeySource, claimed_by_assertion},
    secret::Secret,
};

/// The one type of assertion (RFC 7523 §2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client whose authentication was checked, and how far it went.
#[derive(Clone, Debug)]
pub enum CheckedClient {
    /// It has shown its secret, or signed with its key.
    Authenticated(Arc<Client>),
    /// A public client: it has only said who it is.
    Public(Arc<Client>),
    /// A confidential client that left its secret out, as its allowance `no_secret` lets it.
    WithoutSecret(Arc<Client>),
}

impl CheckedClient {
    /// The client.
    #[must_use]
    pub fn client(&self) -> &Arc<Client> {
        match self {
            Self::Authenticated(client) | Self::Public(client) | Self::WithoutSecret(client) => client,
        }
    }
}

/// What a request says of its client.
#[derive(Debug)]
pub struct PresentedClient {
    basic: Option<BasicCredentials>,
    id: Option<ClientId>,
    secret: Option<Secret>,
    assertion: Option<Secret>,
}

/// The two halves of a Basic header, undecoded.
#[derive(Debug)]
struct BasicCredentials {
    id: String,
    secret: Secret,
}

impl PresentedClient {
    /// Reads the `Authorization` header and the form.
    ///
    /// # Errors
    /// `invalid_request` for two methods in one request or two different ids, `invalid_client` for a header that is not
    /// Basic.
    pub fn of(headers: &HeaderMap, form: &Parameters) -> Result<Self, OAuthError> {
        let basic = basic(headers)?;
        let id = form.get("client_id").map(ClientId::new);
        let secret = form.get("client_secret").map(Secret::new);
        let assertion = assertion(form)?;
        let methods = [basic.is_some(), secret.is_some(), assertion.is_some()];
        if methods.into_iter().filter(|used| *used).count() > 1 {
            return Err(OAuthError::invalid_request("the client must authenticate by one method, not by two"));
        }
        Ok(Self { basic, id, secret, assertion })
    }

    /// Whether it says nothing at all.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.basic.is_none() && self.id.is_none() && self.secret.is_none() && self.assertion.is_none()
    }

    /// The id that it claims, as far as can be said before the client is looked up.
    #[must_use]
    pub fn claimed_id(&self) -> Option<ClientId> {
        let by_basic = self.basic.as_ref().map(|basic| ClientId::new(decode(&basic.id)));
        let by_assertion = || claimed_by_assertion(self.assertion.as_ref()?.expose());
        by_basic.or_else(|| self.id.clone()).or_else(by_assertion)
    }
}

impl Endpoints {
    /// Checks who the client is, as its document describes it now if one does: keys that are not in it any more are
    /// nobody's.
    ///
    /// # Errors
    /// `invalid_client` when it is unknown or its secret is wrong or missing.
    pub async fn check_client(&self, presented: &PresentedClient, peer: Peer) -> Result<CheckedClient, OAuthError> {
        let described = self.take_up_described(presented.claimed_id().as_ref(), peer).await;
        described.map_err(NotDescribed::at_token_endpoint)?;
        let refused = || OAuthError {
            basic_challenge: presented.basic.is_some(),
            ..OAuthError::new(ErrorCode::InvalidClient, "the client is unknown, or its authentication failed")
        };
        match (&presented.basic, &presented.assertion) {
            (Some(basic), _) => self.check_basic(presented, basic).await?.ok_or_else(refused),
            (None, Some(assertion)) => self.check_assertion(presented, assertion, peer).await?.ok_or_else(refused),
            (None, None) => self.check_form(presented).await?.ok_or_else(refused),
        }
    }

    /// RFC 7523 §3. What was presented once is worth nothing from then on, whatever the request came to.
    async fn check_assertion(
        &self,
        presented: &PresentedClient,
        assertion: &Secret,
        peer: Peer,
    ) -> Result<Option<CheckedClient>, OAuthError> {
        let Some(id) = presented.claimed_id() else { return Ok(None) };
        let Some(client) = self.clients.client(&id).await? else { return Ok(None) };
        if client.auth_method != ClientAuthMethod::PrivateKeyJwt {
            return Ok(None);
        }
        let Some(keys) = self.keys_of(&client, assertion, peer).await? else { return Ok(None) };
        let (issuer, now) = (&self.settings.public_origin, self.issuer.clock.now());
        let checked = match keys.check_assertion(assertion.expose(), &client.id, issuer, now) {
            Ok(checked) => checked,
            Err(reason) => {
                tracing::info!(client_id = %client.id, %reason, "a client assertion is refused");
                return Ok(None);
            }
        };
        if client.source.is_anybodys() {
            // Each is a row, for as long as the assertion could be good.
            self.count_browser(peer)?;
        }
        if !self.issuer.store.first_use(checked.id, checked.ends_at).await? {
            tracing::info!(client_id = %client.id, "a client assertion is refused: its jti was used before");
            return Ok(None);
        }
        Ok(Some(CheckedClient::Authenticated(client)))
    }

    /// The client's keys, fetched where it publishes them.
    async fn keys_of(
        &self,
        client: &Client,
        assertion: &Secret,
        peer: Peer,
    ) -> Result<Option<Arc<ClientKeys>>, OAuthError> {
        let url = match &client.keys {
            Some(KeySource::Given(keys)) => return Ok(Some(Arc::clone(keys))),
            Some(KeySource::At(url)) => url,
            None => return Ok(None),
        };
        let fetched = self.key_sets.for_assertion(client.source, url, assertion.expose()).await;
        let is_refused = fetched.document.as_ref().is_err_and(|error| !error.is_outage());
        // What is refused is counted for that. Whoever may register could have a host that does not answer asked without end.
        if fetched.has_failed && client.source.is_anybodys() && !is_refused {
            self.count_failure(&self.limits.token_failures, Some(&client.id), peer);
        }
        match fetched.document {
            Ok(keys) => Ok(Some(keys)),
            Err(error) if error.is_outage() => Err(OAuthError {
                description: "the keys at the client's jwks_uri can't be fetched at the moment".into(),
                ..OAuthError::unavailable()
            }),
            Err(error) => {
                tracing::info!(client_id = %client.id, %error, "a client assertion is refused: its keys can't be fetched");
                Err(OAuthError::new(ErrorCode::InvalidClient, "there are no keys at the client's jwks_uri"))
            }
        }
    }

    async fn check_basic(
        &self,
        presented: &PresentedClient,
        basic: &BasicCredentials,
    ) -> Result<Option<CheckedClient>, OAuthError> {
        // RFC 6749 §2.3.1 wants both halves form-encoded; many libraries send them raw. Decoded first, then raw.
        for raw in [false, true] {
            let read = |text: &str| Zeroizing::new(if raw { text.to_owned() } else { decode(text) });
            let id = ClientId::new(read(&basic.id).as_str());
            let Some(client) = self.clients.client(&id).await? else { continue };
            if presented.id.as_ref().is_some_and(|named| *named != client.id) {
                return Err(OAuthError::invalid_request(
                    "client_id names another client than the Authorization header",
                ));
            }
            let right = secret_is_right(&client, &read(basic.secret.expose()));
            if right && accepts(&client, ClientAuthMethod::Basic) {
                return Ok(Some(CheckedClient::Authenticated(client)));
            }
        }
        Ok(None)
    }

    async fn check_form(&self, presented: &PresentedClient) -> Result<Option<CheckedClient>, OAuthError> {
        let id =
            presented.id.as_ref().ok_or_else(|| OAuthError::new(ErrorCode::InvalidClient, "client_id is missing"))?;
        let Some(client) = self.clients.client(id).await? else { return Ok(None) };
        if let Some(secret) = &presented.secret {
            let right = secret_is_right(&client, secret.expose()) && accepts(&client, ClientAuthMethod::Post);
            return Ok(right.then_some(CheckedClient::Authenticated(client)));
        }
        if client.is_public() {
            return Ok(Some(CheckedClient::Public(client)));
        }
        if client.auth_method != ClientAuthMethod::PrivateKeyJwt && client.allows(Allowance::NoSecret) {
            self.issuer.count(&client, Allowance::NoSecret);
            return Ok(Some(CheckedClient::WithoutSecret(client)));
        }
        Ok(None)
    }
}

fn accepts(client: &Client, method: ClientAuthMethod) -> bool {
    client.auth_method == method || client.auth_method == ClientAuthMethod::Secret
}

fn secret_is_right(client: &Client, presented: &str) -> bool {
    client.secret.as_ref().is_some_and(|secret| secret.matches(presented))
}

/// RFC 7521 §4.2.
fn assertion(form: &Parameters) -> Result<Option<Secret>, OAuthError> {
    let refused = |text: &'static str| OAuthError::new(ErrorCode::InvalidClient, text);
    match (form.get("client_assertion_type"), form.get("client_assertion")) {
        (None, None) => Ok(None),
        (Some(JWT_BEARER), Some(assertion)) => Ok(Some(Secret::new(assertion))),
        (Some(JWT_BEARER), None) => Err(refused("client_assertion is missing")),
        (_, _) => Err(refused("client_assertion_type must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer")),
    }
}

fn basic(headers: &HeaderMap) -> Result<Option<BasicCredentials>, OAuthError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(OAuthError::invalid_request("more than one Authorization header"));
    }
    let refused = || OAuthError {
        basic_challenge: true,
        ..OAuthError::new(ErrorCode::InvalidClient, "the Authorization header is not Basic")
    };
    let text = value.to_str().map_err(|_| refused())?;
    let (scheme, credentials) = text.split_once(' ').ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refused());
    }
    let decoded = Zeroizing::new(STANDARD.decode(credentials.trim()).map_err(|_| refused())?);
    let decoded = std::str::from_utf8(&decoded).map_err(|_| refused())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(refused)?;
    Ok(Some(BasicCredentials { id: id.to_owned(), secret: Secret::new(secret) }))
}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}
