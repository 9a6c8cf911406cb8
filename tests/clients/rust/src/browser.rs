//! A browser without a screen: plain HTTP requests that log in and consent.

use std::collections::BTreeMap;

use ureq::http::{Request, Response};
use url::{Url, form_urlencoded::Serializer};

use crate::demo::{Demo, send};

/// One browser with its cookies, all of one host.
pub struct Browser<'d> {
    demo: &'d Demo,
    cookies: BTreeMap<String, String>,
}

impl<'d> Browser<'d> {
    pub fn new(demo: &'d Demo) -> Self {
        Self { demo, cookies: BTreeMap::new() }
    }

    /// Follows an authorization request of a user's through login and consent; the URL that it comes back to.
    pub fn authorize(&mut self, url: &Url, user: usize) -> Url {
        let gateway = self.demo.text("/gateway");
        let mut answer = self.get(url.as_str());
        if location(&answer).is_some_and(|location| location.starts_with(&format!("{gateway}/login?"))) {
            let (name, password) = (format!("/users/{user}/name"), format!("/users/{user}/password"));
            let form = [("cmd", "login"), ("usr", self.demo.text(&name)), ("pwd", self.demo.text(&password))];
            assert_eq!(self.post(&format!("{gateway}/"), &form).status(), 200);
            let login = Url::parse(location(&answer).expect("a location")).expect("a URL");
            let back = login.query_pairs().find(|(name, _)| name == "redirect-to").expect("the way back").1;
            answer = self.get(&back);
        }
        if answer.status() == 200 {
            answer = self.press(&answer, "approve", "allow");
        }
        let location = location(&answer).unwrap_or_else(|| panic!("no way back: {}", text(&answer)));
        Url::parse(location).expect("a URL")
    }

    /// Presses a button of a page of the gateway's.
    fn press(&mut self, page: &Response<Vec<u8>>, endpoint: &str, decision: &str) -> Response<Vec<u8>> {
        let url = format!("{}/api/method/frappe.integrations.oauth2.{endpoint}", self.demo.text("/gateway"));
        let (handle, token) = (hidden(page, "handle"), hidden(page, "token"));
        self.post(&url, &[("handle", &handle), ("token", &token), ("decision", decision)])
    }

    pub fn get(&mut self, url: &str) -> Response<Vec<u8>> {
        self.send(Request::get(url).body(Vec::new()).expect("a request"))
    }

    fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Response<Vec<u8>> {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Origin", self.demo.text("/gateway"));
        self.send(request.body(body.into_bytes()).expect("a request"))
    }

    fn send(&mut self, mut request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let headers = request.headers_mut();
        headers.insert("Accept", "text/html".parse().expect("a header"));
        if !cookies.is_empty() {
            headers.insert("Cookie", cookies.join("; ").parse().expect("a header"));
        }
        let answer = send(request).expect("an answer");
        for line in answer.headers().get_all("Set-Cookie") {
            let pair = line.to_str().ok().and_then(|line| line.split(';').next()?.split_once('='));
            let (name, value) = pair.expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

pub fn location(answer: &Response<Vec<u8>>) -> Option<&str> {
    answer.headers().get("Location").map(|value| value.to_str().expect("text"))
}

fn text(answer: &Response<Vec<u8>>) -> String {
    format!("{} {}", answer.status(), String::from_utf8_lossy(answer.body()))
}

/// The value of a hidden field.
fn hidden(page: &Response<Vec<u8>>, name: &str) -> String {
    let html = text(page);
    let (_, from) =
        html.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name}: {html}"));
    from.split('"').next().expect("its end").to_owned()
}
