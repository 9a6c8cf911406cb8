//! The clients that are registered in ERPNext, kept in step with it: which ones there are and when each was changed is
//! asked for all at once, and what has changed is read then. The list outlives the process in the store.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use serde::Deserialize;
use serde_json::json;

use super::{
    ClientRules,
    row::{ClientRow, FIELDS, RoleRow},
};
use crate::{
    erpnext::{
        DirectoryError,
        adapter::Adapter,
        agent::{As, Call},
        bucket::Bucket,
        flights::Flights,
        list::{self, List},
        own_client::APP_NAME,
    },
    oauth::{Client, ClientId},
    secret::Secret,
    store::KeptClient,
};

const DOCTYPE: &str = "OAuth Client";
const NEEDS_READ: &str = "read on OAuth Client";
/// So many clients are asked for by name; if more have changed, all are.
const MAX_NAMED: usize = 50;
const MAX_NAME: usize = 140;
/// An id that ERPNext does not know is not asked for again within this.
const MISSED_FOR: Duration = Duration::from_secs(10);
const MISSES: u64 = 10_000;
/// Look-ups of unknown ids share one allotment, whoever asks (decision 6).
const LOOK_UPS: Bucket = Bucket::new(20, Duration::from_secs(1));

/// What changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientChanges {
    /// Are there for the first time.
    pub added: Vec<ClientId>,
    /// Are another than before.
    pub changed: Vec<ClientId>,
    /// Are there no more: what was granted to them must end.
    pub gone: Vec<ClientId>,
}

impl ClientChanges {
    /// Takes these in, too.
    pub fn add(&mut self, later: Self) {
        self.added.extend(later.added);
        self.changed.extend(later.changed);
        self.gone.extend(later.gone);
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.gone.is_empty()
    }
}

/// ERPNext's clients.
pub struct UpstreamClients {
    adapter: Arc<Adapter>,
    rules: ArcSwap<ClientRules>,
    state: Arc<Mutex<State>>,
    syncs: Flights<(), ClientChanges>,
    look_ups: Flights<ClientId, bool>,
    misses: moka::sync::Cache<ClientId, crate::clock::UnixTime>,
    bucket: Mutex<Bucket>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<ClientId, ClientRow>,
    /// Whether ERPNext has been asked since the start, or the store had its answer.
    known: bool,
    /// Whether the store has the rows as they are here.
    is_kept: bool,
}

#[derive(Deserialize)]
struct Listed {
    name: ClientId,
    app_name: Option<String>,
    #[serde(default)]
    modified: String,
}

impl UpstreamClients {
    pub(in crate::erpnext) fn new(adapter: Arc<Adapter>, rules: ClientRules) -> Self {
        let io = || adapter.ground.io.clone();
        Self {
            rules: ArcSwap::from_pointee(rules),
            state: Arc::default(),
            syncs: Flights::new(io()),
            look_ups: Flights::new(io()),
            misses: moka::sync::Cache::builder().max_capacity(MISSES).time_to_live(MISSED_FOR).build(),
            bucket: Mutex::new(LOOK_UPS),
            adapter,
        }
    }

    /// All clients, as last heard of.
    pub(super) fn clients(&self) -> Vec<Client> {
        let rules = self.rules.load();
        lock(&self.state).rows.values().map(|row| row.to_client(&rules)).collect()
    }

    /// Other rules from now on.
    pub(super) fn replace_rules(&self, rules: ClientRules) {
        self.rules.store(Arc::new(rules));
    }

    /// The blocks of the configuration that are about clients which ERPNext does not have.
    pub(super) fn idle_overrides(&self) -> Vec<ClientId> {
        let (state, rules) = (lock(&self.state), self.rules.load());
        let ids = rules.overrides.iter().map(|block| ClientId::new(&block.id));
        ids.filter(|id| !state.rows.contains_key(id)).collect()
    }

    /// Whether there is any answer of ERPNext's to go by.
    pub(super) fn are_known(&self) -> bool {
        lock(&self.state).known
    }

    /// Takes the list that the store has. Nothing is asked of ERPNext.
    pub(super) async fn recall(&self) -> Result<(), DirectoryError> {
        let kept = self.adapter.ground.store.upstream_clients().await;
        let kept = kept.map_err(|error| DirectoryError::Unavailable(format!("clients: {error}")))?;
        let rows = kept.iter().filter_map(|kept| serde_json::from_str::<ClientRow>(kept.document.expose()).ok());
        let rows: BTreeMap<_, _> = rows.map(|row| (row.name.clone(), row)).collect();
        let mut state = lock(&self.state);
        if !state.known && !rows.is_empty() {
            *state = State { rows, known: true, is_kept: true };
        }
        Ok(())
    }

    /// Asks ERPNext what has changed; once, however many ask meanwhile.
    pub(super) async fn sync(&self) -> Result<ClientChanges, DirectoryError> {
        let sync = sync(Arc::clone(&self.adapter), Arc::clone(&self.state));
        self.syncs.share((), sync).await
    }

    /// Writes the list into the store, if it is not there yet.
    pub(super) async fn keep(&self) {
        let kept = {
            let mut state = lock(&self.state);
            if std::mem::replace(&mut state.is_kept, true) {
                return;
            }
            kept(&state)
        };
        if let Err(error) = self.adapter.ground.store.put_upstream_clients(kept).await {
            lock(&self.state).is_kept = false;
            tracing::error!(%error, "the list of ERPNext's clients can't be kept");
        }
    }

    /// Whether a client is there that was not known before.
    pub(super) async fn look_up(&self, id: &ClientId) -> Result<bool, DirectoryError> {
        let now = self.adapter.now();
        let missed = self.misses.get(id).is_some_and(|at| now.since(at) < MISSED_FOR);
        if missed || !may_be_asked_for(id) {
            return Ok(false);
        }
        if !self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now) {
            return Err(DirectoryError::Unavailable("client: too many unknown client ids at once".to_owned()));
        }
        let look_up = look_up(Arc::clone(&self.adapter), Arc::clone(&self.state), id.clone());
        let found = self.look_ups.share(id.clone(), look_up).await?;
        if !found {
            self.misses.insert(id.clone(), now);
        }
        Ok(found)
    }
}

async fn sync(adapter: Arc<Adapter>, state: Arc<Mutex<State>>) -> Result<ClientChanges, DirectoryError> {
    let query = [("fields", r#"["name","app_name","modified"]"#)];
    let index = List { what: "clients", doctype: DOCTYPE, needs: NEEDS_READ, query: &query };
    let mut listed: Vec<Listed> = list::all(&adapter.agent, index).await?;
    listed.retain(|row| row.app_name.as_deref() != Some(APP_NAME));
    let (news, missing) = {
        let state = lock(&state);
        let is_news = |row: &&Listed| state.rows.get(&row.name).is_none_or(|known| known.modified != row.modified);
        let news: Vec<ClientId> = listed.iter().filter(is_news).map(|row| row.name.clone()).collect();
        let names: HashSet<&ClientId> = listed.iter().map(|row| &row.name).collect();
        let missing: Vec<ClientId> = state.rows.keys().filter(|name| !names.contains(name)).cloned().collect();
        (news, missing)
    };
    let rows = read(&adapter, &news).await?;
    let mut gone = Vec::new();
    for name in missing {
        // A list may be short for another reason: what it leaves out is asked for.
        if !is_there(&adapter, &name).await? {
            gone.push(name);
        }
    }
    let changes = {
        let mut state = lock(&state);
        let mut changes = ClientChanges { gone, ..ClientChanges::default() };
        for name in &changes.gone {
            state.rows.remove(name);
        }
        for row in rows {
            match state.rows.insert(row.name.clone(), row.clone()) {
                None => changes.added.push(row.name),
                Some(before) if before != row => changes.changed.push(row.name),
                Some(_) => {}
            }
        }
        state.known = true;
        state.is_kept &= changes.is_empty();
        changes
    };
    Ok(changes)
}

async fn look_up(adapter: Arc<Adapter>, state: Arc<Mutex<State>>, id: ClientId) -> Result<bool, DirectoryError> {
    let rows = read(&adapter, std::slice::from_ref(&id)).await?;
    // MariaDB compares without regard to letter case: another spelling is another client.
    let own = |row: &ClientRow| row.app_name.as_deref() == Some(APP_NAME);
    let Some(row) = rows.into_iter().find(|row| row.name == id && !own(row)) else { return Ok(false) };
    let mut state = lock(&state);
    state.rows.insert(id, row);
    state.is_kept = false;
    drop(state);
    Ok(true)
}

/// The rows of these clients, or of all if they are many, with their roles.
async fn read(adapter: &Adapter, names: &[ClientId]) -> Result<Vec<ClientRow>, DirectoryError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let filters = if names.len() <= MAX_NAMED { json!([["name", "in", names]]) } else { json!([]) };
    let filters = filters.to_string();
    let query = [("fields", FIELDS), ("filters", filters.as_str())];
    let clients = List { what: "clients", doctype: DOCTYPE, needs: NEEDS_READ, query: &query };
    let rows: Vec<ClientRow> = list::all(&adapter.agent, clients).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let query = [("fields", r#"["name","allowed_roles.role"]"#), ("filters", filters.as_str())];
    let roles = List { what: "client roles", query: &query, ..clients };
    let mut roles_of: HashMap<ClientId, Vec<String>> = HashMap::new();
    for row in list::all::<RoleRow>(&adapter.agent, roles).await? {
        roles_of.entry(row.name).or_default().extend(row.role.filter(|role| !role.is_empty()));
    }
    let asked_for = |row: &ClientRow| names.contains(&row.name);
    let with_roles = |mut row: ClientRow| {
        row.allowed_roles = roles_of.remove(&row.name).unwrap_or_default();
        row
    };
    Ok(rows.into_iter().filter(asked_for).map(with_roles).collect())
}

async fn is_there(adapter: &Adapter, name: &ClientId) -> Result<bool, DirectoryError> {
    let path = ["api", "resource", DOCTYPE, name.as_str()];
    Ok(adapter.agent.send(Call::get("client", &path, As::Account)).await?.for_account(NEEDS_READ)?.is_some())
}

fn kept(state: &State) -> Vec<KeptClient> {
    let kept = |row: &ClientRow| {
        let document = serde_json::to_string(row).ok()?;
        Some(KeptClient { id: row.name.clone(), document: Secret::new(document) })
    };
    state.rows.values().filter_map(kept).collect()
}

/// What can't be kept is only missed when ERPNext is away at the next start.
fn may_be_asked_for(id: &ClientId) -> bool {
    let id = id.as_str();
    (1..=MAX_NAME).contains(&id.len()) && id.bytes().all(|byte| matches!(byte, 0x21..=0x7e))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
