//! The clients that were registered here (RFC 7591): all of them in memory, kept in step with the store, which other
//! processes change too.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use super::ClientRegistry;
use crate::{
    clock::UnixTime,
    oauth::{AgentTerms, Client, ClientId, ClientMetadata, ClientSource, TokenHash},
    secret::Secret,
    store::{ChangedClient, RegisteredClient, RemovedClient, Store, StoreError, StoreResult},
};

/// What their ids begin with: no other id is looked for among them, and none of them in ERPNext.
pub const REGISTERED_PREFIX: &str = "dcr-";
/// What the store knows of a client's last use is never older.
const EXACT_TO: Duration = Duration::from_secs(86_400);

/// A client as it was registered.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Its id, with [`REGISTERED_PREFIX`].
    pub id: ClientId,
    /// Its secret.
    pub secret: Option<Secret>,
    /// All else.
    pub metadata: ClientMetadata,
    /// When.
    pub registered_at: UnixTime,
    /// What is known of the document that describes it; `None` of one that was registered.
    pub seen: Option<Seen>,
}

/// What is known of a document that describes a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When it was last asked for, with this outcome; of one that is good, to a while.
    pub at: UnixTime,
    /// Whether it was gone then, or not good any more.
    pub withdrawn: bool,
}

impl Seen {
    /// Whether this is newer than what was asked for at that time. What is said to be of the future is not.
    pub(super) fn is_newer_than(self, at: UnixTime, now: UnixTime) -> bool {
        at < self.at && self.at <= now
    }
}

/// A registration as the store has it.
#[derive(Serialize, Deserialize)]
struct Document {
    client_secret: Option<String>,
    metadata: ClientMetadata,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen_at: Option<UnixTime>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    withdrawn: bool,
}

impl Registration {
    pub(super) fn document(&self) -> StoreResult<Secret> {
        let secret = self.secret.as_ref().map(|secret| secret.expose().to_owned());
        let document = Document {
            client_secret: secret,
            metadata: self.metadata.clone(),
            seen_at: self.seen.map(|seen| seen.at),
            withdrawn: self.seen.is_some_and(|seen| seen.withdrawn),
        };
        let json = serde_json::to_string(&document);
        json.map(Secret::new).map_err(|error| StoreError::Corrupt(format!("a registration: {error}")))
    }

    pub(super) fn open(row: &RegisteredClient) -> StoreResult<Self> {
        let document: Document = serde_json::from_str(row.document.expose())
            .map_err(|_| StoreError::Corrupt(format!("the registration of {}", row.id)))?;
        let secret = document.client_secret.as_deref().map(Secret::new);
        let Document { metadata, seen_at, withdrawn, .. } = document;
        let seen = seen_at.map(|at| Seen { at, withdrawn });
        Ok(Self { id: row.id.clone(), secret, metadata, registered_at: row.registered_at, seen })
    }

    pub(super) fn to_client(&self) -> Client {
        self.metadata.to_client(self.id.clone(), self.secret.clone())
    }
}

/// The registered clients.
pub struct RegisteredClients {
    pub(super) store: Arc<dyn Store>,
    /// Whether they are agents.
    agents: bool,
    /// Whether clients that a document describes count.
    takes_documents: bool,
    /// What the store knows of a client's last use may be so old.
    exact_to: Duration,
    /// What is known of their documents.
    seen: ArcSwap<HashMap<ClientId, Seen>>,
    /// Held while one is put into the store.
    pub(super) describing: tokio::sync::Mutex<()>,
    clients: ArcSwap<Vec<Client>>,
    /// How many changes of the store are in memory. Held while they are read, so that a later reading is not overtaken.
    read: tokio::sync::Mutex<Option<u64>>,
    uses: Mutex<Uses>,
}

/// When clients were used.
#[derive(Default)]
struct Uses {
    /// As far as the store knows, or is about to.
    noted: HashMap<ClientId, UnixTime>,
    unwritten: HashMap<ClientId, UnixTime>,
}

impl RegisteredClients {
    /// None yet; they are read from this store, and are agents or not.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, agents: bool) -> Self {
        Self {
            store,
            agents,
            takes_documents: false,
            exact_to: EXACT_TO,
            seen: ArcSwap::default(),
            describing: tokio::sync::Mutex::default(),
            clients: ArcSwap::default(),
            read: tokio::sync::Mutex::default(),
            uses: Mutex::default(),
        }
    }

    /// The same with those that a document describes, if they count.
    #[must_use]
    pub fn with_documents(self, takes_documents: bool) -> Self {
        Self { takes_documents, ..self }
    }

    /// The same with uses noted so often that a client which was used within `unused_ttl` is known to be.
    #[must_use]
    pub fn removed_after(self, unused_ttl: Duration) -> Self {
        Self { exact_to: EXACT_TO.min(unused_ttl / 4), ..self }
    }

    pub(super) const fn take_documents(&self) -> bool {
        self.takes_documents
    }

    pub(super) fn seen(&self, id: &ClientId) -> Option<Seen> {
        self.seen.load().get(id).copied()
    }

    /// The client of a registration.
    pub(super) fn client_of(&self, registration: &Registration) -> Client {
        let client = registration.to_client();
        if self.agents { client.into_agent(AgentTerms::default()) } else { client }
    }

    pub(super) fn clients(&self) -> Vec<Client> {
        self.clients.load().as_ref().clone()
    }

    /// Reads them if any has changed. Whether one has.
    pub(super) async fn refresh(&self) -> StoreResult<bool> {
        let mut read = self.read.lock().await;
        let count = self.store.registrations().await?;
        if *read == Some(count) {
            return Ok(false);
        }
        let rows = self.store.registered_clients().await?;
        let (mut clients, mut seen) = (Vec::new(), HashMap::new());
        for row in rows.iter().filter(|row| self.takes_documents || !row.id.is_url()) {
            match Registration::open(row) {
                Ok(registration) => {
                    clients.push(self.client_of(&registration));
                    seen.extend(registration.seen.map(|seen| (registration.id, seen)));
                }
                Err(error) => tracing::error!(%error, "a registered client is left out"),
            }
        }
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        // What is about to be written is not there yet.
        let before = std::mem::take(&mut uses.noted);
        let noted = |row: RegisteredClient| Some((row.last_used.max(before.get(&row.id).copied())?, row.id));
        uses.noted = rows.into_iter().filter_map(noted).map(|(at, id)| (id, at)).collect();
        drop(uses);
        self.clients.store(Arc::new(clients));
        self.seen.store(Arc::new(seen));
        *read = Some(count);
        Ok(true)
    }

    pub(super) fn was_used(&self, id: &ClientId) -> bool {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner).noted.contains_key(id)
    }

    fn note_use(&self, id: &ClientId, now: UnixTime) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.noted.get(id).is_some_and(|noted| now.since(*noted) < self.exact_to) {
            return;
        }
        uses.noted.insert(id.clone(), now);
        uses.unwritten.insert(id.clone(), now);
    }

    pub(super) async fn write_uses(&self) -> StoreResult<()> {
        let unwritten = std::mem::take(&mut self.uses.lock().unwrap_or_else(PoisonError::into_inner).unwritten);
        if unwritten.is_empty() {
            return Ok(());
        }
        let written = self.store.note_client_uses(unwritten.clone().into_iter().collect()).await;
        if written.is_err() {
            let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
            for (id, at) in unwritten {
                uses.unwritten.entry(id).or_insert(at);
            }
        }
        written
    }
}

impl ClientRegistry {
    /// Registers a client, unless there are `most` already that were used or are new, which is `false`. It can be used when this returns.
    ///
    /// # Errors
    /// When the store can't keep it.
    pub async fn register(
        &self,
        registration: &Registration,
        access_token: TokenHash,
        most: u64,
    ) -> Result<bool, StoreError> {
        let client = RegisteredClient {
            id: registration.id.clone(),
            document: registration.document()?,
            registration_token: access_token,
            registered_at: registration.registered_at,
            last_used: None,
        };
        let registered = self.registered()?;
        // Who was used must not give way because that is only known here.
        registered.write_uses().await?;
        let store = &registered.store;
        let mut kept = store.register_client(client.clone(), most).await?;
        if !kept && self.make_room(registration.registered_at).await? {
            kept = store.register_client(client, most).await?;
        }
        self.refresh_registered().await?;
        Ok(kept)
    }

    /// The registration of a client, with the hash of its registration access token.
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn registration(&self, id: &ClientId) -> Result<Option<(Registration, TokenHash)>, StoreError> {
        let found = self.registered()?.store.registered_client(id).await?;
        found.map(|row| Ok((Registration::open(&row)?, row.registration_token))).transpose()
    }

    /// Puts another registration in place of the client's; `false` when the client is gone. If it is another client then,
    /// what users consented to with it is forgotten (decision 16).
    ///
    /// # Errors
    /// When the store can't keep it.
    pub async fn change_registration(&self, registration: &Registration, is_another: bool) -> Result<bool, StoreError> {
        let change = ChangedClient { document: registration.document()?, before: None, is_another };
        let changed = self.registered()?.store.change_registered_client(&registration.id, change).await?;
        self.refresh_registered().await?;
        Ok(changed)
    }

    /// Removes a client, and with it its grants; `None` when there is no such client.
    ///
    /// # Errors
    /// When the store can't keep it.
    pub async fn remove_registration(&self, id: &ClientId, now: UnixTime) -> Result<Option<RemovedClient>, StoreError> {
        let removed = self.registered()?.store.remove_registered_client(id, now).await?;
        self.refresh_registered().await?;
        Ok(removed)
    }

    /// Removes at most `most` clients that were not used for `ttl`.
    ///
    /// # Errors
    /// When the store can't keep it.
    pub async fn remove_unused(
        &self,
        ttl: Duration,
        now: UnixTime,
        most: u32,
    ) -> Result<Vec<RemovedClient>, StoreError> {
        let registered = self.registered()?;
        // What is only known here must not be missed.
        registered.write_uses().await?;
        let removed = registered.store.remove_unused_clients(now.minus(ttl), now, most).await?;
        self.refresh_registered().await?;
        Ok(removed)
    }

    /// Takes up what other processes have registered, changed or removed.
    ///
    /// # Errors
    /// When the store can't answer: what is known stays.
    pub async fn refresh_registered(&self) -> Result<(), StoreError> {
        let Some(registered) = &self.registered else { return Ok(()) };
        if registered.refresh().await? {
            self.take_up();
        }
        Ok(())
    }

    /// Notes that tokens are issued to a client; of those that were not registered here nothing is noted.
    pub fn note_use(&self, client: &Client, now: UnixTime) {
        if let Some(registered) = &self.registered
            && (is_registered_id(&client.id) || client.source == ClientSource::Document)
        {
            registered.note_use(&client.id, now);
        }
    }

    /// Writes down which clients were used.
    pub async fn write_uses(&self) {
        let Some(registered) = &self.registered else { return };
        if let Err(error) = registered.write_uses().await {
            tracing::error!(%error, "when clients were last used can't be written yet");
        }
    }

    pub(super) fn registered(&self) -> Result<&RegisteredClients, StoreError> {
        let none = || StoreError::Unavailable("no clients are registered here".to_owned());
        self.registered.as_ref().ok_or_else(none)
    }
}

/// Whether a client with this id can only have been registered here.
pub(super) fn is_registered_id(id: &ClientId) -> bool {
    id.as_str().starts_with(REGISTERED_PREFIX)
}
