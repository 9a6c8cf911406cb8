//! The device authorization endpoint (RFC 8628 §3.1, §3.2), and the page on which a user types the code (§3.3).

mod page;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use serde::Serialize;

use super::{
    Endpoints, METHOD_PATH, Peer,
    authorize::check_scopes,
    client_auth::PresentedClient,
    cors::AnswerOf,
    form,
    respond::{Answer, OAuthError, json, no_store},
    token::check_grant_type,
};
use crate::{
    issuer::DeviceCodes,
    oauth::{Client, GrantType, UserCode},
    telemetry::audit::AuditEvent,
};

/// The parameter with the code that the user types.
const USER_CODE: &str = "user_code";

impl Endpoints {
    pub(super) async fn device_authorization(&self, request: Request<Bytes>, peer: Peer) -> Result<Answer, OAuthError> {
        let form = form(&request)?;
        let presented = PresentedClient::of(request.headers(), &form)?;
        let checked = self.token_endpoint_client(&presented, peer).await?;
        let client = checked.client();
        self.check_is_running(client).await?;
        let answer = match check_grant_type(client, GrantType::DeviceCode).and_then(|()| check_scopes(client, &form)) {
            Ok(scopes) => self.begin_device(client, scopes, peer).await,
            Err(error) => Err(error),
        };
        let mut answer = answer.unwrap_or_else(|error| error.answer());
        answer.extensions_mut().insert(AnswerOf(Arc::clone(client)));
        Ok(answer)
    }

    async fn begin_device(
        &self,
        client: &Client,
        scopes: crate::oauth::Scopes,
        peer: Peer,
    ) -> Result<Answer, OAuthError> {
        let scope = scopes.to_string();
        let codes = self.issuer.begin_device(client, scopes).await?;
        self.issuer.record(&AuditEvent {
            event: "device_authorization_requested",
            client_id: Some(client.id.as_str()),
            scope: Some(&scope),
            address: Some(peer.address),
            ..AuditEvent::default()
        });
        Ok(self.device_response(&codes))
    }

    /// Where a user types the code; with the code in it, it is there already.
    pub(super) fn device_url(&self, code: Option<UserCode>) -> String {
        let query = code.map(|code| format!("?{USER_CODE}={code}")).unwrap_or_default();
        format!("{}{METHOD_PATH}device{query}", self.settings.public_origin)
    }

    /// RFC 8628 §3.2
    fn device_response(&self, codes: &DeviceCodes) -> Answer {
        #[derive(Serialize)]
        struct Body<'a> {
            device_code: &'a str,
            user_code: String,
            verification_uri: String,
            verification_uri_complete: String,
            expires_in: u64,
            interval: u64,
        }
        let body = Body {
            device_code: codes.device_code.expose(),
            user_code: codes.user_code.to_string(),
            verification_uri: self.device_url(None),
            verification_uri_complete: self.device_url(Some(codes.user_code)),
            expires_in: codes.expires_in,
            interval: codes.interval,
        };
        let mut answer = json(StatusCode::OK, &body);
        no_store(&mut answer);
        answer
    }
}
