//! The authorization endpoint (RFC 6749 §3.1, OpenID Connect Core §3.1.2): checks in the contract's order, then the
//! user, then consent, then the answer.

mod answer;
mod approve;
mod checks;
pub(crate) mod claims_parameter;
mod consent;
mod login;

use std::sync::Arc;

pub(super) use answer::encode;
pub(super) use checks::check_scopes;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};

use self::{
    answer::{Destination, Redirect},
    checks::{Checked, Refusal},
};
use super::{
    Endpoints, Peer,
    browser::Browser,
    documents::NotDescribed,
    media_type,
    pages::Page,
    parameters::Parameters,
    pushed::Pushed,
    respond::{Answer, OAuthError, set},
    texts::Language,
};
use crate::{
    clock::UnixTime,
    issuer::IssueError,
    oauth::{AuthorizationRequest, Client, ClientId, ErrorCode, GrantId, GrantType, TokenHash},
    secret::Secret,
    store::PendingRequest,
    telemetry::audit::AuditEvent,
};

/// The parameter that names a stored request.
const HANDLE: &str = "handle";

/// An accepted request on its way through login and consent.
pub(super) struct Stage {
    client: Arc<Client>,
    request: AuthorizationRequest,
    received_at: UnixTime,
    /// Where it is stored, if it is.
    handle: Option<Secret>,
    /// The reference by which it came, under which it is stored then (RFC 9126).
    reference: Option<Secret>,
    browser: Browser,
    peer: Peer,
    language: Language,
    /// How redirects to the client are answered.
    redirect: Redirect,
}

impl Endpoints {
    pub(super) async fn authorize(&self, method: &Method, request: Request<Bytes>, peer: Peer) -> Answer {
        let answer = match authorization_parameters(method, &request) {
            Err(error) => Err(error),
            Ok(parameters) => match parameters.get(HANDLE) {
                Some(handle) if *method == Method::GET => self.resume(handle, request.headers(), peer).await,
                Some(_) | None => self.begin(method, &parameters, request.headers(), peer).await,
            },
        };
        answer.unwrap_or_else(|error| self.page_or_json(request.headers(), &error))
    }

    /// A new request: checks 1 to 6.
    async fn begin(
        &self,
        method: &Method,
        parameters: &Parameters,
        headers: &HeaderMap,
        peer: Peer,
    ) -> Result<Answer, OAuthError> {
        let redirect = if *method == Method::POST { Redirect::AfterPost } else { Redirect::AfterGet };
        let id = parameters.get("client_id").map(ClientId::new);
        self.take_up_described(id.as_ref(), peer).await.map_err(NotDescribed::at_authorization)?;
        let browser = Browser::of(headers, self.is_https());
        let (checked, reference) = match self.pushed(parameters, &browser).await? {
            Some(Pushed::New(request)) => {
                (Checked { client: self.recheck(&request).await?, request: *request }, parameters.get("request_uri"))
            }
            Some(Pushed::Going) => {
                let handle = parameters.get("request_uri").unwrap_or_default();
                return self.resume(handle, headers, peer).await;
            }
            None => match self.check_request(parameters, headers).await? {
                Ok(checked) => (checked, None),
                Err(Refusal { to, error }) => return Ok(self.refuse(&to, &error, redirect)),
            },
        };
        let Checked { client, request } = checked;
        let stage = Stage {
            client,
            language: Language::of(request.ui_locales.as_deref(), headers),
            request,
            received_at: self.issuer.clock.now(),
            handle: None,
            reference: reference.map(Secret::new),
            browser,
            peer,
            redirect,
        };
        if *method == Method::POST {
            // The login session's cookie may be missing here (SameSite=Lax): it comes with the GET.
            return self.to_stored_request(stage).await;
        }
        self.proceed(stage).await
    }

    /// A stored request that the browser comes back with.
    async fn resume(&self, handle: &str, headers: &HeaderMap, peer: Peer) -> Result<Answer, OAuthError> {
        let gone =
            || OAuthError::invalid_request("this request has expired or is finished: start again at the application");
        let now = self.issuer.clock.now();
        let pending = self.issuer.store.request(TokenHash::of(handle), now).await?.ok_or_else(gone)?;
        let browser = Browser::of(headers, self.is_https());
        if pending.browser == Browser::nobody() {
            return self.adopt(pending, handle, browser, (headers, peer)).await;
        }
        if !browser.is(&pending.browser) {
            return Err(gone());
        }
        let stage = self.stored_stage(pending, handle, browser, Redirect::AfterGet, (headers, peer)).await?;
        self.proceed(stage).await
    }

    /// A request that came by POST, where the browser could not show its mark: the first GET with its handle makes it
    /// that browser's, as if it had come by GET.
    async fn adopt(
        &self,
        pending: PendingRequest,
        handle: &str,
        browser: Browser,
        peer: (&HeaderMap, Peer),
    ) -> Result<Answer, OAuthError> {
        self.use_up(handle).await?;
        let mut stage = self.stored_stage(pending, handle, browser, Redirect::AfterGet, peer).await?;
        stage.handle = None;
        self.proceed(stage).await
    }

    /// A stored request, all of which its client must still allow.
    async fn stored_stage(
        &self,
        pending: PendingRequest,
        handle: &str,
        browser: Browser,
        redirect: Redirect,
        (headers, peer): (&HeaderMap, Peer),
    ) -> Result<Stage, OAuthError> {
        Ok(Stage {
            client: self.recheck(&pending.request).await?,
            language: Language::of(pending.request.ui_locales.as_deref(), headers),
            request: pending.request,
            received_at: pending.received_at,
            handle: Some(Secret::new(handle)),
            reference: None,
            browser,
            peer,
            redirect,
        })
    }

    /// Checks 7 to 9, and the answer.
    async fn proceed(&self, stage: Stage) -> Result<Answer, OAuthError> {
        let login = match self.check_login(&stage).await {
            Ok(login) => login,
            Err(stop) => return self.stop(stage, stop).await,
        };
        if self.needs_consent(&stage, &login).await? {
            return if stage.request.prompt.none {
                Ok(stage.refuse(self, ErrorCode::ConsentRequired, "the user must be asked for consent"))
            } else {
                self.consent_page(stage, &login).await
            };
        }
        if let Some(handle) = &stage.handle {
            self.use_up(handle.expose()).await?;
        }
        let asked = if stage.client.skip_consent { "consent_skipped" } else { "consent_remembered" };
        self.succeed(&stage, &login, asked).await
    }

    /// Gives code or tokens to the client; `consent` says how the user came to grant them.
    async fn succeed(
        &self,
        stage: &Stage,
        login: &crate::issuer::Login,
        consent: &'static str,
    ) -> Result<Answer, OAuthError> {
        match self.issuer.answer_authorization(&stage.client, &stage.request, login).await {
            Ok(tokens) => {
                let access_grant = tokens.access.as_ref().map(|issued| &issued.grant);
                let event = AuditEvent {
                    event: "authorization_granted",
                    reason: Some(consent),
                    client_id: Some(stage.client.id.as_str()),
                    user: Some(login.user.name.as_str()),
                    grant_id: tokens.code_grant.as_ref().or(access_grant).map(GrantId::as_str),
                    scope: Some(&stage.request.scopes.to_string()),
                    address: Some(stage.peer.address),
                    ..AuditEvent::default()
                };
                self.issuer.record(&event);
                if let Some(grant) = access_grant {
                    let (grant_id, grant_type) = (Some(grant.as_str()), Some(GrantType::Implicit.as_str()));
                    self.issuer.record(&AuditEvent {
                        event: "tokens_issued",
                        reason: None,
                        grant_id,
                        grant_type,
                        ..event
                    });
                }
                Ok(self.grant_answer(stage, &tokens))
            }
            Err(IssueError::UserGone | IssueError::RoleMissing) => {
                Ok(stage.refuse(self, ErrorCode::AccessDenied, NOT_ALLOWED))
            }
            Err(other) => Ok(self.refuse(&stage.destination(), &other.into(), stage.redirect)),
        }
    }

    pub(super) fn is_https(&self) -> bool {
        self.settings.public_origin.starts_with("https://")
    }

    /// An error that must not be sent to a redirect URI.
    pub(super) fn page_or_json(&self, headers: &HeaderMap, error: &OAuthError) -> Answer {
        if !accepts_html(headers) {
            return error.answer();
        }
        let mut page = Page::Error { error }.answer(&self.settings, Language::of(None, headers));
        *page.status_mut() = error.status;
        if let Some(seconds) = error.retry_after {
            set(&mut page, http::header::RETRY_AFTER, &seconds.to_string());
        }
        page
    }
}

const NOT_ALLOWED: &str = "the user may not use this client";

impl Stage {
    fn refuse(&self, endpoints: &Endpoints, code: ErrorCode, description: &'static str) -> Answer {
        endpoints.refuse(&self.destination(), &OAuthError::new(code, description), self.redirect)
    }

    /// The handle under which it is stored; empty if it is not.
    fn handle(&self) -> &str {
        self.handle.as_ref().map(Secret::expose).unwrap_or_default()
    }

    fn destination(&self) -> Destination {
        let AuthorizationRequest { redirect_uri, response_mode, state, .. } = &self.request;
        let (uri, mode, language) = (redirect_uri.uri.clone(), *response_mode, self.language);
        Destination { uri, mode, state: state.clone(), language }
    }
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(http::header::ACCEPT).iter();
    values.filter_map(|value| value.to_str().ok()).any(|value| value.contains("text/html"))
}

/// The query of a GET, the form of a POST.
pub(super) fn authorization_parameters(method: &Method, request: &Request<Bytes>) -> Result<Parameters, OAuthError> {
    let query = Parameters::urlencoded(request.uri().query().unwrap_or_default().as_bytes())?;
    let parameters = if *method == Method::POST {
        if !query.is_empty() {
            return Err(OAuthError::invalid_request("parameters belong into the form, not into the query"));
        }
        if media_type(request.headers()) != Some("application/x-www-form-urlencoded") {
            return Err(super::wrong_content_type());
        }
        Parameters::urlencoded(request.body())?
    } else {
        query
    };
    for name in ["client_id", "redirect_uri", "state", HANDLE] {
        if parameters.count(name) > 1 {
            let error = OAuthError::invalid_request(format!("the parameter {name} is repeated"));
            return Err(error.with_status(StatusCode::BAD_REQUEST));
        }
    }
    Ok(parameters)
}
