//! Clients that were registered here (RFC 7591), as rows.

use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId, TokenHash},
    secret::Secret,
};

/// A client that was registered at the registration endpoint, or by the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredClient {
    /// Its id.
    pub id: ClientId,
    /// What was registered, secret and all, in the words of whoever keeps it.
    pub document: Secret,
    /// The hash of its registration access token (RFC 7592 §3).
    pub registration_token: TokenHash,
    /// `client_id_issued_at`.
    pub registered_at: UnixTime,
    /// When tokens were last issued to it, to a day or so.
    pub last_used: Option<UnixTime>,
}

/// Another document in place of a client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedClient {
    /// What is there from now on.
    pub document: Secret,
    /// What must be there until now; `None`: whatever it is.
    pub before: Option<Secret>,
    /// Whether it is another client than before: what users consented to with that one is forgotten.
    pub is_another: bool,
}

/// A registered client that is gone, and the grants that ended with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedClient {
    /// Its id.
    pub id: ClientId,
    /// Its grants.
    pub ended: Vec<GrantId>,
}
