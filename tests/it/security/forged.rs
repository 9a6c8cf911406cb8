//! Forged tokens: T26 to T30, T08, T81. No JWT is an access token but those that
//! the gateway itself signed as such: none at all while its access tokens are opaque.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::{
    standin::{ALICE, Bearer, ORDINARY_CLIENT},
    support::{METHOD, Request, SHOP, Setup, TestGateway, claims, header},
};

/// A gateway whose access tokens are opaque, and one whose are JWTs.
fn both() -> [TestGateway; 2] {
    [TestGateway::start(), Setup::new().set("tokens.access_format", "jwt").start()]
}

/// Presents a token to the API and to userinfo; each must refuse it without asking anybody.
fn refuse(gateway: &TestGateway, what: &str, token: &str) {
    gateway.without_upstream(what, || {
        gateway.refuses(what, token);
        crate::support::is_invalid_token(what, &gateway.profile(token));
        let realtime = Request::get("/socket.io/?EIO=4&transport=polling").bearer(token);
        crate::support::is_invalid_token(what, &gateway.send(&realtime));
    });
    assert_eq!(gateway.introspect(SHOP, token), json!({ "active": false }), "{what}");
}

fn jwt(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

/// The claims of an RFC 9068 access token for Alice.
fn good_claims(gateway: &TestGateway) -> Value {
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let mut good = claims(&tokens.id_token);
    good["scope"] = "all openid".into();
    good["client_id"] = SHOP.id.into();
    good["jti"] = "1".into();
    good
}

/// T26
#[test]
fn a_jwt_without_a_signature_is_no_token() {
    for gateway in both() {
        let good = good_claims(&gateway);
        for head in [
            json!({ "alg": "none", "typ": "at+jwt" }),
            json!({ "alg": "None" }),
            json!({ "alg": "nOnE" }),
            json!({ "typ": "at+jwt" }),
            json!({ "alg": "" }),
        ] {
            refuse(&gateway, &head.to_string(), &jwt(&head, &good, ""));
            refuse(&gateway, &head.to_string(), &jwt(&head, &good, "AAAA"));
        }
    }
}

/// T27
#[test]
fn a_jwt_signed_with_a_public_key_as_the_secret_is_no_token() {
    for gateway in both() {
        let good = good_claims(&gateway);
        let jwks = gateway.get("/.well-known/jwks.json").json();
        for key in jwks["keys"].as_array().expect("keys") {
            let mut head = Header::new(Algorithm::HS256);
            head.kid = key["kid"].as_str().map(str::to_owned);
            for secret in [key.to_string(), key["n"].as_str().unwrap_or_default().to_owned(), SHOP.secret.to_owned()] {
                let key = EncodingKey::from_secret(secret.as_bytes());
                let token = jsonwebtoken::encode(&head, &good, &key).expect("a JWT");
                refuse(&gateway, "HS256", &token);
            }
        }
    }
}

/// T28
#[test]
fn a_jwt_whose_header_names_a_key_makes_nobody_fetch_it() {
    for gateway in both() {
        let good = good_claims(&gateway);
        let fetched = format!("{}/keys.json", gateway.standin.url());
        for head in [
            json!({ "alg": "RS256", "jku": fetched }),
            json!({ "alg": "RS256", "x5u": fetched }),
            json!({ "alg": "ES256", "jwk": { "kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA" } }),
            json!({ "alg": "HS256", "kid": "../../../../dev/null" }),
            json!({ "alg": "HS256", "kid": "x' UNION SELECT 'AAAA" }),
            json!({ "alg": "RS256", "crit": ["exp2"], "exp2": 1 }),
            json!({ "alg": "RS256", "x5c": ["AAAA"] }),
        ] {
            refuse(&gateway, &head.to_string(), &jwt(&head, &good, "AAAA"));
        }
    }
}

/// T29
#[test]
fn an_id_token_is_no_access_token() {
    for gateway in both() {
        for client in [SHOP, crate::support::LEGACY, crate::support::EDDSA] {
            let tokens = gateway.tokens(ALICE, client, &[]);
            assert!(header(&tokens.id_token)["alg"].is_string());
            refuse(&gateway, client.id, &tokens.id_token);
        }
    }
}

/// T30
#[test]
fn times_of_a_jwt_change_nothing() {
    for gateway in both() {
        let good = good_claims(&gateway);
        let key = EncodingKey::from_secret(SHOP.secret.as_bytes());
        for (claim, value) in [
            ("exp", Value::Null),
            ("exp", json!(1e300)),
            ("exp", json!("4102444800")),
            ("exp", json!(4_102_444_800.5)),
            ("exp", json!(1)),
            ("nbf", json!(4_102_444_800_u64)),
            ("iat", json!(4_102_444_800_u64)),
        ] {
            let mut changed = good.clone();
            changed[claim] = value;
            let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &changed, &key).expect("a JWT");
            refuse(&gateway, claim, &token);
        }
    }
}

/// T08
#[test]
fn a_token_that_erpnext_issued_is_refused_where_they_are_not_accepted() {
    let gateway = Setup::new().set("erpnext.native_tokens", "refuse").start();
    gateway.standin.add_bearer(Bearer::new("nativeTOKEN0123456789abcdefgh", ORDINARY_CLIENT, ALICE));
    refuse(&gateway, "native", "nativeTOKEN0123456789abcdefgh");
}

/// T81
#[test]
fn a_shadow_token_is_refused_from_outside_in_any_letter_case_and_scheme() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    let shadow = gateway.standin.bearer_rows()[0].access_token.clone();
    assert!(shadow.starts_with("emp_sh_"), "{shadow}");
    for shown in [shadow.clone(), shadow.to_uppercase(), shadow.replacen("emp_sh_", "Emp_Sh_", 1)] {
        refuse(&gateway, &shown, &shown);
        for scheme in ["token", "Basic", "Foo"] {
            let request = Request::get("/api/method/echo").header("Authorization", &format!("{scheme} {shown}"));
            let answer = gateway.without_upstream(scheme, || gateway.send(&request));
            assert!((400..402).contains(&answer.status), "{scheme}: {answer}");
        }
    }
    // Without its prefix it is not even ERPNext's.
    refuse(&gateway, "bare", &shadow["emp_sh_".len()..]);
    let revoke = Request::form(&format!("{METHOD}revoke_token"), &[("token", &shadow)]);
    assert_eq!(gateway.without_upstream("revoked", || gateway.send(&revoke)).status, 200);
    gateway.acts_as(&tokens.access, ALICE);
}
