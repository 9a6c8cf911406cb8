//! The gateway's own login page, where `[login]` asks for it: takes user name and password to ERPNext's login, and its answer to
//! the browser. Whoever ERPNext asks for more, a second factor or a new password, is sent to ERPNext's own page.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};

use super::{
    Endpoints, LoginName, METHOD_PATH, Peer,
    authorize::{authorization_parameters, encode},
    browser::{Browser, add_cookie, see},
    form,
    forms::{Form, forbidden},
    pages::{LoginForm, LoginProblem, Page},
    parameters::Parameters,
    respond::{Answer, OAuthError, set},
    texts::Language,
};
use crate::{
    config::LoginPage,
    erpnext::{LogIn, LoginCookies, LoginProbe},
    issuer::LogoutCause,
    oauth::{Client, TokenHash, UserCode, UserName},
    secret::Secret,
    store::PendingRequest,
    telemetry::audit::AuditEvent,
};

/// The parameter that names the stored request which the login is for.
const HANDLE: &str = "handle";
/// Says that somebody else wants to log in than who has.
const OTHER: &str = "other";
/// Says that the login is for the page of devices; with the code, if that is known.
const DEVICE: &str = "device";

/// What the login is for, as this browser may know.
struct Purpose {
    handle: String,
    client: Arc<Client>,
    pending: PendingRequest,
}

/// A page of ours that needs a login.
#[derive(Clone, Copy)]
enum OwnPage {
    ConnectedApps,
    /// With the code, if that is known.
    Device(Option<UserCode>),
}

/// Who tries.
struct Visitor {
    browser: Browser,
    purpose: Option<Purpose>,
    /// The page that it is for, if it is for no stored request.
    page: OwnPage,
    peer: Peer,
    language: Language,
}

impl Endpoints {
    /// Where a user logs in who is to come back to this URL of ours, and to the stored request in it if there is one.
    pub(super) fn login_url(&self, back: &str, handle: Option<&str>) -> String {
        match self.settings.login_page {
            LoginPage::Erpnext => self.erpnext_login_url(back),
            LoginPage::Gateway => {
                let query = handle.map(|handle| format!("?{HANDLE}={handle}")).unwrap_or_default();
                format!("{}{METHOD_PATH}login{query}", self.settings.public_origin)
            }
        }
    }

    /// Where a user logs in who is to come back to the page of devices.
    pub(super) fn device_login_url(&self, code: Option<UserCode>) -> String {
        match self.settings.login_page {
            LoginPage::Erpnext => self.erpnext_login_url(&self.device_url(code)),
            LoginPage::Gateway => {
                let code = code.map(|code| code.to_string()).unwrap_or_default();
                format!("{}{METHOD_PATH}login?{DEVICE}={code}", self.settings.public_origin)
            }
        }
    }

    /// The page of connected applications.
    pub(super) fn connected_apps_url(&self) -> String {
        format!("{}{METHOD_PATH}connected_apps", self.settings.public_origin)
    }

    fn erpnext_login_url(&self, back: &str) -> String {
        format!("{}/login?redirect-to={}", self.settings.public_origin, encode(back))
    }

    pub(super) async fn login(&self, method: &Method, request: Request<Bytes>, peer: Peer) -> Answer {
        let answer = match self.settings.login_page {
            LoginPage::Erpnext => {
                let error = OAuthError::invalid_request("users log in on ERPNext's own page here");
                Err(error.with_status(StatusCode::NOT_FOUND))
            }
            LoginPage::Gateway if *method == Method::POST => self.take_login(&request, peer).await,
            LoginPage::Gateway => self.ask_for_login(&request, peer).await,
        };
        answer.unwrap_or_else(|error| self.page_or_json(request.headers(), &error))
    }

    async fn ask_for_login(&self, request: &Request<Bytes>, peer: Peer) -> Result<Answer, OAuthError> {
        let parameters = authorization_parameters(&Method::GET, request)?;
        let mut visitor = self.visitor(&parameters, request.headers(), peer).await?;
        let cookie = visitor.browser.mark_with(|| self.unguessable());
        let username = match visitor.purpose.as_ref().and_then(|purpose| purpose.pending.request.login_hint.clone()) {
            Some(hint) => hint,
            None if parameters.sent(OTHER).is_some() => String::new(),
            None => self.logged_in(&visitor).await?.map(|name| name.as_str().to_owned()).unwrap_or_default(),
        };
        let mut answer = self.login_page(&visitor, &username, None);
        add_cookie(&mut answer, cookie.as_deref());
        Ok(answer)
    }

    async fn take_login(&self, request: &Request<Bytes>, peer: Peer) -> Result<Answer, OAuthError> {
        let form = form(request)?;
        self.check_origin(request.headers())?;
        let visitor = self.visitor(&form, request.headers(), peer).await?;
        let token = form.get("token").unwrap_or_default();
        if !visitor.browser.is_marked() || !self.is_form_token(Form::Login, visitor.handle(), &visitor.browser, token) {
            return Err(forbidden());
        }
        let (username, password) = (form.get("usr").unwrap_or_default().trim(), form.get("pwd").unwrap_or_default());
        let (name, now) = (LoginName::new(username), self.issuer.clock.now());
        let limit = &self.limits.login_failures;
        if let Err(seconds) = limit.check_login(Some(&name), peer.address, now) {
            return Ok(self.login_page(&visitor, username, Some(LoginProblem::TooMany { seconds })));
        }
        match self.issuer.directory.log_in(username, &Secret::new(password), peer.address).await {
            Ok(LogIn::In(cookies)) => self.logged_in_with(visitor, cookies).await,
            Ok(LogIn::Elsewhere) => Ok(see(StatusCode::SEE_OTHER, &self.erpnext_login_url(&self.back(&visitor)), None)),
            Ok(LogIn::Wrong) => {
                limit.count_login(Some(&name), peer.address, now);
                self.tally.count("login_failed", None, peer.address);
                Ok(self.login_page(&visitor, username, Some(LoginProblem::Wrong)))
            }
            Err(error) => {
                tracing::error!(%error, "a login can't be checked");
                Ok(self.login_page(&visitor, username, Some(LoginProblem::Unavailable)))
            }
        }
    }

    /// Goes on where the login was asked for. What can't be finished leaves no login session behind that nobody has.
    async fn logged_in_with(&self, visitor: Visitor, cookies: LoginCookies) -> Result<Answer, OAuthError> {
        if let Err(error) = self.take_over(&visitor, &cookies).await {
            self.end_upstream(&cookies.sid, visitor.peer).await;
            return Err(error);
        }
        let mut answer = see(StatusCode::SEE_OTHER, &self.back(&visitor), None);
        for cookie in cookies.lines {
            answer.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(answer)
    }

    /// Takes note of a new login session, and ends the browser's earlier one. To clients that one goes on where the same
    /// user has logged in again.
    async fn take_over(&self, visitor: &Visitor, cookies: &LoginCookies) -> Result<(), OAuthError> {
        let (store, now, address) = (&self.issuer.store, self.issuer.clock.now(), visitor.peer.address);
        let user = self.login_user(&cookies.sid, visitor.peer).await?.ok_or_else(forbidden)?;
        let login = self.logins.hash(&cookies.sid);
        store.put_login(login, now, now.plus(cookies.life)).await?;
        if let Some(old) = visitor.browser.sid.as_ref().filter(|old| **old != cookies.sid) {
            let (before, earlier) = (self.login_user(old, visitor.peer).await?, self.logins.hash(old));
            if before.as_ref() == Some(&user) {
                store.continue_login(earlier, login).await?;
            } else {
                self.logouts.end_login(earlier, LogoutCause::Upstream, address).await?;
            }
            if before.is_some() {
                self.end_upstream(old, visitor.peer).await;
            }
        }
        let (user, address) = (Some(user.as_str()), Some(address));
        self.issuer.record(&AuditEvent { event: "login", user, address, ..AuditEvent::default() });
        Ok(())
    }

    /// Ends a login session that the browser is not to have any more; one that stays is ERPNext's to let expire.
    async fn end_upstream(&self, sid: &Secret, peer: Peer) {
        let probe = LoginProbe { sid: sid.clone(), peer: peer.address };
        if let Err(error) = self.issuer.directory.end_login_session(&probe).await {
            tracing::warn!(%error, "a login session that another has taken the place of can't be ended");
        }
    }

    /// Whose login session this is, asked live; `None`: nobody's.
    pub(super) async fn login_user(&self, sid: &Secret, peer: Peer) -> Result<Option<UserName>, OAuthError> {
        let probe = LoginProbe { sid: sid.clone(), peer: peer.address };
        Ok(self.issuer.directory.login_session(&probe).await?)
    }

    async fn logged_in(&self, visitor: &Visitor) -> Result<Option<UserName>, OAuthError> {
        match &visitor.browser.sid {
            Some(sid) => self.login_user(sid, visitor.peer).await,
            None => Ok(None),
        }
    }

    /// The stored request that a handle names must be this browser's.
    async fn visitor(&self, parameters: &Parameters, headers: &HeaderMap, peer: Peer) -> Result<Visitor, OAuthError> {
        let browser = Browser::of(headers, self.is_https());
        let purpose = match parameters.get(HANDLE) {
            Some(handle) => {
                let pending = self.issuer.store.request(TokenHash::of(handle), self.issuer.clock.now()).await?;
                let pending = pending.filter(|pending| browser.is(&pending.browser)).ok_or_else(forbidden)?;
                let client = self.recheck(&pending.request).await?;
                Some(Purpose { handle: handle.to_owned(), client, pending })
            }
            None => None,
        };
        let asked = purpose.as_ref().and_then(|purpose| purpose.pending.request.ui_locales.as_deref());
        let code = parameters.sent(DEVICE).map(UserCode::parse);
        let page = code.map_or(OwnPage::ConnectedApps, OwnPage::Device);
        Ok(Visitor { language: Language::of(asked, headers), browser, purpose, page, peer })
    }

    /// Where the browser goes after the login.
    fn back(&self, visitor: &Visitor) -> String {
        match (&visitor.purpose, visitor.page) {
            (Some(purpose), _) => self.resume_url(&purpose.handle),
            (None, OwnPage::Device(code)) => self.device_url(code),
            (None, OwnPage::ConnectedApps) => self.connected_apps_url(),
        }
    }

    fn login_page(&self, visitor: &Visitor, username: &str, problem: Option<LoginProblem>) -> Answer {
        let device = match visitor.page {
            OwnPage::ConnectedApps => None,
            OwnPage::Device(code) => Some(code.map(|code| code.to_string()).unwrap_or_default()),
        };
        let form = LoginForm {
            handle: visitor.purpose.as_ref().map(|purpose| purpose.handle.as_str()),
            device: device.as_deref(),
            form_token: &self.form_token(Form::Login, visitor.handle(), &visitor.browser),
            username,
            client: visitor.purpose.as_ref().map(|purpose| &*purpose.client),
            problem,
            leads_to: visitor.purpose.as_ref().map(|purpose| purpose.pending.request.redirect_uri.uri.as_str()),
            elsewhere: &self.erpnext_login_url(&self.back(visitor)),
        };
        let mut answer = Page::Login(form).answer(&self.settings, visitor.language);
        match problem {
            None => {}
            // Not 401, which would have to name a scheme of HTTP's own.
            Some(LoginProblem::Wrong) => *answer.status_mut() = StatusCode::FORBIDDEN,
            Some(LoginProblem::TooMany { seconds }) => {
                *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
                set(&mut answer, header::RETRY_AFTER, &seconds.to_string());
            }
            Some(LoginProblem::Unavailable) => *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
        }
        answer
    }
}

impl Visitor {
    fn handle(&self) -> &str {
        self.purpose.as_ref().map(|purpose| purpose.handle.as_str()).unwrap_or_default()
    }
}
