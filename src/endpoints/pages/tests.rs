use super::*;

fn settings() -> EndpointSettings {
    EndpointSettings {
        registration: None,
        public_origin: "https://erp.example".to_owned(),
        site_name: "erp.example".to_owned(),
        signing_algorithms: Vec::new(),
        allowed_origins: super::super::Origins::new(),
        look: super::Look::new(&crate::config::PagesSettings::default()),
        login_page: crate::config::LoginPage::Erpnext,
        introspection_needs_client: false,
        revocation_needs_client: false,
        rules: std::sync::Arc::new(crate::route::CurrentRouter::from_pointee(
            crate::route::Router::new(&[]).expect("no rules"),
        )),
    }
}

fn shop() -> Client {
    let blocks = "[[client]]\nid = 'shop'\nname = 'Shop <b>connector'\nauth_method = 'none'\nscopes = ['openid']\n\
                  redirect_uris = ['https://shop.example/cb', 'myapp:/cb']";
    let blocks: std::collections::BTreeMap<String, Vec<crate::config::ClientSettings>> =
        toml::from_str(blocks).expect("a client");
    blocks["client"][0].to_client()
}

/// One that registered itself.
fn agent() -> Client {
    let scopes = Scopes::parse("openid erp:read erp:write read:Customer").expect("scopes");
    let client = Client { scopes, source: crate::oauth::ClientSource::Registered, ..shop() };
    client.into_agent(crate::oauth::AgentTerms::default())
}

fn html(answer: &Answer) -> String {
    String::from_utf8(answer.body().to_vec()).expect("UTF-8")
}

fn policy(answer: &Answer) -> String {
    answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("ASCII").to_owned()
}

fn form(client: Option<&Client>, problem: Option<LoginProblem>) -> LoginForm<'_> {
    LoginForm {
        handle: Some("the-handle"),
        device: None,
        form_token: "the-token",
        username: "",
        client,
        problem,
        leads_to: client.map(|_| "http://127.0.0.1:51515/cb"),
        elsewhere: "https://erp.example/login?redirect-to=x&y=z",
    }
}

#[test]
fn what_a_page_shows_is_escaped_and_the_page_keeps_to_itself() {
    let error = OAuthError::invalid_request("<script>alert(1)</script>");
    let answer = Page::Error { error: &error }.answer(&settings(), Language::default());
    assert!(!html(&answer).contains("<script>"), "{}", html(&answer));
    assert_eq!(answer.headers()[header::X_FRAME_OPTIONS], "DENY");
    let policy = policy(&answer);
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{policy}");
}

#[test]
fn a_form_post_leads_to_its_origin_alone() {
    let parameters = [("state", "\"><x".to_owned())];
    let page = Page::FormPost { uri: "https://app.example:8443/cb", parameters: &parameters };
    let answer = page.answer(&settings(), Language::default());
    let policy = policy(&answer);
    assert!(policy.contains("form-action https://app.example:8443;"), "{policy}");
    assert!(policy.contains("script-src 'sha256-"), "{policy}");
    assert!(!html(&answer).contains("\"><x"));
}

#[test]
fn every_page_says_its_language_and_direction_and_names_no_text_that_is_missing() {
    let (client, agent, error) = (shop(), agent(), OAuthError::invalid_request("x"));
    let user = GrantUser { name: crate::oauth::UserName::new("a@b.c"), sub: crate::oauth::Subject::new("s") };
    let pages = || {
        [
            Page::Login(form(Some(&client), Some(LoginProblem::TooMany { seconds: 61 }))),
            Page::EndSession { client: Some(&client), user: "a@b.c", handle: "h", form_token: "t", leads_to: &[] },
            Page::LoggedOut { stayed: true },
            Page::Device { user: &user, code: "WDJB-MJHT", form_token: "t", problem: None },
            Page::Device { user: &user, code: "", form_token: "t", problem: Some(DeviceProblem::Wrong) },
            Page::DeviceConsent {
                client: &client,
                user: &user,
                scopes: &client.scopes,
                code: "WDJB-MJHT",
                form_token: "t",
            },
            Page::DeviceConsent {
                client: &agent,
                user: &user,
                scopes: &agent.scopes,
                code: "WDJB-MJHT",
                form_token: "t",
            },
            Page::DeviceDecided { allowed: true },
            Page::DeviceDecided { allowed: false },
            Page::LoggedOut { stayed: false },
            Page::Error { error: &error },
            Page::FormPost { uri: "https://shop.example/cb", parameters: &[] },
        ]
    };
    let empty = regex::Regex::new(r"<(h1|p|li|span|legend|button|label|a|title)[^>]*>\s*</").expect("a pattern");
    for language in Language::ALL {
        for page in pages() {
            let answer = page.answer(&settings(), language);
            let html = html(&answer);
            let dir = if language == Language::Arabic { "rtl" } else { "ltr" };
            let opening = format!("<html lang=\"{}\" dir=\"{dir}\">", language.as_str());
            assert!(html.contains(&opening), "{html}");
            assert!(!empty.is_match(&html), "{html}");
            assert_eq!(answer.headers()[header::CONTENT_LANGUAGE], language.as_str());
            // No field without a label, no picture without words.
            for field in ["usr", "pwd", "user_code"] {
                let both = html.contains(&format!("id=\"{field}\"")) == html.contains(&format!("for=\"{field}\""));
                assert!(both, "{html}");
            }
        }
    }
}

#[test]
fn the_login_form_asks_for_name_and_password_and_may_lead_to_the_application() {
    let client = shop();
    let answer = Page::Login(form(Some(&client), None)).answer(&settings(), Language::English);
    let shown = html(&answer);
    for part in [
        "<h1>Sign in to erp.example</h1>",
        "Shop &#60;b&#62;connector asks you to sign in.",
        "<form method=\"post\" action=\"/api/method/frappe.integrations.oauth2.login\">",
        "<input type=\"hidden\" name=\"handle\" value=\"the-handle\">",
        "<input type=\"hidden\" name=\"token\" value=\"the-token\">",
        "autocomplete=\"username\"",
        "autocomplete=\"current-password\"",
        "href=\"https://erp.example/login?redirect-to=x&#38;y=z\"",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("role=\"alert\"") && !shown.contains("aria-describedby"), "{shown}");
    assert!(policy(&answer).contains("form-action 'self' http://127.0.0.1:51515;"), "{}", policy(&answer));
    let alone = LoginForm { handle: None, username: "<i>", ..form(None, None) };
    let answer = Page::Login(alone).answer(&settings(), Language::English);
    assert!(!html(&answer).contains("name=\"handle\"") && html(&answer).contains("value=\"&#60;i&#62;\""));
    assert!(policy(&answer).contains("form-action 'self';"), "{}", policy(&answer));
}

#[test]
fn a_login_that_failed_says_why_where_a_screen_reader_finds_it() {
    for (problem, says, invalid) in [
        (LoginProblem::Wrong, "The user name or the password is wrong.", true),
        (LoginProblem::TooMany { seconds: 1 }, "Try again in a minute.", false),
        (LoginProblem::TooMany { seconds: 121 }, "Try again in 3 minutes.", false),
        (LoginProblem::Unavailable, "not possible at the moment", false),
    ] {
        let shown = html(&Page::Login(form(None, Some(problem))).answer(&settings(), Language::English));
        let (_, alert) = shown.split_once("id=\"problem\" role=\"alert\">").expect(&shown);
        assert!(alert.split_once("</p>").is_some_and(|(text, _)| text.contains(says)), "{shown}");
        assert_eq!(shown.matches("aria-describedby=\"problem\"").count(), 2, "{shown}");
        assert_eq!(shown.matches("aria-invalid=\"true\"").count(), if invalid { 2 } else { 0 }, "{shown}");
    }
}

#[test]
fn the_logout_page_asks_and_may_lead_to_where_the_client_wants() {
    let (client, origins) = (shop(), ["https://shop.example".to_owned()]);
    let page = |client| Page::EndSession {
        client,
        user: "alice@shop.example",
        handle: "the-handle",
        form_token: "the-token",
        leads_to: &origins,
    };
    let answer = page(Some(&client)).answer(&settings(), Language::English);
    for part in [
        "<h1>Sign out of erp.example?</h1>",
        "connector asks you to sign out.",
        "alice@shop.example",
        "action=\"/api/method/frappe.integrations.oauth2.end_session\"",
        "name=\"decision\" value=\"logout\"",
        "name=\"decision\" value=\"stay\"",
        "value=\"the-handle\"",
        "value=\"the-token\"",
    ] {
        assert!(html(&answer).contains(part), "{part}: {}", html(&answer));
    }
    assert!(policy(&answer).contains("form-action 'self' https://shop.example;"), "{}", policy(&answer));
    assert!(!html(&page(None).answer(&settings(), Language::English)).contains("asks you"));
    let said = |stayed| html(&Page::LoggedOut { stayed }.answer(&settings(), Language::English));
    assert!(said(false).contains("You are signed out") && said(true).contains("You are still signed in"));
    assert!(
        policy(&Page::LoggedOut { stayed: false }.answer(&settings(), Language::English))
            .contains("form-action 'none'")
    );
}

#[test]
fn what_an_agent_may_do_besides_reading_is_ticked_in_every_language() {
    let agent = agent();
    let user = GrantUser { name: crate::oauth::UserName::new("a@b.c"), sub: crate::oauth::Subject::new("s") };
    for language in Language::ALL {
        let of = |client: &Client| {
            let scopes = agent.scopes.clone();
            let page = Page::DeviceConsent { client, user: &user, scopes: &scopes, code: "WDJB-MJHT", form_token: "t" };
            html(&page.answer(&settings(), language))
        };
        let shown = of(&agent);
        let list = shown.split("<ul").nth(1).and_then(|rest| rest.split("</ul>").next()).expect("a list");
        assert_eq!(list.matches("<li>").count(), 2, "{language:?}: who the user is, and to read: {shown}");
        assert_eq!(shown.matches("class=\"note\"").count(), 2, "{shown}");
        for name in ["grant:erp:write", "grant:read:Customer"] {
            let tick = format!("<label class=\"tick\"><input type=\"checkbox\" name=\"{name}\" value=\"yes\"> <span>");
            assert!(shown.contains(&tick), "{name}: {shown}");
        }
        assert!(!shown.contains("\" checked") && shown.matches("checkbox").count() == 2, "{shown}");
        let plain = of(&shop());
        assert!(!plain.contains("checkbox") && !plain.contains("class=\"note\""), "{plain}");
    }
}
