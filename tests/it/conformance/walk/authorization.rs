//! What an authorization request may say, and what comes back.

use super::Walk;
use crate::{
    conformance::form::Form,
    standin::ALICE,
    support::{Answer, Browser, CHALLENGE, Client, SERVICE, SHOP, Tokens, VERIFIER, authorize_url},
};

/// `nonsense` stands for all that nobody has registered.
pub const SCOPES: [&str; 12] = [
    "all",
    "openid",
    "profile",
    "email",
    "phone",
    "address",
    "roles",
    "offline_access",
    "read:Customer",
    "read:ToDo",
    "write:Customer",
    "nonsense",
];

/// Some client can be granted it.
pub fn scope(walk: &Walk, scope: &str) -> bool {
    let is_in =
        |tokens: &Tokens| tokens.body["scope"].as_str().is_some_and(|granted| granted.split(' ').any(|s| s == scope));
    let asked = if scope == "openid" { "openid".to_owned() } else { format!("openid {scope}") };
    let mut clients = walk.with_browser();
    let by_code = clients.any(|client| is_in(&walk.gateway.tokens(ALICE, client, &[("scope", &asked)])));
    let itself = [("grant_type", "client_credentials"), ("scope", scope)];
    let by_itself = walk.has(SERVICE) && {
        let answer = walk.gateway.as_client(SERVICE, "get_token", &itself);
        answer.status == 200 && is_in(&Tokens::of(&answer))
    };
    by_code || by_itself
}

pub const RESPONSE_TYPES: [&str; 8] =
    ["code", "token", "id_token", "id_token token", "code id_token", "code token", "code id_token token", "none"];

/// Some client gets all its parts, and nothing else.
pub fn response_type(walk: &Walk, response_type: &str) -> bool {
    let gets = |client: Client| {
        let extra = [("response_type", response_type), ("nonce", "n-1")];
        let answer = Browser::of(&walk.gateway, ALICE).authorize(client, &extra);
        if answer.parameter("error").is_some() {
            return false;
        }
        let parts = [("code", "code"), ("token", "access_token"), ("id_token", "id_token")];
        parts.iter().all(|(word, parameter)| {
            response_type.split(' ').any(|part| part == *word) == answer.parameter(parameter).is_some()
        })
    };
    walk.with_browser().any(gets)
}

pub const LOCALES: [&str; 10] = ["en", "de", "es", "fr", "pt", "ar", "hi", "zh-Hans", "ja", "xx"];

/// The consent page speaks it, whatever the browser would rather have.
pub fn locale(walk: &Walk, locale: &str) -> bool {
    let mut browser = Browser::of(&walk.gateway, ALICE);
    browser.language = "en";
    let page = browser.get(&authorize_url(SHOP, &[("prompt", "consent"), ("ui_locales", locale)]));
    page.text().contains(&format!("<html lang=\"{locale}\""))
}

pub const RESPONSE_MODES: [&str; 8] =
    ["query", "fragment", "form_post", "web_message", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt"];

/// The code comes in that way.
pub fn response_mode(walk: &Walk, mode: &str) -> bool {
    let answer = Browser::of(&walk.gateway, ALICE).authorize(SHOP, &[("response_mode", mode)]);
    if let Some(form) = Form::of(&answer) {
        assert_eq!(form.action, SHOP.redirect_uri);
        return mode == "form_post" && form.hidden.iter().any(|(name, _)| name == "code");
    }
    let after = answer.location().strip_prefix(SHOP.redirect_uri).expect("the client's");
    let by_query = after.starts_with('?') && answer.parameter("code").is_some();
    let by_fragment = after.starts_with('#') && answer.parameter("code").is_some();
    (mode == "query" && by_query) || (mode == "fragment" && by_fragment)
}

pub const PROMPTS: [&str; 5] = ["none", "login", "consent", "select_account", "create"];

/// It makes the difference that it stands for, for somebody who is logged in and has consented.
pub fn prompt(walk: &Walk, prompt: &str) -> bool {
    let mut browser = Browser::of(&walk.gateway, ALICE);
    browser.code(SHOP, &[]);
    let shows =
        |page: &Answer, button: &str| page.status == 200 && Form::of(page).is_some_and(|form| form.has_button(button));
    let answer = browser.get(&authorize_url(SHOP, &[("prompt", prompt)]));
    match prompt {
        "none" => {
            let stranger = Browser::new(&walk.gateway).get(&authorize_url(SHOP, &[("prompt", prompt)]));
            answer.parameter("code").is_some() && stranger.redirected_error() == "login_required"
        }
        "consent" => shows(&answer, "allow"),
        // The page says whose account it is, and leads to another.
        "select_account" => shows(&answer, "allow") && shows(&answer, "sign_in") && answer.text().contains(ALICE),
        "login" => shows(&answer, "sign_in") && !shows(&answer, "allow"),
        _ => answer.header("location").is_none() || answer.parameter("error").is_none(),
    }
}

/// A strict client may use it. (`plain` is an allowance of compat clients: nobody is told to begin with it.)
pub fn challenge_method(walk: &Walk, method: &str) -> bool {
    let challenge = if method == "plain" { VERIFIER } else { CHALLENGE };
    let extra = [("code_challenge_method", method), ("code_challenge", challenge)];
    let answer = Browser::of(&walk.gateway, ALICE).authorize(SHOP, &extra);
    let Some(code) = answer.parameter("code") else { return false };
    let wrong = walk.gateway.exchange(SHOP, &code, &[("code_verifier", &"x".repeat(43))]);
    assert_eq!(wrong.error(), "invalid_grant");
    let code = Browser::of(&walk.gateway, ALICE).code(SHOP, &extra);
    walk.gateway.exchange(SHOP, &code, &[]).status == 200
}

/// A request parameter is taken, and not refused with the error that is made for it.
pub fn takes(walk: &Walk, parameter: &str) -> bool {
    let value = if parameter == "request" { "e30.e30." } else { "https://client.example/request" };
    let answer = walk
        .gateway
        .without_upstream(parameter, || Browser::new(&walk.gateway).get(&authorize_url(SHOP, &[(parameter, value)])));
    answer.parameter("error") != Some(format!("{parameter}_not_supported"))
}

/// RFC 9207, with a code as with an error.
pub fn names_the_issuer(walk: &Walk) -> bool {
    let mut browser = Browser::of(&walk.gateway, ALICE);
    let answers = [browser.authorize(SHOP, &[]), browser.get(&authorize_url(SHOP, &[("prompt", "create")]))];
    answers.iter().all(|answer| answer.parameter("iss") == Some(walk.gateway.url()))
}
