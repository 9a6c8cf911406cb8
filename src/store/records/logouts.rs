//! The end of login sessions, as values.

use serde::{Deserialize, Serialize};

use super::GrantUser;
use crate::{
    clock::UnixTime,
    oauth::{ClientId, Subject, TokenHash},
};

/// A logout request whose client, hint and redirect URI have been checked (OpenID Connect RP-Initiated Logout 1.0 §2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingLogout {
    /// Who asks, if that is known.
    pub client: Option<ClientId>,
    /// Where the browser goes afterwards, if anywhere.
    pub redirect_uri: Option<String>,
    /// Returned as it came.
    pub state: Option<String>,
    /// The subject that `id_token_hint` named.
    pub hinted_subject: Option<Subject>,
    /// The languages that pages are wanted in.
    pub ui_locales: Option<String>,
    /// The hash of the cookie that binds it to the browser.
    pub browser: TokenHash,
    /// When it is forgotten.
    pub expires_at: UnixTime,
}

/// A login session as one client knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSession {
    /// The client.
    pub client: ClientId,
    /// The claim `sid` towards it.
    pub claim: String,
    /// Who has logged in; unknown only of what an earlier version has written.
    pub user: Option<GrantUser>,
}

/// What ends with a login session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndOfLogin {
    /// The login session.
    pub login: TokenHash,
    /// The clients whose grants of this login session end, but for those with `offline_access`.
    pub ends: Vec<ClientId>,
    /// The clients that are to be told.
    pub notifies: Vec<ClientId>,
    /// The time.
    pub now: UnixTime,
    /// When it is given up to tell them.
    pub notices_expire_at: UnixTime,
}

/// A client that is to be told that a login session has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutNotice {
    /// The client.
    pub client: ClientId,
    /// The claim `sid` that it knows the login session by.
    pub claim: String,
    /// Who had logged in.
    pub sub: Option<Subject>,
    /// How often it was tried before.
    pub attempts: u32,
}
