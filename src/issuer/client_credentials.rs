//! The client credentials grant (RFC 6749 §4.4): tokens that act as the client's service user.

use super::{FirstTokens, GrantRefusal, IssueError, IssuedTokens, Issuer, RequestedAccess};
use crate::{
    oauth::{Client, Scopes},
    store::Grant,
};

impl Issuer {
    /// Issues an access token for the client itself, as it is asked for. No refresh token: the client can ask again.
    ///
    /// # Errors
    /// The refusal; or that store or upstream fail.
    pub async fn client_credentials(
        &self,
        client: &Client,
        asked: RequestedAccess,
    ) -> Result<IssuedTokens, IssueError> {
        let service_user = client.service_user.as_ref().ok_or(GrantRefusal::NoServiceUser)?;
        let user = self.grant_user(service_user).await?;
        self.check_user(client, &user).await?;
        let grant = Grant {
            id: self.new_grant_id(),
            client: client.id.clone(),
            user,
            scopes: scopes_within(client, asked.scope)?,
            created_at: self.clock.now(),
            auth_time: None,
            session_claim: None,
            id_token_claims: Vec::new(),
            userinfo_claims: Vec::new(),
            dpop_key: None,
            resources: asked.resources.clone(),
        };
        let first = FirstTokens {
            grant,
            from_code: None,
            in_login: None,
            nonce: None,
            with_refresh: false,
            with_id_token: false,
            resources: asked.resources,
            dpop_key: asked.dpop_key,
        };
        self.issue(client, first).await
    }
}

/// The scopes asked for, which must be the client's; asked for none, all of the client's.
pub(super) fn scopes_within(client: &Client, scope: Option<Scopes>) -> Result<Scopes, GrantRefusal> {
    match scope.filter(|scopes| !scopes.is_empty()) {
        None => Ok(client.scopes.clone()),
        Some(scopes) if scopes.is_subset_of(&client.scopes) => Ok(scopes),
        Some(_) => Err(GrantRefusal::ScopeTooWide),
    }
}
