//! Ending grants, and finding the grant of a token that somebody presents for revocation or introspection.

use super::{IssueError, Issuer};
use crate::{
    oauth::{ClientId, GrantId, Recognised, TokenHash, TokenKind, UserName},
    store::{AccessTokenFacts, RefreshTokenFacts},
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
    /// The active token with this text. Its shape tells which kind it is, so that a hint is never needed.
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn presented_token(&self, text: &str) -> Result<Option<PresentedToken>, IssueError> {
        let now = self.clock.now();
        let found = match self.mint.recognise(text) {
            Recognised::Ours(TokenKind::Access) => {
                self.store.access_token(TokenHash::of(text), now).await?.map(PresentedToken::Access)
            }
            Recognised::Ours(TokenKind::Refresh) => {
                let facts = self.store.refresh_token(TokenHash::of(text), now).await?;
                facts.filter(|facts| facts.rotated_at.is_none()).map(PresentedToken::Refresh)
            }
            Recognised::Ours(TokenKind::Code | TokenKind::Handle) | Recognised::Malformed | Recognised::Foreign => None,
        };
        Ok(found)
    }

    /// Ends a grant: in the store first, then wherever its tokens are remembered.
    ///
    /// # Errors
    /// When the store can't keep it: the grant goes on then.
    pub async fn end_grant(&self, grant: &GrantId) -> Result<(), IssueError> {
        self.store.revoke_grant(grant, self.clock.now()).await?;
        (self.grant_ended)(grant);
        Ok(())
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
}
