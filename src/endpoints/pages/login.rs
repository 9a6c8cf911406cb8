//! Login and its repetition.

use askama::Template;

use super::Frame;
use crate::{
    endpoints::{EndpointSettings, METHOD_PATH},
    oauth::Client,
    store::GrantUser,
};

/// Why a login did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::endpoints) enum LoginProblem {
    /// User name or password.
    Wrong,
    /// Too many failures: a next attempt counts after this time only.
    TooMany { seconds: u64 },
    /// ERPNext can't answer.
    Unavailable,
}

/// What the login form shows.
pub(in crate::endpoints) struct LoginForm<'a> {
    /// The stored request that the login is for, if it is for one.
    pub handle: Option<&'a str>,
    /// The code of a device that the login is for, empty if it is not known yet.
    pub device: Option<&'a str>,
    pub form_token: &'a str,
    /// What was entered before, or hinted.
    pub username: &'a str,
    /// The application that asks for it.
    pub client: Option<&'a Client>,
    pub problem: Option<LoginProblem>,
    /// The redirect URI of the request, where the browser may be sent at once.
    pub leads_to: Option<&'a str>,
    /// ERPNext's own login page.
    pub elsewhere: &'a str,
}

#[derive(Template)]
#[template(path = "login.html")]
pub(super) struct LoginPage<'a> {
    frame: Frame<'a>,
    heading: String,
    why: Option<String>,
    problem: Option<String>,
    /// Attributes of the fields.
    about_problem: &'static str,
    action: String,
    handle: Option<&'a str>,
    device: Option<&'a str>,
    form_token: &'a str,
    username: &'a str,
    elsewhere: &'a str,
}

impl<'a> LoginPage<'a> {
    pub(super) fn new(frame: Frame<'a>, settings: &EndpointSettings, form: &LoginForm<'a>) -> Self {
        let texts = frame.texts;
        let problem = form.problem.map(|problem| match problem {
            LoginProblem::Wrong => texts.say("login-wrong"),
            LoginProblem::TooMany { seconds } => texts.count("login-too-many", seconds.div_ceil(60).max(1)),
            LoginProblem::Unavailable => texts.say("login-unavailable"),
        });
        Self {
            frame,
            heading: texts.with("login-title", &[("site", &settings.site_name)]),
            why: form.client.map(|client| texts.with("login-why", &[("app", &client.name)])),
            problem,
            about_problem: match form.problem {
                Some(LoginProblem::Wrong) => " aria-describedby=\"problem\" aria-invalid=\"true\"",
                Some(_) => " aria-describedby=\"problem\"",
                None => "",
            },
            action: format!("{METHOD_PATH}login"),
            handle: form.handle,
            device: form.device,
            form_token: form.form_token,
            username: form.username,
            elsewhere: form.elsewhere,
        }
    }
}

#[derive(Template)]
#[template(path = "sign_in_again.html")]
pub(super) struct SignInAgainPage<'a> {
    frame: Frame<'a>,
    why: String,
    user: &'a str,
    action: String,
    handle: &'a str,
    form_token: &'a str,
}

impl<'a> SignInAgainPage<'a> {
    pub(super) fn new(
        frame: Frame<'a>,
        (client, user): (&Client, &'a GrantUser),
        (handle, form_token): (&'a str, &'a str),
    ) -> Self {
        Self {
            frame,
            why: frame.texts.with("again-why", &[("app", &client.name)]),
            user: user.name.as_str(),
            action: format!("{METHOD_PATH}approve"),
            handle,
            form_token,
        }
    }
}
