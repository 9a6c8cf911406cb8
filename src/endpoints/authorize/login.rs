//! Check 7 and 8: the user, asked live of ERPNext, and whether the login is young enough.

use http::StatusCode;

use super::{Browser, Endpoints, HANDLE, NOT_ALLOWED, Stage};
use crate::{
    config::LoginPage,
    endpoints::{
        METHOD_PATH,
        agents::STOPPED,
        browser::{add_cookie, see},
        forms::Form,
        pages::Page,
        respond::{Answer, OAuthError},
    },
    issuer::{IssueError, Login},
    oauth::{AuthorizationRequest, ErrorCode, TokenHash, TokenKind},
    store::{ClientSession, GrantUser, PendingRequest},
};

/// How long a stored request waits: a user may have to find a phone, or a new password.
const PENDING_LIFE: std::time::Duration = std::time::Duration::from_secs(30 * 60);
/// How long the claim `sid` of a login session is remembered; ERPNext's sessions live a week by default.
const SESSION_LIFE: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

/// Why the request can't go on yet, or at all.
pub(super) enum Stop {
    /// Nobody is logged in.
    LoggedOut,
    /// This user is, but must log in again.
    LoginTooOld(GrantUser),
    /// The client hears of it.
    Refused(ErrorCode, &'static str),
    /// A part is away.
    Failed(OAuthError),
}

impl From<OAuthError> for Stop {
    fn from(error: OAuthError) -> Self {
        Self::Failed(error)
    }
}

impl Endpoints {
    /// The user behind the login session.
    pub(super) async fn check_login(&self, stage: &Stage) -> Result<Login, Stop> {
        if self.is_stopped(&stage.client).await? {
            return Err(Stop::Refused(ErrorCode::AccessDenied, STOPPED));
        }
        let sid = stage.browser.sid.as_ref().ok_or(Stop::LoggedOut)?;
        let name = self.login_user(sid, stage.peer).await?.ok_or(Stop::LoggedOut)?;
        let user = self.issuer.grant_user(&name).await.map_err(refused)?;
        if stage.request.hinted_subject.as_ref().is_some_and(|hinted| *hinted != user.sub) {
            return Err(Stop::Refused(ErrorCode::LoginRequired, "another user is logged in than id_token_hint names"));
        }
        let now = self.issuer.clock.now();
        let hash = self.logins.hash(sid);
        let auth_time = self.issuer.store.login(hash, now).await.map_err(OAuthError::from)?;
        // A login that was seen after the request came satisfies both (decision 13).
        let fresh = auth_time.is_some_and(|time| time >= stage.received_at);
        let AuthorizationRequest { max_age, prompt, needs_auth_time, .. } = &stage.request;
        let too_old = max_age
            .is_some_and(|max_age| auth_time.is_none_or(|time| now.since(time).as_secs() > max_age || max_age == 0));
        let untold = *needs_auth_time && auth_time.is_none();
        if !fresh && (prompt.login || too_old || untold) {
            return Err(Stop::LoginTooOld(user));
        }
        self.issuer.check_user(&stage.client, &user).await.map_err(refused)?;
        let candidate =
            ClientSession { client: stage.client.id.clone(), claim: self.unguessable(), user: Some(user.clone()) };
        let session_claim = self.issuer.store.session_claim(hash, candidate, now.plus(SESSION_LIFE)).await;
        let session_claim = Some(session_claim.map_err(OAuthError::from)?);
        Ok(Login { user, auth_time, session_claim, login: Some(hash) })
    }

    /// Sends the browser where the request can go on, or the client its error.
    pub(super) async fn stop(&self, mut stage: Stage, stop: Stop) -> Result<Answer, OAuthError> {
        match stop {
            Stop::Failed(error) => Err(error),
            Stop::Refused(code, text) => Ok(stage.refuse(self, code, text)),
            Stop::LoggedOut | Stop::LoginTooOld(_) if stage.request.prompt.none => {
                Ok(stage.refuse(self, ErrorCode::LoginRequired, "the user must log in"))
            }
            Stop::LoggedOut => {
                let cookie = self.store_request(&mut stage).await?;
                Ok(see(StatusCode::FOUND, &self.login_for(&stage), cookie.as_deref()))
            }
            // Our own page needs no question first: nothing ends before the new login has succeeded.
            Stop::LoginTooOld(_) if self.settings.login_page == LoginPage::Gateway => {
                let cookie = self.store_request(&mut stage).await?;
                Ok(see(StatusCode::FOUND, &self.login_for(&stage), cookie.as_deref()))
            }
            Stop::LoginTooOld(user) => {
                let cookie = self.store_request(&mut stage).await?;
                let form_token = self.form_token(Form::SignIn, stage.handle(), &stage.browser);
                let page = Page::SignInAgain {
                    client: &stage.client,
                    user: &user,
                    uri: &stage.request.redirect_uri.uri,
                    handle: stage.handle(),
                    form_token: &form_token,
                };
                let mut answer = page.answer(&self.settings, stage.language);
                add_cookie(&mut answer, cookie.as_deref());
                Ok(answer)
            }
        }
    }

    /// Stores the request and sends the browser to it with a GET.
    pub(super) async fn to_stored_request(&self, mut stage: Stage) -> Result<Answer, OAuthError> {
        // A form of another site carries no cookie of ours (SameSite): a mark made here would replace the browser's own.
        self.store_for(&mut stage, Browser::nobody()).await?;
        Ok(see(StatusCode::SEE_OTHER, &self.resume_url(stage.handle()), None))
    }

    /// Stores the request under a handle, unless it is stored already; gives the `Set-Cookie` that ties the browser to it.
    pub(super) async fn store_request(&self, stage: &mut Stage) -> Result<Option<String>, OAuthError> {
        if stage.handle.is_some() {
            return Ok(None);
        }
        let (browser, cookie) = stage.browser.marked(|| self.unguessable());
        self.store_for(stage, browser).await?;
        Ok(cookie)
    }

    async fn store_for(&self, stage: &mut Stage, browser: TokenHash) -> Result<(), OAuthError> {
        let (handle, hash) = stage.reference.take().map_or_else(
            || {
                let minted = self.issuer.mint.mint(TokenKind::Handle, &*self.issuer.random);
                (minted.text, minted.hash)
            },
            |reference| {
                let hash = TokenHash::of(reference.expose());
                (reference, hash)
            },
        );
        let pending = PendingRequest {
            request: stage.request.clone(),
            browser,
            received_at: stage.received_at,
            expires_at: self.issuer.clock.now().plus(PENDING_LIFE),
        };
        self.issuer.store.put_request(hash, pending).await?;
        stage.handle = Some(handle);
        Ok(())
    }

    /// Where a stored request goes on.
    pub(in crate::endpoints) fn resume_url(&self, handle: &str) -> String {
        format!("{}{METHOD_PATH}authorize?{HANDLE}={handle}", self.settings.public_origin)
    }

    /// The login page, which comes back to the stored request.
    pub(super) fn login_for(&self, stage: &Stage) -> String {
        self.login_url(&self.resume_url(stage.handle()), Some(stage.handle()))
    }
}

fn refused(error: IssueError) -> Stop {
    match error {
        IssueError::UserGone | IssueError::RoleMissing => Stop::Refused(ErrorCode::AccessDenied, NOT_ALLOWED),
        other => Stop::Failed(other.into()),
    }
}
