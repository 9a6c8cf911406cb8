//! The rows of the store, as values.

mod agents;
mod connections;
mod devices;
mod logouts;
mod native;
mod registered;

use serde::{Deserialize, Serialize};

pub use agents::{AgentUse, Day, StoppedAgents};
pub use connections::Connection;
pub use devices::{DeviceApproval, DeviceDecision, POLL_INTERVAL, PendingDevice, TakenDevice};
pub use logouts::{ClientSession, EndOfLogin, LogoutNotice, PendingLogout};
pub use native::{NativeCount, NativeImport, NativeRow, NativeState};
pub use registered::{ChangedClient, RegisteredClient, RemovedClient};

use crate::{
    clock::UnixTime,
    oauth::{
        Actor, Allowance, AuthorizationRequest, ClientId, GrantId, KeyId, KeyThumbprint, Resources, Scopes,
        SigningAlgorithm, Subject, TokenHash, UserName, pkce::CodeChallenge,
    },
    secret::Secret,
};

/// An accepted authorization request that waits for login or consent (decision 13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRequest {
    /// The request.
    pub request: AuthorizationRequest,
    /// The hash of the cookie that binds it to the browser.
    pub browser: TokenHash,
    /// When it arrived: a login seen after this satisfies `prompt=login` and `max_age`.
    pub received_at: UnixTime,
    /// When it is forgotten.
    pub expires_at: UnixTime,
}

/// A user, by name and by the subject that the name had: another subject under the same name is somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GrantUser {
    /// The upstream's name.
    pub name: UserName,
    /// The subject.
    pub sub: Subject,
}

/// What a code stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeRecord {
    /// The grant that will come from it.
    pub grant: GrantId,
    /// The client that it was given to.
    pub client: ClientId,
    /// The user who granted it.
    pub user: GrantUser,
    /// The redirect URI that it was sent to.
    pub redirect_uri: String,
    /// Whether the authorization request named that URI; the token request must then repeat it.
    pub redirect_uri_named: bool,
    /// The granted scopes.
    pub scopes: Scopes,
    /// For the id_token.
    pub nonce: Option<String>,
    /// What the verifier must meet.
    pub code_challenge: Option<CodeChallenge>,
    /// When the user logged in, if that was seen.
    pub auth_time: Option<UnixTime>,
    /// The claim `sid`.
    pub session_claim: Option<String>,
    /// The claims of the id_token that `claims` asks for by name.
    pub id_token_claims: Vec<String>,
    /// The claims of userinfo that `claims` asks for by name.
    #[serde(default)]
    pub userinfo_claims: Vec<String>,
    /// The key that its presenter must hold (RFC 9449 §10).
    #[serde(default)]
    pub dpop_key: Option<KeyThumbprint>,
    /// The resources that its tokens are for (RFC 8707 §2.1).
    #[serde(default)]
    pub resources: Resources,
    /// The login session that it was given in, if it is to end with that.
    #[serde(default)]
    pub login: Option<TokenHash>,
    /// When it was made.
    pub issued_at: UnixTime,
    /// When it is too old.
    pub expires_at: UnixTime,
}

/// What came of taking a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenCode {
    /// The first taker: the code is used up now.
    Taken(Box<CodeRecord>),
    /// Somebody took it before; its grant is ended.
    Replayed(GrantId),
    /// Never was, or expired.
    Absent,
}

/// A grant: what a user, or the client itself, has allowed a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// The client.
    pub client: ClientId,
    /// The user that its tokens act as.
    pub user: GrantUser,
    /// The scopes granted; a token may have fewer.
    pub scopes: Scopes,
    /// When it began.
    pub created_at: UnixTime,
    /// When the user logged in, if that was seen.
    pub auth_time: Option<UnixTime>,
    /// The claim `sid`.
    pub session_claim: Option<String>,
    /// The claims of the id_token that `claims` asks for by name.
    pub id_token_claims: Vec<String>,
    /// The claims of userinfo that `claims` asks for by name.
    pub userinfo_claims: Vec<String>,
    /// The key that its refresh tokens are bound to (RFC 9449 §5).
    pub dpop_key: Option<KeyThumbprint>,
    /// The resources that tokens of it may be for (RFC 8707).
    pub resources: Resources,
    /// Who acts for the user, where it was made by token exchange (RFC 8693 §4.1).
    #[serde(default)]
    pub act: Option<Actor>,
}

/// An access token to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccessToken {
    /// Its hash.
    pub hash: TokenHash,
    /// Its scopes.
    pub scopes: Scopes,
    /// When it was made.
    pub issued_at: UnixTime,
    /// When it ends.
    pub expires_at: UnixTime,
    /// The key that it is bound to (RFC 9449 §6).
    pub dpop_key: Option<KeyThumbprint>,
    /// The resources that it is for (RFC 8707).
    pub resources: Resources,
}

/// A refresh token to be written, the first of its grant or a further one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRefreshToken {
    /// Its hash.
    pub hash: TokenHash,
    /// When it was made.
    pub issued_at: UnixTime,
    /// When it ends unless it is used before.
    pub expires_at: UnixTime,
}

/// A grant to be written with its first tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGrant {
    /// The grant.
    pub grant: Grant,
    /// Its first access token.
    pub access: NewAccessToken,
    /// Its first refresh token, of generation 0.
    pub refresh: Option<NewRefreshToken>,
    /// The code that it comes from.
    pub from_code: Option<TokenHash>,
    /// The login session that it ends with.
    pub in_login: Option<TokenHash>,
    /// The grant that it is made from by token exchange, and ends with.
    pub made_from: Option<GrantId>,
}

/// What the store knows of an active access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessTokenFacts {
    /// When a token of the grant was last looked up, to an hour.
    pub last_used: Option<UnixTime>,
    /// Its grant.
    pub grant: Grant,
    /// Its own scopes.
    pub scopes: Scopes,
    /// When it was made.
    pub issued_at: UnixTime,
    /// When it ends.
    pub expires_at: UnixTime,
    /// The key that it is bound to (RFC 9449 §6).
    pub dpop_key: Option<KeyThumbprint>,
    /// The resources that it is for (RFC 8707).
    pub resources: Resources,
}

/// What the store knows of a refresh token whose grant has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshTokenFacts {
    /// Its grant.
    pub grant: Grant,
    /// How many were in its line before it; the input of its successor.
    pub generation: u32,
    /// When it was made.
    pub issued_at: UnixTime,
    /// When it ends unless it is used before.
    pub expires_at: UnixTime,
    /// When it was rotated away, if it was.
    pub rotated_at: Option<UnixTime>,
    /// Whether it is the newest of its grant.
    pub newest: bool,
}

impl RefreshTokenFacts {
    /// Whether a token that the upstream issued has been refreshed here: its grant is ours then.
    #[must_use]
    pub const fn is_adopted(&self) -> bool {
        self.generation > 0 || !self.newest
    }
}

/// What becomes of the presented refresh token (decision 23).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshSuccession {
    /// It is replaced by this successor; within `grace` after that it still works and gives the same one, unless the
    /// successor has been used itself.
    Rotate {
        /// The successor, of the next generation.
        successor: TokenHash,
        /// How long the replaced one is still accepted, in milliseconds.
        grace_millis: u64,
    },
    /// It stays, and its end moves on.
    Keep,
    /// It stays, and another one is added, of the next generation.
    Add {
        /// The added one.
        added: TokenHash,
    },
}

/// One refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshStep {
    /// The hash of the presented refresh token.
    pub presented: TokenHash,
    /// What becomes of it.
    pub succession: RefreshSuccession,
    /// The access token to be written.
    pub access: NewAccessToken,
    /// When the refresh token that the client has afterwards ends.
    pub refresh_expires_at: UnixTime,
    /// The time of the request.
    pub now: UnixTime,
}

/// What came of a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// Done: the successor, the kept one or the added one is the client's refresh token now.
    Refreshed,
    /// Presented again within the grace: the same successor, and a further access token.
    Graced,
    /// Presented after the grace, or after its successor was used: the grant is ended.
    Reused(GrantId),
    /// Unknown, expired, or its grant has ended.
    Absent,
}

/// A position in the feed of revocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RevocationSeq(pub u64);

/// A grant that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Its position in the feed.
    pub seq: RevocationSeq,
    /// The grant.
    pub grant: GrantId,
}

/// A consent that is remembered (decision 16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// To whom.
    pub client: ClientId,
    /// By whom.
    pub user: GrantUser,
    /// For which redirect URI.
    pub redirect_uri: String,
    /// To what.
    pub scopes: Scopes,
    /// Whether the client was an agent then: of what had to be ticked only that is in it which was.
    pub agent: bool,
    /// When it was given.
    pub given_at: UnixTime,
    /// When it is asked for again.
    pub expires_at: UnixTime,
}

/// A credential towards the upstream on behalf of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowToken {
    /// The token.
    pub token: Secret,
    /// The subject that the user's name had when it was made.
    pub sub: Subject,
    /// When it was made.
    pub created_at: UnixTime,
    /// When the upstream stops accepting it.
    pub expires_at: UnixTime,
}

/// A signing key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSigningKey {
    /// `kid`.
    pub id: KeyId,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// The private key: PKCS#8, base64.
    pub private_key: Secret,
    /// The public key as a JWK object, in JSON.
    pub public_jwk: String,
    /// When it was made, and published from.
    pub created_at: UnixTime,
    /// When it begins to sign.
    pub signs_from: UnixTime,
    /// When its successor begins to sign; `None` while it has none.
    pub retired_at: Option<UnixTime>,
    /// Until when it stays published at least, where that was noted.
    pub published_until: Option<UnixTime>,
}

/// One signing key follows another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySuccession {
    /// The key that is followed.
    pub of: KeyId,
    /// Until when that one stays published.
    pub published_until: UnixTime,
    /// The key that follows, of the same algorithm; from its `signs_from` on the other one is retired.
    pub next: StoredSigningKey,
}

/// How often a client has used an allowance, and when last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowanceUse {
    /// The client.
    pub client: ClientId,
    /// The allowance.
    pub allowance: Allowance,
    /// How often.
    pub count: u64,
    /// When last.
    pub last: UnixTime,
}

/// A client as the upstream describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptClient {
    /// Its id.
    pub id: ClientId,
    /// The description, secret and all, in the words of whoever keeps it.
    pub document: Secret,
}
