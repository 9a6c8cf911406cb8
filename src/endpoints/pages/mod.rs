//! Our HTML pages. They work without JavaScript, load nothing, and can't be framed.

mod connected_apps;
mod consent;
mod device;
mod frame;
mod login;
mod logout;
mod look;
#[cfg(test)]
mod tests;

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode, header};

pub use self::look::Look;
pub(super) use self::{
    connected_apps::ConnectedApp,
    device::DeviceProblem,
    login::{LoginForm, LoginProblem},
};
use self::{
    connected_apps::ConnectedAppsPage,
    consent::ConsentPage,
    device::{DeviceConsentPage, DeviceDecidedPage, DevicePage},
    frame::Frame,
    login::{LoginPage, SignInAgainPage},
    logout::{EndSessionPage, LoggedOutPage},
};
use super::{
    EndpointSettings,
    respond::{Answer, OAuthError, no_store, set},
    texts::{Language, Texts},
};
use crate::{
    oauth::{AuthorizationRequest, Client, RedirectUri, Scopes},
    store::GrantUser,
};

/// Sends the form by itself; a button stands there for browsers that run no scripts.
const SUBMIT: &str = "document.forms[0].submit()";

/// A page with what it shows. No `Debug`: some of it is for the browser alone.
pub(super) enum Page<'a> {
    /// Allow or deny.
    Consent {
        client: &'a Client,
        user: &'a GrantUser,
        request: &'a AuthorizationRequest,
        handle: &'a str,
        form_token: &'a str,
    },
    /// User name and password.
    Login(LoginForm<'a>),
    /// The application wants a fresh login.
    SignInAgain { client: &'a Client, user: &'a GrantUser, uri: &'a str, handle: &'a str, form_token: &'a str },
    /// Log out or not. `leads_to`: the origins that the browser may be sent to afterwards.
    EndSession {
        client: Option<&'a Client>,
        user: &'a str,
        handle: &'a str,
        form_token: &'a str,
        leads_to: &'a [String],
    },
    /// Which applications may act for the user; `hidden`: how many more there are.
    ConnectedApps { user: &'a GrantUser, apps: &'a [ConnectedApp], hidden: usize },
    /// The code of a device.
    Device { user: &'a GrantUser, code: &'a str, form_token: &'a str, problem: Option<DeviceProblem> },
    /// Allow or deny a device.
    DeviceConsent { client: &'a Client, user: &'a GrantUser, scopes: &'a Scopes, code: &'a str, form_token: &'a str },
    /// A device may go on, or not.
    DeviceDecided { allowed: bool },
    /// Logged out, or not.
    LoggedOut { stayed: bool },
    /// Something that must not be sent to the application.
    Error { error: &'a OAuthError },
    /// The answer to the application, as a form.
    FormPost { uri: &'a str, parameters: &'a [(&'a str, String)] },
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    frame: Frame<'a>,
    code: &'a str,
    description: &'a str,
}

#[derive(Template)]
#[template(path = "form_post.html")]
struct FormPostPage<'a> {
    frame: Frame<'a>,
    uri: &'a str,
    parameters: &'a [(&'a str, String)],
    script: &'a str,
}

impl Page<'_> {
    /// The page as an answer, with the headers that keep it to itself.
    pub(super) fn answer(&self, settings: &EndpointSettings, language: Language) -> Answer {
        let frame = Frame::new(Texts::of(language), settings);
        let html = self.render(settings, frame).unwrap_or_else(|error| {
            tracing::error!(%error, "a page can't be rendered");
            String::new()
        });
        let mut answer = Response::new(Bytes::from(html));
        *answer.status_mut() = StatusCode::OK;
        set(&mut answer, header::CONTENT_TYPE, "text/html; charset=utf-8");
        set(&mut answer, header::CONTENT_SECURITY_POLICY, &frame.policy(self.script(), &self.form_action()));
        set(&mut answer, header::X_FRAME_OPTIONS, "DENY");
        set(&mut answer, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        // With "no-referrer" browsers would send our own forms with `Origin: null` (decision 17).
        set(&mut answer, header::REFERRER_POLICY, "same-origin");
        set(&mut answer, header::CONTENT_LANGUAGE, language.as_str());
        no_store(&mut answer);
        answer
    }

    fn render(&self, settings: &EndpointSettings, frame: Frame<'_>) -> askama::Result<String> {
        match *self {
            Self::Consent { client, user, request, handle, form_token } => {
                ConsentPage::new(frame, settings, (client, user), request, (handle, form_token)).render()
            }
            Self::Login(ref form) => LoginPage::new(frame, settings, form).render(),
            Self::SignInAgain { client, user, handle, form_token, .. } => {
                SignInAgainPage::new(frame, (client, user), (handle, form_token)).render()
            }
            Self::EndSession { client, user, handle, form_token, .. } => {
                EndSessionPage::new(frame, settings, (client, user), (handle, form_token)).render()
            }
            Self::ConnectedApps { user, apps, hidden } => {
                ConnectedAppsPage::new(frame, settings, (user, apps, hidden)).render()
            }
            Self::Device { user, code, form_token, problem } => {
                DevicePage::new(frame, user, (code, form_token), problem).render()
            }
            Self::DeviceConsent { client, user, scopes, code, form_token } => {
                DeviceConsentPage::new(frame, settings, (client, user), scopes, (code, form_token)).render()
            }
            Self::DeviceDecided { allowed } => DeviceDecidedPage::new(frame, allowed).render(),
            Self::LoggedOut { stayed } => LoggedOutPage::new(frame, stayed).render(),
            Self::Error { error } => {
                ErrorPage { frame, code: error.code.as_str(), description: error.description.as_ref() }.render()
            }
            Self::FormPost { uri, parameters } => FormPostPage { frame, uri, parameters, script: SUBMIT }.render(),
        }
    }

    const fn script(&self) -> Option<&'static str> {
        match self {
            Self::FormPost { .. } => Some(SUBMIT),
            _ => None,
        }
    }

    /// Where the page's form may lead, redirects included.
    fn form_action(&self) -> String {
        match self {
            Self::FormPost { uri, .. } => origin(uri),
            Self::Consent { request, .. } => own_and([origin(&request.redirect_uri.uri)]),
            Self::SignInAgain { uri, .. } => own_and([origin(uri)]),
            Self::Login(form) => own_and(form.leads_to.map(origin)),
            Self::EndSession { leads_to, .. } => own_and(leads_to.iter().cloned()),
            Self::ConnectedApps { .. } | Self::Device { .. } | Self::DeviceConsent { .. } => own_and([]),
            Self::LoggedOut { .. } | Self::DeviceDecided { .. } | Self::Error { .. } => "'none'".to_owned(),
        }
    }
}

fn own_and(origins: impl IntoIterator<Item = String>) -> String {
    origins.into_iter().filter(|origin| !origin.is_empty()).fold("'self'".to_owned(), |all, next| all + " " + &next)
}

fn origin(uri: &str) -> String {
    RedirectUri::parse(uri).map(|uri| uri.origin_or_scheme()).unwrap_or_default()
}
