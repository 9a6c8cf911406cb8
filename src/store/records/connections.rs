//! What a user has allowed a client, as a value.

use crate::{
    clock::UnixTime,
    oauth::{ClientId, Scopes},
};

/// Grants of one user for one client with the same scopes, or a consent that is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The client.
    pub client: ClientId,
    /// The scopes.
    pub scopes: Scopes,
    /// When the first of it was given.
    pub since: UnixTime,
    /// When a token was last used, to an hour.
    pub last_used: Option<UnixTime>,
    /// Whether there is a grant that lives; else the consent alone would give one without asking.
    pub acts: bool,
}
