//! Clients that a document of their own describes: kept beside those that were registered here, so that what was granted to one
//! goes on working while its document can't be reached.

use std::time::Duration;

use super::{ClientRegistry, Registration, Seen, registered::RegisteredClients};
use crate::{
    clock::UnixTime,
    oauth::{Client, ClientId, ClientMetadata, KeySource, TokenHash},
    secret::Secret,
    store::{ChangedClient, RegisteredClient, StoreError},
};

/// What the store knows of when a document was last seen may be so old.
const EXACT_TO: Duration = Duration::from_secs(86_400);
/// The same of one with keys in it, which are not believed for long once it can't be fetched.
const EXACT_TO_WITH_KEYS: Duration = Duration::from_secs(3600);

/// A described client to which nothing was granted in this time may make room for another: no authorization request that
/// waits for its user lives longer (30 minutes), nor a code after it.
const IDLE: Duration = Duration::from_secs(45 * 60);
/// So many make room at once.
const MOST_ROOM: usize = 50;
/// One host may have so many clients to which nothing was ever granted.
const MOST_UNUSED_OF_HOST: usize = 10;

/// A client as a document describes it.
#[derive(Clone, Debug)]
pub struct DescribedClient<'a> {
    /// The URL of the document.
    pub id: &'a ClientId,
    /// What it says.
    pub metadata: ClientMetadata,
    /// When it was asked for.
    pub fetched_at: UnixTime,
}

/// What a document is to what was known of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenUp {
    /// The client was not known.
    New,
    /// It was another.
    Changed,
    /// It is as it was, or as another process has seen it since.
    Same,
    /// Another process has seen since that it is withdrawn.
    Withdrawn,
    /// There are as many clients as there may be.
    Full,
    /// There are as many clients of its host as there may be that nobody has used yet.
    CrowdedHost,
}

impl DescribedClient<'_> {
    fn registration(&self, now: UnixTime) -> Registration {
        let seen = Some(Seen { at: self.fetched_at, withdrawn: false });
        Registration { id: self.id.clone(), secret: None, metadata: self.metadata.clone(), registered_at: now, seen }
    }

    /// Whether the store need not hear that the document was seen again.
    fn was_seen_lately(&self, client: &Client, seen: Option<Seen>) -> bool {
        let with_keys = matches!(client.keys, Some(KeySource::Given(_)));
        let exact_to = if with_keys { EXACT_TO_WITH_KEYS } else { EXACT_TO };
        seen.is_some_and(|seen| !seen.withdrawn && self.fetched_at.since(seen.at) < exact_to)
    }
}

impl ClientRegistry {
    /// What is known of the document of a client that was described before.
    #[must_use]
    pub fn described(&self, id: &ClientId) -> Option<Seen> {
        self.registered.as_ref()?.seen(id)
    }

    /// Takes a client as its document describes it. It can be used when this returns. `unguessable` is nobody's to
    /// present: there is no registration to manage.
    ///
    /// # Errors
    /// When the store can't keep it.
    pub async fn take_described(
        &self,
        described: DescribedClient<'_>,
        now: UnixTime,
        most: u64,
        unguessable: Secret,
    ) -> Result<TakenUp, StoreError> {
        let registered = self.registered()?;
        let registration = described.registration(now);
        let client = registered.client_of(&registration);
        let is_same = self.known.load().client(described.id).is_some_and(|known| **known == client);
        let seen = registered.seen(described.id);
        let is_older = seen.is_some_and(|seen| !seen.withdrawn && seen.is_newer_than(described.fetched_at, now));
        if is_older || is_same && described.was_seen_lately(&client, seen) {
            return Ok(TakenUp::Same);
        }
        // One at a time: two that find it unknown would both register it.
        let _turn = registered.describing.lock().await;
        let Some(row) = registered.store.registered_client(described.id).await? else {
            return self.register_described(&registration, most, unguessable).await;
        };
        let known = Registration::open(&row)?;
        if let Some(newer) = known.seen.filter(|seen| seen.is_newer_than(described.fetched_at, now)) {
            self.refresh_registered().await?;
            return Ok(if newer.withdrawn { TakenUp::Withdrawn } else { TakenUp::Same });
        }
        let is_another = registered.client_of(&known) != client;
        let mut changed = false;
        if is_another || !described.was_seen_lately(&client, known.seen) {
            // Where another process is faster, what it has seen counts.
            let change = ChangedClient { document: registration.document()?, before: Some(row.document), is_another };
            changed = registered.store.change_registered_client(described.id, change).await? && is_another;
        }
        self.refresh_registered().await?;
        Ok(if changed { TakenUp::Changed } else { TakenUp::Same })
    }

    /// Notes that the document of a client was gone, or not good any more, when it was asked for at that time: it is not
    /// believed again before it was fetched again. `false` when another process has seen since that it is good.
    ///
    /// # Errors
    /// When the store can't keep it.
    pub async fn withdraw_described(&self, id: &ClientId, at: UnixTime, now: UnixTime) -> Result<bool, StoreError> {
        let registered = self.registered()?;
        match registered.seen(id) {
            None => return Ok(true),
            Some(seen) if seen.withdrawn => return Ok(true),
            Some(_) => {}
        }
        let _turn = registered.describing.lock().await;
        let Some(row) = registered.store.registered_client(id).await? else { return Ok(true) };
        let known = Registration::open(&row)?;
        let is_newer = known.seen.is_some_and(|seen| seen.is_newer_than(at, now));
        if is_newer || known.seen.is_some_and(|seen| seen.withdrawn) {
            self.refresh_registered().await?;
            return Ok(!is_newer || known.seen.is_some_and(|seen| seen.withdrawn));
        }
        let withdrawn = Registration { seen: Some(Seen { at, withdrawn: true }), ..known };
        let change = ChangedClient { document: withdrawn.document()?, before: Some(row.document), is_another: false };
        registered.store.change_registered_client(id, change).await?;
        self.refresh_registered().await?;
        Ok(true)
    }

    async fn register_described(
        &self,
        described: &Registration,
        most: u64,
        unguessable: Secret,
    ) -> Result<TakenUp, StoreError> {
        let registered = self.registered()?;
        // Who was used must not give way because that is only known here.
        registered.write_uses().await?;
        if !make_room_at_host(registered, &described.id, described.registered_at).await? {
            return Ok(TakenUp::CrowdedHost);
        }
        let row = RegisteredClient {
            id: described.id.clone(),
            document: described.document()?,
            registration_token: TokenHash::of(unguessable.expose()),
            registered_at: described.registered_at,
            last_used: None,
        };
        let mut kept = registered.store.register_client(row.clone(), most).await;
        if matches!(kept, Ok(false)) && self.make_room(described.registered_at).await? {
            kept = registered.store.register_client(row, most).await;
        }
        self.refresh_registered().await?;
        match kept {
            Ok(true) => Ok(TakenUp::New),
            Ok(false) => Ok(TakenUp::Full),
            // Another process was first.
            Err(_) if registered.seen(&described.id).is_some() => Ok(TakenUp::Same),
            Err(error) => Err(error),
        }
    }

    /// Forgets described clients that were named and never granted anything: their documents are where they were, and anybody can
    /// name as many as he likes. Whether there are fewer now.
    pub(super) async fn make_room(&self, now: UnixTime) -> Result<bool, StoreError> {
        let registered = self.registered()?;
        let mut rows = unused(registered).await?;
        rows.retain(|row| now.since(row.registered_at) >= IDLE);
        rows.truncate(MOST_ROOM);
        for row in &rows {
            registered.store.remove_registered_client(&row.id, now).await?;
        }
        Ok(!rows.is_empty())
    }
}

/// Whether one more client of this one's host may be taken: whoever has one host can't fill all places with it. The oldest
/// that nobody uses gives way, once it had the time to be used.
async fn make_room_at_host(registered: &RegisteredClients, id: &ClientId, now: UnixTime) -> Result<bool, StoreError> {
    let host = |id: &ClientId| id.document().map(|url| url.host().trim_end_matches('.').to_owned());
    let of_host = host(id);
    let mut rows = unused(registered).await?;
    rows.retain(|row| host(&row.id) == of_host);
    if rows.len() < MOST_UNUSED_OF_HOST {
        return Ok(true);
    }
    let Some(oldest) = rows.first().filter(|row| now.since(row.registered_at) >= IDLE) else { return Ok(false) };
    registered.store.remove_registered_client(&oldest.id, now).await?;
    Ok(true)
}

/// The described clients to which nothing was ever granted, the oldest first.
async fn unused(registered: &RegisteredClients) -> Result<Vec<RegisteredClient>, StoreError> {
    // What other processes have noted is in the store.
    let mut rows = registered.store.registered_clients().await?;
    rows.retain(|row| row.id.is_url() && row.last_used.is_none() && !registered.was_used(&row.id));
    rows.sort_by_key(|row| row.registered_at);
    Ok(rows)
}
