//! Clients that a document of their own describes: kept beside those that were registered here, so that what was granted to one
//! goes on working while its document can't be reached.

use std::time::Duration;

use super::{ClientRegistry, Registration};
use crate::{
    clock::UnixTime,
    oauth::{ClientId, ClientMetadata, TokenHash},
    secret::Secret,
    store::{RegisteredClient, StoreError},
};

/// What the store knows of when a document was last seen may be so old.
const EXACT_TO: Duration = Duration::from_secs(86_400);

/// A described client to which nothing was granted in this time may make room for another.
const IDLE: Duration = Duration::from_secs(600);
/// So many make room at once.
const MOST_ROOM: usize = 50;

/// What a document is to what was known of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenUp {
    /// The client was not known.
    New,
    /// It was another.
    Changed,
    /// It is as it was.
    Same,
    /// There are as many clients as there may be.
    Full,
}

impl ClientRegistry {
    /// The client that a document has described before, and when it was last seen to do so, to a day or so.
    #[must_use]
    pub fn described(&self, id: &ClientId) -> Option<UnixTime> {
        self.registered.as_ref()?.seen_at(id)
    }

    /// Takes a client as its document describes it now. It can be used when this returns. `unguessable` is nobody's to
    /// present: there is no registration to manage.
    ///
    /// # Errors
    /// When the store can't keep it.
    pub async fn take_described(
        &self,
        (id, metadata): (&ClientId, ClientMetadata),
        now: UnixTime,
        most: u64,
        unguessable: Secret,
    ) -> Result<TakenUp, StoreError> {
        let registered = self.registered()?;
        let described = Registration::described(id.clone(), metadata, now);
        let client = registered.client_of(&described);
        let is_same = || self.known.load().client(id).is_some_and(|known| **known == client);
        let seen_lately = || registered.seen_at(id).is_some_and(|at| now.since(at) < EXACT_TO);
        if is_same() && seen_lately() {
            return Ok(TakenUp::Same);
        }
        // One at a time: two that find it unknown would both register it.
        let _turn = registered.describing.lock().await;
        self.refresh_registered().await?;
        if registered.seen_at(id).is_none() {
            return self.register_described(&described, most, unguessable).await;
        }
        let same = is_same();
        if !(same && seen_lately()) {
            registered.store.change_registered_client(id, described.document()?).await?;
            self.refresh_registered().await?;
        }
        Ok(if same { TakenUp::Same } else { TakenUp::Changed })
    }

    async fn register_described(
        &self,
        described: &Registration,
        most: u64,
        unguessable: Secret,
    ) -> Result<TakenUp, StoreError> {
        let registered = self.registered()?;
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
            Err(_) if registered.seen_at(&described.id).is_some() => Ok(TakenUp::Same),
            Err(error) => Err(error),
        }
    }

    /// Forgets described clients that were named and never granted anything: their documents are where they were, and anybody can
    /// name as many as he likes. Whether there are fewer now.
    pub(super) async fn make_room(&self, now: UnixTime) -> Result<bool, StoreError> {
        let registered = self.registered()?;
        // What other processes have noted is in the store.
        let mut rows = registered.store.registered_clients().await?;
        let is_idle =
            |row: &RegisteredClient| row.id.is_url() && row.last_used.is_none() && now.since(row.registered_at) >= IDLE;
        rows.retain(|row| is_idle(row) && !registered.was_used(&row.id));
        rows.sort_by_key(|row| row.registered_at);
        rows.truncate(MOST_ROOM);
        for row in &rows {
            registered.store.remove_registered_client(&row.id, now).await?;
        }
        Ok(!rows.is_empty())
    }
}
