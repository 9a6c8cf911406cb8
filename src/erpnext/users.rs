//! ERPNext's users, kept in step with it: one list call per round for all of them, and a direct look at one that the
//! list has not shown yet.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::Deserialize;
use serde_json::json;

use super::{
    DirectoryError, DirectoryUser,
    agent::{Agent, As, Call},
    answer::Data,
    known_users::{ADMINISTRATOR, Change, Extent, KnownUser, KnownUsers, derived_subject},
    list::{self, List, PAGE},
    login_session::GUEST,
};
use crate::{
    clock::{Clock, UnixTime},
    oauth::{Subject, UserName},
};

/// Subjects of so many users are asked for by name; of more, all are.
const MAX_NAMED: usize = 50;
/// Names without a user that are remembered, and for how long at most.
const ABSENT_CAPACITY: u64 = 10_000;
const ABSENT_TTL: Duration = Duration::from_secs(10);
const NEEDS_READ: &str = "read on User";
/// The type of the users who may use Desk.
const SYSTEM_USER: &str = "System User";
const MAX_NAME: usize = 140;
/// While ERPNext can't list its users, they are believed for so many times `user_ttl`, and at least this long.
const BELIEVED_TTLS: u32 = 4;
const BELIEVED_LEAST: Duration = Duration::from_secs(60);

/// The users.
pub(super) struct Users {
    agent: Arc<Agent>,
    clock: Arc<dyn Clock>,
    issuer: String,
    ttl: Duration,
    known: RwLock<KnownUsers>,
    /// When the last list call that succeeded was made, in milliseconds; for the hot path, which takes no lock.
    listed_at: AtomicU64,
    absent: moka::sync::Cache<UserName, UnixTime>,
}

#[derive(Deserialize)]
struct UserRow {
    name: UserName,
    enabled: u8,
    #[serde(default)]
    user_type: String,
    #[serde(default)]
    modified: String,
    #[serde(default)]
    social_logins: Vec<SocialLogin>,
}

#[derive(Deserialize)]
struct SocialLogin {
    /// Left out by ERPNext when the account may not read users.
    parent: Option<UserName>,
    #[serde(default)]
    provider: Option<String>,
    userid: Option<String>,
}

impl UserRow {
    fn known_as(&self, sub: Subject) -> KnownUser {
        let is_system = self.user_type == SYSTEM_USER;
        KnownUser { sub, enabled: self.enabled != 0, is_system, modified: self.modified.clone() }
    }
}

impl Users {
    pub(super) fn new(agent: Arc<Agent>, clock: Arc<dyn Clock>, issuer: &str, ttl: Duration) -> Self {
        Self {
            agent,
            clock,
            issuer: issuer.to_owned(),
            ttl,
            known: RwLock::new(KnownUsers::new(PAGE)),
            listed_at: AtomicU64::new(0),
            absent: moka::sync::Cache::builder().max_capacity(ABSENT_CAPACITY).time_to_live(ABSENT_TTL).build(),
        }
    }

    /// Whether the users were asked for within `user_ttl`.
    pub(super) fn are_fresh(&self) -> bool {
        self.read().asked_at().is_some_and(|at| self.clock.now().since(at) <= self.ttl)
    }

    /// Whether what is known of users is young enough for requests with tokens: several rounds may fail, not all.
    pub(super) fn are_believed(&self, now: UnixTime) -> bool {
        let listed_at = UnixTime::from_millis(self.listed_at.load(Ordering::Acquire));
        now.since(listed_at) <= (self.ttl * BELIEVED_TTLS).max(BELIEVED_LEAST)
    }

    /// The user as last listed, however long ago; `None`: not listed.
    pub(super) fn listed(&self, name: &UserName) -> Option<KnownUser> {
        let listed = self.read().user(name).cloned();
        listed.or_else(|| (name.as_str() == ADMINISTRATOR).then(|| self.administrator()))
    }

    /// Administrator, whom ERPNext shows to nobody else, is always there, and enabled.
    fn administrator(&self) -> KnownUser {
        let sub = derived_subject(&self.issuer, &UserName::new(ADMINISTRATOR));
        KnownUser { sub, enabled: true, is_system: true, modified: String::new() }
    }

    /// One round: lists the users, or those that changed, and tells what changed.
    pub(super) async fn refresh(&self) -> Result<Vec<(UserName, Change)>, DirectoryError> {
        let asked_at = self.clock.now();
        let extent = self.read().next_extent();
        let rows = self.list(&extent).await?;
        let news: Vec<&UserRow> = {
            let known = self.read();
            rows.iter().filter(|row| known.is_news(&row.name, row.enabled != 0, &row.modified)).collect()
        };
        let subjects = self.subjects(&news).await?;
        let gone = match extent {
            Extent::Whole => self.vanished(&rows).await?,
            Extent::ModifiedSince(_) => Vec::new(),
        };
        let mut known = self.write();
        let mut changes = Vec::new();
        for row in news {
            let sub = subjects.get(&row.name).cloned().unwrap_or_else(|| derived_subject(&self.issuer, &row.name));
            let user = row.known_as(sub);
            changes.extend(known.learn(&row.name, user).map(|change| (row.name.clone(), change)));
        }
        changes.extend(gone.into_iter().map(|name| (name.clone(), known.forget(&name))));
        known.end_round(asked_at);
        self.listed_at.store(asked_at.millis(), Ordering::Release);
        Ok(changes)
    }

    /// The user, when the list is fresh: from it, or asked for directly, since it may be newer than the list.
    pub(super) async fn user(&self, name: &UserName) -> Result<Option<DirectoryUser>, DirectoryError> {
        if let Some(known) = self.listed(name) {
            return Ok(Some(directory_user(name.clone(), known)));
        }
        let now = self.clock.now();
        let absent = self.absent.get(name).is_some_and(|since| now.since(since) < ABSENT_TTL.min(self.ttl));
        if absent || !may_be_asked_for(name) {
            return Ok(None);
        }
        let Some(row) = self.document(name).await? else {
            self.absent.insert(name.clone(), now);
            return Ok(None);
        };
        let login = row.social_logins.iter().find(|login| login.provider.as_deref() == Some("frappe"));
        let sub = login.and_then(|login| login.userid.clone()).filter(|sub| !sub.is_empty());
        let sub = sub.map_or_else(|| derived_subject(&self.issuer, &row.name), Subject::new);
        let user = row.known_as(sub);
        if self.read().user(&row.name).is_none() {
            self.write().learn(&row.name, user.clone());
        }
        Ok(Some(directory_user(row.name, user)))
    }

    async fn document(&self, name: &UserName) -> Result<Option<UserRow>, DirectoryError> {
        let path = ["api", "resource", "User", name.as_str()];
        let call = Call::get("user", &path, As::Account);
        let answer = self.agent.send(call).await?.for_account(NEEDS_READ)?;
        answer.map(|answer| Ok(answer.read::<Data<UserRow>>()?.data)).transpose()
    }

    async fn list(&self, extent: &Extent) -> Result<Vec<UserRow>, DirectoryError> {
        let filters = match extent {
            Extent::Whole => json!([]),
            Extent::ModifiedSince(since) => json!([["modified", ">=", since]]),
        };
        let filters = filters.to_string();
        let query = [("fields", r#"["name","enabled","user_type","modified"]"#), ("filters", filters.as_str())];
        let users = List { what: "users", doctype: "User", needs: NEEDS_READ, query: &query };
        let mut rows: Vec<UserRow> = list::all(&self.agent, users).await?;
        rows.retain(|row| row.name.as_str() != GUEST);
        Ok(rows)
    }

    /// The subjects of these users; who is not in the answer has none of ERPNext's.
    async fn subjects(&self, users: &[&UserRow]) -> Result<HashMap<UserName, Subject>, DirectoryError> {
        if users.is_empty() {
            return Ok(HashMap::new());
        }
        let mut filters = vec![json!(["provider", "=", "frappe"])];
        if users.len() <= MAX_NAMED {
            let names: Vec<&str> = users.iter().map(|row| row.name.as_str()).collect();
            filters.push(json!(["parent", "in", names]));
        }
        let filters = json!(filters).to_string();
        let query = [("parent", "User"), ("fields", r#"["parent","userid"]"#), ("filters", filters.as_str())];
        let logins = List { what: "subjects", doctype: "User Social Login", needs: NEEDS_READ, query: &query };
        let rows: Vec<SocialLogin> = list::all(&self.agent, logins).await?;
        let mut subjects = HashMap::new();
        for row in rows {
            let Some(parent) = row.parent else { return Err(may_not_read_users()) };
            if let Some(sub) = row.userid.filter(|sub| !sub.is_empty()) {
                subjects.insert(parent, Subject::new(sub));
            }
        }
        Ok(subjects)
    }

    /// Those of the known users that a whole list leaves out and that ERPNext says are not there: an account that has
    /// lost its right to read users gets a short list without an error.
    async fn vanished(&self, rows: &[UserRow]) -> Result<Vec<UserName>, DirectoryError> {
        let listed: HashSet<UserName> = rows.iter().map(|row| row.name.clone()).collect();
        let missing = self.read().missing_from(&listed);
        let mut vanished = Vec::new();
        for name in missing {
            // MariaDB compares without regard to letter case: another spelling is another user.
            if self.document(&name).await?.is_none_or(|row| row.name != name) {
                vanished.push(name);
            }
        }
        Ok(vanished)
    }

    fn read(&self) -> RwLockReadGuard<'_, KnownUsers> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, KnownUsers> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn may_not_read_users() -> DirectoryError {
    DirectoryError::Refused(format!(
        "subjects: the gateway's ERPNext account may not read users. Its role needs {NEEDS_READ}: grant it in the Role \
         Permissions Manager, or run `empress-gateway setup-erpnext`"
    ))
}

fn directory_user(name: UserName, known: KnownUser) -> DirectoryUser {
    DirectoryUser { name, sub: known.sub, enabled: known.enabled }
}

/// Guest is nobody; Administrator in another spelling would be refused; and dots would change the path.
fn may_be_asked_for(name: &UserName) -> bool {
    let name = name.as_str();
    let standard = [GUEST, ADMINISTRATOR].iter().any(|standard| name.eq_ignore_ascii_case(standard));
    let dots = matches!(name, "" | "." | "..");
    !standard && !dots && name.len() <= MAX_NAME && !name.chars().any(char::is_control)
}
