//! A store that knows access tokens and revocations and nothing else; it counts, fails and waits as it is told.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use tokio::sync::{Notify, Semaphore};

use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId, KeyId, Subject, TokenHash, UserName},
    store::{
        AccessTokenFacts, AgentUse, AllowanceUse, ChangedClient, ClientSession, CodeRecord, Connection, Consent, Day,
        DeviceDecision, EndOfLogin, Grant, GrantUser, KeptClient, KeySuccession, LogoutNotice, NativeCount,
        NativeImport, NativeRow, NewGrant, PendingDevice, PendingLogout, PendingRequest, RefreshOutcome, RefreshStep,
        RefreshTokenFacts, RegisteredClient, RemovedClient, Revocation, RevocationSeq, ShadowToken, StoppedAgents,
        Store, StoreError, StoreResult, StoredSigningKey, TakenCode, TakenDevice,
    },
};

pub(super) struct FakeStore {
    pub(super) tokens: Mutex<HashMap<TokenHash, AccessTokenFacts>>,
    pub(super) revocations: Mutex<Vec<Revocation>>,
    pub(super) look_ups: AtomicUsize,
    pub(super) away: AtomicBool,
    pub(super) panics: AtomicBool,
    /// A look-up has read and waits for a permit of `gate`.
    pub(super) has_read: Notify,
    pub(super) gate: Semaphore,
}

impl FakeStore {
    pub(super) fn new() -> Self {
        Self {
            tokens: Mutex::default(),
            revocations: Mutex::default(),
            look_ups: AtomicUsize::new(0),
            away: AtomicBool::new(false),
            panics: AtomicBool::new(false),
            has_read: Notify::new(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        }
    }

    pub(super) fn look_ups(&self) -> usize {
        self.look_ups.load(Ordering::SeqCst)
    }
}

fn away<T>() -> StoreResult<T> {
    Err(StoreError::Unavailable("not here".to_owned()))
}

#[async_trait]
impl Store for FakeStore {
    async fn access_token(&self, token: TokenHash, now: UnixTime) -> StoreResult<Option<AccessTokenFacts>> {
        self.look_ups.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics.load(Ordering::SeqCst), "as a test asks for");
        if self.away.load(Ordering::SeqCst) {
            return away();
        }
        let found = self.tokens.lock().expect("no panic").get(&token).cloned();
        self.has_read.notify_one();
        let _permit = self.gate.acquire().await;
        Ok(found.filter(|facts| facts.expires_at > now))
    }

    async fn revoke_grant(&self, grant: &GrantId, _: UnixTime) -> StoreResult<bool> {
        self.tokens.lock().expect("no panic").retain(|_, facts| &facts.grant.id != grant);
        let mut revocations = self.revocations.lock().expect("no panic");
        let seq = RevocationSeq(revocations.len() as u64 + 1);
        revocations.push(Revocation { seq, grant: grant.clone() });
        Ok(true)
    }

    async fn revocations_after(&self, after: RevocationSeq) -> StoreResult<Vec<Revocation>> {
        if self.away.load(Ordering::SeqCst) {
            return away();
        }
        let revocations = self.revocations.lock().expect("no panic");
        Ok(revocations.iter().filter(|revocation| revocation.seq > after).cloned().collect())
    }

    async fn last_revocation(&self) -> StoreResult<RevocationSeq> {
        if self.away.load(Ordering::SeqCst) {
            return away();
        }
        Ok(RevocationSeq(self.revocations.lock().expect("no panic").len() as u64))
    }

    async fn grant(&self, _: &GrantId) -> StoreResult<Option<Grant>> {
        away()
    }

    async fn put_request(&self, _: TokenHash, _: PendingRequest) -> StoreResult<()> {
        away()
    }

    async fn first_use(&self, _: TokenHash, _: UnixTime) -> StoreResult<bool> {
        away()
    }

    async fn request(&self, _: TokenHash, _: UnixTime) -> StoreResult<Option<PendingRequest>> {
        away()
    }

    async fn take_request(&self, _: TokenHash, _: UnixTime) -> StoreResult<Option<PendingRequest>> {
        away()
    }

    async fn put_code(&self, _: TokenHash, _: CodeRecord) -> StoreResult<()> {
        away()
    }

    async fn take_code(&self, _: TokenHash, _: UnixTime) -> StoreResult<TakenCode> {
        away()
    }

    async fn issue_grant(&self, _: NewGrant) -> StoreResult<()> {
        away()
    }

    async fn refresh_token(&self, _: TokenHash, _: UnixTime) -> StoreResult<Option<RefreshTokenFacts>> {
        away()
    }

    async fn rotate_refresh(&self, _: RefreshStep) -> StoreResult<RefreshOutcome> {
        away()
    }

    async fn grants_made_from(&self, _: &GrantId) -> StoreResult<Vec<GrantId>> {
        away()
    }

    async fn revoke_user(&self, _: &UserName, _: UnixTime) -> StoreResult<Vec<GrantId>> {
        away()
    }

    async fn revoke_client(&self, _: &ClientId, _: UnixTime) -> StoreResult<Vec<GrantId>> {
        away()
    }

    async fn put_consent(&self, _: Consent) -> StoreResult<()> {
        away()
    }

    async fn consent(
        &self,
        _: &ClientId,
        _: &UserName,
        _: &Subject,
        _: &str,
        _: UnixTime,
    ) -> StoreResult<Option<Consent>> {
        away()
    }

    async fn put_login(&self, _: TokenHash, _: UnixTime, _: UnixTime) -> StoreResult<()> {
        away()
    }

    async fn login(&self, _: TokenHash, _: UnixTime) -> StoreResult<Option<UnixTime>> {
        away()
    }

    async fn session_claim(&self, _: TokenHash, _: ClientSession, _: UnixTime) -> StoreResult<String> {
        away()
    }

    async fn sessions_of_login(&self, _: TokenHash) -> StoreResult<Vec<ClientSession>> {
        away()
    }

    async fn continue_login(&self, _: TokenHash, _: TokenHash) -> StoreResult<()> {
        away()
    }

    async fn end_login(&self, _: EndOfLogin) -> StoreResult<Vec<GrantId>> {
        away()
    }

    async fn connections(&self, _: &GrantUser, _: UnixTime) -> StoreResult<Vec<Connection>> {
        away()
    }

    async fn end_connection(&self, _: &UserName, _: &ClientId, _: UnixTime) -> StoreResult<Vec<GrantId>> {
        away()
    }

    async fn note_uses(&self, _: Vec<(GrantId, UnixTime)>) -> StoreResult<()> {
        away()
    }

    async fn put_logout(&self, _: TokenHash, _: PendingLogout) -> StoreResult<()> {
        away()
    }

    async fn logout(&self, _: TokenHash, _: UnixTime) -> StoreResult<Option<PendingLogout>> {
        away()
    }

    async fn take_logout(&self, _: TokenHash, _: UnixTime) -> StoreResult<Option<PendingLogout>> {
        away()
    }

    async fn take_due_notices(
        &self,
        _: UnixTime,
        _: fn(UnixTime, u32) -> UnixTime,
        _: u32,
    ) -> StoreResult<Vec<LogoutNotice>> {
        away()
    }

    async fn drop_notice(&self, _: &LogoutNotice) -> StoreResult<()> {
        away()
    }

    async fn shadow_token(&self, _: &UserName, _: UnixTime) -> StoreResult<Option<ShadowToken>> {
        away()
    }

    async fn put_shadow_token(&self, _: &UserName, _: ShadowToken) -> StoreResult<()> {
        away()
    }

    async fn take_shadow_token(&self, _: &UserName) -> StoreResult<Option<ShadowToken>> {
        away()
    }

    async fn signing_keys(&self) -> StoreResult<Vec<StoredSigningKey>> {
        away()
    }

    async fn put_signing_key(&self, _: StoredSigningKey) -> StoreResult<StoredSigningKey> {
        away()
    }

    async fn succeed_signing_key(&self, _: KeySuccession) -> StoreResult<()> {
        away()
    }
    async fn replace_signing_keys(&self, _: Vec<StoredSigningKey>) -> StoreResult<u64> {
        away()
    }
    async fn forget_signing_keys(&self, _: Vec<KeyId>) -> StoreResult<()> {
        away()
    }

    async fn upstream_clients(&self) -> StoreResult<Vec<KeptClient>> {
        away()
    }
    async fn put_upstream_clients(&self, _: Vec<KeptClient>) -> StoreResult<()> {
        away()
    }
    async fn forget_consents(&self, _: &ClientId) -> StoreResult<()> {
        away()
    }
    async fn register_client(&self, _: RegisteredClient, _: u64) -> StoreResult<bool> {
        away()
    }
    async fn registered_client(&self, _: &ClientId) -> StoreResult<Option<RegisteredClient>> {
        away()
    }
    async fn registered_clients(&self) -> StoreResult<Vec<RegisteredClient>> {
        away()
    }
    async fn registrations(&self) -> StoreResult<u64> {
        away()
    }
    async fn change_registered_client(&self, _: &ClientId, _: ChangedClient) -> StoreResult<bool> {
        away()
    }
    async fn remove_registered_client(&self, _: &ClientId, _: UnixTime) -> StoreResult<Option<RemovedClient>> {
        away()
    }
    async fn remove_unused_clients(&self, _: UnixTime, _: UnixTime, _: u32) -> StoreResult<Vec<RemovedClient>> {
        away()
    }
    async fn note_client_uses(&self, _: Vec<(ClientId, UnixTime)>) -> StoreResult<()> {
        away()
    }
    async fn import_natives(&self, _: Vec<NativeRow>, _: UnixTime) -> StoreResult<NativeImport> {
        away()
    }
    async fn native_is_known(&self, _: TokenHash) -> StoreResult<bool> {
        away()
    }
    async fn native_tokens(&self) -> StoreResult<Vec<TokenHash>> {
        away()
    }
    async fn forget_natives(&self, _: Vec<TokenHash>, _: UnixTime) -> StoreResult<Vec<GrantId>> {
        away()
    }
    async fn note_native_uses(&self, _: Vec<(TokenHash, UnixTime)>) -> StoreResult<()> {
        away()
    }
    async fn native_counts(&self, _: UnixTime, _: UnixTime) -> StoreResult<Vec<NativeCount>> {
        away()
    }
    async fn native_cursor(&self) -> StoreResult<Option<String>> {
        away()
    }
    async fn put_device(&self, _: TokenHash, _: PendingDevice) -> StoreResult<bool> {
        away()
    }
    async fn device_by_user_code(&self, _: TokenHash, _: UnixTime) -> StoreResult<Option<PendingDevice>> {
        away()
    }
    async fn decide_device(&self, _: TokenHash, _: DeviceDecision, _: UnixTime) -> StoreResult<bool> {
        away()
    }
    async fn take_device(&self, _: TokenHash, _: &ClientId, _: UnixTime) -> StoreResult<TakenDevice> {
        away()
    }
    async fn put_native_cursor(&self, _: String) -> StoreResult<()> {
        away()
    }
    async fn count_agent_uses(&self, _: Vec<AgentUse>) -> StoreResult<()> {
        away()
    }
    async fn agent_uses(&self, _: Day) -> StoreResult<Vec<AgentUse>> {
        away()
    }
    async fn stop_agents(&self, _: Vec<ClientId>, _: UnixTime) -> StoreResult<StoppedAgents> {
        away()
    }
    async fn start_agents(&self) -> StoreResult<bool> {
        away()
    }
    async fn agents_stopped_since(&self) -> StoreResult<Option<UnixTime>> {
        away()
    }
    async fn count_allowances(&self, _: Vec<AllowanceUse>) -> StoreResult<()> {
        away()
    }

    async fn allowance_uses(&self) -> StoreResult<Vec<AllowanceUse>> {
        away()
    }

    async fn living_grants(&self, _: UnixTime) -> StoreResult<Vec<(ClientId, u64)>> {
        away()
    }

    async fn purge(&self, _: UnixTime, _: u32) -> StoreResult<u64> {
        away()
    }

    async fn ready(&self) -> StoreResult<()> {
        away()
    }
}
