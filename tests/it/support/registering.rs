//! A client that registers itself.

use serde_json::{Value, json};

use super::{Answer, Auth, Client, METHOD, Request, SHOP, Setup, TestGateway};

/// Where clients register.
pub fn registration_path() -> String {
    format!("{METHOD}register_client")
}

/// What a client learns when it registers.
#[derive(Clone, Debug)]
pub struct Registered {
    pub body: Value,
}

impl Registered {
    fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_default().to_owned()
    }

    pub fn id(&self) -> String {
        self.text("client_id")
    }

    pub fn access_token(&self) -> String {
        self.text("registration_access_token")
    }

    /// The client as the other steps take it.
    pub fn client(&self) -> Client {
        let auth = match self.text("token_endpoint_auth_method").as_str() {
            "none" => Auth::None,
            "client_secret_post" => Auth::Post,
            _ => Auth::Basic,
        };
        let uri = self.body["redirect_uris"][0].as_str().expect("a redirect URI").to_owned();
        SHOP.named(self.id().leak(), uri.leak()).with_secret(self.text("client_secret").leak()).with(auth)
    }

    /// A request to its registration client URI.
    pub fn manage(&self, gateway: &TestGateway, method: &str) -> Request {
        let uri = self.text("registration_client_uri");
        let path = uri.strip_prefix(&gateway.url()).unwrap_or_else(|| panic!("{uri}"));
        Request::new(method, path).bearer(&self.access_token())
    }
}

impl Setup {
    /// Lets clients register.
    #[must_use]
    pub fn open_to_registration(self) -> Self {
        self.set("registration.enabled", true).set("registration.rate", "1000/s")
    }
}

impl TestGateway {
    /// A registration request.
    pub fn register(&self, metadata: &Value) -> Answer {
        self.send(&registration(metadata))
    }

    /// Registers a client that uses a browser, with these members besides.
    pub fn registered(&self, redirect_uri: &str, more: &Value) -> Registered {
        let mut metadata = json!({ "redirect_uris": [redirect_uri], "client_name": "Agent",
            "grant_types": ["authorization_code", "refresh_token"] });
        for (name, value) in more.as_object().expect("an object") {
            metadata[name] = value.clone();
        }
        let answer = self.register(&metadata);
        assert_eq!(answer.status, 201, "{answer}");
        Registered { body: answer.json() }
    }
}

/// A registration request.
pub fn registration(metadata: &Value) -> Request {
    Request::new("POST", &registration_path()).body("application/json", metadata.to_string().as_bytes())
}
