//! The registered clients, whatever their source.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::DirectoryError;
use crate::oauth::{Client, ClientId};

/// Where a `client_id` is looked up.
#[derive(Debug, Default)]
pub struct ClientRegistry {
    clients: HashMap<ClientId, Arc<Client>>,
    redirect_origins: BTreeSet<String>,
}

impl ClientRegistry {
    /// The registry of these clients.
    #[must_use]
    pub fn new(clients: Vec<Client>) -> Self {
        let enabled = clients.iter().filter(|client| client.enabled);
        let uris = enabled.flat_map(|client| client.redirect_uris.iter().chain(&client.default_redirect_uri));
        let redirect_origins = uris.filter_map(|uri| origin(uri.as_str())).collect();
        let clients = clients.into_iter().map(|client| (client.id.clone(), Arc::new(client))).collect();
        Self { clients, redirect_origins }
    }

    /// The client with this id; `None` when there is none, or it is disabled.
    ///
    /// # Errors
    /// [`DirectoryError`] when the upstream must be asked and can't answer. The clients of the configuration file never
    /// need it.
    #[expect(clippy::unused_async, reason = "callers await: a source that is asked over the network answers here too")]
    pub async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, DirectoryError> {
        Ok(self.clients.get(id).filter(|client| client.enabled).cloned())
    }

    /// The origins of all redirect URIs, as browsers spell them in `Origin`: where scripts of registered clients run.
    #[must_use]
    pub const fn redirect_origins(&self) -> &BTreeSet<String> {
        &self.redirect_origins
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
            service_user: None,
            id_token_alg: None,
            allowed_roles: Vec::new(),
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
    fn origins_are_those_of_web_redirect_uris() {
        let uris = ["https://shop.example.com/cb", "http://localhost:3000/cb", "com.example.app:/cb"];
        let registry = ClientRegistry::new(vec![
            client("shop", &uris, true),
            client("old", &["https://old.example.com/cb"], false),
        ]);
        let origins: Vec<String> = registry.redirect_origins().iter().cloned().collect();
        assert_eq!(origins, ["http://localhost:3000", "https://shop.example.com"]);
    }
}
