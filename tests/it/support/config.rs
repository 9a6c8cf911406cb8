//! The configuration of a gateway under test: what every test needs, and what one changes.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use toml::{Table, Value};

use super::{TestGateway, clients};
use crate::standin::{self, StandIn};

/// A configuration in the making.
pub struct Setup {
    table: Table,
    pub(super) ready_path: &'static str,
    beside: Vec<String>,
    pub(super) waits_for_first_calls: bool,
    by_hand: bool,
    /// In place of the stand-in's URL.
    url: Option<String>,
    /// A write to a file that may not grow fails instead of ending the process.
    pub(super) files_may_be_limited: bool,
}

impl Setup {
    /// The clients of the tests, limits that no test meets by accident, users that are believed for long.
    pub fn new() -> Self {
        let mut setup = Self {
            table: Table::new(),
            ready_path: "/readyz",
            beside: Vec::new(),
            waits_for_first_calls: true,
            by_hand: false,
            url: None,
            files_may_be_limited: false,
        };
        for limit in ["token_failures", "introspection_misses", "authorize", "login_failures", "user_codes"] {
            setup = setup.set(&format!("limits.{limit}"), "1000000/m");
        }
        setup.table.insert("client".to_owned(), clients::blocks().into());
        setup
            .set("erpnext.user_ttl", "1h")
            .set("erpnext.site_name", standin::SITE)
            .set("erpnext.clients", "off")
            .set("server.threads", 2)
            .set("server.max_connections_per_address", 5000)
            .set("log.level", "debug")
    }

    /// Sets `section.key`.
    #[must_use]
    pub fn set(mut self, path: &str, value: impl Into<Value>) -> Self {
        let (section, key) = path.split_once('.').expect("section.key");
        let section = self.table.entry(section).or_insert_with(|| Table::new().into());
        section.as_table_mut().expect("a section").insert(key.to_owned(), value.into());
        self
    }

    /// Adds a `[[route]]`, given as TOML.
    #[must_use]
    pub fn route(mut self, text: &str) -> Self {
        let routes = self.table.entry("route").or_insert_with(|| Vec::<Value>::new().into());
        let route: Table = toml::from_str(text).expect("TOML");
        routes.as_array_mut().expect("a list").push(route.into());
        self
    }

    /// Adds a `[[client]]`, given as TOML.
    #[must_use]
    pub fn client(mut self, text: &str) -> Self {
        let clients = self.table.get_mut("client").and_then(Value::as_array_mut).expect("clients");
        clients.push(toml::from_str::<Table>(text).expect("TOML").into());
        self
    }

    /// Takes a client out.
    #[must_use]
    pub fn without_client(mut self, id: &str) -> Self {
        let clients = self.table.get_mut("client").and_then(Value::as_array_mut).expect("clients");
        clients.retain(|client| client["id"].as_str() != Some(id));
        self
    }

    /// Another upstream, after the gateway's stand-in.
    #[must_use]
    pub fn beside(mut self, url: String) -> Self {
        self.beside.push(url);
        self
    }

    /// Whether tokens that ERPNext issued are read at the start.
    pub(super) fn accepts_natives(&self) -> bool {
        let set = self.table.get("erpnext").and_then(|section| section.get("native_tokens"));
        set.and_then(Value::as_str) != Some("refuse")
    }

    /// Reads clients from ERPNext, and what changes there soon.
    #[must_use]
    pub fn in_step(self) -> Self {
        self.set("erpnext.clients", "sync")
            .set("erpnext.client_sync_interval", "200ms")
            .set("erpnext.user_ttl", "200ms")
    }

    /// Takes the gateway as started before ERPNext has answered it.
    #[must_use]
    pub fn without_erpnext(mut self) -> Self {
        self.ready_path = "/healthz";
        self.without_first_calls()
    }

    /// Takes the gateway as started as soon as it is ready.
    #[must_use]
    pub const fn without_first_calls(mut self) -> Self {
        self.waits_for_first_calls = false;
        self
    }

    /// What is forwarded goes to this server instead of the stand-in.
    #[must_use]
    pub fn forwarding_to(mut self, url: String) -> Self {
        self.url = Some(url);
        self.without_erpnext()
    }

    /// The configuration is written by the test itself: `gateway.toml` in the gateway's folder.
    #[must_use]
    pub fn by_hand(mut self) -> Self {
        self.by_hand = true;
        self
    }

    /// Starts it so that a test can limit the size of its files.
    #[must_use]
    pub const fn files_may_be_limited(mut self) -> Self {
        self.files_may_be_limited = true;
        self
    }

    /// A stand-in, and a gateway that has not been started.
    pub fn unstarted(self) -> TestGateway {
        TestGateway::unstarted(StandIn::start(), self)
    }

    /// Starts the gateway, with a stand-in of its own.
    pub fn start(self) -> TestGateway {
        self.start_on(|_| ())
    }

    /// Starts the gateway in front of a site that is as `site` makes it.
    pub fn start_on(self, site: impl FnOnce(&StandIn)) -> TestGateway {
        TestGateway::new(self, site)
    }

    /// Writes the file, and the secret that it names.
    pub(super) fn write(&self, folder: &Path, port: u16, admin: u16, erpnext: &str) {
        if self.by_hand {
            return;
        }
        let key = format!("{}:{}\n", standin::GATEWAY_API_KEY, standin::GATEWAY_API_SECRET);
        write_secret(&folder.join("erpnext.key"), &key);
        let in_folder = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let erpnext = self.url.as_deref().unwrap_or(erpnext);
        let upstream: (&str, Value) = if self.beside.is_empty() {
            ("erpnext.url", erpnext.into())
        } else {
            let urls: Vec<_> = [erpnext.to_owned()].into_iter().chain(self.beside.iter().cloned()).collect();
            ("erpnext.urls", urls.into())
        };
        let whole = Self { table: self.table.clone(), beside: Vec::new(), url: None, ..*self }
            .set("server.listen", vec![format!("127.0.0.1:{port}")])
            .set("server.public_url", format!("http://127.0.0.1:{port}"))
            .set("admin.listen", format!("127.0.0.1:{admin}"))
            .set(upstream.0, upstream.1)
            .set("erpnext.api_key_file", in_folder("erpnext.key"))
            .set("store.path", in_folder("empress.db"))
            .set("store.secret_key_file", in_folder("secret.key"));
        write_secret(&folder.join("gateway.toml"), &toml::to_string(&whole.table).expect("TOML"));
    }
}

fn write_secret(file: &Path, text: &str) {
    fs::remove_file(file).ok();
    let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    opened.expect("a file").write_all(text.as_bytes()).expect("room for a file");
}
