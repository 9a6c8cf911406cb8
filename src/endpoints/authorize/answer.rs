//! The way back to the client: code, tokens or error on its redirect URI, always with `state` as sent and `iss`
//! (RFC 6749 §4.1.2, RFC 9207).

use bytes::Bytes;
use http::{Response, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Endpoints, Language, Page, Stage};
use crate::{
    endpoints::respond::{Answer, OAuthError, no_store, set},
    issuer::FrontChannelTokens,
    oauth::ResponseMode,
};

/// Which redirect keeps the browser from sending a form again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    AfterGet,
    AfterPost,
}

/// Where an answer goes, and how.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    pub uri: String,
    pub mode: ResponseMode,
    pub state: Option<String>,
    /// The language of the page that posts it.
    pub language: Language,
}

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes a parameter's value, once and whole.
pub(in crate::endpoints) fn encode(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

impl Endpoints {
    /// The error answer.
    pub(super) fn refuse(&self, to: &Destination, error: &OAuthError, redirect: Redirect) -> Answer {
        let parameters = vec![
            ("error", error.code.as_str().to_owned()),
            ("error_description", error.description.clone().into_owned()),
        ];
        self.send(to, parameters, redirect)
    }

    /// The success answer.
    pub(super) fn grant_answer(&self, stage: &Stage, tokens: &FrontChannelTokens) -> Answer {
        let mut parameters = Vec::new();
        if let Some(code) = &tokens.code {
            parameters.push(("code", code.expose().to_owned()));
        }
        if let Some(issued) = &tokens.access {
            parameters.push(("access_token", issued.access_token.expose().to_owned()));
            parameters.push(("expires_in", issued.expires_in.to_string()));
            parameters.push(("token_type", "Bearer".to_owned()));
            parameters.push(("scope", issued.scopes.to_string()));
        }
        if let Some(id_token) = &tokens.id_token {
            parameters.push(("id_token", id_token.clone()));
        }
        self.send(&stage.destination(), parameters, stage.redirect)
    }

    fn send(&self, to: &Destination, mut parameters: Vec<(&str, String)>, redirect: Redirect) -> Answer {
        if let Some(state) = &to.state {
            parameters.push(("state", state.clone()));
        }
        parameters.push(("iss", self.settings.public_origin.clone()));
        if to.mode == ResponseMode::FormPost {
            return Page::FormPost { uri: &to.uri, parameters: &parameters }.answer(&self.settings, to.language);
        }
        let encoded: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let separator = match to.mode {
            ResponseMode::Fragment => "#",
            ResponseMode::Query | ResponseMode::FormPost if to.uri.contains('?') => "&",
            ResponseMode::Query | ResponseMode::FormPost => "?",
        };
        let status = match redirect {
            Redirect::AfterGet => StatusCode::FOUND,
            Redirect::AfterPost => StatusCode::SEE_OTHER,
        };
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = status;
        set(&mut answer, header::LOCATION, &format!("{}{separator}{}", to.uri, encoded.join("&")));
        set(&mut answer, header::REFERRER_POLICY, "no-referrer");
        no_store(&mut answer);
        answer
    }
}
