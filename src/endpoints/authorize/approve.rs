//! The consent decision: single use, bound to browser, login session and request; it takes nothing from the form but
//! handle, token and decision, and checks all of the stored request again (decision 15).

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};

use super::{Browser, Endpoints, HANDLE, Peer, Redirect, Stage, login::Stop};
use crate::{
    config::LoginPage,
    endpoints::{
        agents::granted,
        browser::see,
        form,
        forms::{Form, forbidden},
        respond::{Answer, OAuthError},
    },
    erpnext::LoginProbe,
    issuer::LogoutCause,
    oauth::{ErrorCode, Scopes, TokenHash, UserName},
    telemetry::audit::AuditEvent,
};

/// What the user decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Allow,
    Deny,
    /// End this login session and log in again, perhaps as somebody else.
    SignIn,
}

impl Decision {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "allow" => Some(Self::Allow),
            "deny" => Some(Self::Deny),
            "sign_in" => Some(Self::SignIn),
            _ => None,
        }
    }
}

impl Endpoints {
    pub(in crate::endpoints) async fn approve(&self, request: Request<Bytes>, peer: Peer) -> Answer {
        let answer = self.decide(&request, peer).await;
        answer.unwrap_or_else(|error| self.page_or_json(request.headers(), &error))
    }

    async fn decide(&self, request: &Request<Bytes>, peer: Peer) -> Result<Answer, OAuthError> {
        let form = form(request)?;
        self.check_origin(request.headers())?;
        let handle = form.get(HANDLE).ok_or_else(forbidden)?;
        let stage = self.stage_of_browser(handle, request.headers(), peer).await?;
        let token = form.get("token").unwrap_or_default();
        let is_of = |form| self.is_form_token(form, stage.handle(), &stage.browser, token);
        let signing_in = is_of(Form::SignIn);
        if !signing_in && !is_of(Form::Consent) {
            return Err(forbidden());
        }
        let decision = form.get("decision").and_then(Decision::parse);
        match decision.ok_or_else(|| OAuthError::invalid_request("decision is missing or unknown"))? {
            // The page that asks to sign in again asks for nothing else.
            Decision::Allow if signing_in => Err(forbidden()),
            Decision::SignIn => self.sign_in_again(&stage).await,
            Decision::Allow => {
                let scopes = granted(&stage.client, &stage.request.scopes, &form)?;
                self.allow(stage, scopes, handle).await
            }
            Decision::Deny => self.deny(&stage, handle).await,
        }
    }

    /// The stored request of this browser.
    async fn stage_of_browser(&self, handle: &str, headers: &HeaderMap, peer: Peer) -> Result<Stage, OAuthError> {
        let now = self.issuer.clock.now();
        let pending = self.issuer.store.request(TokenHash::of(handle), now).await?.ok_or_else(forbidden)?;
        let browser = Browser::of(headers, self.is_https());
        if !browser.is(&pending.browser) || browser.sid.is_none() {
            return Err(forbidden());
        }
        self.stored_stage(pending, handle, browser, Redirect::AfterPost, (headers, peer)).await
    }

    async fn deny(&self, stage: &Stage, handle: &str) -> Result<Answer, OAuthError> {
        self.use_up(handle).await?;
        let user = self.user_of(stage).await;
        self.issuer.record(&AuditEvent {
            event: "authorization_denied",
            client_id: Some(stage.client.id.as_str()),
            user: user.as_ref().map(UserName::as_str),
            address: Some(stage.peer.address),
            ..AuditEvent::default()
        });
        Ok(stage.refuse(self, ErrorCode::AccessDenied, "the user denied the request"))
    }

    async fn allow(&self, mut stage: Stage, granted: Scopes, handle: &str) -> Result<Answer, OAuthError> {
        // Whoever allows and ticks nothing, where there was nothing else, has allowed nothing.
        if granted.is_empty() && !stage.request.scopes.is_empty() {
            return self.deny(&stage, handle).await;
        }
        stage.request.scopes = granted;
        // How old the login may be was judged when the page was shown, and is not judged again (decision 13).
        stage.request.prompt.login = false;
        stage.request.max_age = None;
        stage.request.needs_auth_time = false;
        let login = match self.check_login(&stage).await {
            Ok(login) => login,
            Err(Stop::LoggedOut | Stop::LoginTooOld(_)) => return Err(forbidden()),
            Err(stop) => return self.stop(stage, stop).await,
        };
        self.use_up(handle).await?;
        self.remember_consent(&stage, &login).await?;
        self.succeed(&stage, &login, "consented").await
    }

    /// Who is logged in, for the audit trail; a user may deny while ERPNext is away.
    async fn user_of(&self, stage: &Stage) -> Option<UserName> {
        self.login_user(stage.browser.sid.as_ref()?, stage.peer).await.ok().flatten()
    }

    /// Takes the stored request: of several who try, one may go on.
    pub(super) async fn use_up(&self, handle: &str) -> Result<(), OAuthError> {
        let now = self.issuer.clock.now();
        self.issuer.store.take_request(TokenHash::of(handle), now).await?.map(|_| ()).ok_or_else(forbidden)
    }

    /// Ends the login session, which the form's token has shown to be the browser's own, and asks for a new one.
    async fn sign_in_again(&self, stage: &Stage) -> Result<Answer, OAuthError> {
        if self.settings.login_page == LoginPage::Gateway {
            // Nothing ends before the new login has succeeded.
            return Ok(see(StatusCode::SEE_OTHER, &format!("{}&other=1", self.login_for(stage)), None));
        }
        if let Some(sid) = &stage.browser.sid {
            let probe = LoginProbe { sid: sid.clone(), peer: stage.peer.address };
            self.issuer.directory.end_login_session(&probe).await?;
            self.logouts.end_login(self.logins.hash(sid), LogoutCause::Upstream, stage.peer.address).await?;
        }
        Ok(see(StatusCode::SEE_OTHER, &self.login_for(stage), None))
    }
}
