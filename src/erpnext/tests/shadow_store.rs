//! A store that keeps shadow tokens and nothing else, and that can be told to refuse.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;

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

#[derive(Default)]
pub(super) struct ShadowStore {
    tokens: Mutex<HashMap<UserName, ShadowToken>>,
    pub(super) is_full: AtomicBool,
}

impl ShadowStore {
    pub(super) fn kept(&self, user: &str) -> Option<ShadowToken> {
        self.tokens.lock().expect("a lock").get(&UserName::new(user)).cloned()
    }
}

fn nothing<T>() -> StoreResult<T> {
    Err(StoreError::Unavailable("keeps shadow tokens only".to_owned()))
}

#[async_trait]
impl Store for ShadowStore {
    async fn put_request(&self, _: TokenHash, _: PendingRequest) -> StoreResult<()> {
        nothing()
    }
    async fn first_use(&self, _: TokenHash, _: UnixTime) -> StoreResult<bool> {
        nothing()
    }
    async fn request(&self, _: TokenHash, _: UnixTime) -> StoreResult<Option<PendingRequest>> {
        nothing()
    }
    async fn take_request(&self, _: TokenHash, _: UnixTime) -> StoreResult<Option<PendingRequest>> {
        nothing()
    }
    async fn put_code(&self, _: TokenHash, _: CodeRecord) -> StoreResult<()> {
        nothing()
    }
    async fn take_code(&self, _: TokenHash, _: UnixTime) -> StoreResult<TakenCode> {
        nothing()
    }
    async fn issue_grant(&self, _: NewGrant) -> StoreResult<()> {
        nothing()
    }
    async fn refresh_token(&self, _: TokenHash, _: UnixTime) -> StoreResult<Option<RefreshTokenFacts>> {
        nothing()
    }
    async fn rotate_refresh(&self, _: RefreshStep) -> StoreResult<RefreshOutcome> {
        nothing()
    }
    async fn access_token(&self, _: TokenHash, _: UnixTime) -> StoreResult<Option<AccessTokenFacts>> {
        nothing()
    }
    async fn grant(&self, _: &GrantId) -> StoreResult<Option<Grant>> {
        nothing()
    }
    async fn revoke_grant(&self, _: &GrantId, _: UnixTime) -> StoreResult<bool> {
        nothing()
    }
    async fn grants_made_from(&self, _: &GrantId) -> StoreResult<Vec<GrantId>> {
        nothing()
    }
    async fn revoke_user(&self, _: &UserName, _: UnixTime) -> StoreResult<Vec<GrantId>> {
        nothing()
    }
    async fn revoke_client(&self, _: &ClientId, _: UnixTime) -> StoreResult<Vec<GrantId>> {
        nothing()
    }
    async fn revocations_after(&self, _: RevocationSeq) -> StoreResult<Vec<Revocation>> {
        nothing()
    }
    async fn last_revocation(&self) -> StoreResult<RevocationSeq> {
        nothing()
    }
    async fn put_consent(&self, _: Consent) -> StoreResult<()> {
        nothing()
    }
    async fn consent(
        &self,
        _: &ClientId,
        _: &UserName,
        _: &Subject,
        _: &str,
        _: UnixTime,
    ) -> StoreResult<Option<Consent>> {
        nothing()
    }
    async fn put_login(&self, _: TokenHash, _: UnixTime, _: UnixTime) -> StoreResult<()> {
        nothing()
    }
    async fn login(&self, _: TokenHash, _: UnixTime) -> StoreResult<Option<UnixTime>> {
        nothing()
    }
    async fn session_claim(&self, _: TokenHash, _: ClientSession, _: UnixTime) -> StoreResult<String> {
        nothing()
    }

    async fn sessions_of_login(&self, _: TokenHash) -> StoreResult<Vec<ClientSession>> {
        nothing()
    }

    async fn continue_login(&self, _: TokenHash, _: TokenHash) -> StoreResult<()> {
        nothing()
    }

    async fn end_login(&self, _: EndOfLogin) -> StoreResult<Vec<GrantId>> {
        nothing()
    }

    async fn connections(&self, _: &GrantUser, _: UnixTime) -> StoreResult<Vec<Connection>> {
        nothing()
    }

    async fn end_connection(&self, _: &UserName, _: &ClientId, _: UnixTime) -> StoreResult<Vec<GrantId>> {
        nothing()
    }

    async fn note_uses(&self, _: Vec<(GrantId, UnixTime)>) -> StoreResult<()> {
        nothing()
    }

    async fn put_logout(&self, _: TokenHash, _: PendingLogout) -> StoreResult<()> {
        nothing()
    }

    async fn logout(&self, _: TokenHash, _: UnixTime) -> StoreResult<Option<PendingLogout>> {
        nothing()
    }

    async fn take_logout(&self, _: TokenHash, _: UnixTime) -> StoreResult<Option<PendingLogout>> {
        nothing()
    }

    async fn take_due_notices(
        &self,
        _: UnixTime,
        _: fn(UnixTime, u32) -> UnixTime,
        _: u32,
    ) -> StoreResult<Vec<LogoutNotice>> {
        nothing()
    }

    async fn drop_notice(&self, _: &LogoutNotice) -> StoreResult<()> {
        nothing()
    }
    async fn shadow_token(&self, user: &UserName, now: UnixTime) -> StoreResult<Option<ShadowToken>> {
        Ok(self.kept(user.as_str()).filter(|kept| kept.expires_at > now))
    }
    async fn put_shadow_token(&self, user: &UserName, token: ShadowToken) -> StoreResult<()> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the disk is full".to_owned()));
        }
        self.tokens.lock().expect("a lock").insert(user.clone(), token);
        Ok(())
    }
    async fn take_shadow_token(&self, user: &UserName) -> StoreResult<Option<ShadowToken>> {
        Ok(self.tokens.lock().expect("a lock").remove(user))
    }
    async fn signing_keys(&self) -> StoreResult<Vec<StoredSigningKey>> {
        nothing()
    }
    async fn put_signing_key(&self, _: StoredSigningKey) -> StoreResult<StoredSigningKey> {
        nothing()
    }
    async fn succeed_signing_key(&self, _: KeySuccession) -> StoreResult<()> {
        nothing()
    }
    async fn replace_signing_keys(&self, _: Vec<StoredSigningKey>) -> StoreResult<u64> {
        nothing()
    }
    async fn forget_signing_keys(&self, _: Vec<KeyId>) -> StoreResult<()> {
        nothing()
    }
    async fn upstream_clients(&self) -> StoreResult<Vec<KeptClient>> {
        nothing()
    }
    async fn put_upstream_clients(&self, _: Vec<KeptClient>) -> StoreResult<()> {
        nothing()
    }
    async fn forget_consents(&self, _: &ClientId) -> StoreResult<()> {
        nothing()
    }
    async fn register_client(&self, _: RegisteredClient, _: u64) -> StoreResult<bool> {
        nothing()
    }
    async fn registered_client(&self, _: &ClientId) -> StoreResult<Option<RegisteredClient>> {
        nothing()
    }
    async fn registered_clients(&self) -> StoreResult<Vec<RegisteredClient>> {
        nothing()
    }
    async fn registrations(&self) -> StoreResult<u64> {
        nothing()
    }
    async fn change_registered_client(&self, _: &ClientId, _: ChangedClient) -> StoreResult<bool> {
        nothing()
    }
    async fn remove_registered_client(&self, _: &ClientId, _: UnixTime) -> StoreResult<Option<RemovedClient>> {
        nothing()
    }
    async fn remove_unused_clients(&self, _: UnixTime, _: UnixTime, _: u32) -> StoreResult<Vec<RemovedClient>> {
        nothing()
    }
    async fn note_client_uses(&self, _: Vec<(ClientId, UnixTime)>) -> StoreResult<()> {
        nothing()
    }
    async fn import_natives(&self, _: Vec<NativeRow>, _: UnixTime) -> StoreResult<NativeImport> {
        nothing()
    }
    async fn native_is_known(&self, _: TokenHash) -> StoreResult<bool> {
        nothing()
    }
    async fn native_tokens(&self) -> StoreResult<Vec<TokenHash>> {
        nothing()
    }
    async fn forget_natives(&self, _: Vec<TokenHash>, _: UnixTime) -> StoreResult<Vec<GrantId>> {
        nothing()
    }
    async fn note_native_uses(&self, _: Vec<(TokenHash, UnixTime)>) -> StoreResult<()> {
        nothing()
    }
    async fn native_counts(&self, _: UnixTime, _: UnixTime) -> StoreResult<Vec<NativeCount>> {
        nothing()
    }
    async fn native_cursor(&self) -> StoreResult<Option<String>> {
        nothing()
    }
    async fn put_device(&self, _: TokenHash, _: PendingDevice) -> StoreResult<bool> {
        nothing()
    }
    async fn device_by_user_code(&self, _: TokenHash, _: UnixTime) -> StoreResult<Option<PendingDevice>> {
        nothing()
    }
    async fn decide_device(&self, _: TokenHash, _: DeviceDecision, _: UnixTime) -> StoreResult<bool> {
        nothing()
    }
    async fn take_device(&self, _: TokenHash, _: &ClientId, _: UnixTime) -> StoreResult<TakenDevice> {
        nothing()
    }
    async fn put_native_cursor(&self, _: String) -> StoreResult<()> {
        nothing()
    }
    async fn count_agent_uses(&self, _: Vec<AgentUse>) -> StoreResult<()> {
        nothing()
    }
    async fn agent_uses(&self, _: Day) -> StoreResult<Vec<AgentUse>> {
        nothing()
    }
    async fn stop_agents(&self, _: Vec<ClientId>, _: UnixTime) -> StoreResult<StoppedAgents> {
        nothing()
    }
    async fn start_agents(&self) -> StoreResult<bool> {
        nothing()
    }
    async fn agents_stopped_since(&self) -> StoreResult<Option<UnixTime>> {
        nothing()
    }
    async fn count_allowances(&self, _: Vec<AllowanceUse>) -> StoreResult<()> {
        nothing()
    }
    async fn allowance_uses(&self) -> StoreResult<Vec<AllowanceUse>> {
        nothing()
    }
    async fn living_grants(&self, _: UnixTime) -> StoreResult<Vec<(ClientId, u64)>> {
        nothing()
    }

    async fn purge(&self, _: UnixTime, _: u32) -> StoreResult<u64> {
        nothing()
    }
    async fn ready(&self) -> StoreResult<()> {
        nothing()
    }
}
