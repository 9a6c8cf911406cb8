//! The suite's browser: follows redirects and plain forms, logs in where it is asked to, and consents.

use super::{
    form::Form,
    suite::{Mode, SITE},
};
use crate::{
    standin::{ALICE, ALICE_PASSWORD},
    support::{Answer, Browser, Request, TestGateway, parameters},
};

/// Where a visit has ended.
pub enum End {
    /// Back at the client: the parameters, and how they were sent.
    Client { mode: Mode, uri: String, parameters: Vec<(String, String)> },
    /// A page that leads nowhere.
    Page(Answer),
}

/// From a first request to where the browser can't go on.
pub struct Visit {
    pub end: End,
    /// How often somebody had to log in.
    pub logins: usize,
    /// The pages with a form that were passed.
    pub passed: Vec<Answer>,
}

impl Visit {
    /// A parameter of the answer to the client.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let End::Client { parameters, .. } = &self.end else { panic!("not back at the client: {}", self.page()) };
        parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The names of all parameters of the answer to the client.
    pub fn names(&self) -> Vec<&str> {
        let End::Client { parameters, .. } = &self.end else { panic!("not back at the client: {}", self.page()) };
        parameters.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The page where it ended.
    pub fn page(&self) -> &Answer {
        match &self.end {
            End::Page(page) => page,
            End::Client { uri, parameters, .. } => panic!("no page, but {uri} with {parameters:?}"),
        }
    }
}

/// One browser with its cookies, in which Alice logs in.
pub struct Visitor<'g> {
    pub browser: Browser<'g>,
    /// What she presses where she is asked for consent.
    pub decision: &'static str,
    gateway: &'g TestGateway,
}

impl<'g> Visitor<'g> {
    pub fn new(gateway: &'g TestGateway) -> Self {
        Self { browser: Browser::new(gateway), decision: "allow", gateway }
    }

    /// Sends a request, and goes wherever that leads.
    pub fn visit(&mut self, request: Request) -> Visit {
        let mut answer = self.browser.send(request);
        let mut visit = Visit { end: End::Page(answer.clone()), logins: 0, passed: Vec::new() };
        for _ in 0..10 {
            if let Some(end) = back_at_client(&answer) {
                visit.end = end;
                return visit;
            }
            answer = match (answer.header("location").map(str::to_owned), Form::of(&answer)) {
                (Some(location), _) => {
                    assert!(matches!(answer.status, 302 | 303), "{answer}");
                    let path = location.strip_prefix(&self.gateway.url());
                    self.browser.get(path.unwrap_or_else(|| panic!("where does {location} lead?")))
                }
                (None, Some(form)) => {
                    visit.logins += usize::from(form.is_login());
                    visit.passed.push(answer);
                    self.fill_in(&form)
                }
                (None, None) => {
                    visit.end = End::Page(answer);
                    return visit;
                }
            };
        }
        panic!("it goes round in circles: {answer}");
    }

    fn fill_in(&mut self, form: &Form) -> Answer {
        let fields = if form.is_login() {
            form.filled(&[("usr", ALICE), ("pwd", ALICE_PASSWORD)])
        } else {
            let button = [self.decision, "sign_in", "logout"].into_iter().find(|button| form.has_button(button));
            form.pressed(button.unwrap_or_else(|| panic!("what shall be done with {form:?}?")))
        };
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.browser.post(&form.action, &fields)
    }
}

/// Whether an answer leads to a client, by a redirect or by a form.
fn back_at_client(answer: &Answer) -> Option<End> {
    let location = answer.header("location").filter(|location| location.starts_with(SITE));
    if let Some(location) = location {
        let at = location.find(['?', '#']).unwrap_or(location.len());
        let (uri, rest) = location.split_at(at);
        let mode = if rest.starts_with('#') { Mode::Fragment } else { Mode::Query };
        let parameters = parameters(rest.get(1..).unwrap_or_default());
        return Some(End::Client { mode, uri: uri.to_owned(), parameters });
    }
    let form = Form::of(answer).filter(|form| form.action.starts_with(SITE))?;
    assert_eq!(answer.status, 200, "{answer}");
    assert!(!form.action.contains(['?', '#']), "nothing is in the URL: {answer}");
    Some(End::Client { mode: Mode::FormPost, uri: form.action, parameters: form.hidden })
}
