//! Our HTML pages. They work without JavaScript, load nothing, and can't be framed.

use askama::Template;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Response, StatusCode, header};
use sha2::{Digest, Sha256};
use url::Url;

use super::{
    EndpointSettings, METHOD_PATH,
    respond::{Answer, OAuthError, no_store, set},
    texts::{Language, Texts},
};
use crate::{
    oauth::{AuthorizationRequest, Client, RedirectUri},
    store::GrantUser,
};

const STYLE: &str = include_str!("../../templates/style.css");
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
    /// The application wants a fresh login.
    SignInAgain { client: &'a Client, user: &'a GrantUser, handle: &'a str, form_token: &'a str },
    /// Something that must not be sent to the application.
    Error { error: &'a OAuthError },
    /// The answer to the application, as a form.
    FormPost { uri: &'a str, parameters: &'a [(&'a str, String)] },
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    texts: &'a Texts,
    style: &'a str,
    heading: String,
    user: &'a str,
    meanings: Vec<String>,
    action: String,
    handle: &'a str,
    form_token: &'a str,
    goes_to: String,
}

#[derive(Template)]
#[template(path = "sign_in_again.html")]
struct SignInAgainPage<'a> {
    texts: &'a Texts,
    style: &'a str,
    why: String,
    user: &'a str,
    action: String,
    handle: &'a str,
    form_token: &'a str,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    texts: &'a Texts,
    style: &'a str,
    code: &'a str,
    description: &'a str,
}

#[derive(Template)]
#[template(path = "form_post.html")]
struct FormPostPage<'a> {
    texts: &'a Texts,
    style: &'a str,
    uri: &'a str,
    parameters: &'a [(&'a str, String)],
    script: &'a str,
}

impl Page<'_> {
    /// The page as an answer, with the headers that keep it to itself.
    pub(super) fn answer(&self, settings: &EndpointSettings, language: Language) -> Answer {
        let texts = language.texts();
        let html = self.render(settings, texts).unwrap_or_else(|error| {
            tracing::error!(%error, "a page can't be rendered");
            String::new()
        });
        let mut answer = Response::new(Bytes::from(html));
        *answer.status_mut() = StatusCode::OK;
        set(&mut answer, header::CONTENT_TYPE, "text/html; charset=utf-8");
        set(&mut answer, header::CONTENT_SECURITY_POLICY, &self.policy());
        set(&mut answer, header::X_FRAME_OPTIONS, "DENY");
        set(&mut answer, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        // With "no-referrer" browsers would send our own forms with `Origin: null` (decision 17).
        set(&mut answer, header::REFERRER_POLICY, "same-origin");
        set(&mut answer, header::CONTENT_LANGUAGE, texts.lang);
        no_store(&mut answer);
        answer
    }

    fn render(&self, settings: &EndpointSettings, texts: &Texts) -> askama::Result<String> {
        let (action, rules) = (format!("{METHOD_PATH}approve"), settings.rules.load());
        match *self {
            Self::Consent { client, user, request, handle, form_token } => ConsentPage {
                texts,
                style: STYLE,
                heading: texts.heading(&client.name, &settings.site_name),
                user: user.name.as_str(),
                meanings: request
                    .consent_scopes()
                    .iter()
                    .map(|scope| {
                        let opened = rules.opened_by(scope.as_str());
                        texts.meaning(scope.as_str(), &settings.site_name, client.scopes.name_claims(), &opened)
                    })
                    .collect(),
                action,
                handle,
                form_token,
                goes_to: texts.goes_to(&place(&request.redirect_uri.uri)),
            }
            .render(),
            Self::SignInAgain { client, user, handle, form_token } => {
                let why = texts.sign_in_why(&client.name);
                let user = user.name.as_str();
                SignInAgainPage { texts, style: STYLE, why, user, action, handle, form_token }.render()
            }
            Self::Error { error } => {
                let (code, description) = (error.code.as_str(), error.description.as_ref());
                ErrorPage { texts, style: STYLE, code, description }.render()
            }
            Self::FormPost { uri, parameters } => {
                FormPostPage { texts, style: STYLE, uri, parameters, script: SUBMIT }.render()
            }
        }
    }

    /// Chromium follows a form's redirect only to what `form-action` names.
    fn policy(&self) -> String {
        let (script, form_action) = match self {
            Self::FormPost { uri, .. } => (format!(" script-src '{}';", hash(SUBMIT)), origin(uri)),
            Self::Consent { request, .. } => (String::new(), format!("'self' {}", origin(&request.redirect_uri.uri))),
            Self::SignInAgain { client, .. } => {
                let origins: Vec<_> = client.redirect_uris.iter().map(RedirectUri::origin_or_scheme).collect();
                (String::new(), format!("'self' {}", origins.join(" ")))
            }
            Self::Error { .. } => (String::new(), "'none'".to_owned()),
        };
        format!(
            "default-src 'none'; style-src '{}';{script} form-action {form_action}; frame-ancestors 'none'; base-uri 'none'",
            hash(STYLE)
        )
    }
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

fn origin(uri: &str) -> String {
    RedirectUri::parse(uri).map(|uri| uri.origin_or_scheme()).unwrap_or_default()
}

/// The place that a redirect URI leads to, as a person would name it.
fn place(uri: &str) -> String {
    let parsed = Url::parse(uri).ok();
    let host = parsed.as_ref().and_then(Url::host_str).map(str::to_owned);
    host.or_else(|| parsed.map(|url| format!("{}:", url.scheme()))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> EndpointSettings {
        EndpointSettings {
            public_origin: "https://erp.example".to_owned(),
            site_name: "erp.example".to_owned(),
            signing_algorithms: Vec::new(),
            allowed_origins: super::super::Origins::new(),
            introspection_needs_client: false,
            revocation_needs_client: false,
            rules: std::sync::Arc::new(crate::route::CurrentRouter::from_pointee(
                crate::route::Router::new(&[]).expect("no rules"),
            )),
        }
    }

    #[test]
    fn what_a_page_shows_is_escaped_and_the_page_keeps_to_itself() {
        let error = OAuthError::invalid_request("<script>alert(1)</script>");
        let answer = Page::Error { error: &error }.answer(&settings(), Language::default());
        let html = String::from_utf8(answer.body().to_vec()).expect("UTF-8");
        assert!(!html.contains("<script>"), "{html}");
        assert_eq!(answer.headers()[header::X_FRAME_OPTIONS], "DENY");
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("ASCII");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{policy}");
    }

    #[test]
    fn a_form_post_leads_to_its_origin_alone() {
        let parameters = [("state", "\"><x".to_owned())];
        let page = Page::FormPost { uri: "https://app.example:8443/cb", parameters: &parameters };
        let answer = page.answer(&settings(), Language::default());
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("ASCII");
        assert!(policy.contains("form-action https://app.example:8443;"), "{policy}");
        assert!(policy.contains("script-src 'sha256-"), "{policy}");
        assert!(!String::from_utf8_lossy(answer.body()).contains("\"><x"));
    }
}
