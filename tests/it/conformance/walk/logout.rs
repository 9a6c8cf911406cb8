//! Logout, and who hears of it.

use serde_json::Value;

use super::{TOLD, Walk};
use crate::{
    standin::ALICE,
    support::{Answer, Browser, METHOD, Request, Tokens, claims, parameters, query, until},
};

pub const AFTER: &str = "https://told.example/bye";

/// Logs in and out; the answer, the id_token's claims.
fn log_out(walk: &Walk) -> (Answer, Value) {
    let mut browser = Browser::of(&walk.gateway, ALICE);
    let code = browser.code(TOLD, &[]);
    let id_token = Tokens::of(&walk.gateway.exchange(TOLD, &code, &[])).id_token;
    let pairs = [("id_token_hint", id_token.as_str()), ("post_logout_redirect_uri", AFTER)];
    let answer = browser.get(&format!("{METHOD}end_session?{}", query(&pairs)));
    assert_eq!(browser.get("/api/method/frappe.auth.get_logged_user").status, 403, "nobody is logged in");
    (answer, claims(&id_token))
}

pub fn endpoint(walk: &Walk, path: &str) {
    for method in ["PUT", "PATCH", "DELETE"] {
        let answer = walk.gateway.send(&Request::new(method, path).header("Content-Length", "0"));
        assert_eq!((answer.status, answer.header("allow").is_some()), (405, true), "{method}: {answer}");
    }
    assert_eq!(walk.gateway.send(&Request::form(path, &[])).status, 303);
    let (answer, _) = log_out(walk);
    assert_eq!((answer.status, answer.location()), (302, AFTER));
}

/// The logout token that follows a logout, and the claims of the id_token from before it.
pub fn notice(walk: &Walk) -> Option<(Value, Value)> {
    let before = walk.receiver.posted().len();
    let (_, id_token) = log_out(walk);
    let posted = until("the client is told", || walk.receiver.posted().get(before).cloned());
    let (_, token) = parameters(&posted.body).into_iter().find(|(name, _)| name == "logout_token")?;
    Some((claims(&token), id_token))
}

pub fn names_the_session(walk: &Walk) -> bool {
    // The one before may be told only now.
    until("the session is told", || {
        let (told, id_token) = notice(walk)?;
        Some(told["sid"].is_string() && told["sid"] == id_token["sid"]).filter(|told| *told)
    })
}

/// Frames of clients would be needed: the logout leads straight back, and no page of ours loads anything.
pub fn loads_a_page_of_the_client(walk: &Walk) -> bool {
    let page = walk.gateway.send(&Request::get(&format!("{METHOD}end_session")).html());
    page.text().contains("<iframe") || log_out(walk).0.status == 200
}
