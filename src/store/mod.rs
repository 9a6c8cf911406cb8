//! What must outlive the process: grants and their tokens, codes, consents, shadow tokens, signing keys.
//!
//! Verbs are whole steps that a backend makes atomic, and that are durable when they return: what was answered after one
//! survives `kill -9`. `now` is an argument. Absent is `None`; a lost race is an outcome. Tokens, codes and handles come
//! here as [`TokenHash`] only; what must be sent on is sealed by the backend before it is written.

pub(crate) mod codec;
#[cfg(test)]
mod contract;
mod embedded;
mod private_file;
mod records;
pub mod secret_key;

use async_trait::async_trait;

pub use embedded::EmbeddedStore;
pub use records::{
    AccessTokenFacts, AgentUse, AllowanceUse, ChangedClient, ClientSession, CodeRecord, Connection, Consent, Day,
    DeviceApproval, DeviceDecision, EndOfLogin, Grant, GrantUser, KeptClient, KeySuccession, LogoutNotice, NativeCount,
    NativeImport, NativeRow, NativeState, NewAccessToken, NewGrant, NewRefreshToken, POLL_INTERVAL, PendingDevice,
    PendingLogout, PendingRequest, RefreshOutcome, RefreshStep, RefreshSuccession, RefreshTokenFacts, RegisteredClient,
    RemovedClient, Revocation, RevocationSeq, ShadowToken, StoppedAgents, StoredSigningKey, TakenCode, TakenDevice,
};

use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId, KeyId, Subject, TokenHash, UserName},
};

/// Why the store can't answer. Every caller denies on it: 503, never "inactive".
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The backend can't be reached, or refuses: disk full, read-only, locked, stopped.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// What was read can't be understood or opened: a foreign or damaged file, or another secret key.
    #[error("the store holds something that can't be read: {0}")]
    Corrupt(String),
}

/// The answer of a verb.
pub type StoreResult<T> = Result<T, StoreError>;

/// The verbs. One contract suite (`store::contract`) holds every backend to them.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    // Authorization requests and codes

    /// Keeps an accepted authorization request under its handle until it expires.
    async fn put_request(&self, handle: TokenHash, request: PendingRequest) -> StoreResult<()>;
    /// The request, while it has neither been taken nor expired.
    async fn request(&self, handle: TokenHash, now: UnixTime) -> StoreResult<Option<PendingRequest>>;
    /// Reads and removes the request: of several takers, one gets it.
    async fn take_request(&self, handle: TokenHash, now: UnixTime) -> StoreResult<Option<PendingRequest>>;

    /// Notes that something which may be used once has been; whether it is for the first time. It is forgotten at
    /// `expires_at`.
    async fn first_use(&self, what: TokenHash, expires_at: UnixTime) -> StoreResult<bool>;

    /// Keeps a code until it expires.
    async fn put_code(&self, code: TokenHash, record: CodeRecord) -> StoreResult<()>;
    /// Reads and removes the code, leaving a tombstone. A second taker learns `Replayed`, and by then the grant that
    /// came or comes from the code is ended: also if it is issued only after this.
    async fn take_code(&self, code: TokenHash, now: UnixTime) -> StoreResult<TakenCode>;

    // Devices

    /// Keeps a device that waits for a user, until its codes expire; `false`: the user code is taken, try another one.
    async fn put_device(&self, device: TokenHash, pending: PendingDevice) -> StoreResult<bool>;
    /// The device that this user code stands for, while nobody has decided about it and the code has not expired.
    async fn device_by_user_code(&self, user_code: TokenHash, now: UnixTime) -> StoreResult<Option<PendingDevice>>;
    /// Notes what a user has decided about a device; `false` when somebody has before, or the code has expired.
    async fn decide_device(&self, user_code: TokenHash, decision: DeviceDecision, now: UnixTime) -> StoreResult<bool>;
    /// One poll of a client, whole: tells what was decided, which one taker gets, leaving a tombstone as a code does;
    /// before that, whether the poll came too early.
    async fn take_device(&self, device: TokenHash, client: &ClientId, now: UnixTime) -> StoreResult<TakenDevice>;

    // Grants

    /// Writes a grant with its first tokens. If `from_code` was replayed meanwhile, or the login session that it is in or the
    /// grant that it is made from has ended, the grant is written as ended.
    async fn issue_grant(&self, grant: NewGrant) -> StoreResult<()>;
    /// What is known of a refresh token whose grant has not ended; also one that was rotated away, which tells a reuse.
    async fn refresh_token(&self, token: TokenHash, now: UnixTime) -> StoreResult<Option<RefreshTokenFacts>>;
    /// One refresh, whole: judges the presented token, writes the new access token and what the succession asks for, or
    /// ends the grant on a reuse.
    async fn rotate_refresh(&self, step: RefreshStep) -> StoreResult<RefreshOutcome>;
    /// What is known of an access token that is active at `now`: not expired, its grant not ended.
    async fn access_token(&self, token: TokenHash, now: UnixTime) -> StoreResult<Option<AccessTokenFacts>>;
    /// The grant, unless it has ended.
    async fn grant(&self, grant: &GrantId) -> StoreResult<Option<Grant>>;
    /// Ends a grant; `false` when it had ended before or never was. With a grant, here and in every other verb, those end
    /// that were made from it, and from those: where ended grants are told, they are among them.
    async fn revoke_grant(&self, grant: &GrantId, now: UnixTime) -> StoreResult<bool>;
    /// The grants that were made from this one by token exchange, and from those, whether they live or have ended.
    async fn grants_made_from(&self, grant: &GrantId) -> StoreResult<Vec<GrantId>>;
    /// Ends all grants of a user, with consents and shadow token; tells which grants.
    async fn revoke_user(&self, user: &UserName, now: UnixTime) -> StoreResult<Vec<GrantId>>;
    /// Ends all grants of a client, with its consents; tells which grants.
    async fn revoke_client(&self, client: &ClientId, now: UnixTime) -> StoreResult<Vec<GrantId>>;
    /// The revocations behind `after`, oldest first: how another process hears of them.
    async fn revocations_after(&self, after: RevocationSeq) -> StoreResult<Vec<Revocation>>;
    /// Where the feed of revocations ends now.
    async fn last_revocation(&self) -> StoreResult<RevocationSeq>;

    // Consents and logins

    /// Remembers a consent, in place of an earlier one for the same client, user and redirect URI.
    async fn put_consent(&self, consent: Consent) -> StoreResult<()>;
    /// The consent that this user, by name and subject, gave this client for this redirect URI, unless expired.
    async fn consent(
        &self,
        client: &ClientId,
        user: &UserName,
        sub: &Subject,
        redirect_uri: &str,
        now: UnixTime,
    ) -> StoreResult<Option<Consent>>;
    /// Remembers when a login session began, under its keyed hash, until `expires_at`.
    async fn put_login(&self, login: TokenHash, at: UnixTime, expires_at: UnixTime) -> StoreResult<()>;
    /// When the login session began, if it was seen.
    async fn login(&self, login: TokenHash, now: UnixTime) -> StoreResult<Option<UnixTime>>;
    /// The claim `sid` of a login session towards a client: the kept one, else that of `candidate`, which is kept from now
    /// on.
    async fn session_claim(
        &self,
        login: TokenHash,
        candidate: ClientSession,
        expires_at: UnixTime,
    ) -> StoreResult<String>;
    /// The clients that a login session has been used for.
    async fn sessions_of_login(&self, login: TokenHash) -> StoreResult<Vec<ClientSession>>;
    /// What clients know of a login session goes on in another one of the same user; the first is forgotten.
    async fn continue_login(&self, from: TokenHash, to: TokenHash) -> StoreResult<()>;
    /// Forgets a login session, and with it ends the grants and notes the clients that it is said to; tells which grants.
    async fn end_login(&self, end: EndOfLogin) -> StoreResult<Vec<GrantId>>;

    // What a user has allowed clients

    /// What this user, by name and subject, has allowed clients: grants that live and consents that are remembered, a row for
    /// each client and list of scopes, in the order of clients.
    async fn connections(&self, user: &GrantUser, now: UnixTime) -> StoreResult<Vec<Connection>>;
    /// Ends all grants of a user for a client, and forgets the consents; tells which grants.
    async fn end_connection(&self, user: &UserName, client: &ClientId, now: UnixTime) -> StoreResult<Vec<GrantId>>;
    /// Notes when grants were used.
    async fn note_uses(&self, uses: Vec<(GrantId, UnixTime)>) -> StoreResult<()>;

    // Logout

    /// Keeps a logout request under its handle until it expires.
    async fn put_logout(&self, handle: TokenHash, logout: PendingLogout) -> StoreResult<()>;
    /// The logout request, while it has neither been taken nor expired.
    async fn logout(&self, handle: TokenHash, now: UnixTime) -> StoreResult<Option<PendingLogout>>;
    /// Reads and removes the logout request: of several takers, one gets it.
    async fn take_logout(&self, handle: TokenHash, now: UnixTime) -> StoreResult<Option<PendingLogout>>;
    /// At most `most` notices that are due; each is due again at the time that `again` gives for `now` and the attempts so
    /// far, unless it is dropped: of several takers one gets it.
    async fn take_due_notices(
        &self,
        now: UnixTime,
        again: fn(UnixTime, u32) -> UnixTime,
        most: u32,
    ) -> StoreResult<Vec<LogoutNotice>>;
    /// Forgets a notice: the client has been told, or will not be.
    async fn drop_notice(&self, notice: &LogoutNotice) -> StoreResult<()>;

    // What must be sent on: sealed at rest

    /// The shadow token of a user, unless expired.
    async fn shadow_token(&self, user: &UserName, now: UnixTime) -> StoreResult<Option<ShadowToken>>;
    /// Keeps a shadow token in place of an earlier one.
    async fn put_shadow_token(&self, user: &UserName, token: ShadowToken) -> StoreResult<()>;
    /// Forgets the shadow token of a user and gives it back, so that it can be deleted upstream.
    async fn take_shadow_token(&self, user: &UserName) -> StoreResult<Option<ShadowToken>>;

    /// All signing keys, those to come and the retired ones too, oldest first.
    async fn signing_keys(&self) -> StoreResult<Vec<StoredSigningKey>>;
    /// Keeps the first signing key of an algorithm, unless one without successor is there already; gives the one that is
    /// kept, so that two processes that start together sign with the same.
    async fn put_signing_key(&self, key: StoredSigningKey) -> StoreResult<StoredSigningKey>;
    /// Puts a successor beside a key and notes for both when the one follows the other. If there is a successor already
    /// which does not sign before that time, it is brought forward and the given one left out; if there is any other, or
    /// the key is gone, nothing happens.
    async fn succeed_signing_key(&self, step: KeySuccession) -> StoreResult<()>;
    /// Puts these keys in the place of all that there are; tells how many those were.
    async fn replace_signing_keys(&self, keys: Vec<StoredSigningKey>) -> StoreResult<u64>;
    /// Removes keys that have a successor.
    async fn forget_signing_keys(&self, keys: Vec<KeyId>) -> StoreResult<()>;

    // What ERPNext has

    /// The clients that the upstream had when it was last asked.
    async fn upstream_clients(&self) -> StoreResult<Vec<KeptClient>>;
    /// Keeps these clients of the upstream in place of all earlier ones.
    async fn put_upstream_clients(&self, clients: Vec<KeptClient>) -> StoreResult<()>;
    /// Forgets what users have consented to with a client: it is another one now.
    async fn forget_consents(&self, client: &ClientId) -> StoreResult<()>;
    /// Takes in rows of tokens that the upstream issued. A row that is new becomes a grant with its tokens, one that has
    /// changed changes them, one that is revoked ends the grant; a grant that has ended stays so.
    async fn import_natives(&self, rows: Vec<NativeRow>, now: UnixTime) -> StoreResult<NativeImport>;
    /// Whether a token, access or refresh, is one of a native row that was taken in, whatever became of its grant.
    async fn native_is_known(&self, token: TokenHash) -> StoreResult<bool>;
    /// The access tokens of all native rows that are kept.
    async fn native_tokens(&self) -> StoreResult<Vec<TokenHash>>;
    /// The upstream has these rows no more: they are forgotten, and their grants end unless a refresh has made them ours;
    /// tells which grants ended.
    async fn forget_natives(&self, access: Vec<TokenHash>, now: UnixTime) -> StoreResult<Vec<GrantId>>;
    /// Notes when native tokens, access or refresh, were last used.
    async fn note_native_uses(&self, uses: Vec<(TokenHash, UnixTime)>) -> StoreResult<()>;
    /// How many native tokens there are by client, and how many of them were used since then.
    async fn native_counts(&self, since: UnixTime, now: UnixTime) -> StoreResult<Vec<NativeCount>>;
    /// How far the upstream's native rows have been read: `None` until all of them were read once.
    async fn native_cursor(&self) -> StoreResult<Option<String>>;
    /// Keeps how far they have been read.
    async fn put_native_cursor(&self, cursor: String) -> StoreResult<()>;

    // Registered clients

    /// Keeps a client that is new, unless there are `most` already, which is `false`. One that was registered more than an
    /// hour before and never used gives way.
    async fn register_client(&self, client: RegisteredClient, most: u64) -> StoreResult<bool>;
    /// The client under this id.
    async fn registered_client(&self, id: &ClientId) -> StoreResult<Option<RegisteredClient>>;
    /// All of them, in the order of ids.
    async fn registered_clients(&self) -> StoreResult<Vec<RegisteredClient>>;
    /// How often a client was registered, changed or removed: another number tells of a change by whatever process.
    async fn registrations(&self) -> StoreResult<u64>;
    /// Puts another document in place of the client's; `false` when there is no such client, or its document is not the one
    /// that it must be. If it is another client then, its consents are forgotten with that.
    async fn change_registered_client(&self, id: &ClientId, change: ChangedClient) -> StoreResult<bool>;
    /// Removes a client, and with it ends its grants and forgets its consents; `None` when there is no such client.
    async fn remove_registered_client(&self, id: &ClientId, now: UnixTime) -> StoreResult<Option<RemovedClient>>;
    /// Removes at most `most` of those that were neither registered nor used after `unused_since`, in the same way.
    async fn remove_unused_clients(
        &self,
        unused_since: UnixTime,
        now: UnixTime,
        most: u32,
    ) -> StoreResult<Vec<RemovedClient>>;
    /// Notes when registered clients were last used.
    async fn note_client_uses(&self, uses: Vec<(ClientId, UnixTime)>) -> StoreResult<()>;

    // Agents

    /// Adds to what agents did; kept for some days.
    async fn count_agent_uses(&self, uses: Vec<AgentUse>) -> StoreResult<()>;
    /// What each agent did on a day, in the order of clients.
    async fn agent_uses(&self, day: Day) -> StoreResult<Vec<AgentUse>>;
    /// Notes that all agents are stopped, unless they are already, and ends all grants of these, with their consents.
    async fn stop_agents(&self, agents: Vec<ClientId>, now: UnixTime) -> StoreResult<StoppedAgents>;
    /// Lets agents run again; `false` when they were not stopped.
    async fn start_agents(&self) -> StoreResult<bool>;
    /// Since when all agents are stopped; `None`: they are not.
    async fn agents_stopped_since(&self) -> StoreResult<Option<UnixTime>>;

    // Report and upkeep

    /// Adds to the counts of used allowances.
    async fn count_allowances(&self, uses: Vec<AllowanceUse>) -> StoreResult<()>;
    /// All counts of used allowances.
    async fn allowance_uses(&self) -> StoreResult<Vec<AllowanceUse>>;
    /// How many grants of each client live at `now`: a client that has one was used within a refresh token's life.
    async fn living_grants(&self, now: UnixTime) -> StoreResult<Vec<(ClientId, u64)>>;
    /// Removes at most `most` rows of each kind that expired before `now`, and tells how many went, or were due and must
    /// stay for longer: with fewer than `most` in all, nothing is due any more.
    async fn purge(&self, now: UnixTime, most: u32) -> StoreResult<u64>;
    /// Whether the store can read and write at all.
    async fn ready(&self) -> StoreResult<()>;
}
