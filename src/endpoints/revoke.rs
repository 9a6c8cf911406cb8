//! The revocation endpoint (RFC 7009). It ends the whole grant of the token, as ERPNext does.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};

use super::{
    Endpoints, Peer,
    client_auth::PresentedClient,
    cors::AnswerOf,
    form,
    respond::{Answer, OAuthError, json, no_store},
};
use crate::{
    issuer::PresentedToken,
    oauth::{Allowance, Client, ErrorCode},
    telemetry::audit::AuditEvent,
};

impl Endpoints {
    pub(super) async fn revoke(&self, request: Request<Bytes>, peer: Peer) -> Result<Answer, OAuthError> {
        let form = form(&request)?;
        let client = self.caller(&PresentedClient::of(request.headers(), &form)?, peer).await?;
        if client.is_none() && self.settings.revocation_needs_client {
            return Err(OAuthError::new(ErrorCode::InvalidClient, "revocation needs client authentication here"));
        }
        let token = form.get("token").ok_or_else(|| OAuthError::invalid_request("the parameter token is missing"))?;
        if let Some(presented) = self.issuer.presented_for_revocation(token).await? {
            self.revoke_presented(token, &presented, client.as_deref(), peer).await?;
        }
        let mut answer = json(StatusCode::OK, &serde_json::json!({}));
        no_store(&mut answer);
        if let Some(client) = client {
            answer.extensions_mut().insert(AnswerOf(client));
        }
        Ok(answer)
    }

    async fn revoke_presented(
        &self,
        token: &str,
        presented: &PresentedToken,
        caller: Option<&Client>,
        peer: Peer,
    ) -> Result<(), OAuthError> {
        match caller {
            // RFC 7009 §2.1: refused, without a word on whether the token is good.
            Some(caller) if caller.id != *presented.client() => return Ok(()),
            Some(_) => {}
            None => {
                let owner = self.clients.client(presented.client()).await?;
                let open = owner.as_ref().is_some_and(|owner| owner.allows(Allowance::OpenRevocation));
                if !open {
                    return Err(OAuthError::new(ErrorCode::InvalidClient, "this client must authenticate to revoke"));
                }
                if let Some(owner) = owner {
                    self.issuer.count(&owner, Allowance::OpenRevocation);
                }
            }
        }
        self.issuer.revoke(token, presented).await?;
        self.issuer.record(&AuditEvent {
            event: "grant_revoked",
            reason: Some("revocation_endpoint"),
            client_id: Some(presented.client().as_str()),
            user: Some(presented.user().as_str()),
            grant_id: Some(presented.grant().as_str()),
            address: Some(peer.address),
            ..AuditEvent::default()
        });
        Ok(())
    }

    /// The client that calls revocation or introspection: whoever sends credentials must send the right ones. A compat
    /// client that only names itself is no caller, like one that says nothing.
    pub(super) async fn caller(
        &self,
        presented: &PresentedClient,
        peer: Peer,
    ) -> Result<Option<Arc<Client>>, OAuthError> {
        if presented.is_absent() {
            return Ok(None);
        }
        let claimed = presented.claimed_id();
        let limit = &self.limits.token_failures;
        self.check_failures(limit, claimed.as_ref(), peer)?;
        let checked = self.check_client(presented, peer).await;
        let checked = checked.map_err(|error| self.refused_client(error, claimed.as_ref(), peer))?;
        Ok(match checked {
            super::CheckedClient::Authenticated(client) | super::CheckedClient::Public(client) => Some(client),
            super::CheckedClient::WithoutSecret(_) => None,
        })
    }
}
