//! The use cases that create or end grants. No HTTP here, and no reading of access tokens: that is the access part's.

mod access_token;
mod allowances;
mod authorization_code;
mod client_credentials;
mod device;
mod id_token;
mod logout;
mod password;
mod refresh_token;
mod refusal;
mod revocation;
mod signing;

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

pub use access_token::{AccessJwts, RequestedAccess};
pub use allowances::AllowanceCounter;
pub use authorization_code::{FrontChannelTokens, PresentedCode};
pub use device::DeviceCodes;
pub use id_token::IdTokenParts;
pub use logout::{LogoutCause, Logouts};
pub use refusal::{GrantRefusal, IssueError};
pub use revocation::PresentedToken;
pub use signing::{HEARD_OF, JWKS_MAX_AGE, KeyLives, KeyPhase, KeyRound, KeyTimes, LEAD, SigningError, SigningKeys};

use self::access_token::AccessTokenParts;
use crate::{
    clock::{Clock, UnixTime},
    config::AccessFormat,
    erpnext::{Directory, DirectoryError, Freshness, NativeTokens},
    oauth::{
        Allowance, Client, GrantId, GrantType, KeyThumbprint, OpenedClaims, Profile, Resources, Scope, Scopes,
        SigningAlgorithm, TokenHash, TokenKind, TokenMint, UserName,
    },
    random::Random,
    secret::Secret,
    store::{Grant, GrantUser, NewGrant, NewRefreshToken, Store},
    telemetry::audit::{Audit, AuditEvent},
};

/// How long things live, and how they are signed.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// `iss`: the public origin.
    pub issuer: String,
    /// Life of an access token, and of an id_token.
    pub access_ttl: Duration,
    /// Life of a refresh token after its last use.
    pub refresh_ttl: Duration,
    /// How long a rotated refresh token still gives its successor.
    pub refresh_grace: Duration,
    /// Life of an authorization code.
    pub code_ttl: Duration,
    /// What access tokens look like.
    pub access_format: AccessFormat,
    /// How id_tokens are signed unless the client says otherwise.
    pub id_token_alg: SigningAlgorithm,
}

/// Who hears that a grant has ended: whoever keeps facts of its tokens in memory.
pub type GrantEnded = Arc<dyn Fn(&GrantId) + Send + Sync>;

/// What the issuer works with.
pub struct Issuer {
    /// Where grants are kept.
    pub store: Arc<dyn Store>,
    /// Who the users are.
    pub directory: Arc<dyn Directory>,
    /// Knows the tokens that ERPNext issued itself; `None`: those are refused.
    pub natives: Option<Arc<NativeTokens>>,
    /// Makes tokens.
    pub mint: Arc<TokenMint>,
    /// Signs id_tokens.
    pub signing: Arc<SigningKeys>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives unguessable bytes.
    pub random: Arc<dyn Random>,
    /// How long things live.
    pub settings: IssuerSettings,
    /// Told of each ended grant, after the store.
    pub grant_ended: GrantEnded,
    /// Counts the lax behaviours that are used.
    pub allowances: Arc<AllowanceCounter>,
    /// Writes down who was granted what.
    pub audit: Arc<Audit>,
}

/// A user who has logged in and may use the client.
#[derive(Clone, Debug)]
pub struct Login {
    /// Who.
    pub user: GrantUser,
    /// When, if the login was seen.
    pub auth_time: Option<UnixTime>,
    /// The claim `sid`.
    pub session_claim: Option<String>,
    /// The hash of the login session.
    pub login: Option<TokenHash>,
}

/// A successful token response (RFC 6749 §5.1), before it is put into words.
#[derive(Debug)]
pub struct IssuedTokens {
    /// The access token.
    pub access_token: Secret,
    /// Its life in seconds.
    pub expires_in: u64,
    /// Its scopes.
    pub scopes: Scopes,
    /// The refresh token, where the client may use one.
    pub refresh_token: Option<Secret>,
    /// The id_token, with scope `openid`.
    pub id_token: Option<String>,
    /// The grant that they stand for.
    pub grant: GrantId,
    /// The user that they act as.
    pub user: UserName,
    /// The key that they are bound to.
    pub dpop_key: Option<KeyThumbprint>,
}

impl Issuer {
    /// Checks that the user may use this client now: exists, is enabled, is still the one that the grant was given to,
    /// and has one of the roles that the client asks for (contract, check 8).
    ///
    /// # Errors
    /// The reason; or that the upstream can't tell.
    pub async fn check_user(&self, client: &Client, user: &GrantUser) -> Result<(), IssueError> {
        let known = self.directory.user(&user.name).await?.filter(|known| known.enabled).ok_or(IssueError::UserGone)?;
        if known.sub != user.sub {
            return Err(IssueError::UserGone);
        }
        if client.allowed_roles.is_empty() {
            return Ok(());
        }
        let has_one = self.directory.has_role(&user.name, &client.allowed_roles, Freshness::Issuing).await?;
        if has_one { Ok(()) } else { Err(IssueError::RoleMissing) }
    }

    /// The user under this name, with the subject that the name has now.
    ///
    /// # Errors
    /// [`IssueError::UserGone`] when there is none, or it is disabled.
    pub async fn grant_user(&self, name: &UserName) -> Result<GrantUser, IssueError> {
        let known = self.directory.user(name).await?.filter(|known| known.enabled).ok_or(IssueError::UserGone)?;
        Ok(GrantUser { name: known.name, sub: known.sub })
    }

    /// The user's profile, with the details that the opened claims need; `None` when the user is gone, disabled or somebody
    /// else.
    ///
    /// # Errors
    /// When the upstream can't tell.
    pub async fn profile(&self, user: &GrantUser, opened: OpenedClaims<'_>) -> Result<Option<Profile>, DirectoryError> {
        let profile = match self.directory.profile(user).await {
            Err(DirectoryError::UserGone) => None,
            profile => profile?,
        };
        match profile {
            Some(profile) if opened.need_details() => {
                let details = self.directory.profile_details(user).await?;
                Ok(Some(Profile { details, ..profile }))
            }
            profile => Ok(profile),
        }
    }

    /// The claims of userinfo that were asked for by name when a grant was given.
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn userinfo_claims(&self, grant: &GrantId) -> Result<Vec<String>, IssueError> {
        Ok(self.store.grant(grant).await?.map(|grant| grant.userinfo_claims).unwrap_or_default())
    }

    /// Writes an event into the audit trail.
    pub fn record(&self, event: &AuditEvent<'_>) {
        self.audit.record(self.clock.now(), event);
    }

    /// Notes that a client used an allowance.
    pub fn count(&self, client: &Client, allowance: Allowance) {
        self.allowances.count(&client.id, allowance, self.clock.now());
    }

    /// The time in milliseconds, and 80 random bits: grants of one time stand together in the store, so that new ones touch
    /// few of its pages. An id is no secret.
    fn new_grant_id(&self) -> GrantId {
        let [_, _, time @ ..] = self.clock.now().millis().to_be_bytes();
        let id: Vec<u8> = time.into_iter().chain(self.random.bytes::<10>()).collect();
        GrantId::new(URL_SAFE_NO_PAD.encode(id))
    }

    /// Writes a grant with its first tokens, and gives them.
    async fn issue(&self, client: &Client, first: FirstTokens) -> Result<IssuedTokens, IssueError> {
        let now = first.grant.created_at;
        let (access_token, access) = self
            .access_token(AccessTokenParts {
                grant: &first.grant,
                scopes: &first.grant.scopes,
                resources: &first.resources,
                dpop_key: first.dpop_key,
                now,
                expires_at: now.plus(self.settings.access_ttl),
            })
            .await?;
        let refresh = first.with_refresh.then(|| self.mint.mint(TokenKind::Refresh, &*self.random));
        let id_token = if first.with_id_token && first.grant.scopes.contains(Scope::OPENID) {
            let parts = IdTokenParts {
                grant: &first.grant,
                scopes: &first.grant.scopes,
                nonce: first.nonce.as_deref(),
                access_token: Some(access_token.expose()),
                code: None,
                now,
            };
            Some(self.id_token(client, parts).await?)
        } else {
            None
        };
        let scopes = first.grant.scopes.clone();
        let (id, user) = (first.grant.id.clone(), first.grant.user.name.clone());
        let new_refresh = refresh.as_ref().map(|refresh| NewRefreshToken {
            hash: refresh.hash,
            issued_at: now,
            expires_at: now.plus(self.settings.refresh_ttl),
        });
        let dpop_key = first.dpop_key;
        let grant = NewGrant {
            grant: first.grant,
            access,
            refresh: new_refresh,
            from_code: first.from_code,
            in_login: first.in_login,
        };
        self.store.issue_grant(grant).await?;
        Ok(IssuedTokens {
            access_token,
            expires_in: self.settings.access_ttl.as_secs(),
            scopes,
            refresh_token: refresh.map(|refresh| refresh.text),
            id_token,
            grant: id,
            user,
            dpop_key,
        })
    }
}

/// A grant that is about to begin.
struct FirstTokens {
    grant: Grant,
    from_code: Option<TokenHash>,
    in_login: Option<TokenHash>,
    nonce: Option<String>,
    with_refresh: bool,
    with_id_token: bool,
    /// The resources that the access token is for.
    resources: Resources,
    dpop_key: Option<KeyThumbprint>,
}

fn may_refresh(client: &Client) -> bool {
    client.grant_types.contains(&GrantType::RefreshToken)
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKeys(…)")
    }
}
