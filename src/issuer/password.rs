//! The password grant (RFC 6749 §4.3), for clients that are allowed it by name: ERPNext's own login checks the password.

use std::net::IpAddr;

use super::{
    FirstTokens, GrantRefusal, IssueError, IssuedTokens, Issuer, RequestedAccess, client_credentials::scopes_within,
    may_refresh,
};
use crate::{
    erpnext::PasswordCheck,
    oauth::{Allowance, Client},
    secret::Secret,
    store::Grant,
};

impl Issuer {
    /// Issues tokens for the user whose name and password these are. No id_token (decision 24).
    ///
    /// # Errors
    /// The refusal; or that store or upstream fail.
    pub async fn password(
        &self,
        client: &Client,
        username: &str,
        password: &Secret,
        asked: RequestedAccess,
        peer: IpAddr,
    ) -> Result<IssuedTokens, IssueError> {
        let scopes = scopes_within(client, asked.scope)?;
        let name = match self.directory.check_password(username, password, peer).await? {
            PasswordCheck::Right(name) => name,
            PasswordCheck::Wrong => return Err(GrantRefusal::PasswordWrong.into()),
            PasswordCheck::SecondFactor => return Err(GrantRefusal::SecondFactorNeeded.into()),
        };
        self.count(client, Allowance::Password);
        let user = self.grant_user(&name).await?;
        self.check_user(client, &user).await?;
        let now = self.clock.now();
        let grant = Grant {
            id: self.new_grant_id(),
            client: client.id.clone(),
            user,
            scopes,
            created_at: now,
            auth_time: Some(now),
            session_claim: None,
            id_token_claims: Vec::new(),
            userinfo_claims: Vec::new(),
            dpop_key: None,
            resources: asked.resources.clone(),
        };
        let with_refresh = may_refresh(client);
        self.issue(
            client,
            FirstTokens {
                grant,
                from_code: None,
                in_login: None,
                nonce: None,
                with_refresh,
                with_id_token: false,
                resources: asked.resources,
                dpop_key: None,
            },
        )
        .await
    }
}
