//! The steps of the flows, each as a client or a browser takes it.

use serde_json::Value;

use super::{Answer, Auth, Browser, Client, Request, TestGateway};

/// Where the endpoints are.
pub const METHOD: &str = "/api/method/frappe.integrations.oauth2.";
/// The pair of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Pairs as a query or form has them.
pub fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The pairs of a query, form or fragment.
pub fn parameters(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// The standard pairs with those of `extra` in their place; an empty one takes a standard one out.
fn pairs<'a>(standard: &[(&'a str, &'a str)], extra: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let replaced = |name: &str| extra.iter().any(|(other, _)| *other == name);
    let kept = standard.iter().filter(|(name, _)| !replaced(name));
    kept.chain(extra.iter().filter(|(_, value)| !value.is_empty())).copied().collect()
}

/// An authorization request with S256, state `s1` and the scopes `all openid`.
pub fn authorize_url(client: Client, extra: &[(&str, &str)]) -> String {
    let standard = [
        ("client_id", client.id),
        ("response_type", "code"),
        ("redirect_uri", client.redirect_uri),
        ("scope", "all openid"),
        ("state", "s1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    format!("{METHOD}authorize?{}", query(&pairs(&standard, extra)))
}

/// A token response.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    pub id_token: String,
    pub body: Value,
}

impl Tokens {
    /// Reads a token response; what it has not is empty.
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{answer}");
        let body = answer.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token"), id_token: text("id_token"), body }
    }
}

impl Browser<'_> {
    /// Goes through authorization and, where asked, consents; the answer that leads back to the client.
    pub fn authorize(&mut self, client: Client, extra: &[(&str, &str)]) -> Answer {
        let answer = self.get(&authorize_url(client, extra));
        if answer.status == 200 && answer.text().contains("name=\"handle\"") {
            self.decide(&answer, "allow")
        } else {
            answer
        }
    }

    /// A code for the browser's user.
    pub fn code(&mut self, client: Client, extra: &[(&str, &str)]) -> String {
        let answer = self.authorize(client, extra);
        answer.parameter("code").unwrap_or_else(|| panic!("no code: {answer}"))
    }
}

impl TestGateway {
    /// A request to the token endpoint, or one like it, with the client's authentication.
    pub fn as_client(&self, client: Client, endpoint: &str, form: &[(&str, &str)]) -> Answer {
        self.send(&client_request(client, endpoint, form))
    }

    /// Exchanges a code.
    pub fn exchange(&self, client: Client, code: &str, extra: &[(&str, &str)]) -> Answer {
        self.send(&exchange_request(client, code, extra))
    }

    pub fn refresh(&self, client: Client, refresh: &str, extra: &[(&str, &str)]) -> Answer {
        let standard = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        self.as_client(client, "get_token", &pairs(&standard, extra))
    }

    /// Tokens for this user, from the browser's login to the token response.
    pub fn tokens(&self, user: &str, client: Client, extra: &[(&str, &str)]) -> Tokens {
        let mut browser = Browser::of(self, user);
        let code = browser.code(client, extra);
        Tokens::of(&self.exchange(client, &code, &[]))
    }

    /// Calls the API with a token: who does ERPNext take us for?
    pub fn whoami(&self, token: &str) -> Answer {
        self.send(&Request::get("/api/method/frappe.auth.get_logged_user").bearer(token))
    }

    /// Fails unless the token acts as this user.
    pub fn acts_as(&self, token: &str, user: &str) {
        let answer = self.whoami(token);
        assert_eq!(answer.status, 200, "{answer}");
        assert_eq!(answer.json()["message"], user);
    }

    /// Fails unless the API refuses the token as not active.
    pub fn refuses(&self, what: &str, token: &str) {
        let answer = self.whoami(token);
        is_invalid_token(what, &answer);
    }

    pub fn profile(&self, token: &str) -> Answer {
        self.send(&Request::get(&format!("{METHOD}openid_profile")).bearer(token))
    }

    pub fn introspect(&self, client: Client, token: &str) -> Value {
        let answer = self.as_client(client, "introspect_token", &[("token", token)]);
        assert_eq!(answer.status, 200, "{answer}");
        answer.json()
    }

    pub fn revoke(&self, client: Client, token: &str) -> Answer {
        self.as_client(client, "revoke_token", &[("token", token)])
    }
}

/// A request with the client's authentication.
pub fn client_request(client: Client, endpoint: &str, form: &[(&str, &str)]) -> Request {
    let path = format!("{METHOD}{endpoint}");
    match client.auth {
        Auth::Basic => Request::form(&path, form).basic(client.id, client.secret),
        Auth::Post => {
            let shown = [("client_id", client.id), ("client_secret", client.secret)];
            Request::form(&path, &pairs(&shown, form))
        }
        Auth::None => Request::form(&path, &pairs(&[("client_id", client.id)], form)),
    }
}

/// The exchange of a code with the verifier that belongs to [`CHALLENGE`].
pub fn exchange_request(client: Client, code: &str, extra: &[(&str, &str)]) -> Request {
    let standard = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", client.redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    client_request(client, "get_token", &pairs(&standard, extra))
}

/// Fails unless the answer is the 401 of a token that is not active (RFC 6750 §3).
pub fn is_invalid_token(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 401, "{what}: {answer}");
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with("Bearer realm=\""), "{what}: {answer}");
    assert!(challenge.contains("error=\"invalid_token\""), "{what}: {answer}");
    assert!(challenge.contains("resource_metadata=\""), "{what}: {answer}");
    let body = answer.json();
    assert_eq!((&body["error"], &body["exc_type"]), (&"invalid_token".into(), &"AuthenticationError".into()), "{what}");
}
