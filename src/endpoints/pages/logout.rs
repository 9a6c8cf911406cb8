//! Whether to end the login session, and that it is ended.

use askama::Template;

use super::Frame;
use crate::{
    endpoints::{EndpointSettings, METHOD_PATH},
    oauth::Client,
};

#[derive(Template)]
#[template(path = "end_session.html")]
pub(super) struct EndSessionPage<'a> {
    frame: Frame<'a>,
    heading: String,
    why: Option<String>,
    user: &'a str,
    action: String,
    handle: &'a str,
    form_token: &'a str,
}

impl<'a> EndSessionPage<'a> {
    pub(super) fn new(
        frame: Frame<'a>,
        settings: &EndpointSettings,
        (client, user): (Option<&Client>, &'a str),
        (handle, form_token): (&'a str, &'a str),
    ) -> Self {
        let texts = frame.texts;
        Self {
            frame,
            heading: texts.with("logout-title", &[("site", &settings.site_name)]),
            why: client.map(|client| texts.with("logout-why", &[("app", &client.name)])),
            user,
            action: format!("{METHOD_PATH}end_session"),
            handle,
            form_token,
        }
    }
}

#[derive(Template)]
#[template(path = "logged_out.html")]
pub(super) struct LoggedOutPage<'a> {
    frame: Frame<'a>,
    title: String,
    text: String,
}

impl<'a> LoggedOutPage<'a> {
    pub(super) fn new(frame: Frame<'a>, stayed: bool) -> Self {
        let texts = frame.texts;
        let (title, text) = if stayed {
            (texts.say("stayed-title"), texts.say("stayed-text"))
        } else {
            (texts.say("logged-out-title"), texts.say("logged-out-text"))
        };
        Self { frame, title, text }
    }
}
