//! The code of a device, and whether it may have access.

use askama::Template;

use super::{
    Frame,
    consent::{described_at, question},
};
use crate::{
    endpoints::{EndpointSettings, METHOD_PATH},
    oauth::{Client, Scopes},
    store::GrantUser,
};

/// Why a typed code leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::endpoints) enum DeviceProblem {
    /// Wrong, expired, or decided about.
    Wrong,
    /// Too many wrong ones: a next one counts after this time only.
    TooMany { seconds: u64 },
}

#[derive(Template)]
#[template(path = "device.html")]
pub(super) struct DevicePage<'a> {
    frame: Frame<'a>,
    user: &'a str,
    code: &'a str,
    form_token: &'a str,
    problem: Option<String>,
    /// Attributes of the field.
    about_problem: &'static str,
    action: String,
}

impl<'a> DevicePage<'a> {
    pub(super) fn new(
        frame: Frame<'a>,
        user: &'a GrantUser,
        (code, form_token): (&'a str, &'a str),
        problem: Option<DeviceProblem>,
    ) -> Self {
        let texts = frame.texts;
        Self {
            frame,
            user: user.name.as_str(),
            code,
            form_token,
            problem: problem.map(|problem| match problem {
                DeviceProblem::Wrong => texts.say("device-wrong"),
                DeviceProblem::TooMany { seconds } => texts.count("login-too-many", seconds.div_ceil(60).max(1)),
            }),
            about_problem: match problem {
                Some(DeviceProblem::Wrong) => " aria-describedby=\"problem\" aria-invalid=\"true\"",
                Some(DeviceProblem::TooMany { .. }) => " aria-describedby=\"problem\"",
                None => "",
            },
            action: action(),
        }
    }
}

#[derive(Template)]
#[template(path = "device_consent.html")]
pub(super) struct DeviceConsentPage<'a> {
    frame: Frame<'a>,
    heading: String,
    described_at: Option<String>,
    user: &'a str,
    meanings: Vec<String>,
    code: &'a str,
    form_token: &'a str,
    action: String,
}

impl<'a> DeviceConsentPage<'a> {
    pub(super) fn new(
        frame: Frame<'a>,
        settings: &EndpointSettings,
        (client, user): (&Client, &'a GrantUser),
        scopes: &Scopes,
        (code, form_token): (&'a str, &'a str),
    ) -> Self {
        let (heading, meanings) = question(frame.texts, settings, client, scopes);
        Self {
            described_at: described_at(frame.texts, client),
            frame,
            heading,
            user: user.name.as_str(),
            meanings,
            code,
            form_token,
            action: action(),
        }
    }
}

#[derive(Template)]
#[template(path = "device_decided.html")]
pub(super) struct DeviceDecidedPage<'a> {
    frame: Frame<'a>,
    title: String,
    text: String,
}

impl<'a> DeviceDecidedPage<'a> {
    pub(super) fn new(frame: Frame<'a>, allowed: bool) -> Self {
        let texts = frame.texts;
        let (title, text) = if allowed {
            (texts.say("device-allowed-title"), texts.say("device-allowed-text"))
        } else {
            (texts.say("device-denied-title"), texts.say("device-denied-text"))
        };
        Self { frame, title, text }
    }
}

fn action() -> String {
    format!("{METHOD_PATH}device")
}
