//! Tokens that ERPNext itself issued before the gateway stood in front of it (decisions 2 and 3). Their rows are read into
//! the store, as hashes, and followed; requests with them are forwarded as they are. Whoever presents one that was never
//! read is told so without a look-up anywhere.

mod import;
mod row;
mod upstream;
mod zone;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use self::import::Position;
use super::{DirectoryError, adapter::Adapter, bucket::Bucket, flights::Flights};
use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId, TokenHash, UserName},
};

/// So long ERPNext is not asked again about a token that it does not know,
const MISSED_FOR: Duration = Duration::from_secs(10);
/// for so many of them.
const MISSES: u64 = 100_000;
/// How many tokens that nobody has read ERPNext is asked about.
const LOOK_UPS: Bucket = Bucket::new(10, Duration::from_secs(1));
/// The reading of one goes on after this, without whoever waits for it.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a token may be one that ERPNext issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Possible {
    /// It is none.
    No,
    /// The store knows more.
    Yes,
    /// Not all have been read yet: nobody can tell.
    Unknown,
}

/// Some of the tokens that ERPNext issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those for this user.
    User(UserName),
    /// Those to this client.
    Client(ClientId),
}

/// The tokens that ERPNext issued.
pub struct NativeTokens {
    adapter: Arc<Adapter>,
    /// The first bytes of the hashes of all access tokens that were read: what is not in here is none.
    read: RwLock<HashSet<u64>>,
    /// Whether all whose access token lives were read.
    living_are_read: AtomicBool,
    /// Whether all were read once, by this process or another on the same store, and by this one what came since.
    complete: AtomicBool,
    position: tokio::sync::Mutex<Position>,
    readings: Flights<(), ()>,
    look_ups: Mutex<Bucket>,
    /// Unknown tokens that ERPNext did not know either, and since when.
    misses: moka::sync::Cache<TokenHash, UnixTime>,
    /// Grants that a reading out of turn ended or changed: the next round tells of them.
    ended: Mutex<Vec<GrantId>>,
    uses: Mutex<HashMap<TokenHash, UnixTime>>,
}

impl NativeTokens {
    pub(super) fn new(adapter: Arc<Adapter>) -> Self {
        let readings = Flights::new(adapter.ground.io.clone());
        Self {
            adapter,
            read: RwLock::default(),
            living_are_read: AtomicBool::new(false),
            complete: AtomicBool::new(false),
            position: tokio::sync::Mutex::default(),
            readings,
            look_ups: Mutex::new(LOOK_UPS),
            misses: moka::sync::Cache::builder().max_capacity(MISSES).time_to_live(MISSED_FOR).build(),
            ended: Mutex::default(),
            uses: Mutex::default(),
        }
    }

    /// Takes what the store has of earlier readings. Nothing is asked of ERPNext.
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn recall(&self) -> Result<(), DirectoryError> {
        let mut position = self.position.lock().await;
        let store = &self.adapter.ground.store;
        let (read, cursor) = tokio::join!(store.native_tokens(), store.native_cursor());
        self.note_read(&read.map_err(import::store_is_away)?);
        // What has come since is read first: before that nobody can tell of what is not here.
        position.cursor = cursor.map_err(import::store_is_away)?;
        Ok(())
    }

    /// Whether an access token may be one of them.
    #[must_use]
    pub fn possible(&self, access: &TokenHash) -> Possible {
        if self.read.read().unwrap_or_else(PoisonError::into_inner).contains(&first_bytes(access)) {
            Possible::Yes
        } else if self.living_are_read.load(Ordering::Acquire) || self.are_complete() {
            Possible::No
        } else {
            Possible::Unknown
        }
    }

    /// Whether all have been read at least once, the refresh tokens of those that have expired too.
    #[must_use]
    pub fn are_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// Reads what has changed in ERPNext since the last round, or all. Tells which grants are not to be believed any
    /// more as they were.
    ///
    /// # Errors
    /// What stopped it: the next round goes on from there.
    pub async fn round(self: &Arc<Self>) -> Result<Vec<GrantId>, DirectoryError> {
        let read = self.read_apart().await;
        read.map(|()| std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Whether ERPNext has this refresh token, which the store does not find: it may have issued it since the last round. If
    /// it has, its row has been read now.
    ///
    /// # Errors
    /// When ERPNext or the store can't answer, or not so soon.
    pub async fn read_new_refresh(self: &Arc<Self>, refresh: &str) -> Result<bool, DirectoryError> {
        self.read_new(refresh, upstream::REFRESH_ALONE).await
    }

    /// The same for a token that may be an access token as well.
    ///
    /// # Errors
    /// As [`Self::read_new_refresh`].
    pub async fn read_new_token(self: &Arc<Self>, token: &str) -> Result<bool, DirectoryError> {
        self.read_new(token, upstream::ANY).await
    }

    async fn read_new(self: &Arc<Self>, token: &str, fields: &[&str]) -> Result<bool, DirectoryError> {
        let (hash, now) = (TokenHash::of(token), self.now());
        let store = &self.adapter.ground.store;
        let is_known = || async { store.native_is_known(hash).await.map_err(import::store_is_away) };
        // One that was read before and is not found has ended.
        if self.misses.get(&hash).is_some_and(|at| now.since(at) < MISSED_FOR) || is_known().await? {
            return Ok(false);
        }
        if !self.look_ups.lock().unwrap_or_else(PoisonError::into_inner).take(now) {
            return Err(DirectoryError::Unavailable("too many unknown tokens at once".to_owned()));
        }
        if upstream::has(&self.adapter, token, fields).await? {
            // A reading that was under way may have passed the place where it stands.
            for _ in 0..2 {
                let late = |_| DirectoryError::Unavailable("ERPNext's tokens are being read".to_owned());
                tokio::time::timeout(LOOK_UP_TIMEOUT, self.read_apart()).await.map_err(late)??;
                if is_known().await? {
                    return Ok(true);
                }
            }
        }
        self.misses.insert(hash, now);
        Ok(false)
    }

    /// Reads, once for all who ask for it, and whatever becomes of them.
    async fn read_apart(self: &Arc<Self>) -> Result<(), DirectoryError> {
        let natives = Arc::clone(self);
        self.readings.share((), async move { natives.read_news().await }).await
    }

    /// Notes that a token, access or refresh, is in use.
    pub fn note_use(&self, token: TokenHash, now: UnixTime) {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner).insert(token, now);
    }

    /// Writes what was noted into the store.
    pub async fn write_uses(&self) {
        let uses = std::mem::take(&mut *self.uses.lock().unwrap_or_else(PoisonError::into_inner));
        if uses.is_empty() {
            return;
        }
        let written = self.adapter.ground.store.note_native_uses(uses.clone().into_iter().collect()).await;
        if let Err(error) = written {
            tracing::error!(%error, "the uses of tokens that ERPNext issued can't be written yet");
            let mut noted = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
            for (token, at) in uses {
                noted.entry(token).or_insert(at);
            }
        }
    }

    /// Has ERPNext forget the rows whose grants have ended here, without waiting for the next time that all are read: to a
    /// site that goes back to be without a gateway they are good. Tells how many rows nobody had read before: their grants
    /// live.
    ///
    /// # Errors
    /// When ERPNext or the store can't answer, or a row can't be deleted. Rows may have been taken in even so.
    pub async fn settle(&self, whose: &Whose) -> Result<usize, DirectoryError> {
        self.read_of(whose).await
    }

    /// Whether ERPNext accepts this access token, for this user, now.
    ///
    /// # Errors
    /// When ERPNext can't answer.
    pub async fn accepts(&self, access: &str, user: &UserName) -> Result<bool, DirectoryError> {
        upstream::accepts(Arc::clone(&self.adapter), access, user).await
    }

    /// Whether ERPNext has this refresh token, active.
    ///
    /// # Errors
    /// When ERPNext can't answer.
    pub async fn has_refresh(&self, refresh: &str) -> Result<bool, DirectoryError> {
        upstream::has(&self.adapter, refresh, upstream::REFRESH_ALONE).await
    }

    /// Has ERPNext forget the row of a token, access or refresh, whose grant has ended. Does not wait; what fails is done
    /// when all rows are read again.
    pub fn forget_upstream(&self, token: &str) {
        drop(self.adapter.ground.io.spawn(upstream::forget(Arc::clone(&self.adapter), token.to_owned())));
    }

    /// Whether a grant is one that ERPNext made.
    #[must_use]
    pub fn made(grant: &GrantId) -> bool {
        grant.as_str().starts_with(row::GRANT_PREFIX)
    }

    fn note_ended(&self, grants: Vec<GrantId>) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).extend(grants);
    }

    fn note_read(&self, access: &[TokenHash]) {
        self.read.write().unwrap_or_else(PoisonError::into_inner).extend(access.iter().map(first_bytes));
    }

    fn now(&self) -> UnixTime {
        self.adapter.ground.clock.now()
    }
}

/// All rows are read again after this: that tells which are gone.
const WHOLE_EVERY: Duration = Duration::from_secs(6 * 3600);

fn first_bytes(hash: &TokenHash) -> u64 {
    let bytes = hash.as_bytes().first_chunk::<8>().copied().unwrap_or_default();
    u64::from_be_bytes(bytes)
}
