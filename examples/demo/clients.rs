//! The clients that the demo's configuration registers.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use empress_gateway::random::{OsRandom, Random};

/// One client, with what it needs to speak for itself.
#[derive(Clone)]
pub struct DemoClient {
    pub id: &'static str,
    pub name: &'static str,
    /// In words, for the index page.
    pub about: &'static str,
    pub secret: Option<String>,
    /// Its private key: PKCS#8, base64.
    pub key: Option<String>,
    /// What the configuration says of it besides id, name, secret and redirect URIs.
    settings: &'static str,
    redirects: bool,
}

/// All of them, with the redirect URI that they share.
#[derive(Clone)]
pub struct Clients {
    pub redirect_uri: String,
    pub web: DemoClient,
    pub app: DemoClient,
    pub compat: DemoClient,
    pub service: DemoClient,
    pub signed: DemoClient,
    pub device: DemoClient,
}

impl Clients {
    pub fn new(redirect_uri: &str) -> Self {
        Self {
            redirect_uri: redirect_uri.to_owned(),
            web: DemoClient {
                id: "demo-web",
                name: "Demo Web Shop",
                about: "a web application: has a secret, uses PKCE",
                secret: Some(secret()),
                settings: "pkce = \"required\"",
                redirects: true,
                key: None,
            },
            app: DemoClient {
                id: "demo-app",
                name: "Demo Phone App",
                about: "a public client: no secret, so that PKCE is required and refresh tokens rotate",
                secret: None,
                settings: "auth_method = \"none\"",
                redirects: true,
                key: None,
            },
            compat: DemoClient {
                id: "demo-compat",
                name: "Demo Old Client",
                about: "a client as ERPNext 15 serves them: no PKCE, no client authentication needed",
                secret: Some(secret()),
                settings: "mode = \"compat\"\nallow = [\"password\", \"implicit\"]",
                redirects: true,
                key: None,
            },
            service: DemoClient {
                id: "demo-service",
                name: "Demo Backend",
                about: "a backend without a user at hand: client_credentials, acts as its service user",
                secret: Some(secret()),
                settings: "grant_types = [\"client_credentials\"]\nservice_user = \"bob@example.com\"",
                redirects: false,
                key: None,
            },
            signed: DemoClient {
                id: "demo-signed",
                name: "Demo Bank",
                about: "a client with a key instead of a secret: it pushes its requests, and its tokens are bound to a key",
                secret: None,
                settings: "require_pushed_authorization_requests = true\ndpop_bound_access_tokens = true",
                redirects: true,
                key: private_key(),
            },
            device: DemoClient {
                id: "demo-device",
                name: "Demo Scanner",
                about: "a device without a browser: its user types a code elsewhere",
                secret: None,
                settings: "auth_method = \"none\"\nredirect_uris = [\"http://127.0.0.1/none\"]\n\
                           grant_types = [\"urn:ietf:params:oauth:grant-type:device_code\", \"refresh_token\"]",
                redirects: false,
                key: None,
            },
        }
    }

    pub fn all(&self) -> [&DemoClient; 6] {
        [&self.web, &self.app, &self.compat, &self.service, &self.signed, &self.device]
    }

    /// Those that a browser alone can log in for: one that signs pushes its requests.
    pub fn with_redirect(&self) -> impl Iterator<Item = &DemoClient> {
        self.all().into_iter().filter(|client| client.redirects && client.key.is_none())
    }

    /// Their `[[client]]` blocks.
    pub fn toml(&self) -> String {
        self.all().map(|client| client.toml(&self.redirect_uri)).concat()
    }
}

impl DemoClient {
    pub fn uses_pkce(&self) -> bool {
        self.id != "demo-compat"
    }

    fn toml(&self, redirect_uri: &str) -> String {
        let secret = self.secret.as_ref().map(|secret| format!("secret = \"{secret}\"\n")).unwrap_or_default();
        let redirects = if self.redirects {
            format!("redirect_uris = [\"{redirect_uri}\"]\npost_logout_redirect_uris = [\"{redirect_uri}\"]\n")
        } else {
            String::new()
        };
        let keys = self.key.as_deref().and_then(public_key).unwrap_or_default();
        format!(
            "\n[[client]]\nid = \"{}\"\nname = \"{}\"\n{}\n{secret}{keys}{redirects}",
            self.id, self.name, self.settings
        )
    }
}

/// 256 random bits: HS256 and the rules for strict clients want no less.
fn secret() -> String {
    unguessable::<32>()
}

/// A key of P-256.
fn private_key() -> Option<String> {
    let random = aws_lc_rs::rand::SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok()?;
    Some(STANDARD.encode(key.as_ref()))
}

/// Its public half, as the configuration has it.
fn public_key(private: &str) -> Option<String> {
    let private = STANDARD.decode(private).ok()?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &private).ok()?;
    let (x, y) = pair.public_key().as_ref().get(1..)?.split_at_checked(32)?;
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    Some(format!("jwks = {{ keys = [{{ kty = \"EC\", crv = \"P-256\", x = \"{x}\", y = \"{y}\" }}] }}\n"))
}

/// `N` random bytes in base64url.
pub fn unguessable<const N: usize>() -> String {
    let random: &dyn Random = &OsRandom;
    URL_SAFE_NO_PAD.encode(random.bytes::<N>())
}
