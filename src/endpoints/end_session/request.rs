//! A logout request, and what of it is checked: every value that leads somewhere must belong to a registered client.

use std::sync::Arc;

use crate::{
    endpoints::{Endpoints, parameters::Parameters, respond::OAuthError},
    oauth::{Client, ClientId, Subject},
    store::PendingLogout,
};

/// A logout request that may be acted on (OpenID Connect RP-Initiated Logout 1.0 §2).
pub(super) struct LogoutRequest {
    /// Who asks, if that is known.
    pub client: Option<Arc<Client>>,
    /// Where the browser goes afterwards: one of the client's.
    pub redirect_uri: Option<String>,
    /// Returned as it came.
    pub state: Option<String>,
    /// The subject that the hint named.
    pub hinted_subject: Option<Subject>,
    /// The languages that pages are wanted in.
    pub ui_locales: Option<String>,
}

impl Endpoints {
    /// Checks the parameters. Every refusal goes on a page of ours: there is nowhere else to go that would be trusted.
    pub(super) async fn check_logout(&self, parameters: &Parameters) -> Result<LogoutRequest, OAuthError> {
        let hint = parameters.get("id_token_hint");
        let client = self.logout_client(parameters.get("client_id"), hint).await?;
        let hinted_subject = match (hint, &client) {
            (None, _) => None,
            (Some(hint), Some(client)) => Some(self.hinted_subject(hint, client).ok_or_else(bad_hint)?),
            (Some(_), None) => return Err(bad_hint()),
        };
        let redirect_uri = parameters.get("post_logout_redirect_uri");
        // Without a client nobody can tell whose the address is: the logout goes on, and ends on our own page.
        let redirect_uri = match (redirect_uri, &client) {
            (Some(uri), Some(client)) => Some(check_redirect_uri(client, uri)?.to_owned()),
            (Some(_) | None, _) => None,
        };
        Ok(LogoutRequest {
            client,
            redirect_uri,
            state: parameters.get("state").map(str::to_owned),
            hinted_subject,
            ui_locales: parameters.get("ui_locales").map(str::to_owned),
        })
    }

    /// The client that `client_id` names, else the one that the hint was issued to.
    async fn logout_client(&self, id: Option<&str>, hint: Option<&str>) -> Result<Option<Arc<Client>>, OAuthError> {
        match (id, hint) {
            (Some(id), _) => {
                let client = self.clients.client(&ClientId::new(id)).await?;
                client.map(Some).ok_or_else(|| OAuthError::invalid_request("the client is unknown or disabled"))
            }
            (None, Some(hint)) => self.claimed_client(hint).await,
            (None, None) => Ok(None),
        }
    }

    /// A stored request, whose client must still be there and still have the address.
    pub(super) async fn recheck_logout(&self, pending: PendingLogout) -> Result<LogoutRequest, OAuthError> {
        let client = self.logout_client(pending.client.as_ref().map(ClientId::as_str), None).await?;
        if let (Some(uri), Some(client)) = (&pending.redirect_uri, &client) {
            check_redirect_uri(client, uri)?;
        }
        let PendingLogout { redirect_uri, state, hinted_subject, ui_locales, .. } = pending;
        Ok(LogoutRequest { client, redirect_uri, state, hinted_subject, ui_locales })
    }
}

/// Byte for byte, loopback or not (§2.1).
fn check_redirect_uri<'a>(client: &Client, uri: &'a str) -> Result<&'a str, OAuthError> {
    if client.post_logout_redirect_uris.iter().any(|registered| registered.as_str() == uri) {
        Ok(uri)
    } else {
        Err(OAuthError::invalid_request("post_logout_redirect_uri is not one that is registered for this client"))
    }
}

fn bad_hint() -> OAuthError {
    OAuthError::invalid_request("id_token_hint is not an id_token of this site that was issued to this client")
}
