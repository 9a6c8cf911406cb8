//! The refresh token grant (RFC 6749 §6, RFC 9700 §4.14.2): rotated for public clients, stable for confidential ones,
//! ever more of them for clients that are used to ERPNext's ways.

use std::sync::Arc;

use super::{
    GrantRefusal, IdTokenParts, IssueError, IssuedTokens, Issuer, RequestedAccess, access_token::AccessTokenParts,
};
use crate::{
    clock::UnixTime,
    erpnext::{DirectoryError, NativeTokens},
    oauth::{Allowance, Client, ClientId, Recognised, Scope, Scopes, TokenHash, TokenKind},
    secret::Secret,
    store::{Grant, RefreshOutcome, RefreshStep, RefreshSuccession, RefreshTokenFacts},
    telemetry::audit::AuditEvent,
};

impl Issuer {
    /// Which client a refresh token was issued to, for clients that may leave their `client_id` out.
    ///
    /// # Errors
    /// [`GrantRefusal::UnknownRefreshToken`] or its like when the token is not good.
    pub async fn client_of_refresh_token(&self, presented: &Secret) -> Result<ClientId, IssueError> {
        Ok(self.refresh_facts(presented, self.clock.now()).await?.grant.client)
    }

    /// Refreshes: a new access token as it is asked for, within the grant, and the refresh token to use from now on.
    ///
    /// # Errors
    /// The refusal; or that store, upstream or signing fail.
    pub async fn refresh(
        &self,
        client: &Client,
        presented: &Secret,
        asked: RequestedAccess,
    ) -> Result<IssuedTokens, IssueError> {
        let now = self.clock.now();
        let facts = self.refresh_facts(presented, now).await?;
        if facts.grant.client != client.id {
            self.record(&AuditEvent {
                event: "refresh_token_of_another_client",
                client_id: Some(client.id.as_str()),
                grant_id: Some(facts.grant.id.as_str()),
                ..AuditEvent::default()
            });
            return Err(GrantRefusal::OtherClient.into());
        }
        if facts.grant.dpop_key.is_some_and(|bound_to| asked.dpop_key != Some(bound_to)) {
            return Err(GrantRefusal::KeyNotProven.into());
        }
        let resources = asked.resources_within(&facts.grant.resources)?;
        let dpop_key = asked.dpop_key;
        let scopes = asked.scope.unwrap_or_else(|| facts.grant.scopes.clone());
        if !scopes.is_subset_of(&facts.grant.scopes) {
            return Err(GrantRefusal::ScopeTooWide.into());
        }
        self.check_user(client, &facts.grant.user).await?;
        let parts = AccessTokenParts {
            grant: &facts.grant,
            scopes: &scopes,
            resources: &resources,
            dpop_key,
            now,
            expires_at: now.plus(self.settings.access_ttl),
        };
        let (access_token, access) = self.access_token(parts).await?;
        let id_token = self.refreshed_id_token(client, &facts.grant, &scopes, access_token.expose(), now).await?;
        let (succession, next) = self.succession(client, presented, &facts);
        let step = RefreshStep {
            presented: TokenHash::of(presented.expose()),
            succession,
            access,
            refresh_expires_at: now.plus(self.settings.refresh_ttl),
            now,
        };
        self.take_step(client, step, &facts.grant).await?;
        Ok(IssuedTokens {
            access_token,
            expires_in: self.settings.access_ttl.as_secs(),
            scopes,
            refresh_token: Some(next),
            id_token,
            grant: facts.grant.id,
            user: facts.grant.user.name,
            dpop_key,
        })
    }

    async fn refresh_facts(&self, presented: &Secret, now: UnixTime) -> Result<RefreshTokenFacts, IssueError> {
        let text = presented.expose();
        match (self.mint.recognise(text), &self.natives) {
            (Recognised::Ours(TokenKind::Refresh), _) => {
                let facts = self.store.refresh_token(TokenHash::of(text), now).await?;
                facts.ok_or_else(|| GrantRefusal::UnknownRefreshToken.into())
            }
            (Recognised::Foreign, Some(natives)) => self.native_refresh_facts(natives, text, now).await,
            _ => Err(GrantRefusal::MalformedRefreshToken.into()),
        }
    }

    /// A refresh token that ERPNext issued stands among ours since it was read. The first use is the last moment at which
    /// ERPNext can say that it has been revoked there; from then on the grant is ours.
    async fn native_refresh_facts(
        &self,
        natives: &Arc<NativeTokens>,
        text: &str,
        now: UnixTime,
    ) -> Result<RefreshTokenFacts, IssueError> {
        let hash = TokenHash::of(text);
        let facts = match self.store.refresh_token(hash, now).await? {
            None if !natives.are_complete() => {
                return Err(DirectoryError::Unavailable("ERPNext's tokens have not been read yet".to_owned()).into());
            }
            // Whoever was given one a moment before the gateway took over must not have to log in again.
            None if natives.read_new_refresh(text).await? => self.store.refresh_token(hash, now).await?,
            facts => facts,
        };
        let mut facts = facts.ok_or(GrantRefusal::MalformedRefreshToken)?;
        if !facts.is_adopted() && !natives.has_refresh(text).await? {
            // The row of one that another request adopted meanwhile is deleted by ourselves.
            let now_facts = self.store.refresh_token(hash, now).await?;
            let Some(adopted) = now_facts.filter(RefreshTokenFacts::is_adopted) else {
                self.end_grant(&facts.grant.id).await?;
                return Err(GrantRefusal::UnknownRefreshToken.into());
            };
            facts = adopted;
        }
        natives.note_use(hash, now);
        Ok(facts)
    }

    /// With the original `auth_time` and `sid`, without `nonce` (OpenID Connect Core §12.2).
    async fn refreshed_id_token(
        &self,
        client: &Client,
        grant: &Grant,
        scopes: &Scopes,
        access_token: &str,
        now: UnixTime,
    ) -> Result<Option<String>, IssueError> {
        if !scopes.contains(Scope::OPENID) {
            return Ok(None);
        }
        let access_token = Some(access_token);
        let parts = IdTokenParts { grant, scopes, nonce: None, access_token, code: None, now };
        self.id_token(client, parts).await.map(Some)
    }

    /// What becomes of the presented token, and which one the client uses from now on (decision 23).
    fn succession(
        &self,
        client: &Client,
        presented: &Secret,
        facts: &RefreshTokenFacts,
    ) -> (RefreshSuccession, Secret) {
        if client.allows(Allowance::OldRefresh) {
            if !facts.newest {
                self.count(client, Allowance::OldRefresh);
            }
            let added = self.mint.mint(TokenKind::Refresh, &*self.random);
            (RefreshSuccession::Add { added: added.hash }, added.text)
        } else if client.is_public() && facts.grant.dpop_key.is_none() {
            let successor = self.mint.successor(presented.expose(), facts.generation);
            let grace_millis = u64::try_from(self.settings.refresh_grace.as_millis()).unwrap_or(u64::MAX);
            (RefreshSuccession::Rotate { successor: successor.hash, grace_millis }, successor.text)
        } else if self.mint.recognise(presented.expose()) == Recognised::Foreign {
            // One of ERPNext's gives way to one of ours, and goes on working for a client that does not notice.
            let added = self.mint.mint(TokenKind::Refresh, &*self.random);
            (RefreshSuccession::Add { added: added.hash }, added.text)
        } else {
            (RefreshSuccession::Keep, presented.clone())
        }
    }

    async fn take_step(&self, client: &Client, step: RefreshStep, of: &Grant) -> Result<(), IssueError> {
        match self.store.rotate_refresh(step).await? {
            RefreshOutcome::Refreshed | RefreshOutcome::Graced => Ok(()),
            RefreshOutcome::Reused(grant) => {
                (self.grant_ended)(&grant);
                self.record(&AuditEvent {
                    event: "refresh_token_reused",
                    client_id: Some(client.id.as_str()),
                    user: Some(of.user.name.as_str()),
                    grant_id: Some(grant.as_str()),
                    ..AuditEvent::default()
                });
                Err(GrantRefusal::ReusedRefreshToken.into())
            }
            RefreshOutcome::Absent => Err(GrantRefusal::UnknownRefreshToken.into()),
        }
    }
}
