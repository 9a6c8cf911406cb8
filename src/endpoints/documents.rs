//! Clients that a document of their own describes: fetched where a request names one, before anything else is done with it.

use std::time::Duration;

use super::{Counted, Endpoints, OAuthError, Peer};
use crate::{
    clock::UnixTime,
    erpnext::{DescribedClient, Seen, TakenUp},
    fetch::{ClientDocuments, FetchError, Fetched, STALE_KEYS},
    oauth::{
        ClientId, ClientSource, DocumentUrl, ErrorCode, InvalidMetadata, KeySource, RegistrationPolicy,
        RequestedMetadata,
    },
    secret::Secret,
    store::StoreError,
    telemetry::audit::AuditEvent,
};

/// A client whose document was seen goes on for so long while its host does not answer. Keys that stand in the document are
/// not believed for longer than those at a `jwks_uri`.
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
        self.clients.refresh_registered().await?;
        if self.clients.described(id).is_none() {
            self.count_document(peer)?;
        }
        let fetched = self.fetch_document(rules, (id, url), peer).await?;
        let metadata = match fetched.document {
            Err(error) if error.is_outage() && self.outlasts_outage(id) => return Ok(()),
            Err(error) if error.is_outage() => return Err(error.into()),
            Err(error) => Err(error.into()),
            Ok(asked) => rules.policy.check_document(url, &asked).map_err(NotDescribed::from),
        };
        let now = self.issuer.clock.now();
        let metadata = match metadata {
            Ok(metadata) => metadata,
            // Unless another process has seen a good one since.
            Err(_) if !self.clients.withdraw_described(id, fetched.at, now).await? => return Ok(()),
            Err(problem) => return Err(problem),
        };
        let described = DescribedClient { id, metadata, fetched_at: fetched.at };
        let unguessable = Secret::new(self.unguessable());
        let taken = self.clients.take_described(described, now, rules.most, unguessable).await?;
        let Some(event) = event_of(taken, rules.most)? else { return Ok(()) };
        self.issuer.record(&AuditEvent {
            event,
            client_id: Some(id.as_str()),
            address: Some(peer.address),
            ..AuditEvent::default()
        });
        Ok(())
    }

    /// What the document says. What is fetched in vain counts as a failed authentication does: else who keeps a host from
    /// answering could have it fetched without end.
    async fn fetch_document(
        &self,
        rules: &DocumentClients,
        (id, url): (&ClientId, &DocumentUrl),
        peer: Peer,
    ) -> Result<Fetched<RequestedMetadata>, NotDescribed> {
        // What another process has found withdrawn is asked for again, however fresh it is here.
        let withdrawn = self.clients.described(id).filter(|seen| seen.withdrawn);
        let fresh = rules.documents.fresh(url).await;
        if let Some(fresh) = fresh.filter(|fresh| withdrawn.is_none_or(|withdrawn| withdrawn.at <= fresh.at)) {
            return Ok(fresh);
        }
        let limit = &self.limits.token_failures;
        self.check_failures(limit, None, peer).map_err(NotDescribed::Later)?;
        let fetched = rules.documents.newer(url).await;
        if fetched.has_failed {
            self.count_failure(limit, None, peer);
        }
        Ok(fetched)
    }

    /// Whether a client goes on though its document can't be had at the moment.
    fn outlasts_outage(&self, id: &ClientId) -> bool {
        let known = self.clients.known();
        let keys = known.client(id).and_then(|client| client.keys.as_ref());
        self.clients.described(id).is_some_and(|seen| goes_on(seen, keys, self.issuer.clock.now()))
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

/// What is recorded of it, if anything.
fn event_of(taken: TakenUp, most: u64) -> Result<Option<&'static str>, NotDescribed> {
    match taken {
        TakenUp::Same => Ok(None),
        TakenUp::New => Ok(Some("client_document_taken")),
        TakenUp::Changed => Ok(Some("client_document_changed")),
        TakenUp::Withdrawn => Err(NotDescribed::Bad("its host did not have it, or another one, a moment ago")),
        TakenUp::Full => {
            tracing::warn!(most, "a client is not taken: there are registration.max_clients already");
            Err(NotDescribed::no_place("no more clients can be taken for now"))
        }
        TakenUp::CrowdedHost => Err(NotDescribed::no_place("no more clients of this host can be taken for now")),
    }
}

/// Whether a client whose document was seen so, and with these keys, goes on while it can't be had.
fn goes_on(seen: Seen, keys: Option<&KeySource>, now: UnixTime) -> bool {
    let outage = if matches!(keys, Some(KeySource::Given(_))) { STALE_KEYS } else { OUTAGE };
    !seen.withdrawn && now.since(seen.at) < outage
}

impl From<FetchError> for NotDescribed {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Busy => Self::no_place("too many documents are being fetched, try again later"),
            FetchError::NoAnswer(why) => Self::Later(OAuthError {
                description: format!("the document at the client_id can't be fetched at the moment: {why}").into(),
                ..OAuthError::unavailable()
            }),
            FetchError::NotAllowed(why) | FetchError::Refused(why) => Self::Bad(why),
        }
    }
}

impl From<InvalidMetadata> for NotDescribed {
    fn from(invalid: InvalidMetadata) -> Self {
        match invalid {
            InvalidMetadata::RedirectUri(why) | InvalidMetadata::Metadata(why) => Self::Bad(why),
        }
    }
}

impl From<StoreError> for NotDescribed {
    fn from(error: StoreError) -> Self {
        Self::Later(error.into())
    }
}

impl NotDescribed {
    fn no_place(description: &'static str) -> Self {
        Self::Later(OAuthError { description: description.into(), ..OAuthError::unavailable() })
    }

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::oauth::ClientKeys;

    #[test]
    fn keys_in_a_document_are_not_believed_for_as_long_as_the_rest_of_it() {
        let jwks = serde_json::json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        }]});
        let given = KeySource::Given(Arc::new(ClientKeys::parse(&jwks).expect("keys")));
        let published = KeySource::At(ClientId::new("https://agent.example/jwks").document().expect("a URL"));
        let at = UnixTime::from_secs(1_800_000_000);
        for (keys, hours) in [(None, 7 * 24), (Some(&published), 7 * 24), (Some(&given), 12)] {
            let outage = Duration::from_secs(hours * 3600);
            let good = Seen { at, withdrawn: false };
            assert!(goes_on(good, keys, at.plus(outage).minus(Duration::from_secs(1))), "{keys:?}");
            assert!(!goes_on(good, keys, at.plus(outage)), "{keys:?}");
            assert!(!goes_on(Seen { withdrawn: true, ..good }, keys, at), "{keys:?}");
        }
    }
}
