//! The device authorization grant (RFC 8628): a device asks, a user decides elsewhere, the device polls.
//!
//! The grant does not end with the login session in which it was given: that is of another machine than the device.

use std::time::Duration;

use super::{FirstTokens, GrantRefusal, IssueError, IssuedTokens, Issuer, RequestedAccess, may_refresh};
use crate::{
    clock::UnixTime,
    oauth::{Client, GrantId, Recognised, Resources, Scopes, TokenHash, TokenKind, UserCode},
    secret::Secret,
    store::{DeviceApproval, DeviceDecision, Grant, GrantUser, POLL_INTERVAL, PendingDevice, StoreError, TakenDevice},
    telemetry::audit::AuditEvent,
};

/// How long the codes live.
const LIFE: Duration = Duration::from_secs(600);
/// So often a user code is drawn that another device has already; even the second time is one in millions.
const DRAWS: u32 = 8;

/// A device authorization response (RFC 8628 §3.2), before it is put into words.
#[derive(Debug)]
pub struct DeviceCodes {
    /// `device_code`
    pub device_code: Secret,
    /// `user_code`
    pub user_code: UserCode,
    /// `expires_in`, in seconds.
    pub expires_in: u64,
    /// `interval`, in seconds.
    pub interval: u64,
}

impl Issuer {
    /// Takes a device's request, whose scopes have been checked.
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn begin_device(&self, client: &Client, scopes: Scopes) -> Result<DeviceCodes, IssueError> {
        let now = self.clock.now();
        let device = self.mint.mint(TokenKind::DeviceCode, &*self.random);
        for _ in 0..DRAWS {
            let user_code = UserCode::fresh(&*self.random);
            let pending = PendingDevice {
                user_code: user_code.hash(),
                client: client.id.clone(),
                scopes: scopes.clone(),
                asked_at: now,
                expires_at: now.plus(LIFE),
            };
            if self.store.put_device(device.hash, pending).await? {
                let (device_code, expires_in) = (device.text, LIFE.as_secs());
                return Ok(DeviceCodes { device_code, user_code, expires_in, interval: POLL_INTERVAL.as_secs() });
            }
        }
        Err(StoreError::Unavailable("no user code is free".to_owned()).into())
    }

    /// The device that waits under this user code.
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn pending_device(&self, user_code: UserCode) -> Result<Option<PendingDevice>, IssueError> {
        Ok(self.store.device_by_user_code(user_code.hash(), self.clock.now()).await?)
    }

    /// Lets the device go on with these scopes, if nobody has decided before: the grant that will come from it.
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn approve_device(
        &self,
        pending: &PendingDevice,
        (user, scopes): (&GrantUser, &Scopes),
        auth_time: Option<UnixTime>,
    ) -> Result<Option<GrantId>, IssueError> {
        let grant = self.new_grant_id();
        let approval =
            DeviceApproval { grant: grant.clone(), user: user.clone(), auth_time, scopes: Some(scopes.clone()) };
        let decision = DeviceDecision::Approved(Box::new(approval));
        let decided = self.store.decide_device(pending.user_code, decision, self.clock.now()).await?;
        Ok(decided.then_some(grant))
    }

    /// Denies the device its request; `false` when somebody has decided before.
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn deny_device(&self, pending: &PendingDevice) -> Result<bool, IssueError> {
        Ok(self.store.decide_device(pending.user_code, DeviceDecision::Denied, self.clock.now()).await?)
    }

    /// One poll: tokens, once the user has granted them, for what the poll asks for. The device
    /// code is used up by that, whatever comes of it.
    ///
    /// # Errors
    /// The refusal, which may be to wait; or that store, upstream or signing fail.
    pub async fn redeem_device(
        &self,
        client: &Client,
        presented: &Secret,
        asked: RequestedAccess,
    ) -> Result<IssuedTokens, IssueError> {
        let (now, text) = (self.clock.now(), presented.expose());
        if self.mint.recognise(text) != Recognised::Ours(TokenKind::DeviceCode) {
            return Err(GrantRefusal::MalformedCode.into());
        }
        let hash = TokenHash::of(text);
        let (scopes, approval) = self.take_device(client, hash, now).await?;
        if !scopes.iter().all(|scope| client.may_be_granted(scope.as_str())) {
            return Err(GrantRefusal::ScopeTooWide.into());
        }
        self.check_user(client, &approval.user).await?;
        let grant = Grant {
            id: approval.grant,
            client: client.id.clone(),
            user: approval.user,
            scopes,
            created_at: now,
            auth_time: approval.auth_time,
            session_claim: None,
            id_token_claims: Vec::new(),
            userinfo_claims: Vec::new(),
            act: None,
            dpop_key: asked.dpop_key.filter(|_| client.is_public()),
            // A device's request names none (RFC 8628 §3.1), so each of its tokens may.
            resources: Resources::default(),
        };
        let first = FirstTokens {
            grant,
            from_code: Some(hash),
            in_login: None,
            made_from: None,
            nonce: None,
            with_refresh: may_refresh(client),
            with_id_token: true,
            resources: asked.resources,
            dpop_key: asked.dpop_key,
        };
        self.issue(client, first).await
    }

    async fn take_device(
        &self,
        client: &Client,
        device: TokenHash,
        now: UnixTime,
    ) -> Result<(Scopes, DeviceApproval), IssueError> {
        let client_id = Some(client.id.as_str());
        let refusal = match self.store.take_device(device, &client.id, now).await? {
            TakenDevice::Granted { scopes, approval } => {
                let scopes = approval.scopes.clone().unwrap_or(scopes);
                return Ok((scopes, *approval));
            }
            TakenDevice::Pending => GrantRefusal::DevicePending,
            TakenDevice::SlowDown => GrantRefusal::DeviceTooFast,
            TakenDevice::Denied => GrantRefusal::DeviceDenied,
            TakenDevice::Expired => GrantRefusal::DeviceExpired,
            TakenDevice::Absent => GrantRefusal::UnknownCode,
            TakenDevice::OtherClient => {
                let event = "device_code_of_another_client";
                self.record(&AuditEvent { event, client_id, ..AuditEvent::default() });
                GrantRefusal::OtherClient
            }
            TakenDevice::Replayed(grant) => {
                let (event, grant_id) = ("device_code_replayed", Some(grant.as_str()));
                self.record(&AuditEvent { event, client_id, grant_id, ..AuditEvent::default() });
                self.tell_ended(&grant).await?;
                GrantRefusal::ReplayedCode
            }
        };
        Err(refusal.into())
    }
}
