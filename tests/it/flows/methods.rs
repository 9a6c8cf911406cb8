//! Methods, content types and sizes that the endpoints take, and those that they refuse.

use crate::support::{METHOD, Request, SHOP, TestGateway};

#[test]
fn a_wrong_method_is_405_with_those_that_are_allowed() {
    let gateway = TestGateway::start();
    let post = "POST, OPTIONS";
    let get = "GET, HEAD, OPTIONS";
    let both = "GET, HEAD, POST, OPTIONS";
    for (method, path, allow) in [
        ("GET", "get_token", post),
        ("PUT", "get_token", post),
        ("GET", "revoke_token", post),
        ("GET", "introspect_token", post),
        ("GET", "approve", post),
        ("DELETE", "authorize", both),
        ("PATCH", "openid_profile", both),
        ("POST", "openid_configuration", get),
    ] {
        let request = Request::new(method, &format!("{METHOD}{path}"));
        let answer = gateway.without_upstream(path, || gateway.send(&request));
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {path}: {answer}");
        assert_eq!(answer.error(), "invalid_request");
    }
    let answer = gateway.send(&Request::new("POST", "/.well-known/jwks.json").body("text/plain", b"x"));
    assert_eq!((answer.status, answer.header("allow")), (405, Some(get)), "{answer}");
}

#[test]
fn a_body_over_64_kib_is_413_and_another_content_type_415() {
    let gateway = TestGateway::start();
    for endpoint in ["get_token", "revoke_token", "introspect_token", "approve", "authorize"] {
        let path = format!("{METHOD}{endpoint}");
        let large = format!("token={}", "a".repeat(64 * 1024));
        let form = Request::new("POST", &path).body("application/x-www-form-urlencoded", large.as_bytes());
        let answer = gateway.without_upstream(endpoint, || gateway.send(&form));
        assert_eq!((answer.status, answer.error().as_str()), (413, "invalid_request"), "{endpoint}: {answer}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer}");
        let text = Request::new("POST", &path).body("text/plain", b"token=a");
        let answer = gateway.without_upstream(endpoint, || gateway.send(&text));
        assert_eq!((answer.status, answer.error().as_str()), (415, "invalid_request"), "{endpoint}: {answer}");
    }
    // Just as large as may be, and chunked without a length.
    let path = format!("{METHOD}introspect_token");
    let fits = format!("token={}", "a".repeat(64 * 1024 - "token=".len()));
    let request = Request::new("POST", &path).basic(SHOP.id, SHOP.secret);
    let answer = gateway.send(&request.body("application/x-www-form-urlencoded", fits.as_bytes()));
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"active":false}"#));
    let mut connection = gateway.connect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        gateway.url().replace("http://", "")
    );
    connection.write(head.as_bytes()).expect("it reads");
    for _ in 0..9 {
        let chunk = format!("2000\r\n{}\r\n", "a".repeat(0x2000));
        if connection.write(chunk.as_bytes()).is_err() {
            break;
        }
    }
    connection.write(b"0\r\n\r\n").ok();
    assert_eq!(connection.answer(false).expect("an answer").status, 413);
}

#[test]
fn a_repeated_parameter_is_refused_and_an_unknown_one_ignored() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(crate::standin::ALICE, SHOP, &[]);
    let token = tokens.access.as_str();
    for endpoint in ["introspect_token", "revoke_token"] {
        let answer = gateway.as_client(SHOP, endpoint, &[("token", token), ("token", token)]);
        assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_request"), "{endpoint}");
        assert_eq!(gateway.as_client(SHOP, endpoint, &[]).error(), "invalid_request", "{endpoint}: no token");
    }
    let answer = gateway.as_client(SHOP, "introspect_token", &[("token", token), ("colour", "red")]);
    assert_eq!(answer.json()["active"], true);
    let [one, other] = ["a", "b"].map(|path| format!("{}/{path}", gateway.url()));
    let pairs = [("resource", one.as_str()), ("resource", other.as_str())];
    Tokens::of(&gateway.refresh(SHOP, &tokens.refresh, &pairs));
}

use crate::support::Tokens;

#[test]
fn registration_is_off_and_answers_404_itself() {
    let gateway = TestGateway::start();
    let request = Request::new("POST", &format!("{METHOD}register_client"));
    let request = request.body("application/json", br#"{"redirect_uris":["https://evil.example/cb"]}"#);
    let answer = gateway.without_upstream("registration", || gateway.send(&request));
    assert_eq!(answer.status, 404, "{answer}");
}
