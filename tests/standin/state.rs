//! The site: users, clients, tokens, login sessions, documents.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use time::{Duration, OffsetDateTime, UtcOffset};

use super::clock;
use super::permissions::Permissions;
use super::random;
use super::records::{Bearer, Client, LoginSession, StoredFile, User};

/// When a document was made and last changed, as columns.
#[derive(Clone, Debug)]
pub struct Stamps {
    pub owner: String,
    pub creation: String,
    pub modified: String,
    pub modified_by: String,
}

/// A document and its stamps.
#[derive(Clone, Debug)]
pub struct Stamped<T> {
    pub it: T,
    pub stamps: Stamps,
}

/// A code of the native authorization endpoint.
#[derive(Clone, Debug)]
pub struct NativeCode {
    pub client: String,
    /// From the *cookie* `user_id`, as Frappe does it.
    pub user: String,
    pub scopes: String,
    pub nonce: Option<String>,
    pub challenge: Option<String>,
    pub method: Option<String>,
}

/// Everything that the site knows.
#[derive(Debug)]
pub struct State {
    pub users: Vec<Stamped<User>>,
    pub clients: Vec<Stamped<Client>>,
    pub bearers: Vec<Stamped<Bearer>>,
    pub sessions: Vec<LoginSession>,
    /// user → (key, secret)
    pub api_keys: BTreeMap<String, (String, String)>,
    pub codes: BTreeMap<String, NativeCode>,
    pub files: Vec<StoredFile>,
    /// doctype → documents without children
    pub documents: BTreeMap<String, Vec<Stamped<Map<String, Value>>>>,
    pub permissions: Permissions,
    pub sites: Vec<String>,
    pub time_zone: String,
    pub zone: UtcOffset,
    last: OffsetDateTime,
}

impl Default for State {
    fn default() -> Self {
        Self {
            users: Vec::new(),
            clients: Vec::new(),
            bearers: Vec::new(),
            sessions: Vec::new(),
            api_keys: BTreeMap::new(),
            codes: BTreeMap::new(),
            files: Vec::new(),
            documents: BTreeMap::new(),
            permissions: Permissions::default(),
            sites: Vec::new(),
            time_zone: "Asia/Kolkata".to_owned(),
            zone: time::macros::offset!(+5:30),
            last: OffsetDateTime::UNIX_EPOCH,
        }
    }
}

impl State {
    /// Now as a column; never the same twice, so that `modified >` misses nothing.
    pub fn column_now(&mut self) -> String {
        self.last = clock::now().max(self.last + Duration::microseconds(1));
        clock::column(self.last, self.zone)
    }

    /// Stamps of a document that `owner` makes now.
    pub fn stamps(&mut self, owner: &str) -> Stamps {
        let now = self.column_now();
        Stamps { owner: owner.to_owned(), creation: now.clone(), modified: now, modified_by: owner.to_owned() }
    }

    /// Adds a user, or replaces the one of that name.
    pub fn put_user(&mut self, user: User) {
        let stamps = self.stamps("Administrator");
        self.users.retain(|row| row.it.name != user.name);
        self.users.push(Stamped { it: user, stamps });
    }

    /// Adds a client, or replaces the one of that name.
    pub fn put_client(&mut self, client: Client) {
        let stamps = self.stamps("Administrator");
        self.clients.retain(|row| row.it.name != client.name);
        self.clients.push(Stamped { it: client, stamps });
    }

    /// Adds a token row, which gets its expiry if it has none.
    pub fn put_bearer(&mut self, mut bearer: Bearer) {
        let stamps = self.stamps(&bearer.owner);
        if bearer.expiration_time.is_none() {
            let end = clock::now() + Duration::seconds(bearer.expires_in);
            bearer.expiration_time = Some(clock::column(end, self.zone));
        }
        self.bearers.push(Stamped { it: bearer, stamps });
    }

    /// The user of that name; like the database, without regard to letter case.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().map(|row| &row.it).find(|user| user.name.eq_ignore_ascii_case(name))
    }

    /// The client of that id.
    pub fn client(&self, name: &str) -> Option<&Client> {
        self.clients.iter().map(|row| &row.it).find(|client| client.name.eq_ignore_ascii_case(name))
    }

    /// The row of that access token; without regard to letter case.
    pub fn bearer(&self, access_token: &str) -> Option<&Bearer> {
        let mut rows = self.bearers.iter().map(|row| &row.it);
        rows.find(|row| row.access_token.eq_ignore_ascii_case(access_token))
    }

    /// Changes a user, and its `modified`.
    pub fn change_user(&mut self, name: &str, change: impl FnOnce(&mut User)) {
        let now = self.column_now();
        if let Some(row) = self.users.iter_mut().find(|row| row.it.name == name) {
            change(&mut row.it);
            row.stamps.modified = now;
        }
        let disabled = self.user(name).is_none_or(|user| !user.enabled);
        if disabled {
            self.sessions.retain(|session| session.user != name);
        }
    }

    /// Whether Frappe lets the token act, by its expiry, status, client and scopes.
    pub fn bearer_is_valid(&self, bearer: &Bearer) -> bool {
        let expiry = bearer.expiration_time.as_deref();
        let alive = expiry.and_then(|text| clock::parse_column(text, self.zone)).is_some_and(|end| end > clock::now());
        let scopes = bearer.scopes.as_deref().unwrap_or_default();
        let client = bearer.client.as_deref().and_then(|name| self.client(name));
        let allowed = client.is_some_and(|client| {
            scopes.split_whitespace().all(|scope| client.scopes.split_whitespace().any(|has| has == scope))
        });
        alive && allowed && bearer.status == "Active" && !scopes.trim().is_empty()
    }

    /// Makes a login session.
    pub fn begin_session(&mut self, user: &str) -> LoginSession {
        let session = LoginSession { sid: random::hex(56), user: user.to_owned(), csrf_token: None };
        self.sessions.push(session.clone());
        session
    }

    /// The session of that sid.
    pub fn session(&self, sid: &str) -> Option<&LoginSession> {
        self.sessions.iter().find(|session| session.sid == sid)
    }

    /// Whether the user may do this to documents of the doctype.
    pub fn may(&self, user: &str, doctype: &str, what: &str) -> bool {
        if user == "Administrator" {
            return true;
        }
        let Some(user) = self.user(user) else { return false };
        self.permissions.allow(&user.effective_roles(), doctype, what)
    }
}
