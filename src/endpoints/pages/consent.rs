//! Allow or deny.

use askama::Template;
use url::Url;

use super::Frame;
use crate::{
    endpoints::{EndpointSettings, METHOD_PATH, agents::TICK, texts::Texts},
    oauth::{AuthorizationRequest, Client, ClientSource, Scope, Scopes},
    store::GrantUser,
};

/// What a user is asked, in words.
pub(super) struct Question {
    /// Who wants access to which site.
    pub(super) heading: String,
    /// What is to be known of who asks.
    pub(super) notes: Vec<String>,
    /// What each scope means that is granted by the answer.
    pub(super) meanings: Vec<String>,
    /// The scopes that are granted only where they are ticked.
    pub(super) ticks: Vec<Tick>,
}

/// A scope that is granted only if it is ticked.
pub(super) struct Tick {
    pub(super) name: String,
    pub(super) meaning: String,
}

impl Question {
    pub(super) fn new(texts: &Texts, settings: &EndpointSettings, client: &Client, scopes: &Scopes) -> Self {
        let rules = settings.rules.load();
        let by_family = client.scopes.name_claims();
        let meaning = |scope: &str| texts.meaning(scope, &settings.site_name, by_family, &rules.opened_by(scope));
        let agent = client.agent.map(|_| texts.say("consent-agent"));
        let registered = (client.source == ClientSource::Registered).then(|| texts.say("consent-registered"));
        let (mut meanings, mut ticks) = (Vec::new(), Vec::new());
        for scope in scopes.iter().map(Scope::as_str) {
            if client.must_be_ticked(scope) {
                ticks.push(Tick { name: format!("{TICK}{scope}"), meaning: meaning(scope) });
            } else {
                meanings.push(meaning(scope));
            }
        }
        Self {
            heading: texts.with("consent-heading", &[("app", &client.name), ("site", &settings.site_name)]),
            notes: agent.into_iter().chain(registered).chain(described_at(texts, client)).collect(),
            meanings,
            ticks,
        }
    }
}

/// Where a client is described that nobody has registered: the one thing about it that somebody has shown.
fn described_at(texts: &Texts, client: &Client) -> Option<String> {
    let is_described = client.source == ClientSource::Document;
    is_described.then(|| texts.with("described-at", &[("place", &place(client.id.as_str()))]))
}

#[derive(Template)]
#[template(path = "consent.html")]
pub(super) struct ConsentPage<'a> {
    frame: Frame<'a>,
    question: Question,
    user: &'a str,
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
        Self {
            frame,
            question: Question::new(texts, settings, client, &request.consent_scopes()),
            user: user.name.as_str(),
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
