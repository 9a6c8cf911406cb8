//! What the benches share: a store on disk, and users that are always known.

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use empress_gateway::{
    clock::UnixTime,
    erpnext::{Directory, DirectoryError, DirectoryUser, Freshness, LogIn, LoginProbe, PasswordCheck, UpstreamUser},
    oauth::{
        Allowances, Client, ClientAuthMethod, ClientId, ClientMode, ClientSource, GrantType, IdTokenClaims, Pkce,
        Profile, ProfileDetails, RedirectUri, ResponseType, Scopes, SiteId, Subject, UserName,
    },
    secret::{Secret, SecretKey},
    store::{EmbeddedStore, GrantUser},
};
use http::HeaderValue;
use tempfile::TempDir;

/// The client of every bench.
pub const CLIENT: &str = "bench";
/// Its redirect URI.
pub const CALLBACK: &str = "https://bench.example.com/callback";
/// When everything happens.
pub const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// The key of every bench.
pub fn key() -> SecretKey {
    SecretKey::new([7; 32])
}

/// A store in a folder of its own.
pub fn store() -> (TempDir, EmbeddedStore) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = EmbeddedStore::open(&folder.path().join("bench.db"), SiteId::new("bench"), &key()).expect("a store");
    (folder, store)
}

/// The user of every bench.
pub fn alice() -> GrantUser {
    GrantUser { name: UserName::new("alice@example.com"), sub: Subject::new("alice") }
}

/// The scopes of every bench.
pub fn scopes() -> Scopes {
    Scopes::parse("all openid").expect("scopes")
}

/// A strict client with a secret.
pub fn client() -> Client {
    Client {
        id: ClientId::new(CLIENT),
        name: CLIENT.to_owned(),
        secret: Some(Secret::new("a secret of the bench's client")),
        keys: None,
        pushes_requests: false,
        binds_tokens: false,
        auth_method: ClientAuthMethod::Basic,
        redirect_uris: vec![RedirectUri::parse(CALLBACK).expect("a redirect URI")],
        default_redirect_uri: None,
        scopes: scopes(),
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        response_types: vec![ResponseType::CODE],
        pkce: Pkce::Optional,
        mode: ClientMode::Strict,
        allow: Allowances::default(),
        id_token_claims: IdTokenClaims::Full,
        skip_consent: true,
        exchanges_tokens_of: Vec::new(),
        service_user: None,
        id_token_alg: None,
        allowed_roles: Vec::new(),
        post_logout_redirect_uris: Vec::new(),
        backchannel_logout_uri: None,
        ends_with_login: false,
        agent: None,
        enabled: true,
        source: ClientSource::File,
    }
}

/// Knows one user, who has a credential.
pub struct OneUser(Arc<UpstreamUser>);

impl OneUser {
    /// The directory.
    pub fn new() -> Arc<Self> {
        let user = UpstreamUser::new(alice());
        let end = NOW.plus(Duration::from_secs(86_400));
        user.set_credential(&Secret::new(format!("emp_sh_{}", "x".repeat(57))), end, end).expect("a header");
        Arc::new(Self(Arc::new(user)))
    }
}

#[async_trait]
impl Directory for OneUser {
    async fn login_session(&self, _: &LoginProbe) -> Result<Option<UserName>, DirectoryError> {
        Ok(None)
    }

    async fn user(&self, _: &UserName) -> Result<Option<DirectoryUser>, DirectoryError> {
        let GrantUser { name, sub } = alice();
        Ok(Some(DirectoryUser { name, sub, enabled: true }))
    }

    async fn has_role(&self, _: &UserName, _: &[String], _: Freshness) -> Result<bool, DirectoryError> {
        Ok(true)
    }

    async fn profile(&self, user: &GrantUser) -> Result<Option<Profile>, DirectoryError> {
        Ok(Some(Profile {
            user: user.name.clone(),
            sub: user.sub.clone(),
            name: Some("Alice Anders".to_owned()),
            given_name: Some("Alice".to_owned()),
            family_name: Some("Anders".to_owned()),
            email: Some("alice@example.com".to_owned()),
            picture: None,
            roles: vec!["System Manager".to_owned(), "All".to_owned(), "Guest".to_owned(), "Desk User".to_owned()],
            details: ProfileDetails::default(),
        }))
    }

    async fn profile_details(&self, _: &GrantUser) -> Result<ProfileDetails, DirectoryError> {
        Ok(ProfileDetails::default())
    }

    async fn check_password(&self, _: &str, _: &Secret, _: IpAddr) -> Result<PasswordCheck, DirectoryError> {
        Ok(PasswordCheck::Wrong)
    }

    async fn log_in(&self, _: &str, _: &Secret, _: IpAddr) -> Result<LogIn, DirectoryError> {
        Ok(LogIn::Wrong)
    }

    async fn end_login_session(&self, _: &LoginProbe) -> Result<(), DirectoryError> {
        Ok(())
    }

    fn users_are_known(&self, _: UnixTime) -> bool {
        true
    }

    fn upstream_user(&self, _: &GrantUser) -> Arc<UpstreamUser> {
        Arc::clone(&self.0)
    }

    async fn credential(&self, user: &UpstreamUser) -> Result<HeaderValue, DirectoryError> {
        user.credential_at(NOW).ok_or(DirectoryError::UserGone)
    }

    async fn renew_after_unauthorized(
        &self,
        _: &UpstreamUser,
        _: &HeaderValue,
    ) -> Result<Option<HeaderValue>, DirectoryError> {
        Ok(None)
    }

    async fn ready(&self) -> Result<(), DirectoryError> {
        Ok(())
    }
}
