//! The documents that tests make and look at.

/// A user of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The id; for all but Administrator and Guest the e-mail address.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// Given name.
    pub first_name: String,
    /// Family name; empty for none.
    pub last_name: String,
    /// Empty for one who cannot log in.
    pub password: String,
    /// Whether the user may log in.
    pub enabled: bool,
    /// Roles assigned, without the automatic ones.
    pub roles: Vec<String>,
    /// `System User` or `Website User`.
    pub user_type: String,
    /// `user_image`: a path or an absolute URL.
    pub image: Option<String>,
    /// *User Social Login*.`userid` for provider `frappe`; Administrator has none.
    pub sub: Option<String>,
    /// What the user's form has besides; empty is null.
    pub details: UserDetails,
    /// What a login with the right password still asks for.
    pub asks_for: AsksFor,
}

/// What a login with the right password still asks for (`frappe/auth.py`, `LoginManager.login`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AsksFor {
    /// Nothing.
    #[default]
    Nothing,
    /// A one-time password.
    SecondFactor,
    /// A new password.
    NewPassword,
}

/// Fields of a user that no OAuth answer of Frappe's has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserDetails {
    /// A row of *Gender*.
    pub gender: String,
    /// `YYYY-MM-DD`
    pub birth_date: String,
    /// Free text.
    pub mobile_no: String,
    /// Free text.
    pub location: String,
}

impl User {
    /// A System User with this address, whose names and `sub` are made from it.
    pub fn system(email: &str, password: &str) -> Self {
        let local = email.split('@').next().unwrap_or(email);
        let mut letters = local.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase()).into_iter();
        Self {
            name: email.to_owned(),
            email: email.to_owned(),
            first_name: first.chain(letters).collect(),
            last_name: String::new(),
            password: password.to_owned(),
            enabled: true,
            roles: Vec::new(),
            user_type: "System User".to_owned(),
            image: None,
            sub: Some(super::random::sha256_hex(email.as_bytes())[..39].to_owned()),
            details: UserDetails::default(),
            asks_for: AsksFor::Nothing,
        }
    }

    /// A Website User with this address.
    pub fn website(email: &str, password: &str) -> Self {
        Self { user_type: "Website User".to_owned(), ..Self::system(email, password) }
    }

    /// The user with these names.
    #[must_use]
    pub fn named(mut self, first: &str, last: &str) -> Self {
        first.clone_into(&mut self.first_name);
        last.clone_into(&mut self.last_name);
        self
    }

    /// The user with these details.
    #[must_use]
    pub fn with_details(self, details: UserDetails) -> Self {
        Self { details, ..self }
    }

    /// The user with these assigned roles.
    #[must_use]
    pub fn with_roles(mut self, roles: &[&str]) -> Self {
        self.roles = roles.iter().map(|role| (*role).to_owned()).collect();
        self
    }

    /// First and last name.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }

    /// Whether the user may use Desk.
    pub fn is_system(&self) -> bool {
        self.user_type == "System User"
    }

    /// Roles in effect, the automatic ones at the end, in Frappe's order.
    pub fn effective_roles(&self) -> Vec<String> {
        let mut roles = self.roles.clone();
        let automatic: &[&str] = if self.is_system() { &["All", "Guest", "Desk User"] } else { &["All", "Guest"] };
        for role in automatic {
            if !roles.iter().any(|has| has == role) {
                roles.push((*role).to_owned());
            }
        }
        roles
    }
}

/// An *OAuth Client*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The `client_id`.
    pub name: String,
    /// Its title.
    pub app_name: String,
    /// In clear.
    pub client_secret: String,
    /// Separated by blanks.
    pub redirect_uris: String,
    /// One URI.
    pub default_redirect_uri: String,
    /// Separated by blanks.
    pub scopes: String,
    /// `Authorization Code` or `Implicit`.
    pub grant_type: String,
    /// `Code` or `Token`.
    pub response_type: String,
    /// No consent page.
    pub skip_authorization: bool,
    /// Roles that may use it.
    pub allowed_roles: Vec<String>,
}

impl Client {
    /// A code client for every Desk User, with one redirect URI.
    pub fn new(name: &str, secret: &str, redirect_uri: &str) -> Self {
        Self {
            name: name.to_owned(),
            app_name: name.to_owned(),
            client_secret: secret.to_owned(),
            redirect_uris: redirect_uri.to_owned(),
            default_redirect_uri: redirect_uri.to_owned(),
            scopes: "all openid".to_owned(),
            grant_type: "Authorization Code".to_owned(),
            response_type: "Code".to_owned(),
            skip_authorization: false,
            allowed_roles: vec!["Desk User".to_owned()],
        }
    }
}

/// A row of *OAuth Bearer Token*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The token, which is also the row's name.
    pub access_token: String,
    /// For the refresh grant.
    pub refresh_token: Option<String>,
    /// An OAuth Client; without it the token is refused.
    pub client: Option<String>,
    /// Whom it acts as.
    pub user: String,
    /// Separated by blanks; without any the token is refused.
    pub scopes: Option<String>,
    /// In seconds, for show.
    pub expires_in: i64,
    /// In the site's time zone; `None` lets `add_bearer` compute it from `expires_in`.
    pub expiration_time: Option<String>,
    /// `Active` or `Revoked`.
    pub status: String,
    /// Who made the row.
    pub owner: String,
}

impl Bearer {
    /// An active token for an hour with the scopes `all openid`.
    pub fn new(access_token: &str, client: &str, user: &str) -> Self {
        Self {
            access_token: access_token.to_owned(),
            refresh_token: None,
            client: Some(client.to_owned()),
            user: user.to_owned(),
            scopes: Some("all openid".to_owned()),
            expires_in: 3600,
            expiration_time: None,
            status: "Active".to_owned(),
            owner: "Administrator".to_owned(),
        }
    }
}

/// A login session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginSession {
    /// The cookie's value.
    pub sid: String,
    /// Whose it is.
    pub user: String,
    /// Made when Desk is first shown; from then on unsafe methods need it.
    pub csrf_token: Option<String>,
}

/// A file of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// `/files/…` or `/private/files/…`.
    pub url: String,
    /// Who may read a private one, besides Administrator.
    pub owner: String,
    /// Its bytes.
    pub content: Vec<u8>,
}
