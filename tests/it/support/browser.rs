//! A browser: keeps cookies, sends them, follows nothing by itself.

use std::collections::BTreeMap;

use super::{Answer, Request, TestGateway};
use crate::standin;

/// One browser profile at the gateway.
pub struct Browser<'g> {
    gateway: &'g TestGateway,
    pub cookies: BTreeMap<String, String>,
    /// `Accept-Language`.
    pub language: &'static str,
}

impl<'g> Browser<'g> {
    pub fn new(gateway: &'g TestGateway) -> Self {
        Self { gateway, cookies: BTreeMap::new(), language: "en" }
    }

    /// A browser in which this user has logged in.
    pub fn of(gateway: &'g TestGateway, user: &str) -> Self {
        let mut browser = Self::new(gateway);
        browser.login(user);
        browser
    }

    pub fn send(&mut self, request: Request) -> Answer {
        let mut request = request.html().header("Accept-Language", self.language);
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("Cookie", &pairs.join("; "));
        }
        let answer = self.gateway.send(&request);
        for line in answer.headers("set-cookie") {
            let (name, value) = line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Goes to a URL of the gateway, whole or from its path on.
    pub fn get(&mut self, url: &str) -> Answer {
        let origin = self.gateway.url();
        self.send(Request::get(url.strip_prefix(&origin).unwrap_or(url)))
    }

    /// Sends a form as a page of the gateway's own would.
    pub fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let origin = self.gateway.url();
        self.send(Request::form(path, form).header("Origin", &origin))
    }

    /// Opens the login page and logs in, as its script does.
    pub fn login(&mut self, user: &str) {
        let password = match user {
            standin::ALICE => standin::ALICE_PASSWORD,
            standin::BOB => standin::BOB_PASSWORD,
            standin::CAROL => standin::CAROL_PASSWORD,
            other => panic!("who is {other}?"),
        };
        assert_eq!(self.get("/login").status, 200);
        let answer = self.post("/api/method/login", &[("usr", user), ("pwd", password)]);
        assert_eq!(answer.status, 200, "{answer}");
        assert!(self.sid() != "Guest" && !self.sid().is_empty());
    }

    pub fn sid(&self) -> &str {
        &self.cookies["sid"]
    }

    /// Presses a button of a page of ours.
    pub fn decide(&mut self, page: &Answer, decision: &str) -> Answer {
        let (handle, token) = (hidden(page, "handle"), hidden(page, "token"));
        self.post(&action(page), &[("handle", &handle), ("token", &token), ("decision", decision)])
    }
}

/// The value of a hidden field.
pub fn hidden(page: &Answer, name: &str) -> String {
    let html = page.text();
    let start = format!("name=\"{name}\" value=\"");
    let at = html.find(&start).unwrap_or_else(|| panic!("no field {name}: {page}")) + start.len();
    html[at..].split('"').next().expect("its end").to_owned()
}

fn action(page: &Answer) -> String {
    let html = page.text();
    let at = html.find("action=\"").unwrap_or_else(|| panic!("no form: {page}")) + "action=\"".len();
    html[at..].split('"').next().expect("its end").to_owned()
}
