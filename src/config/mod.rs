//! The configuration: one TOML file, one struct a section, each field of its final type. What has been loaded is valid;
//! what is wrong is reported all at once, each with its path and line.

mod address;
mod admin;
mod agents;
mod cache;
mod changes;
mod client;
mod client_check;
mod cors;
mod document;
mod erpnext;
mod fetch;
mod files;
mod findings;
mod introspection;
mod limits;
mod log;
mod login;
mod optional;
mod pages;
mod problem;
mod registration;
mod revocation;
mod route;
mod server;
mod store;
mod tokens;
mod units;

#[cfg(test)]
mod tests;

use std::{net::SocketAddr, path::Path};

use serde::Deserialize;

pub use self::{
    address::{InvalidAddress, Origin, PublicUrl},
    admin::AdminSettings,
    agents::AgentsSettings,
    cache::CacheSettings,
    changes::{CLIENT_KEYS, Changes},
    client::ClientSettings,
    cors::CorsSettings,
    erpnext::{ClientSync, ErpnextSettings, NativeTokens},
    fetch::FetchSettings,
    introspection::IntrospectionSettings,
    limits::LimitsSettings,
    log::LogSettings,
    login::{LoginPage, LoginSettings},
    pages::{Colour, LARGEST_LOGO, Logo, PagesSettings},
    problem::{Problem, Problems},
    registration::RegistrationSettings,
    revocation::RevocationSettings,
    route::{RouteAuth, RouteSettings},
    server::{ServerSettings, TlsSettings},
    store::{StoreKind, StoreSettings},
    tokens::{AccessFormat, TokensSettings},
    units::{InvalidUnit, Rate, RatePeriod, Size, parse_duration, print_duration},
};
use self::{document::Document, files::ApiKeyFile, findings::Findings};
use crate::secret::Secret;

/// The secret in a file that is read as those that the configuration names are: for its owner alone, one line. `what`
/// names it to the operator.
///
/// # Errors
/// What is wrong with the file.
pub fn secret_file(what: &str, path: &Path) -> Result<Secret, Problems> {
    files::secret(what, path, files::credentials_directory().as_deref())
}

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[server]`
    pub server: ServerSettings,
    /// `[admin]`
    pub admin: AdminSettings,
    /// `[erpnext]`
    pub erpnext: ErpnextSettings,
    /// `[tokens]`
    pub tokens: TokensSettings,
    /// `[cache]`
    pub cache: CacheSettings,
    /// `[store]`
    pub store: StoreSettings,
    /// `[limits]`
    pub limits: LimitsSettings,
    /// `[introspection]`
    pub introspection: IntrospectionSettings,
    /// `[revocation]`
    pub revocation: RevocationSettings,
    /// `[registration]`
    pub registration: RegistrationSettings,
    /// `[agents]`
    pub agents: AgentsSettings,
    /// `[fetch]`
    pub fetch: FetchSettings,
    /// `[cors]`
    pub cors: CorsSettings,
    /// `[login]`
    pub login: LoginSettings,
    /// `[pages]`
    pub pages: PagesSettings,
    /// `[log]`
    pub log: LogSettings,
    /// `[[client]]`
    pub client: Vec<ClientSettings>,
    /// `[[route]]`
    pub route: Vec<RouteSettings>,
}

impl Config {
    /// Reads the file and the secrets that it names.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        files::load(path, files::credentials_directory().as_deref(), ApiKeyFile::Needed)
    }

    /// The same for whoever makes the account's key: its file may be missing or empty, and the key is empty then.
    ///
    /// # Errors
    /// Everything else that is wrong with it.
    pub fn load_without_api_key(path: &Path) -> Result<Self, Problems> {
        files::load(path, files::credentials_directory().as_deref(), ApiKeyFile::MayBeMissing)
    }

    /// Takes the text of a file and reads no other one: secrets in files stay unread.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_toml(text: &str) -> Result<Self, Problems> {
        let document = Document::parse(text)?;
        let (config, problems) = Self::check(&document);
        if problems.is_empty() { Ok(config) } else { Err(Problems::new(problems)) }
    }

    /// What the document says, and everything that is wrong with it short of the files that it names.
    fn check(document: &Document) -> (Self, Vec<Problem>) {
        let (mut config, problems) = document.read::<Self>();
        for (index, client) in config.client.iter_mut().enumerate() {
            client.note_given(|key| document.has(&format!("client[{index}].{key}")));
        }
        let mut findings = Findings::new(document, problems);
        config.server.check(&mut findings);
        config.erpnext.check(&mut findings);
        config.tokens.check(&mut findings);
        config.cache.check(&mut findings);
        config.store.check(&mut findings);
        config.registration.check(&mut findings);
        config.fetch.check(&mut findings);
        config.pages.check(&mut findings);
        config.check_listeners(&mut findings);
        client_check::check(&config.client, config.erpnext.clients, &mut findings);
        client_check::check_key_urls(&config.client, &config.fetch, &mut findings);
        route::check(&config.route, &mut findings);
        if let [only] = config.erpnext.urls.as_slice() {
            config.erpnext.url = only.clone();
        }
        (config, findings.into_problems())
    }

    /// Port 0 is another one each time; any other address can be listened on once.
    fn check_listeners(&self, findings: &mut Findings<'_>) {
        let plain =
            self.server.listen.iter().enumerate().map(|(index, address)| (format!("server.listen[{index}]"), *address));
        let tls = self.server.tls.iter().flat_map(|tls| tls.listen.iter().enumerate());
        let tls = tls.map(|(index, address)| (format!("server.tls.listen[{index}]"), *address));
        let mut seen: Vec<(String, SocketAddr)> = Vec::new();
        for (path, address) in plain.chain(tls).chain([("admin.listen".to_owned(), self.admin.listen)]) {
            match seen.iter().find(|(_, taken)| *taken == address && address.port() != 0) {
                Some((taken, _)) => findings.add(&path, format!("{address} is already taken by {taken}")),
                None => seen.push((path, address)),
            }
        }
    }

    /// What an operator should know though nothing is wrong; logged at start and printed by `check`.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let mut notices = self.erpnext.notices();
        let overrides = self.client.iter().enumerate().filter(|(_, client)| client.is_override());
        for (index, client) in overrides.filter(|_| self.erpnext.clients == ClientSync::Sync) {
            notices.push(format!(
                "client[{index}]: without a secret and redirect_uris, it changes the client \"{}\" of ERPNext's",
                client.id
            ));
        }
        if !self.admin.listen.ip().is_loopback() {
            notices.push(format!(
                "admin.listen = \"{}\": metrics are open to whoever can connect there",
                self.admin.listen
            ));
        }
        if self.server.trusted_proxies.iter().any(|network| network.prefix_len() == 0) {
            notices.push("server.trusted_proxies: a network of all addresses lets every peer choose the address that it is taken for".to_owned());
        }
        notices
    }
}
