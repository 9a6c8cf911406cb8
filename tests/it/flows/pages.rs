//! The pages that users see.

use crate::{
    standin::ALICE,
    support::{Answer, Browser, Request, SHOP, Setup, TestGateway, authorize_url},
};

fn keeps_to_itself(page: &Answer) {
    let policy = page.header("content-security-policy").unwrap_or_else(|| panic!("no policy: {page}"));
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page}");
    let html = page.text();
    assert!(!html.contains("<script") && !html.contains("http-equiv") && !html.contains(" src="), "{page}");
    assert!(html.contains("name=\"viewport\"") && html.starts_with("<!doctype html>"), "{page}");
}

#[test]
fn the_consent_page_says_who_wants_what_and_loads_nothing() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&authorize_url(SHOP, &[]));
    keeps_to_itself(&page);
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("form-action 'self' https://shop.example;"), "{policy}");
    for shown in ["Shop connector", ALICE, "shop.example", "name=\"decision\"", "value=\"deny\""] {
        assert!(page.text().contains(shown), "{shown}: {page}");
    }
}

#[test]
fn the_pages_speak_the_users_language() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    for (language, lang, allow) in [
        ("de-AT,en;q=0.5", "de", "Erlauben"),
        ("fr", "fr", "Autoriser"),
        ("es-MX", "es", "Permitir"),
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt", "Permitir"),
        ("ar-EG", "ar", "السماح"),
        ("hi;q=0.9, it", "hi", "अनुमति दें"),
        ("zh-CN,zh;q=0.9", "zh-Hans", "允许"),
        ("it, de;q=0", "en", "Allow"),
    ] {
        browser.language = language;
        let page = browser.get(&authorize_url(SHOP, &[]));
        let dir = if lang == "ar" { "rtl" } else { "ltr" };
        assert!(page.text().contains(&format!("<html lang=\"{lang}\" dir=\"{dir}\">")), "{language}: {page}");
        assert_eq!(page.header("content-language"), Some(lang));
        assert!(page.text().contains(allow), "{language}: {page}");
    }
    for (asked, lang) in [
        ("en", "en"),
        ("de", "de"),
        ("xx es-AR", "es"),
        ("fr-CA en", "fr"),
        ("pt_BR", "pt"),
        ("ar", "ar"),
        ("hi-IN", "hi"),
        ("zh-Hans-CN", "zh-Hans"),
    ] {
        let page = browser.get(&authorize_url(SHOP, &[("ui_locales", asked)]));
        assert!(page.text().contains(&format!("<html lang=\"{lang}\"")), "{asked}: {page}");
    }
}

#[test]
fn an_error_that_must_not_reach_the_client_is_a_page_or_json_by_accept() {
    let gateway = TestGateway::start();
    let url = authorize_url(SHOP, &[("redirect_uri", "https://evil.example/<script>")]);
    let page = gateway.without_upstream("a page", || gateway.send(&Request::get(&url).html()));
    assert_eq!(page.status, 400, "{page}");
    keeps_to_itself(&page);
    assert!(!page.text().contains("evil.example"), "{page}");
    let json = gateway.get(&url);
    assert_eq!((json.status, json.error().as_str()), (400, "invalid_request"));
    assert_eq!(json.header("cache-control"), Some("no-store"));
}

#[test]
fn the_consent_page_says_what_the_rules_let_a_scope_do() {
    let rule = |path: &str, methods: &str, scope: &str| {
        format!("path = '{path}'\nmethods = {methods}\nauth = 'bearer'\nscopes = ['{scope}']")
    };
    let gateway = Setup::new()
        .route(&rule("/api/resource/{doctype}", "['GET']", "read:{doctype}"))
        .route(&rule("/api/resource/{doctype}/{name}", "['GET']", "read:{doctype}"))
        .route(&rule("/api/resource/{doctype}", "['POST']", "write:{doctype}"))
        .route(&rule("/api/resource/{doctype}/{name}", "['PUT', 'DELETE']", "write:{doctype}"))
        .client(
            "id = 'words'\nauth_method = 'none'\nredirect_uris = ['https://client.example/cb']\n\
             scopes = ['openid', 'read:Sales_Invoice', 'write:<b>Item', 'reports<i>']",
        )
        .start();
    let url = authorize_url(SHOP.named("words", "https://client.example/cb"), &[("scope", "")]);
    let mut browser = Browser::of(&gateway, ALICE);
    for (language, invoices, items) in [
        ("en", "read Sales Invoice", "create, change and delete &#60;b&#62;Item"),
        ("de", "Sales Invoice lesen", "&#60;b&#62;Item anlegen, ändern und löschen"),
        ("fr", "lire Sales Invoice", "créer, modifier et supprimer &#60;b&#62;Item"),
        ("es", "leer Sales Invoice", "crear, modificar y eliminar &#60;b&#62;Item"),
    ] {
        browser.language = language;
        let page = browser.get(&url);
        for item in [invoices, items] {
            assert!(page.text().contains(&format!("<li>{item}</li>")), "{language}, {item}: {page}");
        }
        // A scope that no rule names is shown as it is.
        assert!(page.text().contains("reports&#60;i&#62;"), "{language}: {page}");
        assert!(!page.text().contains("<b>") && !page.text().contains("<i>"), "{language}: {page}");
    }
}
