//! `id_token_hint`: an id_token of ours, which may have expired (OpenID Connect Core §3.1.2.1).

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{Endpoints, respond::OAuthError};
use crate::oauth::{Allowance, Client, ClientId, Subject};

impl Endpoints {
    /// The subject of a hint that was issued to this client; `None` for anything else.
    pub(super) fn hinted_subject(&self, hint: &str, client: &Client) -> Option<Subject> {
        // Only who gets id_tokens signed by its secret may show one that is: everybody else could have made it himself.
        let secret = client.secret.as_ref().filter(|_| client.allows(Allowance::Hs256));
        let claims = self.issuer.signing.verify_hint(hint, &self.settings.public_origin, secret)?;
        if claims.get("aud").and_then(Value::as_str) != Some(client.id.as_str()) {
            return None;
        }
        claims.get("sub").and_then(Value::as_str).map(Subject::new)
    }

    /// The client that a hint says it was issued to. Whether that is true only [`Self::hinted_subject`] tells: it takes the
    /// client to verify the hint.
    pub(super) async fn claimed_client(&self, hint: &str) -> Result<Option<Arc<Client>>, OAuthError> {
        let Some(id) = claimed_audience(hint) else { return Ok(None) };
        Ok(self.clients.client(&ClientId::new(id)).await?)
    }
}

fn claimed_audience(jwt: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.get("aud")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audience_is_read_of_what_may_be_an_id_token() {
        let jwt = |claims: &str| format!("x.{}.y", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(claimed_audience(&jwt(r#"{"aud":"shop"}"#)).as_deref(), Some("shop"));
        for junk in ["", "x", "x.y.z", &jwt("[]"), &jwt(r#"{"aud":["shop"]}"#), &jwt("{}")] {
            assert_eq!(claimed_audience(junk), None, "{junk}");
        }
    }
}
