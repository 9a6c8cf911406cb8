//! The token exchange grant at the token endpoint (RFC 8693 §2).

use super::{Endpoints, Peer, client_auth::CheckedClient, parameters::Parameters, respond::OAuthError, token::missing};
use crate::{
    issuer::{GrantRefusal, IssueError, IssuedTokens, RequestedAccess},
    oauth::{Client, ErrorCode},
    secret::Secret,
};

/// The one type of token that is taken, and given (RFC 8693 §3).
pub(super) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

impl Endpoints {
    /// Exchanges the token of the request.
    pub(super) async fn exchange_token(
        &self,
        form: &Parameters,
        checked: &CheckedClient,
        access: RequestedAccess,
        peer: Peer,
    ) -> Result<IssuedTokens, OAuthError> {
        if !matches!(checked, CheckedClient::Authenticated(_)) {
            return Err(OAuthError::new(ErrorCode::InvalidClient, "token exchange needs the client's authentication"));
        }
        let client = checked.client();
        let presented = subject_token(form)?;
        check_types(form)?;
        self.check_audience(form)?;
        let subject = self.issuer.subject_token(client, &presented, access.dpop_key).await;
        let subject = subject.map_err(|error| self.refused_exchange(error, client, peer))?;
        let of = self.clients.client(subject.client()).await?;
        let issued = match of {
            Some(of) => self.issuer.exchange(client, &of, subject, access).await,
            // Whose client is gone is not active either.
            None => Err(GrantRefusal::SubjectNotActive.into()),
        };
        issued.map_err(|error| self.refused_exchange(error, client, peer))
    }

    fn refused_exchange(&self, error: IssueError, client: &Client, peer: Peer) -> OAuthError {
        self.refused_grant(error, Some(client), peer)
    }

    /// Tokens are for the site alone, which is what the issuer is called.
    fn check_audience(&self, form: &Parameters) -> Result<(), OAuthError> {
        if form.each("audience").all(|audience| audience == self.settings.public_origin) {
            return Ok(());
        }
        Err(OAuthError::new(ErrorCode::InvalidTarget, "audience may only be the issuer"))
    }
}

/// RFC 8693 §2.1: the token, of a type that is taken.
fn subject_token(form: &Parameters) -> Result<Secret, OAuthError> {
    let token = form.get("subject_token").ok_or_else(|| missing("subject_token"))?;
    match form.get("subject_token_type") {
        Some(ACCESS_TOKEN) => Ok(Secret::new(token)),
        Some(_) => {
            Err(OAuthError::invalid_request("subject_token_type must be urn:ietf:params:oauth:token-type:access_token"))
        }
        None => Err(missing("subject_token_type")),
    }
}

fn check_types(form: &Parameters) -> Result<(), OAuthError> {
    if form.get("requested_token_type").is_some_and(|requested| requested != ACCESS_TOKEN) {
        return Err(OAuthError::invalid_request(
            "requested_token_type must be urn:ietf:params:oauth:token-type:access_token",
        ));
    }
    // Who acts is who has authenticated; a second party that acts through it could not be told from it at the API.
    if form.get("actor_token").or_else(|| form.get("actor_token_type")).is_some() {
        return Err(OAuthError::invalid_request(
            "actor_token is not supported: the client that exchanges the token is the actor",
        ));
    }
    Ok(())
}
