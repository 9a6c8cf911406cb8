//! `oidcc-rp-initiated-logout-certification-test-plan`. Each module logs in, sends the browser to the end session endpoint, and looks
//! where it ends; where a screenshot is wanted, the page is looked at here.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header};

use super::{
    suite::{FIRST, Flow, Mode, Suite},
    visit::{End, Visit, Visitor},
};
use crate::support::{METHOD, Request, claims, query};

pub const AFTER: &str = "https://www.certification.openid.net/test/a/empress/post_logout_redirect";
/// 128 characters, to see that it is not cut.
fn state() -> String {
    "Zq7-".repeat(32)
}

/// Somebody who has logged in at the client.
struct LoggedIn<'s> {
    suite: &'s Suite,
    visitor: Visitor<'s>,
    flow: Flow,
}

impl<'s> LoggedIn<'s> {
    fn at(suite: &'s Suite) -> Self {
        let mut visitor = suite.visitor();
        let flow = suite.flow(&mut visitor, FIRST, &suite.request(FIRST));
        Self { suite, visitor, flow }
    }

    /// Goes to the end session endpoint, and answers its question.
    fn log_out(&mut self, pairs: &[(&str, &str)]) -> Visit {
        let endpoint = self.suite.discovery()["end_session_endpoint"].as_str().expect("an endpoint").to_owned();
        assert_eq!(endpoint, format!("{}{METHOD}end_session", self.suite.gateway.url()));
        self.visitor.visit(Request::get(&format!("{METHOD}end_session?{}", query(pairs))))
    }

    /// `prompt=none` finds nobody logged in, or somebody.
    fn is_logged_in(&mut self) -> bool {
        let request = self.suite.request(FIRST).with("prompt", "none");
        let visit = self.visitor.visit(request.get());
        if visit.parameter("code").is_some() {
            self.suite.code(&request, &visit);
            return true;
        }
        assert_eq!(self.suite.error(&request, &visit), "login_required");
        false
    }

    /// The request led back to the client, with these parameters, and nobody is logged in any more.
    fn came_back(&mut self, visit: &Visit, parameters: &[(&str, &str)]) {
        let End::Client { uri, parameters: came, mode } = &visit.end else { panic!("{}", visit.page()) };
        assert_eq!((uri.as_str(), *mode), (AFTER, Mode::Query));
        let came: Vec<_> = came.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(came, parameters);
        assert!(!self.is_logged_in());
    }

    /// An error page, which leads nowhere; nothing has ended.
    fn is_refused(&mut self, visit: &Visit) {
        let page = visit.page();
        assert_eq!(page.status, 400, "{page}");
        assert!(!page.text().contains("certification.openid.net"), "nothing leads there: {page}");
        assert!(visit.passed.is_empty());
        assert!(self.is_logged_in());
    }

    /// The user was asked, and then saw a page that says that nobody is logged in any more; it leads nowhere.
    fn ended_here(&mut self, visit: &Visit, asked: bool) {
        assert_eq!(visit.passed.len(), usize::from(asked), "whether the user was asked");
        let page = visit.page();
        assert_eq!(page.status, 200, "{page}");
        assert!(!page.text().contains("certification.openid.net"), "{page}");
        assert!(!self.is_logged_in());
    }
}

/// oidcc-rp-initiated-logout-discovery-endpoint-verification
#[test]
fn discovery_names_the_end_session_endpoint() {
    let suite = Suite::start(Mode::Query);
    let endpoint = suite.discovery()["end_session_endpoint"].clone();
    assert_eq!(endpoint, format!("{}{METHOD}end_session", suite.gateway.url()));
}

/// oidcc-rp-initiated-logout
#[test]
fn a_client_logs_the_user_out_and_gets_the_browser_back_with_its_state() {
    let suite = Suite::start(Mode::Query);
    let mut user = LoggedIn::at(&suite);
    let (hint, state) = (user.flow.tokens.id_token.clone(), state());
    let visit = user.log_out(&[("id_token_hint", &hint), ("post_logout_redirect_uri", AFTER), ("state", &state)]);
    assert!(visit.passed.is_empty(), "nobody is asked");
    user.came_back(&visit, &[("state", &state)]);
}

/// oidcc-rp-initiated-logout-no-state
#[test]
fn no_state_comes_back_where_none_was_sent() {
    let suite = Suite::start(Mode::Query);
    let mut user = LoggedIn::at(&suite);
    let hint = user.flow.tokens.id_token.clone();
    let visit = user.log_out(&[("id_token_hint", &hint), ("post_logout_redirect_uri", AFTER)]);
    user.came_back(&visit, &[]);
}

fn refuses_address(address: &str) {
    let suite = Suite::start(Mode::Query);
    let mut user = LoggedIn::at(&suite);
    let (hint, state) = (user.flow.tokens.id_token.clone(), state());
    let visit = user.log_out(&[("id_token_hint", &hint), ("post_logout_redirect_uri", address), ("state", &state)]);
    user.is_refused(&visit);
}

/// oidcc-rp-initiated-logout-bad-post-logout-redirect-uri. T72
#[test]
fn an_address_that_is_not_registered_is_an_error_page() {
    refuses_address("https://www.certification.openid.net/test/a/empress/bad_post_logout_redirect_uri");
}

/// oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri. T72
#[test]
fn an_address_with_a_query_more_is_an_error_page() {
    refuses_address(&format!("{AFTER}?foo=bar"));
}

fn refuses_hint(hint: impl Fn(&str) -> String) {
    let suite = Suite::start(Mode::Query);
    let mut user = LoggedIn::at(&suite);
    let (hint, state) = (hint(&user.flow.tokens.id_token), state());
    let visit = user.log_out(&[("id_token_hint", &hint), ("post_logout_redirect_uri", AFTER), ("state", &state)]);
    user.is_refused(&visit);
}

/// oidcc-rp-initiated-logout-modified-id-token-hint. T72
#[test]
fn a_hint_whose_signature_was_taken_off_is_an_error_page() {
    refuses_hint(|id_token| {
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        format!("{head}.{}.", id_token.split('.').nth(1).expect("claims"))
    });
}

/// oidcc-rp-initiated-logout-bad-id-token-hint: signed by the suite. T72
#[test]
fn a_hint_that_somebody_else_signed_is_an_error_page() {
    refuses_hint(|id_token| {
        let key = EncodingKey::from_secret(FIRST.secret.as_bytes());
        jsonwebtoken::encode(&Header::default(), &claims(id_token), &key).expect("a JWT")
    });
}

/// oidcc-rp-initiated-logout-no-id-token-hint
#[test]
fn without_a_hint_the_user_is_asked_and_the_browser_does_not_go_back() {
    let suite = Suite::start(Mode::Query);
    let mut user = LoggedIn::at(&suite);
    let visit = user.log_out(&[("post_logout_redirect_uri", AFTER), ("state", &state())]);
    user.ended_here(&visit, true);
}

/// oidcc-rp-initiated-logout-no-params
#[test]
fn without_any_parameter_the_user_is_asked_and_logged_out() {
    let suite = Suite::start(Mode::Query);
    let mut user = LoggedIn::at(&suite);
    let visit = user.log_out(&[]);
    user.ended_here(&visit, true);
}

/// oidcc-rp-initiated-logout-only-state
#[test]
fn with_a_state_alone_the_user_is_asked_and_logged_out() {
    let suite = Suite::start(Mode::Query);
    let mut user = LoggedIn::at(&suite);
    let visit = user.log_out(&[("state", &state())]);
    user.ended_here(&visit, true);
}

/// oidcc-rp-initiated-logout-no-post-logout-redirect-uri
#[test]
fn without_an_address_the_user_is_logged_out_and_told() {
    let suite = Suite::start(Mode::Query);
    let mut user = LoggedIn::at(&suite);
    let (hint, state) = (user.flow.tokens.id_token.clone(), state());
    let visit = user.log_out(&[("id_token_hint", &hint), ("state", &state)]);
    user.ended_here(&visit, false);
}
