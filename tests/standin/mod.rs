//! A stand-in for ERPNext: an HTTP server on its own thread that answers as a real Frappe site
//! was recorded to do, with its quirks and its holes,
//! and keeps every request byte for byte.
//!
//! Not ERPNext's: `/assets/standin/desk.js` (bench's nginx would serve it), the methods `echo`, `slow`, `large`, `stream`, `status`, `set_cookie`,
//! `empress_mcp.handle` (an app could have it), the paths
//! `/ws-echo` and `/ws-refused`, and that header names with `_` are merged with those with `-`
//! (gunicorn before 22), so that a test sees when they get through.
#![allow(dead_code, unused_imports, reason = "each test binary and the demo use their own part of it")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::many_single_char_names,
    clippy::similar_names,
    clippy::struct_field_names,
    clippy::unnecessary_wraps,
    clippy::format_push_string,
    clippy::disallowed_methods,
    reason = "test code: a broken stand-in may panic"
)]

pub mod assets;
mod auth;
mod bearers;
mod body;
mod clock;
mod connection;
mod data;
mod echo;
mod failure;
mod fault;
mod head;
mod json;
mod mcp;
mod methods;
mod multipart;
mod oauth;
mod pages;
mod permissions;
mod query;
mod random;
mod realtime;
mod recorded;
mod records;
mod reply;
mod request;
mod rest;
mod rows;
mod send;
mod server;
mod sha1;
mod site;
mod state;
#[cfg(test)]
mod tests;
mod upload;
mod websocket;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use time::UtcOffset;
use tokio::sync::mpsc;

pub use failure::Failure;
pub use mcp::MCP_METHOD;
pub use realtime::Realtime;
pub use recorded::Recorded;
pub use records::{AsksFor, Bearer, Client, LoginSession, StoredFile, User};

use failure::Rule;
use server::{Command, Shared};
use state::State;

/// The one site; another name in `X-Frappe-Site-Name` gets a 404, until `add_site`.
pub const SITE: &str = "erp.localhost";
/// System User, System Manager.
pub const ALICE: &str = "alice@example.com";
/// Alice's.
pub const ALICE_PASSWORD: &str = "alice-secret";
/// System User without assigned roles.
pub const BOB: &str = "bob@example.com";
/// Bob's.
pub const BOB_PASSWORD: &str = "bob-secret";
/// Website User.
pub const CAROL: &str = "carol@example.com";
/// Carol's.
pub const CAROL_PASSWORD: &str = "carol-secret";
/// The gateway's account, with the role `Auth Gateway`.
pub const GATEWAY_USER: &str = "gateway@example.com";
/// The first half of its API key.
pub const GATEWAY_API_KEY: &str = "gateway-key";
/// The second half.
pub const GATEWAY_API_SECRET: &str = "gateway-secret";
/// The first half of Administrator's API key.
pub const ADMIN_API_KEY: &str = "admin-key";
/// The second half.
pub const ADMIN_API_SECRET: &str = "canary-admin-secret";
/// The OAuth Client that shadow tokens belong to.
pub const SHADOW_CLIENT: &str = "shadowclient";
/// An ordinary client, with the redirect URI `http://localhost:3000/cb`.
pub const ORDINARY_CLIENT: &str = "s1p7u9lop3";
/// Its secret.
pub const ORDINARY_CLIENT_SECRET: &str = "4fc44bd404";

/// A running stand-in; it ends when dropped.
pub struct StandIn {
    address: SocketAddr,
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::start_on(0)
    }

    /// Starts one on this port of 127.0.0.1.
    pub fn start_on(port: u16) -> Self {
        Self::serving(Arc::new(Mutex::new(data::site())), port)
    }

    /// Another server of the same site, as several gunicorns share a database. What it is asked, and how it fails, is its
    /// own.
    pub fn twin(&self) -> Self {
        Self::serving(self.shared.site(), 0)
    }

    fn serving(site: Arc<Mutex<State>>, port: u16) -> Self {
        let shared = Arc::new(Shared::new(site));
        let (commands, received) = mpsc::unbounded_channel();
        let (ready, started) = std::sync::mpsc::channel();
        let of_thread = Arc::clone(&shared);
        let main = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(async move {
                let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                let listener = server::bind(wanted).expect("the port is free");
                let address = listener.local_addr().expect("a listener has an address");
                ready.send(address).expect("the starter waits");
                server::run(listener, address, of_thread, received).await;
            });
        };
        let thread = thread::Builder::new().name("standin".to_owned()).spawn(main);
        let thread = Some(thread.expect("a thread can be made"));
        let address = started.recv().expect("the stand-in starts");
        Self { address, shared, commands, thread }
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// All requests so far, in the order in which their heads came; also those that never ended.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.recorded()
    }

    /// How many of them are so.
    pub fn count(&self, test: impl FnMut(&Recorded) -> bool) -> usize {
        let mut test = test;
        self.requests().iter().filter(|record| test(record)).count()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.forget();
    }

    /// Turns the recording off for a load test, or on again.
    pub fn set_recording(&self, on: bool) {
        self.shared.set_recording(on);
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections()
    }

    /// Fails all requests so, until `heal`. Of several failures the latest that fits counts.
    pub fn fail(&self, failure: Failure) {
        if failure == Failure::Refuse {
            self.command(Command::Close);
        } else {
            self.shared.failures().add(Rule { part: None, failure, left: None });
        }
    }

    /// Fails requests whose target contains `part`.
    pub fn fail_on(&self, part: &str, failure: Failure) {
        self.shared.failures().add(Rule { part: Some(part.to_owned()), failure, left: None });
    }

    /// Fails the next so many requests whose target contains `part`.
    pub fn fail_times(&self, times: usize, part: &str, failure: Failure) {
        let rule = Rule { part: Some(part.to_owned()), failure, left: Some(times) };
        self.shared.failures().add(rule);
    }

    /// Ends all failures; listens again.
    pub fn heal(&self) {
        self.shared.failures().clear();
        self.command(Command::Open);
    }

    fn command(&self, make: impl FnOnce(std::sync::mpsc::Sender<()>) -> Command) {
        let (done, acknowledged) = std::sync::mpsc::channel();
        if self.commands.send(make(done)).is_ok() {
            acknowledged.recv().ok();
        }
    }

    fn state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.shared.state())
    }

    /// Adds a user, or replaces the one of that name.
    pub fn add_user(&self, user: User) {
        self.state(|state| state.put_user(user));
    }

    /// The user of that name.
    pub fn user(&self, name: &str) -> Option<User> {
        self.state(|state| state.user(name).cloned())
    }

    /// Enables or disables a user; a disabled one's login sessions end, his tokens live on.
    pub fn set_enabled(&self, name: &str, enabled: bool) {
        self.state(|state| state.change_user(name, |user| user.enabled = enabled));
    }

    /// Sets the assigned roles.
    pub fn set_roles(&self, name: &str, roles: &[&str]) {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        self.state(|state| state.change_user(name, |user| user.roles = roles));
    }

    /// Sets `user_image`.
    pub fn set_image(&self, name: &str, image: Option<&str>) {
        let image = image.map(str::to_owned);
        self.state(|state| state.change_user(name, |user| user.image = image));
    }

    /// Whether a login with the right password asks for more.
    pub fn ask_for(&self, name: &str, asks_for: AsksFor) {
        self.state(|state| state.change_user(name, |user| user.asks_for = asks_for));
    }

    /// Renames a user as Desk does: sessions, tokens and keys go along, the `sub` stays.
    pub fn rename_user(&self, old: &str, new: &str) {
        self.state(|state| {
            let now = state.column_now();
            for row in state.users.iter_mut().filter(|row| row.it.name == old) {
                new.clone_into(&mut row.it.name);
                new.clone_into(&mut row.it.email);
                row.stamps.modified.clone_from(&now);
            }
            for row in state.bearers.iter_mut().filter(|row| row.it.user == old) {
                new.clone_into(&mut row.it.user);
            }
            for session in state.sessions.iter_mut().filter(|session| session.user == old) {
                new.clone_into(&mut session.user);
            }
            if let Some(keys) = state.api_keys.remove(old) {
                state.api_keys.insert(new.to_owned(), keys);
            }
        });
    }

    /// Deletes a user and the login sessions; rows of tokens stay, as orphans.
    pub fn delete_user(&self, name: &str) {
        self.state(|state| {
            state.users.retain(|row| row.it.name != name);
            state.sessions.retain(|session| session.user != name);
            state.api_keys.remove(name);
        });
    }

    /// Gives a user an API key.
    pub fn set_api_key(&self, user: &str, key: &str, secret: &str) {
        let pair = (key.to_owned(), secret.to_owned());
        self.state(|state| state.api_keys.insert(user.to_owned(), pair));
    }

    /// Adds an OAuth Client, or replaces the one of that name.
    pub fn add_client(&self, client: Client) {
        self.state(|state| state.put_client(client));
    }

    /// The OAuth Client of that id.
    pub fn client(&self, name: &str) -> Option<Client> {
        self.state(|state| state.client(name).cloned())
    }

    /// Deletes an OAuth Client; its tokens' rows stay, and are refused from then on.
    pub fn delete_client(&self, name: &str) {
        self.state(|state| state.clients.retain(|row| row.it.name != name));
    }

    /// Makes a login session; its sid.
    pub fn login(&self, user: &str) -> String {
        self.state(|state| state.begin_session(user).sid)
    }

    /// Makes a login session that has shown Desk: its sid and CSRF token.
    pub fn login_with_csrf_token(&self, user: &str) -> (String, String) {
        self.state(|state| {
            let (sid, token) = (state.begin_session(user).sid, random::hex(56));
            for session in state.sessions.iter_mut().filter(|session| session.sid == sid) {
                session.csrf_token = Some(token.clone());
            }
            (sid, token)
        })
    }

    /// Ends a login session.
    pub fn end_login_session(&self, sid: &str) {
        self.state(|state| state.sessions.retain(|session| session.sid != sid));
    }

    /// The living login sessions.
    pub fn sessions(&self) -> Vec<LoginSession> {
        self.state(|state| state.sessions.clone())
    }

    /// Adds a file under `/files/` or `/private/files/`.
    pub fn add_file(&self, file: StoredFile) {
        self.state(|state| state.files.push(file));
    }

    /// Makes another site name known; it shows the same site.
    pub fn add_site(&self, name: &str) {
        self.state(|state| state.sites.push(name.to_owned()));
    }

    /// Sets the site's time zone for all columns written and read from now on.
    pub fn set_time_zone(&self, name: &str, minutes_east: i16) {
        let zone = UtcOffset::from_whole_seconds(i32::from(minutes_east) * 60);
        self.state(|state| {
            name.clone_into(&mut state.time_zone);
            state.zone = zone.expect("an offset within a day");
        });
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.commands.send(Command::Stop).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
