//! id_tokens (OpenID Connect Core §2): which claims, and how they are signed.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha512};

use super::{IssueError, Issuer, signing::SigningKeys};
use crate::{
    clock::UnixTime,
    oauth::{Allowance, Client, ClientMode, IdTokenClaims, OpenedClaims, Profile, Scopes, SigningAlgorithm},
    store::Grant,
};

/// What an id_token is made of, besides the client and the user.
#[derive(Clone, Copy, Debug)]
pub struct IdTokenParts<'a> {
    /// The grant that it tells of.
    pub grant: &'a Grant,
    /// The scopes that open the user's claims.
    pub scopes: &'a Scopes,
    /// The nonce of the authorization request; not repeated on a refresh.
    pub nonce: Option<&'a str>,
    /// The access token that is issued with it, for `at_hash`.
    pub access_token: Option<&'a str>,
    /// The code that is issued with it, for `c_hash`.
    pub code: Option<&'a str>,
    /// The time of issue.
    pub now: UnixTime,
}

impl Issuer {
    /// Signs an id_token for the client.
    ///
    /// # Errors
    /// When the user's profile can't be had, or signing fails.
    pub async fn id_token(&self, client: &Client, parts: IdTokenParts<'_>) -> Result<String, IssueError> {
        let opened =
            OpenedClaims { granted: parts.scopes, registered: &client.scopes, asked: &parts.grant.id_token_claims };
        let profile = self.profile(&parts.grant.user, opened).await?.ok_or(IssueError::UserGone)?;
        let algorithm = self.algorithm_for(client);
        let mut claims = self.protocol_claims(client, &parts, &profile, algorithm);
        let told = profile.claims(opened);
        claims.extend(match client.id_token_claims {
            IdTokenClaims::Full => told,
            IdTokenClaims::Minimal => told.into_iter().filter(|(name, _)| opened.asked.contains(name)).collect(),
        });
        self.sign_for(client, "JWT", claims, parts.now).await
    }

    /// Signs claims as the client wants its id_tokens signed; `kind` goes into the header `typ`.
    ///
    /// # Errors
    /// When signing fails.
    pub(super) async fn sign_for(
        &self,
        client: &Client,
        kind: &'static str,
        claims: Map<String, Value>,
        now: UnixTime,
    ) -> Result<String, IssueError> {
        match self.algorithm_for(client) {
            SigningAlgorithm::Hs256 => {
                self.count(client, Allowance::Hs256);
                let secret = client.secret.as_ref().ok_or(IssueError::NoSecretToSignWith)?;
                Ok(SigningKeys::sign_with_secret(secret, kind, &claims)?)
            }
            asymmetric => Ok(self.signing.sign(asymmetric, kind, claims, now).await?),
        }
    }

    /// HS256 is for the clients that ERPNext issued it to (decision 25): compat, or told so by name.
    fn algorithm_for(&self, client: &Client) -> SigningAlgorithm {
        let hs256 = client.allows(Allowance::Hs256) && client.secret.is_some();
        match client.id_token_alg {
            Some(SigningAlgorithm::Hs256) | None if hs256 && client.id_token_alg.is_some() => SigningAlgorithm::Hs256,
            Some(SigningAlgorithm::Hs256) => self.settings.id_token_alg,
            Some(other) => other,
            None if hs256 && client.mode == ClientMode::Compat => SigningAlgorithm::Hs256,
            None => self.settings.id_token_alg,
        }
    }

    fn protocol_claims(
        &self,
        client: &Client,
        parts: &IdTokenParts<'_>,
        profile: &Profile,
        algorithm: SigningAlgorithm,
    ) -> Map<String, Value> {
        let now = parts.now.secs();
        let mut claims = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value);
            }
        };
        put("iss", Some(self.settings.issuer.as_str().into()));
        put("sub", Some(profile.sub.as_str().into()));
        put("aud", Some(client.id.as_str().into()));
        put("azp", Some(client.id.as_str().into()));
        put("iat", Some(now.into()));
        put("exp", Some((now + self.settings.access_ttl.as_secs()).into()));
        put("auth_time", parts.grant.auth_time.map(|time| time.secs().into()));
        put("nonce", parts.nonce.map(Value::from));
        put("sid", parts.grant.session_claim.as_deref().map(Value::from));
        put("at_hash", parts.access_token.map(|token| half_hash(token, algorithm).into()));
        put("c_hash", parts.code.map(|code| half_hash(code, algorithm).into()));
        claims
    }
}

/// The left half of the hash that the signature's algorithm has, in base64url (OpenID Connect Core §3.1.3.6). Ed25519
/// has SHA-512 (RFC 8032 §5.1).
fn half_hash(text: &str, algorithm: SigningAlgorithm) -> String {
    let digest = match algorithm {
        SigningAlgorithm::EdDsa => Sha512::digest(text.as_bytes()).to_vec(),
        SigningAlgorithm::Rs256 | SigningAlgorithm::Es256 | SigningAlgorithm::Hs256 => {
            Sha256::digest(text.as_bytes()).to_vec()
        }
    };
    let half = digest.len() / 2;
    URL_SAFE_NO_PAD.encode(digest.into_iter().take(half).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::{SigningAlgorithm, half_hash};

    #[test]
    fn hashes_are_those_of_the_specification() {
        // OpenID Connect Core, appendix A.3 and A.4.
        assert_eq!(
            half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", SigningAlgorithm::Rs256),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
        let code = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk";
        assert_eq!(half_hash(code, SigningAlgorithm::Rs256), "LDktKdoQak3Pk0cnXxCltA");
        assert_eq!(half_hash(code, SigningAlgorithm::EdDsa).len(), 43);
    }
}
