//! The native endpoints, as unsafe as they are.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

const P: &str = "/api/method/frappe.integrations.oauth2.";
const AUTHORIZE: &str = "client_id=s1p7u9lop3&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A3000%2Fcb&scope=all%20openid&state=st-1";

fn code(standin: &StandIn, cookie: &str) -> String {
    let answer = get(standin, &format!("{P}approve?{AUTHORIZE}"), &[cookie]);
    let location = answer.field("location").unwrap_or_default();
    let code = location.strip_prefix("http://localhost:3000/cb?code=").unwrap_or_default();
    code.strip_suffix("&state=st-1").unwrap_or_default().to_owned()
}

fn exchange(standin: &StandIn, code: &str) -> Answer {
    let body = format!("grant_type=authorization_code&code={code}&client_id=s1p7u9lop3");
    form(standin, &format!("{P}get_token"), &[], &body)
}

#[test]
fn openid_profile_is_exact() {
    let standin = StandIn::start();
    standin.add_bearer(Bearer::new("tok", ORDINARY_CLIENT, ALICE));
    let sub = standin.user(ALICE).and_then(|user| user.sub).unwrap_or_default();
    let answer = get(&standin, &format!("{P}openid_profile"), &["Authorization: Bearer tok"]);
    let expected = format!(
        r#"{{"sub":"{sub}","name":"Alice Anders","given_name":"Alice","family_name":"Anders","email":"alice@example.com","picture":null,"roles":["System Manager","All","Guest","Desk User"],"iss":"http://erp.example.com"}}"#
    );
    assert_eq!(answer.text(), expected);
    let profile = |fields: &[&str]| get(&standin, &format!("{P}openid_profile"), fields);
    assert_eq!(profile(&[]).status, 403);
    assert_eq!(profile(&["Authorization: Bearer nope"]).status, 401);
    let by_key = profile(&[GATEWAY]);
    assert_eq!((by_key.status, by_key.body.len()), (404, 303));
    standin.set_bearer_status("tok", "Revoked");
    let cookie = format!("Cookie: sid={}", standin.login(ALICE));
    let both = profile(&[&cookie, "Authorization: Bearer tok"]);
    assert_eq!((both.status, both.body.len(), both.fields("set-cookie").len()), (401, 147, 5));
    standin.add_bearer(Bearer::new("adm", ORDINARY_CLIENT, "Administrator"));
    let administrator = profile(&["Authorization: Bearer adm"]).json();
    assert_eq!((administrator["sub"].clone(), administrator["family_name"].clone()), (Value::Null, Value::Null));
}

#[test]
fn a_forged_cookie_gives_anybodys_token() {
    let standin = StandIn::start();
    let sid = standin.login(ALICE);
    let own = code(&standin, &format!("Cookie: sid={sid}; user_id=alice%40example.com"));
    let tokens = exchange(&standin, &own);
    assert!(tokens.text().starts_with(r#"{"access_token":""#));
    let body = tokens.json();
    let bearer = format!("Authorization: Bearer {}", body["access_token"].as_str().unwrap_or("?"));
    assert_eq!(get(&standin, LOGGED_USER, &[&bearer]).json()["message"], ALICE);
    let id_token = body["id_token"].as_str().unwrap_or_default();
    let claims = URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1).unwrap_or_default());
    let claims: Value = serde_json::from_slice(&claims.unwrap_or_default()).unwrap_or_default();
    assert_eq!(claims["aud"], ORDINARY_CLIENT);
    assert_eq!(exchange(&standin, &own).text(), r#"{"error":"invalid_grant"}"#);

    let forged = code(&standin, &format!("Cookie: sid={sid}; user_id=Administrator"));
    let body = exchange(&standin, &forged).json();
    let bearer = format!("Authorization: Bearer {}", body["access_token"].as_str().unwrap_or("?"));
    assert_eq!(get(&standin, LOGGED_USER, &[&bearer]).json()["message"], "Administrator");
    let without = get(&standin, &format!("{P}approve?{AUTHORIZE}"), &[&format!("Cookie: sid={sid}")]);
    assert_eq!((without.status, without.json()["exc_type"].clone()), (500, "KeyError".into()));

    let refresh = body["refresh_token"].as_str().unwrap_or("?");
    let again =
        form(&standin, &format!("{P}get_token"), &[], &format!("grant_type=refresh_token&refresh_token={refresh}"));
    assert_eq!((again.status, again.json().get("id_token").is_none()), (200, true));
}

#[test]
fn authorize_answers_as_recorded() {
    let standin = StandIn::start();
    let guest = get(
        &standin,
        &format!("{P}authorize?client_id=a%20b&scope=all+openid&redirect_uri=http%3A%2F%2Flocalhost"),
        &["X-Forwarded-Proto: https"],
    );
    assert_eq!(guest.status, 302);
    assert_eq!(
        guest.field("location").as_deref(),
        Some(
            "/login?redirect-to=https%3A%2F%2Ferp.example.com%2Fapi%2Fmethod%2Ffrappe.integrations.oauth2.authorize%3Fclient_id%3Da%2520b%26scope%3Dall%2Bopenid%26redirect_uri%3Dhttp%3A%2F%2Flocalhost"
        )
    );
    let none = get(&standin, &format!("{P}authorize"), &[]);
    assert_eq!((none.status, none.json()["exception"].clone()), (500, "KeyError: 'redirect_uri'".into()));
    let cookie = format!("Cookie: sid={}", standin.login(ALICE));
    let page = get(&standin, &format!("{P}authorize?{AUTHORIZE}"), &[&cookie]);
    assert!(page.text().contains("<title>Confirm Access</title>"));
    for (from, to, text) in [
        (
            "client_id=s1p7u9lop3",
            "client_id=nope",
            r#"{"description":"Invalid client_id parameter value.","status_code":400,"error":"invalid_request"}"#,
        ),
        (
            "client_id=s1p7u9lop3&",
            "",
            r#"{"description":"Missing client_id parameter.","status_code":400,"error":"invalid_request"}"#,
        ),
        (
            "%2Fcb",
            "%2Fcb%2F",
            r#"{"description":"Mismatching redirect URI.","status_code":400,"error":"invalid_request"}"#,
        ),
        ("=code", "=token", r#"{"description":"","status_code":400,"error":"unauthorized_client"}"#),
        ("=code", "=foo", r#"{"description":"","status_code":400,"error":"unsupported_response_type"}"#),
        ("openid", "admin", r#"{"description":"","status_code":400,"error":"invalid_scope"}"#),
    ] {
        let target = format!("{P}authorize?{}", AUTHORIZE.replace(from, to));
        let answer = get(&standin, &target, &[&cookie]);
        assert_eq!((answer.status, answer.text().as_str()), (400, text));
    }
    let skips = Client { skip_authorization: true, ..Client::new("skip", "s", "http://localhost:3000/cb") };
    standin.add_client(skips);
    let skipped = get(&standin, &format!("{P}authorize?{}", AUTHORIZE.replace("s1p7u9lop3", "skip")), &[&cookie]);
    assert!(
        skipped
            .field("location")
            .unwrap_or_default()
            .starts_with("/api/method/frappe.integrations.oauth2.approve?client_id=skip&")
    );
}

#[test]
fn token_errors_are_those_recorded() {
    let standin = StandIn::start();
    let token = |body: &str| form(&standin, &format!("{P}get_token"), &[], body);
    for (body, status, text) in [
        ("grant_type=foo", 400, r#"{"error":"unsupported_grant_type"}"#),
        ("grant_type=client_credentials", 400, r#"{"error":"unauthorized_client"}"#),
        (
            "grant_type=authorization_code&client_id=s1p7u9lop3",
            400,
            r#"{"error":"invalid_request","error_description":"Missing code parameter."}"#,
        ),
        ("grant_type=authorization_code&client_id=s1p7u9lop3&code=nope", 400, r#"{"error":"invalid_grant"}"#),
        (
            "grant_type=refresh_token",
            400,
            r#"{"error":"invalid_request","error_description":"Missing refresh token parameter."}"#,
        ),
        (
            "grant_type=password&username=alice@example.com&password=alice-secret&client_id=s1p7u9lop3&scope=admin",
            400,
            r#"{"error":"invalid_scope"}"#,
        ),
    ] {
        let answer = token(body);
        assert_eq!((answer.status, answer.text().as_str()), (status, text), "{body}");
    }
    assert_eq!(token("grant_type=authorization_code&code=x").status, 500);
    assert_eq!(token("grant_type=authorization_code&code=x&client_id=nope").body.len(), 297);
    assert_eq!(token("grant_type=refresh_token&refresh_token=nope").status, 404);
    let bad = token("grant_type=password&username=alice@example.com&password=no&client_id=s1p7u9lop3");
    assert_eq!((bad.status, bad.fields("set-cookie").len()), (401, 10));
    let good = token("grant_type=password&username=alice@example.com&password=alice-secret&client_id=s1p7u9lop3");
    assert_eq!(good.body.len(), 159);
    let basic = form(
        &standin,
        &format!("{P}get_token"),
        &["Authorization: Basic czFwN3U5bG9wMzo0ZmM0NGJkNDA0"],
        "grant_type=x",
    );
    assert_eq!(basic.status, 401);
}

#[test]
fn introspection_and_revocation_ask_nobody() {
    let standin = StandIn::start();
    let row = Bearer::new("tok", ORDINARY_CLIENT, ALICE);
    let expiration_time = Some("2020-01-01 00:00:00".to_owned());
    standin.add_bearer(Bearer { refresh_token: Some("ref".to_owned()), expiration_time, ..row });
    let introspect = |query: &str| get(&standin, &format!("{P}introspect_token?{query}"), &[]);
    let expired = introspect("token=TOK");
    assert!(expired.text().starts_with(
        r#"{"client_id":"s1p7u9lop3","trusted_client":0,"active":true,"exp":1577836800,"scope":"all openid","sub":""#
    ));
    let unknown = get(&standin, "/?cmd=frappe.integrations.oauth2.introspect_token&token=x", &[]);
    assert_eq!((unknown.status, unknown.body.len()), (200, 304));
    assert_eq!(introspect("token=ref&token_type_hint=refresh_token").json()["active"], true);
    let revoke = |body: &str| form(&standin, &format!("{P}revoke_token"), &[], body);
    assert_eq!(revoke("").status, 400);
    assert_eq!(revoke("token=nope").status, 404);
    assert_eq!(revoke("token=ref&token_type_hint=refresh_token").status, 404);
    assert_eq!(revoke("token=ref&token_type_hint=refresh_token&client_id=s1p7u9lop3").text(), "{}");
    assert_eq!(introspect("token=tok").json()["active"], false);
    let configuration = get(&standin, &format!("{P}openid_configuration"), &[]);
    assert!(configuration.text().starts_with(r#"{"issuer":"http://erp.example.com","authorization_endpoint":"#));
    assert_eq!(get(&standin, "/.well-known/openid-configuration", &[]).status, 301);
}
