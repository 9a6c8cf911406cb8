//! What the other parts may ask of the upstream's users, and the answers' types. No word of Frappe here.

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use http::HeaderValue;

use super::UpstreamUser;
use crate::{
    clock::UnixTime,
    oauth::{Profile, ProfileDetails, Subject, UserName},
    secret::Secret,
    store::GrantUser,
};

/// Why the upstream can't answer. Every caller denies on it: 503, never "inactive", never let through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// It is away, too slow, answers something that can't be understood, or what is known is too old by now.
    #[error("ERPNext is unavailable: {0}")]
    Unavailable(String),
    /// It does not let the gateway's account do this; the text tells the operator what to do.
    #[error("ERPNext refuses the gateway: {0}")]
    Refused(String),
    /// The user is disabled, deleted, or somebody else under the same name by now: nothing is done on its behalf.
    /// [`UpstreamUser::is_enabled`] is false from then on; the only one of the three that is no fault of ours.
    #[error("the user is disabled or gone")]
    UserGone,
}

/// A login session's cookie and the address that presented it.
#[derive(Clone, Debug)]
pub struct LoginProbe {
    /// The value of the cookie `sid`.
    pub sid: Secret,
    /// Whose request it came with: the upstream may bind a login to addresses.
    pub peer: IpAddr,
}

/// A user as the upstream lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryUser {
    /// The upstream's own spelling of the name.
    pub name: UserName,
    /// The subject that the name has now.
    pub sub: Subject,
    /// Whether the user may do anything.
    pub enabled: bool,
}

/// What came of a user name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    /// They are this user's.
    Right(UserName),
    /// They are nobody's, or the user is disabled, or locked out.
    Wrong,
    /// They are right so far, but the upstream asks for a further step that only its own page has.
    SecondFactor,
}

/// What came of a login.
#[derive(Clone, Debug)]
pub enum LogIn {
    /// The user is logged in.
    In(LoginCookies),
    /// User name and password are nobody's, or the user is disabled, or locked out.
    Wrong,
    /// They are right so far, but the upstream asks for a further step that only its own page has.
    Elsewhere,
}

/// A new login session as the upstream gives it to a browser.
#[derive(Clone, Debug)]
pub struct LoginCookies {
    /// The login session.
    pub sid: Secret,
    /// `Set-Cookie`, each line.
    pub lines: Vec<HeaderValue>,
    /// How long the login session lives.
    pub life: Duration,
}

/// How young an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Something is about to be issued: at most `user_ttl` old.
    Issuing,
    /// A token is checked: as young as what is known of the user, whose every change is heard of within `user_ttl`.
    Checking,
}

/// Users and logins as the upstream knows them. [`super::Erpnext`] is the real one; tests use their own.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// Whose login session this is, asked live; `None`: nobody's.
    async fn login_session(&self, probe: &LoginProbe) -> Result<Option<UserName>, DirectoryError>;
    /// The user as known at most `user_ttl` ago; `None`: there is none.
    async fn user(&self, name: &UserName) -> Result<Option<DirectoryUser>, DirectoryError>;
    /// Whether the user has one of these roles now, the automatic ones included.
    async fn has_role(&self, name: &UserName, roles: &[String], freshness: Freshness) -> Result<bool, DirectoryError>;
    /// The profile for userinfo and id_token, kept until the user changes, at most some minutes; `None` when the user is
    /// gone, disabled or somebody else.
    async fn profile(&self, user: &GrantUser) -> Result<Option<Profile>, DirectoryError>;
    /// What the profile leaves out, kept as long; none of it for a user whom the gateway's account can't see.
    async fn profile_details(&self, user: &GrantUser) -> Result<ProfileDetails, DirectoryError>;
    /// Checks a password by the upstream's own login, and ends the login session that came of it at once.
    async fn check_password(
        &self,
        username: &str,
        password: &Secret,
        peer: IpAddr,
    ) -> Result<PasswordCheck, DirectoryError>;
    /// Logs a user in, for a browser at this address.
    async fn log_in(&self, username: &str, password: &Secret, peer: IpAddr) -> Result<LogIn, DirectoryError>;
    /// Ends a login session, for the address that it belongs to; one that has ended is no error.
    async fn end_login_session(&self, probe: &LoginProbe) -> Result<(), DirectoryError>;
    /// Whether what is known of users at `now` is young enough to let requests with tokens through.
    fn users_are_known(&self, now: UnixTime) -> bool;
    /// The shared state of a user on the hot path: the same `Arc` for the same user.
    fn upstream_user(&self, user: &GrantUser) -> Arc<UpstreamUser>;
    /// Makes sure that the user has a usable credential: from memory, else the store, else made upstream; once per user
    /// however many wait.
    async fn credential(&self, user: &UpstreamUser) -> Result<HeaderValue, DirectoryError>;
    /// After the upstream answered 401 to `refused`: finds out whether that credential is dead, and gives the one to try
    /// once more with; `None`: the 401 was the upstream's own, or the last renewal is too recent.
    async fn renew_after_unauthorized(
        &self,
        user: &UpstreamUser,
        refused: &HeaderValue,
    ) -> Result<Option<HeaderValue>, DirectoryError>;
    /// Whether the upstream answers, and lets the gateway's account do what it must.
    async fn ready(&self) -> Result<(), DirectoryError>;
}
