//! The clients of the test configuration.

use toml::{Table, Value};

/// How a client shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    Basic,
    Post,
    None,
}

/// A client as the tests play it.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    pub id: &'static str,
    pub secret: &'static str,
    pub auth: Auth,
    pub redirect_uri: &'static str,
    /// What its block has besides.
    rest: &'static str,
}

impl Client {
    /// One that is registered in ERPNext.
    pub const fn erpnext(id: &'static str, secret: &'static str, redirect_uri: &'static str) -> Self {
        Self { id, secret, auth: Auth::Basic, redirect_uri, rest: "" }
    }

    /// The same client, showing who it is in another way.
    #[must_use]
    pub const fn with(self, auth: Auth) -> Self {
        Self { auth, ..self }
    }

    /// The same client with another secret.
    #[must_use]
    pub const fn with_secret(self, secret: &'static str) -> Self {
        Self { secret, ..self }
    }

    /// A client of the test's own that is like it.
    #[must_use]
    pub const fn named(self, id: &'static str, redirect_uri: &'static str) -> Self {
        Self { id, redirect_uri, ..self }
    }

    /// Its second redirect URI.
    pub fn other_redirect_uri(self) -> String {
        self.redirect_uri.replace("/cb", "/other")
    }
}

const fn confidential(id: &'static str, secret: &'static str, rest: &'static str) -> Client {
    Client { id, secret, auth: Auth::Basic, redirect_uri: "https://client.example/cb", rest }
}

/// Strict, confidential, with a second redirect URI.
pub const SHOP: Client = Client {
    redirect_uri: "https://shop.example/cb",
    ..confidential("shop", "canary-secret-of-shop-0123456789abcdef", "name = 'Shop connector'")
};
/// Strict, public: PKCE, and rotated refresh tokens.
pub const APP: Client =
    Client { id: "app", secret: "", auth: Auth::None, redirect_uri: "http://127.0.0.1/cb", rest: "name = 'Phone app'" };
/// As ERPNext's clients are: compat, with a short secret.
pub const LEGACY: Client = Client {
    auth: Auth::None,
    redirect_uri: "http://localhost:3000/cb",
    ..confidential("legacy", "4fc44bd404", "mode = 'compat'")
};
/// Compat, and allowed the implicit response types.
pub const IMPLICIT: Client =
    Client { auth: Auth::None, ..confidential("implicit", "5fc44bd405", "mode = 'compat'\nallow = ['implicit']") };
/// Compat, and allowed the password grant.
pub const PASSWORD: Client =
    Client { auth: Auth::None, ..confidential("password", "6fc44bd406", "mode = 'compat'\nallow = ['password']") };
/// Only for users with the role System Manager.
pub const MANAGERS: Client =
    confidential("managers", "canary-secret-of-managers-0123456789", "allowed_roles = ['System Manager']");
/// Nobody is asked for consent.
pub const TRUSTED: Client = confidential("trusted", "canary-secret-of-trusted-01234567890", "skip_consent = true");
/// Acts as Bob by itself.
pub const SERVICE: Client = confidential(
    "service",
    "canary-secret-of-service-01234567890",
    "grant_types = ['client_credentials']\nservice_user = 'bob@example.com'\nscopes = ['all', 'read:Customer']",
);
/// Shows its secret in the form.
pub const POST: Client = Client {
    auth: Auth::Post,
    ..confidential("post", "canary-secret-of-post-0123456789abcd", "auth_method = 'client_secret_post'")
};
pub const ES256: Client = confidential("es256", "canary-secret-of-es256-0123456789abc", "id_token_alg = 'ES256'");
pub const EDDSA: Client = confidential("eddsa", "canary-secret-of-eddsa-0123456789abc", "id_token_alg = 'EdDSA'");
/// Has scopes of its own, and no `all`.
pub const SCOPED: Client = confidential(
    "scoped",
    "canary-secret-of-scoped-0123456789ab",
    "scopes = ['openid', 'profile', 'email', 'read:Customer', 'read:ToDo']",
);

const ALL: [Client; 12] =
    [SHOP, APP, LEGACY, IMPLICIT, PASSWORD, MANAGERS, TRUSTED, SERVICE, POST, ES256, EDDSA, SCOPED];

/// Their `[[client]]` blocks.
pub fn blocks() -> Vec<Value> {
    ALL.iter().map(block).collect()
}

fn block(client: &Client) -> Value {
    let mut block: Table = toml::from_str(client.rest).expect("TOML");
    block.insert("id".to_owned(), client.id.into());
    if client.secret.is_empty() {
        block.insert("auth_method".to_owned(), "none".into());
    } else {
        block.insert("secret".to_owned(), client.secret.into());
    }
    if client.id != SERVICE.id {
        let uris = vec![client.redirect_uri.to_owned(), client.other_redirect_uri()];
        block.insert("redirect_uris".to_owned(), uris.into());
    }
    Value::Table(block)
}
