//! Access tokens: opaque ones, and JWTs (RFC 9068). Both are active only while the store knows them, so that both end at
//! once with their grant.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{GrantRefusal, IssueError, Issuer, signing::SigningKeys};
use crate::{
    clock::UnixTime,
    config::AccessFormat,
    oauth::{KeyThumbprint, MintedToken, ProtectedHeader, Resources, Scopes, SignedAccessTokens, TokenKind},
    secret::Secret,
    store::{Grant, NewAccessToken},
};

/// The header `typ` (RFC 9068 §2.1).
const KIND: &str = "at+jwt";
/// So far a clock of ours may be before another one of ours.
const LEEWAY: Duration = Duration::from_secs(30);

/// What a token request asks its access token to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestedAccess {
    /// `scope`
    pub scope: Option<Scopes>,
    /// `resource` (RFC 8707 §2.2)
    pub resources: Resources,
    /// The key that the client has proven to hold (RFC 9449 §5).
    pub dpop_key: Option<KeyThumbprint>,
}

impl RequestedAccess {
    /// The resources of a token of a grant for these: those asked for, which must be among them.
    pub(super) fn resources_within(&self, granted: &Resources) -> Result<Resources, GrantRefusal> {
        match &self.resources {
            none if none.is_empty() => Ok(granted.clone()),
            asked if asked.are_within(granted) => Ok(asked.clone()),
            _ => Err(GrantRefusal::OtherResource),
        }
    }
}

/// What an access token is made of.
#[derive(Clone, Copy)]
pub(super) struct AccessTokenParts<'a> {
    pub grant: &'a Grant,
    pub scopes: &'a Scopes,
    pub resources: &'a Resources,
    pub dpop_key: Option<KeyThumbprint>,
    pub now: UnixTime,
    pub expires_at: UnixTime,
}

impl Issuer {
    /// A fresh access token in the site's format, and what is to be written of it.
    pub(super) async fn access_token(
        &self,
        parts: AccessTokenParts<'_>,
    ) -> Result<(Secret, NewAccessToken), IssueError> {
        let minted = match self.settings.access_format {
            AccessFormat::Opaque => self.mint.mint(TokenKind::Access, &*self.random),
            AccessFormat::Jwt => {
                let (claims, algorithm) = (self.access_claims(&parts), self.settings.id_token_alg);
                MintedToken::new(self.signing.sign(algorithm, KIND, claims, parts.now).await?)
            }
        };
        let record = NewAccessToken {
            hash: minted.hash,
            scopes: parts.scopes.clone(),
            issued_at: parts.now,
            expires_at: parts.expires_at,
            dpop_key: parts.dpop_key,
            resources: parts.resources.clone(),
        };
        Ok((minted.text, record))
    }

    /// RFC 9068 §2.2.
    fn access_claims(&self, parts: &AccessTokenParts<'_>) -> Map<String, Value> {
        let issuer = self.settings.issuer.as_str();
        let mut claims = Map::new();
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        put("iss", issuer.into());
        put("aud", audience(parts.resources, issuer));
        put("sub", parts.grant.user.sub.as_str().into());
        put("client_id", parts.grant.client.as_str().into());
        put("scope", parts.scopes.to_string().into());
        put("iat", parts.now.secs().into());
        put("exp", parts.expires_at.secs().into());
        put("jti", URL_SAFE_NO_PAD.encode(self.random.bytes::<16>()).into());
        if let Some(time) = parts.grant.auth_time {
            put("auth_time", time.secs().into());
        }
        if let Some(key) = parts.dpop_key {
            put("cnf", json!({ "jkt": key.to_string() }));
        }
        if let Some(actor) = &parts.grant.act {
            // RFC 8693 §4.1.
            put("act", json!(actor));
        }
        claims
    }

    /// An introspection answer as a JWT for the client that asked (RFC 9701 §5).
    ///
    /// # Errors
    /// When signing fails.
    pub async fn signed_introspection(&self, to: &str, answer: Map<String, Value>) -> Result<String, IssueError> {
        let now = self.clock.now();
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), self.settings.issuer.as_str().into());
        claims.insert("aud".to_owned(), to.into());
        claims.insert("iat".to_owned(), now.secs().into());
        claims.insert("token_introspection".to_owned(), answer.into());
        Ok(self.signing.sign(self.settings.id_token_alg, "token-introspection+jwt", claims, now).await?)
    }
}

/// The resources of a token; all of the site where none is named.
fn audience(resources: &Resources, site: &str) -> Value {
    match resources.as_slice() {
        [] => site.into(),
        [one] => one.as_str().into(),
        several => several.into(),
    }
}

/// Tells which JWTs are access tokens that this gateway signed (RFC 9068 §4). Whether one is active, the store knows: a
/// signature that is good spares it nothing, one that is not spares it the look-up.
#[derive(Clone, Debug)]
pub struct AccessJwts {
    signing: Arc<SigningKeys>,
    issuer: String,
}

/// The claims that every access token of ours has. Times are whole seconds, and nothing else is one.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    exp: u64,
    iat: u64,
    nbf: Option<u64>,
}

impl AccessJwts {
    /// Those of the gateway with these keys, whose `iss` is `issuer`.
    #[must_use]
    pub const fn new(signing: Arc<SigningKeys>, issuer: String) -> Self {
        Self { signing, issuer }
    }
}

impl SignedAccessTokens for AccessJwts {
    fn verify(&self, jwt: &str, now: UnixTime) -> bool {
        let Some(header) = ProtectedHeader::of(jwt).filter(is_of_access_token) else { return false };
        let Some(claims) = self.signing.signed_claims(jwt, &header) else { return false };
        let Ok(claims) = serde_json::from_value::<Claims>(Value::Object(claims)) else { return false };
        let soon = now.plus(LEEWAY).secs();
        claims.iss == self.issuer
            && claims.exp > now.secs()
            && claims.iat <= soon
            && claims.nbf.is_none_or(|not_before| not_before <= soon)
    }

    fn means_to_be_ours(&self, jwt: &str) -> bool {
        ProtectedHeader::of(jwt).is_some_and(|header| self.signing.has_key_of(&header))
    }
}

fn is_of_access_token(header: &ProtectedHeader) -> bool {
    let kind = header.text("typ").unwrap_or_default().to_ascii_lowercase();
    kind.strip_prefix("application/").unwrap_or(&kind) == KIND
}

#[cfg(test)]
mod tests;
