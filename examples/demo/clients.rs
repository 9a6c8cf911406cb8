//! The clients that the demo's configuration registers.

use empress_gateway::random::{OsRandom, Random};

/// One client, with what it needs to speak for itself.
#[derive(Clone)]
pub struct DemoClient {
    pub id: &'static str,
    pub name: &'static str,
    /// In words, for the index page.
    pub about: &'static str,
    pub secret: Option<String>,
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
            },
            app: DemoClient {
                id: "demo-app",
                name: "Demo Phone App",
                about: "a public client: no secret, so that PKCE is required and refresh tokens rotate",
                secret: None,
                settings: "auth_method = \"none\"",
                redirects: true,
            },
            compat: DemoClient {
                id: "demo-compat",
                name: "Demo Old Client",
                about: "a client as ERPNext 15 serves them: no PKCE, no client authentication needed",
                secret: Some(secret()),
                settings: "mode = \"compat\"\nallow = [\"password\", \"implicit\"]",
                redirects: true,
            },
            service: DemoClient {
                id: "demo-service",
                name: "Demo Backend",
                about: "a backend without a user at hand: client_credentials, acts as its service user",
                secret: Some(secret()),
                settings: "grant_types = [\"client_credentials\"]\nservice_user = \"bob@example.com\"",
                redirects: false,
            },
        }
    }

    pub fn all(&self) -> [&DemoClient; 4] {
        [&self.web, &self.app, &self.compat, &self.service]
    }

    /// Those that a browser can log in for.
    pub fn with_redirect(&self) -> impl Iterator<Item = &DemoClient> {
        self.all().into_iter().filter(|client| client.redirects)
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
        format!("\n[[client]]\nid = \"{}\"\nname = \"{}\"\n{}\n{secret}{redirects}", self.id, self.name, self.settings)
    }
}

/// 256 random bits: HS256 and the rules for strict clients want no less.
fn secret() -> String {
    unguessable::<32>()
}

/// `N` random bytes in base64url.
pub fn unguessable<const N: usize>() -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let random: &dyn Random = &OsRandom;
    URL_SAFE_NO_PAD.encode(random.bytes::<N>())
}
