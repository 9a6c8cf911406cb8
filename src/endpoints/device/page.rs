//! The page on which a user types the code of a device and decides (RFC 8628 §3.3). A code is looked up only for a form that
//! this login session was shown: a link with the code in it fills the form, and the user compares (§5.4).

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};

use super::{Answer, Endpoints, GrantType, OAuthError, Peer, USER_CODE, UserCode, check_grant_type, form};
use crate::{
    endpoints::{
        Counted, LoginName,
        agents::{STOPPED, granted},
        authorize::authorization_parameters,
        browser::{Browser, see},
        forms::{Form, forbidden},
        pages::{DeviceProblem, Page},
        respond::set,
        texts::Language,
    },
    issuer::IssueError,
    oauth::{Client, ErrorCode, GrantId, Scopes},
    store::{GrantUser, PendingDevice},
    telemetry::audit::AuditEvent,
};

/// Who types the code.
struct Visit {
    browser: Browser,
    user: GrantUser,
    peer: Peer,
    language: Language,
}

/// A code that somebody has typed, and the device that waits under it.
struct Asked {
    code: UserCode,
    pending: PendingDevice,
    client: Arc<Client>,
}

impl Endpoints {
    pub(in crate::endpoints) async fn device(&self, method: &Method, request: Request<Bytes>, peer: Peer) -> Answer {
        let answer = if *method == Method::POST {
            self.take_device_form(&request, peer).await
        } else {
            self.ask_for_user_code(&request, peer).await
        };
        answer.unwrap_or_else(|error| self.page_or_json(request.headers(), &error))
    }

    async fn ask_for_user_code(&self, request: &Request<Bytes>, peer: Peer) -> Result<Answer, OAuthError> {
        let parameters = authorization_parameters(&Method::GET, request)?;
        let code = parameters.get(USER_CODE).and_then(UserCode::parse);
        let browser = Browser::of(request.headers(), self.is_https());
        let Some(user) = self.visiting_user(&browser, peer).await? else {
            return Ok(see(StatusCode::FOUND, &self.device_login_url(code), None));
        };
        let language = Language::of(parameters.get("ui_locales"), request.headers());
        let visit = Visit { browser, user, peer, language };
        Ok(self.device_form(&visit, &code.map(|code| code.to_string()).unwrap_or_default(), None))
    }

    async fn take_device_form(&self, request: &Request<Bytes>, peer: Peer) -> Result<Answer, OAuthError> {
        let (form, headers) = (form(request)?, request.headers());
        self.check_origin(headers)?;
        let browser = Browser::of(headers, self.is_https());
        let (typed, token) = (form.get(USER_CODE).unwrap_or_default(), form.get("token").unwrap_or_default());
        let decision = form.get("decision");
        // What a decision's token is about is known only once the code has been looked up.
        if browser.sid.is_none() || (decision.is_none() && !self.is_form_token(Form::UserCode, "", &browser, token)) {
            return Err(forbidden());
        }
        let user = self.visiting_user(&browser, peer).await?.ok_or_else(forbidden)?;
        let visit = Visit { browser, user, peer, language: Language::of(form.get("ui_locales"), headers) };
        match decision {
            None => self.take_user_code(&visit, typed).await,
            Some(decision) => {
                let asked = self.asked(typed).await?.ok_or_else(forbidden)?;
                if !self.is_form_token(Form::Device, &asked.subject(), &visit.browser, token) {
                    return Err(forbidden());
                }
                match decision {
                    "allow" => {
                        let scopes = granted(&asked.client, &asked.pending.scopes, &form)?;
                        self.allow_device(&visit, &asked, scopes).await
                    }
                    "deny" => self.deny_device(&visit, &asked).await,
                    _ => Err(OAuthError::invalid_request("decision is missing or unknown")),
                }
            }
        }
    }

    /// Looks a typed code up, as often as the limit lets this address and this user be wrong.
    async fn take_user_code(&self, visit: &Visit, typed: &str) -> Result<Answer, OAuthError> {
        let (limit, now) = (&self.limits.user_codes, self.issuer.clock.now());
        let counted = [Counted::address(visit.peer.address), Counted::Login(LoginName::new(visit.user.name.as_str()))];
        if let Some(seconds) = counted.iter().find_map(|counted| limit.check(counted, now).err()) {
            return Ok(self.device_form(visit, typed, Some(DeviceProblem::TooMany { seconds })));
        }
        let Some(asked) = self.asked(typed).await? else {
            for counted in counted {
                limit.count(counted, now);
            }
            self.tally.count("user_code_wrong", None, visit.peer.address);
            return Ok(self.device_form(visit, typed, Some(DeviceProblem::Wrong)));
        };
        self.check_asked(visit, &asked).await?;
        let form_token = self.form_token(Form::Device, &asked.subject(), &visit.browser);
        let page = Page::DeviceConsent {
            client: &asked.client,
            user: &visit.user,
            scopes: &asked.pending.scopes,
            code: &asked.code.to_string(),
            form_token: &form_token,
        };
        Ok(page.answer(&self.settings, visit.language))
    }

    /// The device behind a code, and its client; `None`: the code is wrong, has expired, or somebody has decided.
    async fn asked(&self, typed: &str) -> Result<Option<Asked>, OAuthError> {
        let Some(code) = UserCode::parse(typed) else { return Ok(None) };
        let Some(pending) = self.issuer.pending_device(code).await? else { return Ok(None) };
        let client = self.clients.client(&pending.client).await?;
        Ok(client.map(|client| Asked { code, pending, client }))
    }

    /// The client must still allow all of it, and this user the client.
    async fn check_asked(&self, visit: &Visit, asked: &Asked) -> Result<(), OAuthError> {
        let client = &asked.client;
        if self.is_stopped(client).await? {
            return Err(OAuthError::new(ErrorCode::AccessDenied, STOPPED).with_status(StatusCode::FORBIDDEN));
        }
        let changed = || OAuthError::invalid_request("the client has changed: start again on the device");
        check_grant_type(client, GrantType::DeviceCode).map_err(|_| changed())?;
        if !asked.pending.scopes.iter().all(|scope| client.may_be_granted(scope.as_str())) {
            return Err(changed());
        }
        match self.issuer.check_user(client, &visit.user).await {
            Err(IssueError::UserGone | IssueError::RoleMissing) => {
                let error = OAuthError::new(ErrorCode::AccessDenied, "the user may not use this client");
                Err(error.with_status(StatusCode::FORBIDDEN))
            }
            checked => Ok(checked?),
        }
    }

    async fn allow_device(&self, visit: &Visit, asked: &Asked, scopes: Scopes) -> Result<Answer, OAuthError> {
        self.check_asked(visit, asked).await?;
        // Whoever allows and ticks nothing, where there was nothing else, has allowed nothing.
        if scopes.is_empty() && !asked.pending.scopes.is_empty() {
            return self.deny_device(visit, asked).await;
        }
        let login = visit.browser.sid.as_ref().map(|sid| self.logins.hash(sid)).ok_or_else(forbidden)?;
        let auth_time = self.issuer.store.login(login, self.issuer.clock.now()).await?;
        let grant = self.issuer.approve_device(&asked.pending, (&visit.user, &scopes), auth_time).await?;
        let grant = grant.ok_or_else(forbidden)?;
        self.record_device_decision(Some((&grant, &scopes)), visit, asked);
        Ok(Page::DeviceDecided { allowed: true }.answer(&self.settings, visit.language))
    }

    async fn deny_device(&self, visit: &Visit, asked: &Asked) -> Result<Answer, OAuthError> {
        if !self.issuer.deny_device(&asked.pending).await? {
            return Err(forbidden());
        }
        self.record_device_decision(None, visit, asked);
        Ok(Page::DeviceDecided { allowed: false }.answer(&self.settings, visit.language))
    }

    fn record_device_decision(&self, granted: Option<(&GrantId, &Scopes)>, visit: &Visit, asked: &Asked) {
        let (grant, scopes) = granted.unzip();
        self.issuer.record(&AuditEvent {
            event: if grant.is_some() { "authorization_granted" } else { "authorization_denied" },
            reason: grant.map(|_| "consented"),
            client_id: Some(asked.client.id.as_str()),
            user: Some(visit.user.name.as_str()),
            grant_id: grant.map(GrantId::as_str),
            grant_type: Some(GrantType::DeviceCode.as_str()),
            scope: Some(&scopes.unwrap_or(&asked.pending.scopes).to_string()),
            address: Some(visit.peer.address),
            ..AuditEvent::default()
        });
    }

    fn device_form(&self, visit: &Visit, code: &str, problem: Option<DeviceProblem>) -> Answer {
        let form_token = self.form_token(Form::UserCode, "", &visit.browser);
        let page = Page::Device { user: &visit.user, code, form_token: &form_token, problem };
        let mut answer = page.answer(&self.settings, visit.language);
        match problem {
            None => {}
            Some(DeviceProblem::Wrong) => *answer.status_mut() = StatusCode::BAD_REQUEST,
            Some(DeviceProblem::TooMany { seconds }) => {
                *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
                set(&mut answer, header::RETRY_AFTER, &seconds.to_string());
            }
        }
        answer
    }
}

impl Asked {
    /// What the decision's form is about.
    fn subject(&self) -> String {
        format!("{} {}", self.code, self.client.id.as_str())
    }
}
