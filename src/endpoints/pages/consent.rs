//! Allow or deny.

use askama::Template;
use url::Url;

use super::Frame;
use crate::{
    endpoints::{EndpointSettings, METHOD_PATH, texts::Texts},
    oauth::{AuthorizationRequest, Client, ClientSource, Scopes},
    store::GrantUser,
};

/// What a user is asked: who wants access to which site, and what each scope means, in words.
pub(super) fn question(
    texts: &Texts,
    settings: &EndpointSettings,
    client: &Client,
    scopes: &Scopes,
) -> (String, Vec<String>) {
    let rules = settings.rules.load();
    let meaning =
        |scope: &str| texts.meaning(scope, &settings.site_name, client.scopes.name_claims(), &rules.opened_by(scope));
    let heading = texts.with("consent-heading", &[("app", &client.name), ("site", &settings.site_name)]);
    (heading, scopes.iter().map(|scope| meaning(scope.as_str())).collect())
}

/// Where a client is described that nobody has registered: the one thing about it that somebody has shown.
pub(super) fn described_at(texts: &Texts, client: &Client) -> Option<String> {
    let is_described = client.source == ClientSource::Document;
    is_described.then(|| texts.with("described-at", &[("place", &place(client.id.as_str()))]))
}

#[derive(Template)]
#[template(path = "consent.html")]
pub(super) struct ConsentPage<'a> {
    frame: Frame<'a>,
    heading: String,
    described_at: Option<String>,
    user: &'a str,
    meanings: Vec<String>,
    action: String,
    handle: &'a str,
    form_token: &'a str,
    goes_to: String,
}

impl<'a> ConsentPage<'a> {
    pub(super) fn new(
        frame: Frame<'a>,
        settings: &EndpointSettings,
        (client, user): (&Client, &'a GrantUser),
        request: &AuthorizationRequest,
        (handle, form_token): (&'a str, &'a str),
    ) -> Self {
        let texts = frame.texts;
        let (heading, meanings) = question(texts, settings, client, &request.consent_scopes());
        Self {
            frame,
            heading,
            described_at: described_at(texts, client),
            user: user.name.as_str(),
            meanings,
            action: format!("{METHOD_PATH}approve"),
            handle,
            form_token,
            goes_to: texts.with("goes-to", &[("place", &place(&request.redirect_uri.uri))]),
        }
    }
}

/// The place that a redirect URI leads to, as a person would name it.
fn place(uri: &str) -> String {
    let parsed = Url::parse(uri).ok();
    let host = parsed.as_ref().and_then(Url::host_str).map(str::to_owned);
    host.or_else(|| parsed.map(|url| format!("{}:", url.scheme()))).unwrap_or_default()
}
