//! Clients that a document of their own describes: fetched where a request names one, before anything else is done with it.

use std::time::Duration;

use super::{Counted, Endpoints, OAuthError, Peer};
use crate::{
    erpnext::TakenUp,
    fetch::{ClientDocuments, FetchError},
    oauth::{ClientId, ClientSource, DocumentUrl, ErrorCode, InvalidMetadata, RegistrationPolicy},
    secret::Secret,
    telemetry::audit::AuditEvent,
};

/// A client whose document was seen goes on for so long while its host does not answer.
const OUTAGE: Duration = Duration::from_secs(7 * 86_400);

/// Whom the site takes by their documents.
pub struct DocumentClients {
    /// The documents.
    pub documents: ClientDocuments,
    /// With what.
    pub policy: RegistrationPolicy,
    /// How many clients there may be that were registered or described.
    pub most: u64,
}

/// Why a client can't be had by its document.
pub(super) enum NotDescribed {
    /// It is no document of the client's, or not one that is taken here.
    Bad(&'static str),
    /// It may be otherwise later, or for somebody else: the answer is the same everywhere.
    Later(OAuthError),
}

impl Endpoints {
    /// Sees to it that the client is known as its document describes it, if there is one that describes it.
    pub(super) async fn take_up_described(&self, id: Option<&ClientId>, peer: Peer) -> Result<(), NotDescribed> {
        let (Some(rules), Some(id)) = (&self.documents, id.filter(|id| id.is_url())) else { return Ok(()) };
        let known = self.clients.known();
        if known.client(id).is_some_and(|client| client.source != ClientSource::Document) {
            return Ok(());
        }
        let url = id.document().ok_or(NotDescribed::Bad(
            "it must be an https URL with a path, and without user, query, fragment and dot segments",
        ))?;
        self.take_up_document(rules, id, &url, peer).await
    }

    async fn take_up_document(
        &self,
        rules: &DocumentClients,
        id: &ClientId,
        url: &DocumentUrl,
        peer: Peer,
    ) -> Result<(), NotDescribed> {
        let now = self.issuer.clock.now();
        self.clients.refresh_registered().await.map_err(|error| NotDescribed::Later(error.into()))?;
        let seen_at = self.clients.described(id);
        if seen_at.is_none() {
            self.count_document(peer)?;
        }
        let asked = match rules.documents.metadata(url).await {
            Ok(asked) => asked,
            Err(error) if error.is_outage() && seen_at.is_some_and(|at| now.since(at) < OUTAGE) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let metadata = rules.policy.check_document(url, &asked).map_err(|invalid| match invalid {
            InvalidMetadata::RedirectUri(why) | InvalidMetadata::Metadata(why) => NotDescribed::Bad(why),
        })?;
        let unguessable = Secret::new(self.unguessable());
        let taken = self.clients.take_described((id, metadata), now, rules.most, unguessable).await;
        let event = match taken.map_err(|error| NotDescribed::Later(error.into()))? {
            TakenUp::Same => return Ok(()),
            TakenUp::New => "client_document_taken",
            TakenUp::Changed => {
                // Whoever consented did so with another client (decision 16).
                let forgotten = self.issuer.client_changed(id).await;
                forgotten.map_err(|error| NotDescribed::Later(error.into()))?;
                "client_document_changed"
            }
            TakenUp::Full => {
                tracing::warn!(most = rules.most, "a client is not taken: there are registration.max_clients already");
                let full = OAuthError::unavailable();
                return Err(NotDescribed::Later(OAuthError {
                    description: "no more clients can be taken for now".into(),
                    ..full
                }));
            }
        };
        self.issuer.record(&AuditEvent {
            event,
            client_id: Some(id.as_str()),
            address: Some(peer.address),
            ..AuditEvent::default()
        });
        Ok(())
    }

    /// Takes one of the documents that an address may have fetched of clients that nobody knows yet.
    fn count_document(&self, peer: Peer) -> Result<(), NotDescribed> {
        let (limit, address, now) =
            (&self.limits.registration, Counted::address(peer.address), self.issuer.clock.now());
        limit.check(&address, now).map_err(|seconds| {
            NotDescribed::Later(OAuthError {
                description: "too many unknown clients from this address, try again later".into(),
                ..OAuthError::too_many(seconds)
            })
        })?;
        limit.count(address, now);
        Ok(())
    }
}

impl From<FetchError> for NotDescribed {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::NoAnswer(why) => Self::Later(OAuthError {
                description: format!("the document at the client_id can't be fetched at the moment: {why}").into(),
                ..OAuthError::unavailable()
            }),
            FetchError::NotAllowed(why) | FetchError::Refused(why) => Self::Bad(why),
        }
    }
}

impl NotDescribed {
    /// As a browser is told (draft-ietf-oauth-client-id-metadata-document §6): nothing of it goes to a redirect URI.
    pub(super) fn at_authorization(self) -> OAuthError {
        self.with(ErrorCode::InvalidRequest)
    }

    /// As the client is told that asks itself.
    pub(super) fn at_token_endpoint(self) -> OAuthError {
        self.with(ErrorCode::InvalidClient)
    }

    fn with(self, code: ErrorCode) -> OAuthError {
        match self {
            Self::Bad(why) => OAuthError::new(code, format!("the document at the client_id can't be used: {why}")),
            Self::Later(error) => error,
        }
    }
}
