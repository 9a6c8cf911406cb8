//! Client metadata: what a client asks to be registered with, what the site's policy makes of it, and the client that it
//! is then (RFC 7591 §2).

mod document;
mod policy;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use document::read_client_document;
pub use policy::{InvalidMetadata, RegistrationPolicy};

use super::{
    Allowances, Client, ClientAuthMethod, ClientId, ClientKeys, ClientMode, ClientSource, DocumentUrl, GrantType,
    IdTokenClaims, KeySource, Pkce, RedirectUri, ResponseType, Scopes,
};
use crate::secret::Secret;

/// What a request asks for. Unknown members are ignored, and `null` is as good as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RequestedMetadata {
    /// `redirect_uris`
    pub redirect_uris: Option<Vec<String>>,
    /// `token_endpoint_auth_method`
    pub token_endpoint_auth_method: Option<String>,
    /// `grant_types`
    pub grant_types: Option<Vec<String>>,
    /// `response_types`
    pub response_types: Option<Vec<String>>,
    /// `client_name`
    pub client_name: Option<String>,
    /// `client_uri`
    pub client_uri: Option<String>,
    /// `logo_uri`
    pub logo_uri: Option<String>,
    /// `scope`
    pub scope: Option<String>,
    /// `contacts`
    pub contacts: Option<Vec<String>>,
    /// `tos_uri`
    pub tos_uri: Option<String>,
    /// `policy_uri`
    pub policy_uri: Option<String>,
    /// `jwks_uri`
    pub jwks_uri: Option<String>,
    /// `jwks`
    pub jwks: Option<Value>,
    /// `software_id`
    pub software_id: Option<String>,
    /// `software_version`
    pub software_version: Option<String>,
    /// `post_logout_redirect_uris` (OpenID Connect RP-Initiated Logout 1.0 §3.1)
    pub post_logout_redirect_uris: Option<Vec<String>>,
}

/// What a client is registered with, in the words of RFC 7591 §2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientMetadata {
    /// The redirect URIs.
    pub redirect_uris: Vec<RedirectUri>,
    /// How it authenticates.
    pub token_endpoint_auth_method: ClientAuthMethod,
    /// The grant types that it may use.
    pub grant_types: Vec<GrantType>,
    /// The response types that it may ask for.
    pub response_types: Vec<ResponseType>,
    /// The scopes that it may be granted.
    pub scope: Scopes,
    /// What the consent page calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// A page about it. Shown to nobody and never fetched, as the next three.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Its logo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Its terms of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// How it deals with data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Who is responsible for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// Which software it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// And in which version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// Where a logout may lead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Its public keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Where it publishes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<DocumentUrl>,
}

impl ClientMetadata {
    /// Whether it is a client with a secret.
    #[must_use]
    pub fn has_secret(&self) -> bool {
        !matches!(self.token_endpoint_auth_method, ClientAuthMethod::None | ClientAuthMethod::PrivateKeyJwt)
    }

    fn keys(&self) -> Option<KeySource> {
        let given = self.jwks.as_ref().and_then(|jwks| ClientKeys::parse(jwks).ok());
        given.map(Arc::new).map(KeySource::Given).or_else(|| self.jwks_uri.clone().map(KeySource::At))
    }

    /// The client: strict, and held to PKCE.
    #[must_use]
    pub fn to_client(&self, id: ClientId, secret: Option<Secret>) -> Client {
        let source = if id.is_url() { ClientSource::Document } else { ClientSource::Registered };
        Client {
            name: self.client_name.clone().unwrap_or_else(|| id.to_string()),
            id,
            secret,
            keys: self.keys(),
            pushes_requests: false,
            binds_tokens: false,
            auth_method: self.token_endpoint_auth_method,
            redirect_uris: self.redirect_uris.clone(),
            default_redirect_uri: None,
            scopes: self.scope.clone(),
            grant_types: self.grant_types.clone(),
            response_types: self.response_types.clone(),
            pkce: Pkce::Required,
            mode: ClientMode::Strict,
            allow: Allowances::default(),
            id_token_claims: IdTokenClaims::Full,
            skip_consent: false,
            exchanges_tokens_of: Vec::new(),
            service_user: None,
            id_token_alg: None,
            allowed_roles: Vec::new(),
            post_logout_redirect_uris: self.post_logout_redirect_uris.clone(),
            backchannel_logout_uri: None,
            ends_with_login: false,
            agent: None,
            enabled: true,
            source,
        }
    }
}
