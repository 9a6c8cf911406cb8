//! The verbs, each handed to the thread that does it.

use async_trait::async_trait;

use super::{
    EmbeddedStore, agents, connections, consents, devices, grants, logouts, native, refresh, registered, requests,
    revocations, sealed, upkeep, upstream_clients,
};
use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId, KeyId, Subject, TokenHash, UserName},
    store::{
        AccessTokenFacts, AgentUse, AllowanceUse, ChangedClient, ClientSession, CodeRecord, Connection, Consent, Day,
        DeviceDecision, EndOfLogin, Grant, GrantUser, KeptClient, KeySuccession, LogoutNotice, NativeCount,
        NativeImport, NativeRow, NewGrant, PendingDevice, PendingLogout, PendingRequest, RefreshOutcome, RefreshStep,
        RefreshTokenFacts, RegisteredClient, RemovedClient, Revocation, RevocationSeq, ShadowToken, StoppedAgents,
        Store, StoreResult, StoredSigningKey, TakenCode, TakenDevice,
    },
};

#[async_trait]
impl Store for EmbeddedStore {
    async fn put_request(&self, handle: TokenHash, request: PendingRequest) -> StoreResult<()> {
        self.writer.write(move |rows| requests::put_request(rows, handle, &request)).await
    }

    async fn request(&self, handle: TokenHash, now: UnixTime) -> StoreResult<Option<PendingRequest>> {
        self.readers.read(move |rows| requests::request(rows, handle, now)).await
    }

    async fn take_request(&self, handle: TokenHash, now: UnixTime) -> StoreResult<Option<PendingRequest>> {
        self.writer.write(move |rows| requests::take_request(rows, handle, now)).await
    }

    async fn first_use(&self, what: TokenHash, expires_at: UnixTime) -> StoreResult<bool> {
        self.writer.write(move |rows| requests::first_use(rows, what, expires_at)).await
    }

    async fn put_code(&self, code: TokenHash, record: CodeRecord) -> StoreResult<()> {
        self.writer.write(move |rows| requests::put_code(rows, code, &record)).await
    }

    async fn take_code(&self, code: TokenHash, now: UnixTime) -> StoreResult<TakenCode> {
        self.writer.write(move |rows| requests::take_code(rows, code, now)).await
    }

    async fn put_device(&self, device: TokenHash, pending: PendingDevice) -> StoreResult<bool> {
        self.writer.write(move |rows| devices::put_device(rows, device, &pending)).await
    }

    async fn device_by_user_code(&self, user_code: TokenHash, now: UnixTime) -> StoreResult<Option<PendingDevice>> {
        self.readers.read(move |rows| devices::device_by_user_code(rows, user_code, now)).await
    }

    async fn decide_device(&self, user_code: TokenHash, decision: DeviceDecision, now: UnixTime) -> StoreResult<bool> {
        self.writer.write(move |rows| devices::decide_device(rows, user_code, &decision, now)).await
    }

    async fn take_device(&self, device: TokenHash, client: &ClientId, now: UnixTime) -> StoreResult<TakenDevice> {
        let client = client.clone();
        self.writer.write(move |rows| devices::take_device(rows, device, &client, now)).await
    }

    async fn issue_grant(&self, grant: NewGrant) -> StoreResult<()> {
        self.writer.write(move |rows| grants::issue_grant(rows, &grant)).await
    }

    async fn refresh_token(&self, token: TokenHash, now: UnixTime) -> StoreResult<Option<RefreshTokenFacts>> {
        self.readers.read(move |rows| grants::refresh_token(rows, token, now)).await
    }

    async fn rotate_refresh(&self, step: RefreshStep) -> StoreResult<RefreshOutcome> {
        self.writer.write(move |rows| refresh::rotate_refresh(rows, &step)).await
    }

    async fn access_token(&self, token: TokenHash, now: UnixTime) -> StoreResult<Option<AccessTokenFacts>> {
        self.readers.read(move |rows| grants::access_token(rows, token, now)).await
    }

    async fn grant(&self, grant: &GrantId) -> StoreResult<Option<Grant>> {
        let grant = grant.clone();
        self.readers.read(move |rows| grants::grant(rows, &grant)).await
    }

    async fn revoke_grant(&self, grant: &GrantId, now: UnixTime) -> StoreResult<bool> {
        let grant = grant.clone();
        self.writer.write(move |rows| grants::revoke_grant(rows, &grant, now)).await
    }

    async fn grants_made_from(&self, grant: &GrantId) -> StoreResult<Vec<GrantId>> {
        let grant = grant.clone();
        self.readers.read(move |rows| grants::grants_made_from(rows, &grant)).await
    }

    async fn revoke_user(&self, user: &UserName, now: UnixTime) -> StoreResult<Vec<GrantId>> {
        let user = user.clone();
        self.writer.write(move |rows| revocations::revoke_user(rows, &user, now)).await
    }

    async fn revoke_client(&self, client: &ClientId, now: UnixTime) -> StoreResult<Vec<GrantId>> {
        let client = client.clone();
        self.writer.write(move |rows| revocations::revoke_client(rows, &client, now)).await
    }

    async fn revocations_after(&self, after: RevocationSeq) -> StoreResult<Vec<Revocation>> {
        self.readers.read(move |rows| revocations::revocations_after(rows, after)).await
    }

    async fn last_revocation(&self) -> StoreResult<RevocationSeq> {
        self.readers.read(revocations::last_revocation).await
    }

    async fn put_consent(&self, consent: Consent) -> StoreResult<()> {
        self.writer.write(move |rows| consents::put_consent(rows, &consent)).await
    }

    async fn consent(
        &self,
        client: &ClientId,
        user: &UserName,
        sub: &Subject,
        redirect_uri: &str,
        now: UnixTime,
    ) -> StoreResult<Option<Consent>> {
        let (client, user, sub, redirect_uri) = (client.clone(), user.clone(), sub.clone(), redirect_uri.to_owned());
        self.readers.read(move |rows| consents::consent(rows, &client, &user, &sub, &redirect_uri, now)).await
    }

    async fn put_login(&self, login: TokenHash, at: UnixTime, expires_at: UnixTime) -> StoreResult<()> {
        self.writer.write(move |rows| consents::put_login(rows, login, at, expires_at)).await
    }

    async fn login(&self, login: TokenHash, now: UnixTime) -> StoreResult<Option<UnixTime>> {
        self.readers.read(move |rows| consents::login(rows, login, now)).await
    }

    async fn session_claim(
        &self,
        login: TokenHash,
        candidate: ClientSession,
        expires_at: UnixTime,
    ) -> StoreResult<String> {
        self.writer.write(move |rows| consents::session_claim(rows, login, candidate, expires_at)).await
    }

    async fn sessions_of_login(&self, login: TokenHash) -> StoreResult<Vec<ClientSession>> {
        self.readers.read(move |rows| logouts::sessions_of_login(rows, login)).await
    }

    async fn continue_login(&self, from: TokenHash, to: TokenHash) -> StoreResult<()> {
        self.writer.write(move |rows| logouts::continue_login(rows, from, to)).await
    }

    async fn end_login(&self, end: EndOfLogin) -> StoreResult<Vec<GrantId>> {
        self.writer.write(move |rows| logouts::end_login(rows, &end)).await
    }

    async fn connections(&self, user: &GrantUser, now: UnixTime) -> StoreResult<Vec<Connection>> {
        let user = user.clone();
        self.readers.read(move |rows| connections::connections(rows, &user, now)).await
    }

    async fn end_connection(&self, user: &UserName, client: &ClientId, now: UnixTime) -> StoreResult<Vec<GrantId>> {
        let (user, client) = (user.clone(), client.clone());
        self.writer.write(move |rows| connections::end_connection(rows, &user, &client, now)).await
    }

    async fn note_uses(&self, uses: Vec<(GrantId, UnixTime)>) -> StoreResult<()> {
        self.writer.write(move |rows| connections::note_uses(rows, &uses)).await
    }

    async fn put_logout(&self, handle: TokenHash, logout: PendingLogout) -> StoreResult<()> {
        self.writer.write(move |rows| logouts::put_logout(rows, handle, &logout)).await
    }

    async fn logout(&self, handle: TokenHash, now: UnixTime) -> StoreResult<Option<PendingLogout>> {
        self.readers.read(move |rows| logouts::logout(rows, handle, now)).await
    }

    async fn take_logout(&self, handle: TokenHash, now: UnixTime) -> StoreResult<Option<PendingLogout>> {
        self.writer.write(move |rows| logouts::take_logout(rows, handle, now)).await
    }

    async fn take_due_notices(
        &self,
        now: UnixTime,
        again: fn(UnixTime, u32) -> UnixTime,
        most: u32,
    ) -> StoreResult<Vec<LogoutNotice>> {
        self.writer.write(move |rows| logouts::take_due_notices(rows, now, again, most)).await
    }

    async fn drop_notice(&self, notice: &LogoutNotice) -> StoreResult<()> {
        let (client, claim) = (notice.client.clone(), notice.claim.clone());
        self.writer.write(move |rows| logouts::drop_notice(rows, &client, &claim)).await
    }

    async fn shadow_token(&self, user: &UserName, now: UnixTime) -> StoreResult<Option<ShadowToken>> {
        let user = user.clone();
        self.readers.read(move |rows| sealed::shadow_token(rows, &user, now)).await
    }

    async fn put_shadow_token(&self, user: &UserName, token: ShadowToken) -> StoreResult<()> {
        let user = user.clone();
        self.writer.write(move |rows| sealed::put_shadow_token(rows, &user, &token)).await
    }

    async fn take_shadow_token(&self, user: &UserName) -> StoreResult<Option<ShadowToken>> {
        let user = user.clone();
        self.writer.write(move |rows| sealed::take_shadow_token(rows, &user)).await
    }

    async fn signing_keys(&self) -> StoreResult<Vec<StoredSigningKey>> {
        self.readers.read(sealed::signing_keys).await
    }

    async fn put_signing_key(&self, key: StoredSigningKey) -> StoreResult<StoredSigningKey> {
        self.writer.write(move |rows| sealed::put_signing_key(rows, key)).await
    }

    async fn succeed_signing_key(&self, step: KeySuccession) -> StoreResult<()> {
        self.writer.write(move |rows| sealed::succeed_signing_key(rows, &step)).await
    }

    async fn replace_signing_keys(&self, keys: Vec<StoredSigningKey>) -> StoreResult<u64> {
        self.writer.write(move |rows| sealed::replace_signing_keys(rows, &keys)).await
    }

    async fn forget_signing_keys(&self, keys: Vec<KeyId>) -> StoreResult<()> {
        self.writer.write(move |rows| sealed::forget_signing_keys(rows, &keys)).await
    }

    async fn upstream_clients(&self) -> StoreResult<Vec<KeptClient>> {
        self.readers.read(upstream_clients::all).await
    }

    async fn put_upstream_clients(&self, clients: Vec<KeptClient>) -> StoreResult<()> {
        self.writer.write(move |rows| upstream_clients::replace(rows, &clients)).await
    }

    async fn forget_consents(&self, client: &ClientId) -> StoreResult<()> {
        let client = client.clone();
        self.writer.write(move |rows| consents::forget_consents(rows, &client)).await
    }

    async fn import_natives(&self, natives: Vec<NativeRow>, now: UnixTime) -> StoreResult<NativeImport> {
        self.writer.write(move |rows| native::import(rows, &natives, now)).await
    }

    async fn native_is_known(&self, token: TokenHash) -> StoreResult<bool> {
        self.readers.read(move |rows| native::is_known(rows, &token)).await
    }

    async fn native_tokens(&self) -> StoreResult<Vec<TokenHash>> {
        self.readers.read(native::all).await
    }

    async fn forget_natives(&self, access: Vec<TokenHash>, now: UnixTime) -> StoreResult<Vec<GrantId>> {
        self.writer.write(move |rows| native::forget(rows, &access, now)).await
    }

    async fn note_native_uses(&self, uses: Vec<(TokenHash, UnixTime)>) -> StoreResult<()> {
        self.writer.write(move |rows| native::note_uses(rows, &uses)).await
    }

    async fn native_counts(&self, since: UnixTime, now: UnixTime) -> StoreResult<Vec<NativeCount>> {
        self.readers.read(move |rows| native::counts(rows, since, now)).await
    }

    async fn native_cursor(&self) -> StoreResult<Option<String>> {
        self.readers.read(native::cursor).await
    }

    async fn put_native_cursor(&self, cursor: String) -> StoreResult<()> {
        self.writer.write(move |rows| native::put_cursor(rows, &cursor)).await
    }

    async fn register_client(&self, client: RegisteredClient, most: u64) -> StoreResult<bool> {
        self.writer.write(move |rows| registered::register(rows, &client, most)).await
    }

    async fn registered_client(&self, id: &ClientId) -> StoreResult<Option<RegisteredClient>> {
        let id = id.clone();
        self.readers.read(move |rows| registered::one(rows, &id)).await
    }

    async fn registered_clients(&self) -> StoreResult<Vec<RegisteredClient>> {
        self.readers.read(registered::all).await
    }

    async fn registrations(&self) -> StoreResult<u64> {
        self.readers.read(registered::registrations).await
    }

    async fn change_registered_client(&self, id: &ClientId, change: ChangedClient) -> StoreResult<bool> {
        let id = id.clone();
        self.writer.write(move |rows| registered::change(rows, &id, &change)).await
    }

    async fn remove_registered_client(&self, id: &ClientId, now: UnixTime) -> StoreResult<Option<RemovedClient>> {
        let id = id.clone();
        self.writer.write(move |rows| registered::remove(rows, &id, now)).await
    }

    async fn remove_unused_clients(
        &self,
        unused_since: UnixTime,
        now: UnixTime,
        most: u32,
    ) -> StoreResult<Vec<RemovedClient>> {
        self.writer.write(move |rows| registered::remove_unused(rows, unused_since, now, most)).await
    }

    async fn note_client_uses(&self, uses: Vec<(ClientId, UnixTime)>) -> StoreResult<()> {
        self.writer.write(move |rows| registered::note_uses(rows, &uses)).await
    }

    async fn count_agent_uses(&self, uses: Vec<AgentUse>) -> StoreResult<()> {
        self.writer.write(move |rows| agents::count_uses(rows, &uses)).await
    }

    async fn agent_uses(&self, day: Day) -> StoreResult<Vec<AgentUse>> {
        self.readers.read(move |rows| agents::uses(rows, day)).await
    }

    async fn stop_agents(&self, agents: Vec<ClientId>, now: UnixTime) -> StoreResult<StoppedAgents> {
        self.writer.write(move |rows| agents::stop(rows, &agents, now)).await
    }

    async fn start_agents(&self) -> StoreResult<bool> {
        self.writer.write(agents::start).await
    }

    async fn agents_stopped_since(&self) -> StoreResult<Option<UnixTime>> {
        self.readers.read(agents::stopped_since).await
    }

    async fn count_allowances(&self, uses: Vec<AllowanceUse>) -> StoreResult<()> {
        self.writer.write(move |rows| upkeep::count_allowances(rows, &uses)).await
    }

    async fn allowance_uses(&self) -> StoreResult<Vec<AllowanceUse>> {
        self.readers.read(upkeep::allowance_uses).await
    }

    async fn living_grants(&self, now: UnixTime) -> StoreResult<Vec<(ClientId, u64)>> {
        self.readers.read(move |rows| upkeep::living_grants(rows, now)).await
    }

    async fn purge(&self, now: UnixTime, most: u32) -> StoreResult<u64> {
        let mut gone = 0;
        for kind in upkeep::PURGES {
            gone += self.writer.write(move |rows| upkeep::purge(rows, kind, now, most)).await?;
        }
        Ok(gone)
    }

    async fn ready(&self) -> StoreResult<()> {
        self.writer.write(upkeep::ready).await?;
        self.readers.read(revocations::last_revocation).await.map(|_| ())
    }
}
