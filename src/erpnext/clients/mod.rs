//! The registered clients, whatever their source.
//!
//! A client of the configuration file comes before one that was registered here, and before one of ERPNext's under the same id. One that nobody knows is looked
//! up in ERPNext at once, so that a client that was made in Desk a moment ago works.

mod documents;
mod registered;
mod row;
mod rules;
mod upstream;

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;

pub use self::{
    documents::{DescribedClient, TakenUp},
    registered::{REGISTERED_PREFIX, RegisteredClients, Registration, Seen},
    rules::ClientRules,
    upstream::{ClientChanges, UpstreamClients},
};
use super::DirectoryError;
use crate::oauth::{Allowance, Client, ClientId, GrantType, ResponseType, Scope};

/// Where a `client_id` is looked up.
pub struct ClientRegistry {
    file: ArcSwap<Vec<Client>>,
    upstream: Option<UpstreamClients>,
    registered: Option<RegisteredClients>,
    known: ArcSwap<KnownClients>,
    /// Held while what is known is put together: the last one has all.
    taking_up: Mutex<()>,
}

/// The clients that are known, and what they have together.
#[derive(Debug, Default)]
pub struct KnownClients {
    clients: HashMap<ClientId, Arc<Client>>,
    /// The origins of all redirect URIs, as browsers spell them in `Origin`: where scripts of registered clients run.
    pub redirect_origins: BTreeSet<String>,
    /// `openid`, and the scopes that some client may be granted.
    pub scopes: Vec<String>,
    /// The grant types that some client may use, and those of the code flow.
    pub grant_types: Vec<GrantType>,
    /// The response types that some client may ask for, and `code`.
    pub response_types: Vec<ResponseType>,
    /// Whether introspection answers nobody in particular for some client's tokens.
    pub open_introspection: bool,
}

impl KnownClients {
    fn new(clients: Vec<Client>) -> Self {
        let mut known = Self {
            scopes: vec![Scope::OPENID.to_owned()],
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            response_types: vec![ResponseType::CODE],
            ..Self::default()
        };
        for client in clients {
            known.take_up(&client);
            // The first of an id counts.
            known.clients.entry(client.id.clone()).or_insert_with(|| Arc::new(client));
        }
        known
    }

    /// The client with this id, as far as is known.
    #[must_use]
    pub fn client(&self, id: &ClientId) -> Option<&Arc<Client>> {
        self.clients.get(id).filter(|client| client.enabled)
    }

    fn take_up(&mut self, client: &Client) {
        if !client.enabled {
            return;
        }
        let uris = client.redirect_uris.iter().chain(&client.default_redirect_uri);
        self.redirect_origins.extend(uris.filter_map(|uri| origin(uri.as_str())));
        let standard = Scope::OIDC_STANDARD.into_iter().chain(["roles"]).filter(|scope| client.may_be_granted(scope));
        for scope in client.scopes.iter().map(Scope::as_str).chain(standard) {
            add(&mut self.scopes, &scope.to_owned());
        }
        for grant_type in &client.grant_types {
            if *grant_type != GrantType::TokenExchange || client.may_exchange_tokens() {
                add(&mut self.grant_types, grant_type);
            }
        }
        let implicit = ResponseType::IMPLICIT.iter().filter(|response_type| client.may_ask_for(**response_type));
        implicit.for_each(|response_type| add(&mut self.response_types, response_type));
        self.open_introspection |= client.allows(Allowance::OpenIntrospection);
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.clients.values()
    }
}

fn add<T: Clone + PartialEq>(list: &mut Vec<T>, value: &T) {
    if !list.contains(value) {
        list.push(value.clone());
    }
}

impl ClientRegistry {
    /// The registry of these clients alone.
    #[must_use]
    pub fn new(clients: Vec<Client>) -> Self {
        Self::with_upstream(clients, None)
    }

    /// The registry of these clients, and of those that ERPNext has.
    #[must_use]
    pub fn with_upstream(file: Vec<Client>, upstream: Option<UpstreamClients>) -> Self {
        let known = ArcSwap::from_pointee(KnownClients::new(file.clone()));
        Self { file: ArcSwap::from_pointee(file), upstream, registered: None, known, taking_up: Mutex::default() }
    }

    /// The same with the clients that were registered here. They are there after [`Self::recall`].
    #[must_use]
    pub fn with_registered(self, registered: RegisteredClients) -> Self {
        Self { registered: Some(registered), ..self }
    }

    /// The client with this id; `None` when there is none, or it is disabled.
    ///
    /// # Errors
    /// [`DirectoryError`] when the upstream must be asked and can't answer. The clients of the configuration file never
    /// need it.
    pub async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, DirectoryError> {
        if let Some(client) = self.known.load().clients.get(id) {
            return Ok(Some(Arc::clone(client)).filter(|client| client.enabled));
        }
        if registered::is_registered_id(id) || self.describes(id) {
            self.recall_registered().await?;
            return Ok(self.known.load().client(id).cloned());
        }
        let Some(upstream) = &self.upstream else { return Ok(None) };
        let found = Box::pin(upstream.look_up(id)).await?;
        if !found {
            return Ok(None);
        }
        self.take_up();
        Ok(self.known.load().clients.get(id).cloned())
    }

    /// Whether a client with this id can only be one that a document describes.
    fn describes(&self, id: &ClientId) -> bool {
        id.is_url() && self.registered.as_ref().is_some_and(RegisteredClients::take_documents)
    }

    /// Takes other clients for those of the file, and other rules for ERPNext's. Tells which of the file's are another
    /// than before; those that it has no longer are unknown from now on.
    pub fn replace(&self, file: Vec<Client>, rules: ClientRules) -> Vec<ClientId> {
        let before = self.file.swap(Arc::new(file));
        if let Some(upstream) = &self.upstream {
            upstream.replace_rules(rules);
        }
        self.take_up();
        let is_new = |client: &&Client| before.iter().any(|old| old.id == client.id && old != *client);
        self.file.load().iter().filter(is_new).map(|client| client.id.clone()).collect()
    }

    /// The clients that are known now.
    #[must_use]
    pub fn known(&self) -> Arc<KnownClients> {
        self.known.load_full()
    }

    /// Takes ERPNext's clients as the store has them, for while ERPNext is away, and those that were registered here.
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn recall(&self) -> Result<(), DirectoryError> {
        self.recall_registered().await?;
        let Some(upstream) = &self.upstream else { return Ok(()) };
        upstream.recall().await?;
        self.take_up();
        Ok(())
    }

    async fn recall_registered(&self) -> Result<(), DirectoryError> {
        let refreshed = self.refresh_registered().await;
        refreshed.map_err(|error| DirectoryError::Unavailable(format!("registered clients: {error}")))
    }

    /// Writes ERPNext's clients into the store. Only once all is done that their changes ask for: what the store does not
    /// have yet is a change to the next process.
    pub async fn keep(&self) {
        if let Some(upstream) = &self.upstream {
            upstream.keep().await;
        }
    }

    /// Asks ERPNext what has changed since the last time. The changes count from now on.
    ///
    /// # Errors
    /// When ERPNext can't answer: what is known stays.
    pub async fn sync(&self) -> Result<ClientChanges, DirectoryError> {
        let Some(upstream) = &self.upstream else { return Ok(ClientChanges::default()) };
        let first = !upstream.are_known();
        let ClientChanges { mut added, mut changed, mut gone } = upstream.sync().await?;
        if first || !(added.is_empty() && changed.is_empty() && gone.is_empty()) {
            self.take_up();
        }
        // A client of the file's comes before one of ERPNext's: what becomes of that one is nothing to it.
        let file = self.file.load();
        for ids in [&mut added, &mut changed, &mut gone] {
            ids.retain(|id| file.iter().all(|client| client.id != *id));
        }
        Ok(ClientChanges { added, changed, gone })
    }

    /// The `[[client]]` blocks that are to change a client of ERPNext's which is not there, as last heard of.
    #[must_use]
    pub fn idle_overrides(&self) -> Vec<ClientId> {
        self.upstream.as_ref().map(UpstreamClients::idle_overrides).unwrap_or_default()
    }

    fn take_up(&self) {
        let _held = self.taking_up.lock().unwrap_or_else(PoisonError::into_inner);
        let upstream = self.upstream.as_ref().map(UpstreamClients::clients).unwrap_or_default();
        let registered = self.registered.as_ref().map(RegisteredClients::clients).unwrap_or_default();
        let clients = self.file.load().iter().cloned().chain(registered).chain(upstream).collect();
        self.known.store(Arc::new(KnownClients::new(clients)));
    }
}

impl fmt::Debug for ClientRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRegistry").field("known", &self.known.load().clients.len()).finish_non_exhaustive()
    }
}

/// `None` for a URI of a scheme that has no origin, like those of native apps.
fn origin(uri: &str) -> Option<String> {
    let origin = url::Url::parse(uri).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::{
        Allowances, ClientAuthMethod, ClientMode, ClientSource, IdTokenClaims, Pkce, RedirectUri, Scopes,
    };

    fn client(id: &str, redirect_uris: &[&str], enabled: bool) -> Client {
        Client {
            id: ClientId::new(id),
            name: id.to_owned(),
            secret: None,
            keys: None,
            pushes_requests: false,
            binds_tokens: false,
            auth_method: ClientAuthMethod::None,
            redirect_uris: redirect_uris.iter().map(|uri| RedirectUri::parse(uri).expect("a URI")).collect(),
            default_redirect_uri: None,
            scopes: Scopes::default(),
            grant_types: Vec::new(),
            response_types: Vec::new(),
            pkce: Pkce::Required,
            mode: ClientMode::Strict,
            allow: Allowances::default(),
            id_token_claims: IdTokenClaims::Full,
            skip_consent: false,
            exchanges_tokens_of: Vec::new(),
            service_user: None,
            id_token_alg: None,
            allowed_roles: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            ends_with_login: false,
            agent: None,
            enabled,
            source: ClientSource::File,
        }
    }

    #[tokio::test]
    async fn a_client_is_found_by_its_id_unless_it_is_disabled() {
        let registry = ClientRegistry::new(vec![client("shop", &[], true), client("old", &[], false)]);
        let found = async |id: &str| registry.client(&ClientId::new(id)).await.expect("an answer").is_some();
        assert!(found("shop").await);
        assert!(!found("Shop").await);
        assert!(!found("old").await);
    }

    #[test]
    fn token_exchange_is_a_grant_type_of_those_who_may_use_it_alone() {
        let known = |auth_method, exchanges_tokens_of: &[&str]| {
            let exchanging = Client {
                auth_method,
                grant_types: vec![GrantType::TokenExchange],
                exchanges_tokens_of: exchanges_tokens_of.iter().copied().map(ClientId::new).collect(),
                ..client("backend", &[], true)
            };
            ClientRegistry::new(vec![exchanging]).known().grant_types.contains(&GrantType::TokenExchange)
        };
        assert!(known(ClientAuthMethod::Basic, &["shop"]));
        assert!(!known(ClientAuthMethod::None, &["shop"]), "it does not authenticate");
        assert!(!known(ClientAuthMethod::Basic, &[]), "there is nothing that it may exchange");
    }

    #[test]
    fn origins_are_those_of_web_redirect_uris() {
        let uris = ["https://shop.example.com/cb", "http://localhost:3000/cb", "com.example.app:/cb"];
        let registry = ClientRegistry::new(vec![
            client("shop", &uris, true),
            client("old", &["https://old.example.com/cb"], false),
        ]);
        let origins: Vec<String> = registry.known().redirect_origins.iter().cloned().collect();
        assert_eq!(origins, ["http://localhost:3000", "https://shop.example.com"]);
    }
}
