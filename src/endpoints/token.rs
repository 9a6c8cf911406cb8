//! The token endpoint (RFC 6749 §3.2, OpenID Connect Core §3.1.3).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use serde::Serialize;

use super::{
    Endpoints, Peer,
    client_auth::{CheckedClient, PresentedClient},
    cors::AnswerOf,
    form,
    limits::{Counted, LoginName},
    media_type,
    parameters::Parameters,
    refuse_query,
    respond::{Answer, OAuthError, json, no_store, set},
    token_exchange,
};
use crate::{
    access::NONCE_HEADER,
    issuer::{GrantRefusal, IssueError, IssuedTokens, PresentedCode, RequestedAccess},
    oauth::{Allowance, Client, ClientId, ErrorCode, GrantType, KeyThumbprint, Resources, Scopes},
    secret::Secret,
    telemetry::audit::AuditEvent,
};

/// A token request whose form is read and whose grant type is known.
struct TokenRequest {
    form: Parameters,
    multipart: bool,
    grant_type: GrantType,
    presented: PresentedClient,
    headers: HeaderMap,
    path: String,
}

impl Endpoints {
    pub(super) async fn token(&self, request: Request<Bytes>, peer: Peer) -> Answer {
        let request = match read(request).await {
            Ok(request) => request,
            Err(error) => return error.answer(),
        };
        match self.token_client(&request, peer).await {
            Ok(client) => {
                let answer = self.grant(&request, &client, peer).await;
                let mut answer = answer.unwrap_or_else(|error| error.answer());
                answer.extensions_mut().insert(AnswerOf(Arc::clone(client.client())));
                answer
            }
            Err(error) => error.answer(),
        }
    }

    /// The client of a token request, checked, and allowed the form in which it came.
    async fn token_client(&self, request: &TokenRequest, peer: Peer) -> Result<CheckedClient, OAuthError> {
        let client = if request.presented.is_absent() && request.grant_type == GrantType::RefreshToken {
            self.check_failures(&self.limits.token_failures, None, peer)?;
            self.client_by_refresh_token(&request.form, peer).await?
        } else {
            self.token_endpoint_client(&request.presented, peer).await?
        };
        if request.multipart {
            if !client.client().allows(Allowance::MultipartToken) {
                return Err(super::wrong_content_type());
            }
            self.issuer.count(client.client(), Allowance::MultipartToken);
        }
        Ok(client)
    }

    /// The client of a request that authenticates as at the token endpoint.
    pub(super) async fn token_endpoint_client(
        &self,
        presented: &PresentedClient,
        peer: Peer,
    ) -> Result<CheckedClient, OAuthError> {
        let claimed = presented.claimed_id();
        self.check_failures(&self.limits.token_failures, claimed.as_ref(), peer)?;
        self.check_client(presented, peer).await.map_err(|error| {
            if error.code == ErrorCode::InvalidClient {
                self.issuer.record(&AuditEvent {
                    event: "client_authentication_failed",
                    client_id: claimed.as_ref().map(ClientId::as_str),
                    address: Some(peer.address),
                    ..AuditEvent::default()
                });
            }
            self.refused_client(error, claimed.as_ref(), peer)
        })
    }

    /// ERPNext's clients may leave `client_id` out of a refresh: the token itself names the client.
    async fn client_by_refresh_token(&self, form: &Parameters, peer: Peer) -> Result<CheckedClient, OAuthError> {
        let refused = || OAuthError::new(ErrorCode::InvalidClient, "client_id is missing");
        let presented = Secret::new(form.get("refresh_token").ok_or_else(refused)?);
        let id = match self.issuer.client_of_refresh_token(&presented).await {
            Ok(id) => id,
            Err(error) => return Err(self.refused_grant(error, None, peer)),
        };
        let client = self.clients.client(&id).await?.ok_or_else(refused)?;
        if !client.allows(Allowance::RefreshWithoutClientId) {
            return Err(refused());
        }
        self.issuer.count(&client, Allowance::RefreshWithoutClientId);
        Ok(CheckedClient::WithoutSecret(client))
    }

    async fn grant(&self, request: &TokenRequest, checked: &CheckedClient, peer: Peer) -> Result<Answer, OAuthError> {
        let client = checked.client();
        check_grant_type(client, request.grant_type)?;
        self.check_is_running(client).await?;
        let form = &request.form;
        let access = self.requested_access(request, client)?;
        let dpop_key = access.dpop_key;
        let tokens = match request.grant_type {
            GrantType::AuthorizationCode => {
                let code = form.get("code").ok_or_else(|| missing("code"))?;
                let presented = PresentedCode {
                    code: Secret::new(code),
                    redirect_uri: form.get("redirect_uri").map(str::to_owned),
                    verifier: form.get("code_verifier").map(Secret::new),
                    access,
                };
                self.issuer.redeem_code(client, presented).await
            }
            GrantType::RefreshToken => {
                let presented = form.get("refresh_token").ok_or_else(|| missing("refresh_token"))?;
                self.issuer.refresh(client, &Secret::new(presented), access).await
            }
            GrantType::ClientCredentials => {
                if !matches!(checked, CheckedClient::Authenticated(_)) {
                    return Err(OAuthError::new(
                        ErrorCode::InvalidClient,
                        "client_credentials needs the client's secret",
                    ));
                }
                self.issuer.client_credentials(client, access).await
            }
            GrantType::Password if dpop_key.is_some() => {
                return Err(OAuthError::invalid_request(
                    "tokens for a password are bound to no key: leave the DPoP proof out",
                ));
            }
            GrantType::Password => {
                let username = form.get("username").ok_or_else(|| missing("username"))?;
                let password = Secret::new(form.get("password").ok_or_else(|| missing("password"))?);
                let (name, now) = (LoginName::new(username), self.issuer.clock.now());
                let limit = &self.limits.login_failures;
                limit.check_login(Some(&name), peer.address, now).map_err(OAuthError::too_many)?;
                let issued = self.issuer.password(client, username, &password, access, peer.address).await;
                if matches!(&issued, Err(IssueError::Refused(refusal)) if refusal.may_be_a_guess()) {
                    limit.count_login(Some(&name), peer.address, now);
                }
                issued
            }
            GrantType::DeviceCode => {
                let presented = form.get("device_code").ok_or_else(|| missing("device_code"))?;
                self.poll(client, &Secret::new(presented), access, peer).await?
            }
            GrantType::TokenExchange => Ok(self.exchange_token(form, checked, access, peer).await?),
            GrantType::Implicit => return Err(unsupported()),
        };
        match tokens {
            Ok(tokens) => {
                self.clients.note_use(client, self.issuer.clock.now());
                let refreshed = request.grant_type == GrantType::RefreshToken;
                self.issuer.record(&AuditEvent {
                    event: if refreshed { "tokens_refreshed" } else { "tokens_issued" },
                    client_id: Some(client.id.as_str()),
                    user: Some(tokens.user.as_str()),
                    grant_id: Some(tokens.grant.as_str()),
                    grant_type: Some(request.grant_type.as_str()),
                    scope: Some(&tokens.scopes.to_string()),
                    address: Some(peer.address),
                    ..AuditEvent::default()
                });
                let mut answer = token_response(&tokens, request.grant_type);
                if dpop_key.is_some() {
                    set(&mut answer, NONCE_HEADER.clone(), &self.access.nonce(self.issuer.clock.now()));
                }
                Ok(answer)
            }
            Err(error) => Err(self.refused_grant(error, Some(client), peer)),
        }
    }

    /// A device's poll. One that comes too early costs the store as much as any other, and counts.
    async fn poll(
        &self,
        client: &Client,
        presented: &Secret,
        access: RequestedAccess,
        peer: Peer,
    ) -> Result<Result<IssuedTokens, IssueError>, OAuthError> {
        let (limit, address, now) = (&self.limits.authorize, Counted::address(peer.address), self.issuer.clock.now());
        limit.check(&address, now).map_err(OAuthError::too_many)?;
        let polled = self.issuer.redeem_device(client, presented, access).await;
        if matches!(polled, Err(IssueError::Refused(GrantRefusal::DeviceTooFast))) {
            limit.count(address, now);
        }
        Ok(polled)
    }

    /// What the request asks its access token to be. A code says itself which scopes its token has.
    fn requested_access(&self, request: &TokenRequest, client: &Client) -> Result<RequestedAccess, OAuthError> {
        let form = &request.form;
        let has_scope = request.grant_type != GrantType::AuthorizationCode;
        Ok(RequestedAccess {
            scope: if has_scope { scope(form)? } else { None },
            resources: Resources::parse(form.each("resource"), &self.settings.public_origin)?,
            dpop_key: self.proven_key(request, client)?,
        })
    }

    /// The key that the client proves to hold, to which its tokens are bound then (RFC 9449 §5).
    fn proven_key(&self, request: &TokenRequest, client: &Client) -> Result<Option<KeyThumbprint>, OAuthError> {
        let of = ("POST", request.path.as_str());
        let key = self.access.proven_key(&request.headers, of, self.issuer.clock.now())?;
        if key.is_none() && client.binds_tokens {
            return Err(OAuthError::new(
                ErrorCode::InvalidDpopProof,
                "this client's tokens are bound to its key: send a DPoP proof",
            ));
        }
        Ok(key)
    }

    /// Logs why, counts what may be a guess, and says what the client may know.
    pub(super) fn refused_grant(&self, error: IssueError, client: Option<&Client>, peer: Peer) -> OAuthError {
        if let IssueError::Refused(refusal) = &error
            && !refusal.is_to_wait()
        {
            self.issuer.record(&AuditEvent {
                event: "grant_refused",
                reason: Some(refusal.as_str()),
                client_id: client.map(|client| client.id.as_str()),
                address: Some(peer.address),
                ..AuditEvent::default()
            });
            if refusal.may_be_a_guess() {
                self.count_failure(&self.limits.token_failures, client.map(|client| &client.id), peer);
            }
        }
        error.into()
    }
}

async fn read(request: Request<Bytes>) -> Result<TokenRequest, OAuthError> {
    let multipart = media_type(request.headers()) == Some("multipart/form-data");
    let form = if multipart { multipart_form(&request).await? } else { form(&request)? };
    let grant_type = form.get("grant_type").ok_or_else(|| missing("grant_type"))?;
    let grant_type = grant_type.parse().map_err(|_| unsupported())?;
    let presented = PresentedClient::of(request.headers(), &form)?;
    let path = request.uri().path().to_owned();
    Ok(TokenRequest { form, multipart, grant_type, presented, headers: request.headers().clone(), path })
}

async fn multipart_form(request: &Request<Bytes>) -> Result<Parameters, OAuthError> {
    refuse_query(request)?;
    let content_type = content_type(request.headers());
    let form = Parameters::multipart(content_type, request.body().clone()).await;
    form.and_then(Parameters::without_repetition).map_err(Into::into)
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether the client may use this grant type at the token endpoint.
pub(super) fn check_grant_type(client: &Client, grant_type: GrantType) -> Result<(), OAuthError> {
    let registered = client.grant_types.contains(&grant_type);
    let allowed = match grant_type {
        GrantType::Password => client.allows(Allowance::Password),
        GrantType::Implicit => return Err(unsupported()),
        GrantType::TokenExchange => client.may_exchange_tokens(),
        GrantType::AuthorizationCode
        | GrantType::RefreshToken
        | GrantType::ClientCredentials
        | GrantType::DeviceCode => registered,
    };
    if allowed {
        Ok(())
    } else {
        Err(OAuthError::new(ErrorCode::UnauthorizedClient, "the client may not use this grant_type"))
    }
}

fn unsupported() -> OAuthError {
    OAuthError::new(ErrorCode::UnsupportedGrantType, "this grant_type is not supported")
}

pub(super) fn missing(parameter: &'static str) -> OAuthError {
    OAuthError::invalid_request(format!("the parameter {parameter} is missing"))
}

fn scope(form: &Parameters) -> Result<Option<Scopes>, OAuthError> {
    let parse = |text| Scopes::parse(text).map_err(|_| OAuthError::new(ErrorCode::InvalidScope, "scope is malformed"));
    form.get("scope").map(parse).transpose()
}

/// RFC 6749 §5.1, in ERPNext's order; RFC 8693 §2.2.1.
fn token_response(tokens: &IssuedTokens, grant_type: GrantType) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        access_token: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        issued_token_type: Option<&'static str>,
        expires_in: u64,
        token_type: &'static str,
        scope: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        refresh_token: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        id_token: Option<&'a str>,
    }
    let body = Body {
        access_token: tokens.access_token.expose(),
        issued_token_type: (grant_type == GrantType::TokenExchange).then_some(token_exchange::ACCESS_TOKEN),
        expires_in: tokens.expires_in,
        token_type: if tokens.dpop_key.is_some() { "DPoP" } else { "Bearer" },
        scope: tokens.scopes.to_string(),
        refresh_token: tokens.refresh_token.as_ref().map(Secret::expose),
        id_token: tokens.id_token.as_deref(),
    };
    let mut answer = json(StatusCode::OK, &body);
    no_store(&mut answer);
    answer
}
