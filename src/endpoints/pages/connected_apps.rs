//! Which applications may act for a user.

use std::sync::Arc;

use askama::Template;
use time::{OffsetDateTime, format_description::well_known::Iso8601};

use super::Frame;
use crate::{
    clock::UnixTime,
    endpoints::{EndpointSettings, METHOD_PATH},
    oauth::{Client, ClientId, Scopes},
    store::GrantUser,
};

/// An application that may act for the user.
pub(in crate::endpoints) struct ConnectedApp {
    pub id: ClientId,
    /// `None`: it is not registered any more.
    pub client: Option<Arc<Client>>,
    pub scopes: Scopes,
    pub since: UnixTime,
    pub last_used: Option<UnixTime>,
    /// Whether it has access now; else it would get it without the user being asked.
    pub acts: bool,
    pub form_token: String,
}

/// One of them in words.
struct Entry<'a> {
    id: &'a str,
    name: &'a str,
    meanings: Vec<String>,
    times: Vec<String>,
    form_token: &'a str,
    end: String,
}

#[derive(Template)]
#[template(path = "connected_apps.html")]
pub(super) struct ConnectedAppsPage<'a> {
    frame: Frame<'a>,
    title: String,
    intro: String,
    user: &'a str,
    apps: Vec<Entry<'a>>,
    /// How many are not shown.
    hidden: Option<String>,
    action: String,
}

impl<'a> ConnectedAppsPage<'a> {
    pub(super) fn new(
        frame: Frame<'a>,
        settings: &EndpointSettings,
        (user, apps, hidden): (&'a GrantUser, &'a [ConnectedApp], usize),
    ) -> Self {
        let texts = frame.texts;
        let hidden = u64::try_from(hidden).unwrap_or(u64::MAX);
        Self {
            frame,
            title: texts.say("apps-title"),
            intro: if apps.is_empty() {
                texts.with("apps-none", &[("site", &settings.site_name)])
            } else {
                texts.with("apps-intro", &[("site", &settings.site_name)])
            },
            user: user.name.as_str(),
            apps: apps.iter().map(|app| entry(frame, settings, app)).collect(),
            hidden: (hidden > 0).then(|| texts.count("apps-hidden", hidden)),
            action: format!("{METHOD_PATH}connected_apps"),
        }
    }
}

fn entry<'a>(frame: Frame<'a>, settings: &EndpointSettings, app: &'a ConnectedApp) -> Entry<'a> {
    let (texts, rules) = (frame.texts, settings.rules.load());
    let by_family = app.client.as_ref().is_some_and(|client| client.scopes.name_claims());
    let meaning = |scope: &str| texts.meaning(scope, &settings.site_name, by_family, &rules.opened_by(scope));
    let used = match app.last_used {
        _ if !app.acts => texts.say("apps-only-consent"),
        Some(at) => texts.with("apps-used", &[("date", &date(at))]),
        None => texts.say("apps-unused"),
    };
    Entry {
        id: app.id.as_str(),
        name: app.name(),
        meanings: app.scopes.iter().map(|scope| meaning(scope.as_str())).collect(),
        times: vec![texts.with("apps-since", &[("date", &date(app.since))]), used],
        form_token: &app.form_token,
        end: texts.with("apps-end", &[("app", app.name())]),
    }
}

/// The day, in the one way of writing it that every language reads alike.
fn date(at: UnixTime) -> String {
    let seconds = i64::try_from(at.secs()).unwrap_or(i64::MAX);
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.date().format(&Iso8601::DATE).unwrap_or_default()
}
