//! Ending grants, and finding the grant of a token that somebody presents for revocation or introspection.

use std::sync::Arc;

use super::{AccessJwts, IssueError, Issuer};
use crate::{
    clock::UnixTime,
    erpnext::{DirectoryError, NativeTokens},
    oauth::{ClientId, GrantId, Recognised, SignedAccessTokens, TokenHash, TokenKind, UserName},
    store::{AccessTokenFacts, RefreshTokenFacts, StoreError},
    telemetry::audit::AuditEvent,
};

/// What a presented token turned out to be.
#[derive(Debug)]
pub enum PresentedToken {
    /// An active access token.
    Access(AccessTokenFacts),
    /// A refresh token that has neither expired nor been rotated away.
    Refresh(RefreshTokenFacts),
}

impl PresentedToken {
    /// The client that it was issued to.
    #[must_use]
    pub fn client(&self) -> &ClientId {
        match self {
            Self::Access(facts) => &facts.grant.client,
            Self::Refresh(facts) => &facts.grant.client,
        }
    }

    /// The user that it acts as.
    #[must_use]
    pub fn user(&self) -> &UserName {
        match self {
            Self::Access(facts) => &facts.grant.user.name,
            Self::Refresh(facts) => &facts.grant.user.name,
        }
    }

    /// Its grant.
    #[must_use]
    pub fn grant(&self) -> &GrantId {
        match self {
            Self::Access(facts) => &facts.grant.id,
            Self::Refresh(facts) => &facts.grant.id,
        }
    }
}

impl Issuer {
    /// The active token with this text. Its shape tells which kind it is, so that a hint is never needed. A JWT whose key was
    /// replaced is none any more, as little as at the edge.
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn presented_token(&self, text: &str) -> Result<Option<PresentedToken>, IssueError> {
        let (issuer, now) = (self.settings.issuer.clone(), self.clock.now());
        let is_jwt = self.mint.recognise(text) == Recognised::Jwt;
        if is_jwt && !AccessJwts::new(Arc::clone(&self.signing), issuer).verify(text, now) {
            return Ok(None);
        }
        self.kept_token(text, now).await
    }

    /// The token with this text whose grant has not ended, as the store knows it.
    async fn kept_token(&self, text: &str, now: UnixTime) -> Result<Option<PresentedToken>, IssueError> {
        let hash = TokenHash::of(text);
        let found = match self.mint.recognise(text) {
            Recognised::Ours(TokenKind::Access) | Recognised::Jwt => {
                self.store.access_token(hash, now).await?.map(PresentedToken::Access)
            }
            Recognised::Ours(TokenKind::Refresh) => self.presented_refresh_token(hash, now).await?,
            Recognised::Foreign => match &self.natives {
                Some(natives) => self.presented_native(natives, text, now).await?,
                None => None,
            },
            Recognised::Ours(TokenKind::Code | TokenKind::Handle | TokenKind::DeviceCode) | Recognised::Malformed => {
                None
            }
        };
        Ok(found)
    }

    /// The same of a token that is presented to be revoked. One that ERPNext issued a moment ago is read first: it would
    /// come to life here with the next round.
    ///
    /// # Errors
    /// When the store or ERPNext can't answer.
    pub async fn presented_for_revocation(&self, text: &str) -> Result<Option<PresentedToken>, IssueError> {
        let found = self.kept_token(text, self.clock.now()).await?;
        match (&found, self.mint.recognise(text), &self.natives) {
            (None, Recognised::Foreign, Some(natives)) if natives.read_new_token(text).await? => {
                self.presented_token(text).await
            }
            _ => Ok(found),
        }
    }

    async fn presented_refresh_token(
        &self,
        hash: TokenHash,
        now: UnixTime,
    ) -> Result<Option<PresentedToken>, IssueError> {
        let facts = self.store.refresh_token(hash, now).await?;
        Ok(facts.filter(|facts| facts.rotated_at.is_none()).map(PresentedToken::Refresh))
    }

    /// A token that ERPNext issued, as far as the store knows.
    async fn presented_native(
        &self,
        natives: &NativeTokens,
        text: &str,
        now: UnixTime,
    ) -> Result<Option<PresentedToken>, IssueError> {
        let hash = TokenHash::of(text);
        let found = match self.store.access_token(hash, now).await? {
            Some(facts) => Some(PresentedToken::Access(facts)),
            None => self.presented_refresh_token(hash, now).await?,
        };
        // What nobody has read nobody can tell of as long as not all have been.
        if found.is_none() && !natives.are_complete() {
            return Err(DirectoryError::Unavailable("ERPNext's tokens have not been read yet".to_owned()).into());
        }
        Ok(found)
    }

    /// Whether a token that is active here is so in ERPNext, too, where ERPNext issued it: what is deleted there is heard
    /// of late.
    ///
    /// # Errors
    /// When ERPNext can't answer.
    pub async fn is_accepted_upstream(&self, text: &str, token: &PresentedToken) -> Result<bool, IssueError> {
        let (Recognised::Foreign, Some(natives)) = (self.mint.recognise(text), &self.natives) else {
            return Ok(true);
        };
        Ok(match token {
            PresentedToken::Access(facts) => self.is_native_accepted(text, &facts.grant.user.name).await?,
            // Once it has been used here, ERPNext's row of it goes with its access token.
            PresentedToken::Refresh(facts) if facts.is_adopted() => true,
            PresentedToken::Refresh(_) => natives.has_refresh(text).await?,
        })
    }

    /// Whether ERPNext itself accepts an access token that it has issued, for this user.
    ///
    /// # Errors
    /// When ERPNext can't answer.
    pub async fn is_native_accepted(&self, access: &str, user: &UserName) -> Result<bool, DirectoryError> {
        match &self.natives {
            Some(natives) => natives.accepts(access, user).await,
            None => Ok(false),
        }
    }

    /// Ends the grant of a token that was presented to that end. One of ERPNext's own ends there, too, though that is not
    /// waited for: nobody can use it past us.
    ///
    /// # Errors
    /// When the store can't keep it: the grant goes on then.
    pub async fn revoke(&self, text: &str, token: &PresentedToken) -> Result<(), IssueError> {
        self.end_grant(token.grant()).await?;
        if let (Recognised::Foreign, Some(natives)) = (self.mint.recognise(text), &self.natives) {
            natives.forget_upstream(text);
        }
        Ok(())
    }

    /// Ends a grant: in the store first, then wherever its tokens are remembered.
    ///
    /// # Errors
    /// When the store can't keep it: the grant goes on then.
    pub async fn end_grant(&self, grant: &GrantId) -> Result<(), IssueError> {
        self.store.revoke_grant(grant, self.clock.now()).await?;
        Ok(self.tell_ended(grant).await?)
    }

    /// Tells whoever keeps tokens in memory that a grant has ended in the store, and what was made from it with it.
    pub(super) async fn tell_ended(&self, grant: &GrantId) -> Result<(), StoreError> {
        (self.grant_ended)(grant);
        for made in self.store.grants_made_from(grant).await? {
            (self.grant_ended)(&made);
        }
        Ok(())
    }

    /// Ends all grants of a user for one client, and forgets the consents; tells how many grants.
    ///
    /// # Errors
    /// When the store can't keep it: the grants go on then.
    pub async fn end_connection(&self, user: &UserName, client: &ClientId) -> Result<u64, IssueError> {
        let ended = self.store.end_connection(user, client, self.clock.now()).await?;
        for grant in &ended {
            (self.grant_ended)(grant);
        }
        Ok(ended.len() as u64)
    }

    /// Ends all grants of a user who is gone.
    ///
    /// # Errors
    /// When the store can't keep it: the grants go on then.
    pub async fn end_grants_of_user(&self, user: &UserName) -> Result<(), IssueError> {
        let ended = self.store.revoke_user(user, self.clock.now()).await?;
        for grant in &ended {
            (self.grant_ended)(grant);
        }
        let count = Some(ended.len() as u64);
        self.record(&AuditEvent { event: "user_gone", user: Some(user.as_str()), count, ..AuditEvent::default() });
        Ok(())
    }

    /// Ends all grants of a client that is no more, with its consents.
    ///
    /// # Errors
    /// When the store can't keep it: the grants go on then.
    pub async fn end_grants_of_client(&self, client: &ClientId) -> Result<(), IssueError> {
        let ended = self.store.revoke_client(client, self.clock.now()).await?;
        for grant in &ended {
            (self.grant_ended)(grant);
        }
        self.record(&AuditEvent {
            event: "client_gone",
            client_id: Some(client.as_str()),
            count: Some(ended.len() as u64),
            ..AuditEvent::default()
        });
        Ok(())
    }

    /// A client is another one than before: what users consented to with it is asked again (decision 16).
    ///
    /// # Errors
    /// When the store can't keep it.
    pub async fn client_changed(&self, client: &ClientId) -> Result<(), IssueError> {
        self.store.forget_consents(client).await?;
        let event = AuditEvent { event: "client_changed", client_id: Some(client.as_str()), ..AuditEvent::default() };
        self.record(&event);
        Ok(())
    }
}
