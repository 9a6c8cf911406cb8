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
}

impl ClientRegistry {
    /// The registry of these clients.
    #[must_use]
    pub fn new(clients: Vec<Client>) -> Self {
        Self { clients: clients.into_iter().map(|client| (client.id.clone(), Arc::new(client))).collect() }
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
    pub fn redirect_origins(&self) -> BTreeSet<String> {
        let enabled = self.clients.values().filter(|client| client.enabled);
        let uris = enabled.flat_map(|client| client.redirect_uris.iter().chain(&client.default_redirect_uri));
        uris.filter_map(|uri| origin(uri.as_str())).collect()
    }
}

/// `None` for a URI of a scheme that has no origin, like those of native apps.
fn origin(uri: &str) -> Option<String> {
    let origin = url::Url::parse(uri).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}
