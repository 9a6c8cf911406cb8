//! The end session endpoint (OpenID Connect RP-Initiated Logout 1.0): ends the login session with ERPNext and what ends with
//! it. Without a hint that names who is logged in, the user is asked first: a link on any page may lead here.

mod request;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};

use self::request::LogoutRequest;
use super::{
    Endpoints, METHOD_PATH, Peer,
    authorize::{authorization_parameters, encode},
    browser::{Browser, add_cookie, expired_login_cookies, see},
    forms::{Form, forbidden},
    pages::Page,
    parameters::Parameters,
    respond::{Answer, OAuthError},
    texts::Language,
};
use crate::{
    erpnext::LoginProbe,
    issuer::LogoutCause,
    oauth::{RedirectUri, TokenHash, TokenKind},
    secret::Secret,
    store::PendingLogout,
};

/// The parameter that names a stored request.
const HANDLE: &str = "handle";
/// So long a stored request waits for the user.
const PENDING_LIFE: std::time::Duration = std::time::Duration::from_secs(10 * 60);

/// A logout request that is acted on.
struct Stage {
    request: LogoutRequest,
    browser: Browser,
    peer: Peer,
    language: Language,
    /// How the browser is sent on.
    status: StatusCode,
}

impl Endpoints {
    pub(super) async fn end_session(&self, method: &Method, request: Request<Bytes>, peer: Peer) -> Answer {
        let answer = self.try_end_session(method, &request, peer).await;
        answer.unwrap_or_else(|error| self.page_or_json(request.headers(), &error))
    }

    async fn try_end_session(
        &self,
        method: &Method,
        request: &Request<Bytes>,
        peer: Peer,
    ) -> Result<Answer, OAuthError> {
        let parameters = authorization_parameters(method, request)?.without_repetition()?;
        let posted = *method == Method::POST;
        let status = if posted { StatusCode::SEE_OTHER } else { StatusCode::FOUND };
        if posted && parameters.sent("decision").is_some() {
            return self.decide_logout(&parameters, request.headers(), peer).await;
        }
        let (request, headers) = match parameters.get(HANDLE) {
            Some(handle) if !posted => (self.adopt_logout(handle).await?, request.headers()),
            Some(_) | None => (self.check_logout(&parameters).await?, request.headers()),
        };
        let stage = Stage::new(self, request, headers, (peer, status));
        if posted {
            // The login session's cookie may be missing here (SameSite=Lax): it comes with the GET.
            let handle = self.store_logout(&stage, Browser::nobody()).await?;
            let again = format!("{}{METHOD_PATH}end_session?{HANDLE}={}", self.settings.public_origin, handle.expose());
            return Ok(see(status, &again, None));
        }
        self.end_or_ask(stage).await
    }

    /// A request that came by POST: the first GET with its handle goes on with it.
    async fn adopt_logout(&self, handle: &str) -> Result<LogoutRequest, OAuthError> {
        let (store, now) = (&self.issuer.store, self.issuer.clock.now());
        let gone = || OAuthError::invalid_request("this request has expired or is finished: start again");
        let taken = store.take_logout(TokenHash::of(handle), now).await?;
        let pending = taken.filter(|pending| pending.browser == Browser::nobody()).ok_or_else(gone)?;
        self.recheck_logout(pending).await
    }

    async fn end_or_ask(&self, stage: Stage) -> Result<Answer, OAuthError> {
        let Some(sid) = &stage.browser.sid else { return Ok(self.ended(&stage)) };
        let Some(name) = self.login_user(sid, stage.peer).await? else { return Ok(self.ended(&stage)) };
        let user = self.issuer.directory.user(&name).await?;
        let hinted = stage.request.hinted_subject.as_ref();
        if hinted.is_some() && hinted == user.as_ref().map(|user| &user.sub) {
            self.end(&stage).await?;
            return Ok(self.ended(&stage));
        }
        let (browser, cookie) = stage.browser.marked(|| self.unguessable());
        let handle = self.store_logout(&stage, browser).await?;
        let leads_to: Vec<String> = stage.request.redirect_origin().into_iter().collect();
        let page = Page::EndSession {
            client: stage.request.client.as_deref(),
            user: name.as_str(),
            handle: handle.expose(),
            form_token: &self.form_token(Form::SignOut, handle.expose(), &stage.browser),
            leads_to: &leads_to,
        };
        let mut answer = page.answer(&self.settings, stage.language);
        add_cookie(&mut answer, cookie.as_deref());
        Ok(answer)
    }

    /// What the user has answered. Of the form only handle, token and decision count.
    async fn decide_logout(&self, form: &Parameters, headers: &HeaderMap, peer: Peer) -> Result<Answer, OAuthError> {
        self.check_origin(headers)?;
        let handle = form.get(HANDLE).ok_or_else(forbidden)?;
        let browser = Browser::of(headers, self.is_https());
        if !self.is_form_token(Form::SignOut, handle, &browser, form.get("token").unwrap_or_default()) {
            return Err(forbidden());
        }
        let (store, now) = (&self.issuer.store, self.issuer.clock.now());
        let pending = store.take_logout(TokenHash::of(handle), now).await?;
        let pending = pending.filter(|pending| browser.is(&pending.browser)).ok_or_else(forbidden)?;
        let request = self.recheck_logout(pending).await?;
        let stage = Stage::new(self, request, headers, (peer, StatusCode::SEE_OTHER));
        match form.get("decision") {
            Some("logout") => {
                self.end(&stage).await?;
                Ok(self.ended(&stage))
            }
            Some("stay") => Ok(Page::LoggedOut { stayed: true }.answer(&self.settings, stage.language)),
            Some(_) | None => Err(OAuthError::invalid_request("decision is missing or unknown")),
        }
    }

    /// Ends what ends with the login session, then the login session. When ERPNext is away in between, another try finds
    /// only the second left to do.
    async fn end(&self, stage: &Stage) -> Result<(), OAuthError> {
        let Some(sid) = &stage.browser.sid else { return Ok(()) };
        self.logouts.end_login(self.logins.hash(sid), LogoutCause::EndSession, stage.peer.address).await?;
        let probe = LoginProbe { sid: sid.clone(), peer: stage.peer.address };
        Ok(self.issuer.directory.end_login_session(&probe).await?)
    }

    /// Nobody is logged in any more: back to the client, or a page that says so.
    fn ended(&self, stage: &Stage) -> Answer {
        let mut answer = match stage.request.location() {
            Some(location) => see(stage.status, &location, None),
            None => Page::LoggedOut { stayed: false }.answer(&self.settings, stage.language),
        };
        for cookie in expired_login_cookies(self.is_https()) {
            answer.headers_mut().append(header::SET_COOKIE, cookie);
        }
        answer
    }

    async fn store_logout(&self, stage: &Stage, browser: TokenHash) -> Result<Secret, OAuthError> {
        let handle = self.issuer.mint.mint(TokenKind::Handle, &*self.issuer.random);
        let request = &stage.request;
        let pending = PendingLogout {
            client: request.client.as_ref().map(|client| client.id.clone()),
            redirect_uri: request.redirect_uri.clone(),
            state: request.state.clone(),
            hinted_subject: request.hinted_subject.clone(),
            ui_locales: request.ui_locales.clone(),
            browser,
            expires_at: self.issuer.clock.now().plus(PENDING_LIFE),
        };
        self.issuer.store.put_logout(handle.hash, pending).await?;
        Ok(handle.text)
    }
}

impl Stage {
    fn new(
        endpoints: &Endpoints,
        request: LogoutRequest,
        headers: &HeaderMap,
        (peer, status): (Peer, StatusCode),
    ) -> Self {
        let browser = Browser::of(headers, endpoints.is_https());
        let language = Language::of(request.ui_locales.as_deref(), headers);
        Self { request, browser, peer, language, status }
    }
}

impl LogoutRequest {
    /// Where the browser goes afterwards, `state` with it.
    fn location(&self) -> Option<String> {
        let uri = self.redirect_uri.as_deref()?;
        let separator = if uri.contains('?') { '&' } else { '?' };
        Some(match &self.state {
            Some(state) => format!("{uri}{separator}state={}", encode(state)),
            None => uri.to_owned(),
        })
    }

    fn redirect_origin(&self) -> Option<String> {
        RedirectUri::parse(self.redirect_uri.as_deref()?).ok().map(|uri| uri.origin_or_scheme())
    }
}
