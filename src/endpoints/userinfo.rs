//! The userinfo endpoint (OpenID Connect Core §5.3).

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use serde_json::{Map, Value};

use super::{
    Endpoints,
    cors::AnswerOf,
    parameters::Parameters,
    respond::{Answer, OAuthError, json, no_store, set},
};
use crate::{
    access::{CachedToken, Denial, NONCE_HEADER, Proof, Realm, Sent},
    oauth::{Allowance, OpenedClaims, Scope},
};

impl Endpoints {
    pub(super) async fn userinfo(&self, request: &Request<Bytes>) -> Answer {
        let now = self.issuer.clock.now();
        let target = request.uri().path().as_bytes();
        let sent = Sent { token_in_query: token_elsewhere(request), proof_of: Proof::Of(request.method(), target) };
        let presented = self.access.presented_token(request.headers(), sent, now).await;
        let token = match presented {
            Ok(token) => token,
            Err(denial) => return self.denied(&denial),
        };
        let mut answer = match self.userinfo_of(&token).await {
            Ok(Ok(claims)) => {
                let mut answer = json(StatusCode::OK, &claims);
                no_store(&mut answer);
                answer
            }
            Ok(Err(denial)) => self.denied(&denial),
            Err(error) => error.answer(),
        };
        answer.extensions_mut().insert(AnswerOf(Arc::clone(&token.client)));
        answer
    }

    async fn userinfo_of(&self, token: &CachedToken) -> Result<Result<Map<String, Value>, Denial>, OAuthError> {
        let identifies = token.scopes.contains(Scope::OPENID) || token.scopes.contains(Scope::ALL);
        if !identifies {
            if !token.client.allows(Allowance::AnyScopeProfile) {
                return Ok(Err(Denial::InsufficientScope(Scope::OPENID.to_owned())));
            }
            self.issuer.count(&token.client, Allowance::AnyScopeProfile);
        }
        // ERPNext's answer to another token of the user's says nothing of this one.
        if let Some(native) = token.native_text()
            && !self.issuer.is_native_accepted(native, &token.user.user.name).await?
        {
            return Ok(Err(Denial::InactiveToken));
        }
        let asked = self.issuer.userinfo_claims(&token.grant).await?;
        let opened = OpenedClaims { granted: &token.scopes, registered: &token.client.scopes, asked: &asked };
        let Some(profile) = self.issuer.profile(&token.user.user, opened).await? else {
            return Ok(Err(Denial::UserGone));
        };
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), profile.sub.as_str().into());
        claims.extend(profile.claims(opened));
        claims.insert("iss".to_owned(), self.settings.public_origin.as_str().into());
        Ok(Ok(claims))
    }

    /// What a bearer token that is not good for this earns (RFC 6750 §3).
    fn denied(&self, denial: &Denial) -> Answer {
        let told = denial.answer();
        let mut answer = json(told.status, &told.body());
        no_store(&mut answer);
        if let Some(challenge) = Realm::new(&self.settings.public_origin).challenge(&told, "") {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(nonce) = &told.nonce {
            set(&mut answer, NONCE_HEADER.clone(), nonce);
        }
        answer
    }
}

/// Whether a token stands in the query or the form, where it is never looked at (RFC 6750 §2).
fn token_elsewhere(request: &Request<Bytes>) -> bool {
    let names_token =
        |bytes: &[u8]| Parameters::urlencoded(bytes).is_ok_and(|parameters| parameters.sent("access_token").is_some());
    names_token(request.uri().query().unwrap_or_default().as_bytes()) || names_token(request.body())
}
