//! A client's own registration: read, changed, deleted by whoever has its registration access token (RFC 7592 §2).

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde::Deserialize;

use super::{RegistrationRules, bearer, new_secret, object, read};
use crate::{
    endpoints::{
        Endpoints, Peer,
        respond::{Answer, OAuthError, no_store},
    },
    erpnext::Registration,
    oauth::{ClientId, ErrorCode, TokenHash},
    secret::Secret,
    telemetry::audit::AuditEvent,
};

/// What a change says of the client besides its metadata (RFC 7592 §2.2). What the server alone decides must not be there.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Claimed {
    client_id: Option<String>,
    client_secret: Option<Secret>,
    registration_access_token: Option<serde::de::IgnoredAny>,
    registration_client_uri: Option<serde::de::IgnoredAny>,
    client_secret_expires_at: Option<serde::de::IgnoredAny>,
    client_id_issued_at: Option<serde::de::IgnoredAny>,
}

impl Endpoints {
    pub(super) async fn manage(
        &self,
        rules: &RegistrationRules,
        (method, id): (&Method, ClientId),
        request: &Request<Bytes>,
        peer: Peer,
    ) -> Result<Answer, OAuthError> {
        self.check_failures(&self.limits.token_failures, None, peer)?;
        let presented = bearer(request.headers()).unwrap_or_default();
        let found = self.clients.registration(&id).await?;
        // Of a client that is gone and of another one's token the peer hears the same.
        let is_its = |found: &(Registration, TokenHash)| !id.is_url() && found.1 == TokenHash::of(presented);
        let Some((registration, _)) = found.filter(is_its) else {
            self.count_failure(&self.limits.token_failures, None, peer);
            return Err(OAuthError::new(ErrorCode::InvalidToken, "the registration access token is not this client's"));
        };
        if *method == Method::PUT {
            self.change(rules, registration, (request, presented), peer).await
        } else if *method == Method::DELETE {
            self.delete(&registration, peer).await
        } else {
            Ok(self.described(StatusCode::OK, &registration, presented))
        }
    }

    /// Replaces the whole registration (RFC 7592 §2.2): what is left out has its default again.
    async fn change(
        &self,
        rules: &RegistrationRules,
        registration: Registration,
        (request, access_token): (&Request<Bytes>, &str),
        peer: Peer,
    ) -> Result<Answer, OAuthError> {
        let metadata = read(request)?;
        check_claimed(&registration, request.body())?;
        let metadata = rules.policy.check(metadata)?;
        self.take_registration(peer)?;
        let kept = registration.secret.clone();
        let secret = metadata.has_secret().then(|| kept.unwrap_or_else(|| new_secret(&*self.issuer.random)));
        let changed = Registration { secret, metadata, ..registration.clone() };
        let is_another = changed.metadata != registration.metadata;
        if !self.clients.change_registration(&changed, is_another).await? {
            return Err(OAuthError::new(ErrorCode::InvalidToken, "the client was deleted meanwhile"));
        }
        self.record_registration("client_registration_changed", &changed, peer);
        Ok(self.described(StatusCode::OK, &changed, access_token))
    }

    /// Removes the client; its grants end with it (RFC 7592 §2.3).
    async fn delete(&self, registration: &Registration, peer: Peer) -> Result<Answer, OAuthError> {
        let removed = self.clients.remove_registration(&registration.id, self.issuer.clock.now()).await?;
        let ended = removed.map(|removed| removed.ended).unwrap_or_default();
        for grant in &ended {
            (self.issuer.grant_ended)(grant);
        }
        self.issuer.record(&AuditEvent {
            event: "client_registration_deleted",
            client_id: Some(registration.id.as_str()),
            address: Some(peer.address),
            count: Some(ended.len() as u64),
            ..AuditEvent::default()
        });
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        no_store(&mut answer);
        Ok(answer)
    }
}

fn check_claimed(registration: &Registration, body: &[u8]) -> Result<(), OAuthError> {
    let refused = |why: &'static str| OAuthError::new(ErrorCode::InvalidClientMetadata, why);
    let claimed: Claimed = object(body).ok_or_else(|| refused("client_id and client_secret must be texts"))?;
    if claimed.client_id.as_deref() != Some(registration.id.as_str()) {
        return Err(refused("client_id must be there, and be the client's"));
    }
    let set_here = [
        claimed.registration_access_token,
        claimed.registration_client_uri,
        claimed.client_secret_expires_at,
        claimed.client_id_issued_at,
    ];
    if set_here.iter().any(Option::is_some) {
        return Err(refused(
            "registration_access_token, registration_client_uri, client_secret_expires_at and client_id_issued_at \
             must be left out",
        ));
    }
    if claimed.client_secret.is_some() && claimed.client_secret != registration.secret {
        return Err(refused("a client can't choose its client_secret: leave it out, or give the present one"));
    }
    Ok(())
}
