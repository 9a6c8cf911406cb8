//! What our own forms carry against forgery: a token that binds a decision to its page, to what the page is about, and to the
//! login session of the browser that was shown it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode, header};
use subtle::ConstantTimeEq;

use super::{Endpoints, browser::Browser, respond::OAuthError};
use crate::{oauth::ErrorCode, secret::Secret};

/// Our forms. The token of one does not open another: who was asked to sign in again was not asked for consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Allow, deny, or be somebody else.
    Consent,
    /// Sign in again, or deny.
    SignIn,
    /// Sign out, or stay.
    SignOut,
    /// User name and password.
    Login,
    /// End what an application may do.
    EndAccess,
    /// The code of a device.
    UserCode,
    /// Allow or deny a device.
    Device,
}

impl Form {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Consent => b"consent",
            Self::SignIn => b"sign in",
            Self::SignOut => b"sign out",
            Self::Login => b"login",
            Self::EndAccess => b"end access",
            Self::UserCode => b"user code",
            Self::Device => b"device",
        }
    }
}

impl Endpoints {
    /// The token of a form that is about `subject`: a handle, or a name.
    pub(super) fn form_token(&self, form: Form, subject: &str, browser: &Browser) -> String {
        // Who logs in has no login session yet that would count: the mark stands for the browser.
        let whose = if form == Form::Login { browser.mark() } else { browser.sid.as_ref() };
        let whose = whose.map(Secret::expose).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(self.form_key.hmac(&[form.label(), subject.as_bytes(), whose.as_bytes()]))
    }

    pub(super) fn is_form_token(&self, form: Form, subject: &str, browser: &Browser, presented: &str) -> bool {
        self.form_token(form, subject, browser).as_bytes().ct_eq(presented.as_bytes()).into()
    }

    /// A form that another site's page sends says so.
    pub(super) fn check_origin(&self, headers: &HeaderMap) -> Result<(), OAuthError> {
        match headers.get(header::ORIGIN) {
            Some(origin) if origin.as_bytes() != self.settings.public_origin.as_bytes() => Err(forbidden()),
            Some(_) | None => Ok(()),
        }
    }
}

/// A form that is not ours to take.
pub(super) fn forbidden() -> OAuthError {
    OAuthError::new(ErrorCode::AccessDenied, "this form is not valid any more: start again at the application")
        .with_status(StatusCode::FORBIDDEN)
}
