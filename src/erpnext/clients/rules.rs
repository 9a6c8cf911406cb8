//! What the configuration says of ERPNext's clients.

use crate::{
    config::ClientSettings,
    oauth::{Client, ClientMode},
};

/// What the configuration says of ERPNext's clients.
#[derive(Clone, Debug)]
pub struct ClientRules {
    /// Their mode.
    pub mode: ClientMode,
    /// Whether they may use `grant_type=password`.
    pub password_grant: bool,
    /// The `[[client]]` blocks that say otherwise of single ones.
    pub overrides: Vec<ClientSettings>,
}

impl ClientRules {
    /// The client as its block has it, if it has one.
    pub(super) fn overridden(&self, client: Client) -> Client {
        match self.overrides.iter().find(|block| block.id == client.id.as_str()) {
            Some(block) => block.override_client(client),
            None => client,
        }
    }
}
