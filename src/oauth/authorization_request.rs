//! An authorization request whose client, redirect URI, response type, challenge and scopes have been checked.

use serde::{Deserialize, Serialize};

use super::{
    ClientId, KeyThumbprint, Resources, ResponseMode, ResponseType, Scope, Scopes, Subject, pkce::CodeChallenge,
    profile::scope_of_claim,
};

/// What an accepted authorization request asks for (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client_id: ClientId,
    /// Where the answer goes: as presented, or the client's sole one.
    pub redirect_uri: RedirectTarget,
    /// What is asked for.
    pub response_type: ResponseType,
    /// How the answer travels.
    pub response_mode: ResponseMode,
    /// Returned as it came.
    pub state: Option<String>,
    /// The scopes to be granted.
    pub scopes: Scopes,
    /// Goes into the id_token.
    pub nonce: Option<String>,
    /// The code challenge.
    pub code_challenge: Option<CodeChallenge>,
    /// Which pages may or must be shown.
    pub prompt: Prompt,
    /// How old a login may be, in seconds.
    pub max_age: Option<u64>,
    /// The subject that an `id_token_hint` named.
    pub hinted_subject: Option<Subject>,
    /// Who is expected to log in.
    pub login_hint: Option<String>,
    /// The claims of the id_token that `claims` asks for by name.
    pub id_token_claims: Vec<String>,
    /// The claims of userinfo that `claims` asks for by name.
    #[serde(default)]
    pub userinfo_claims: Vec<String>,
    /// Whether the id_token must say when the user logged in.
    #[serde(default)]
    pub needs_auth_time: bool,
    /// The key that whoever presents the code must hold (RFC 9449 §10).
    #[serde(default)]
    pub dpop_key: Option<KeyThumbprint>,
    /// The resources that tokens are to be for (RFC 8707 §2.1).
    #[serde(default)]
    pub resources: Resources,
    /// The languages that pages are wanted in, in the order of preference.
    #[serde(default)]
    pub ui_locales: Option<String>,
}

impl AuthorizationRequest {
    /// What the user is asked to consent to: the scopes, and those of the claims that are asked for by name.
    #[must_use]
    pub fn consent_scopes(&self) -> Scopes {
        let named = self.id_token_claims.iter().chain(&self.userinfo_claims);
        let scopes = named.filter_map(|claim| Scope::parse(scope_of_claim(claim)?).ok());
        self.scopes.union(&scopes.collect())
    }
}

/// The redirect URI of a request, and whether the request itself named it: the token request must repeat it then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedirectTarget {
    /// The URI.
    pub uri: String,
    /// Whether it stood in the request.
    pub named: bool,
}

/// The values of `prompt` (OpenID Connect Core §3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// No page at all.
    pub none: bool,
    /// Log in again.
    pub login: bool,
    /// Ask for consent again.
    pub consent: bool,
    /// Let the user choose an account.
    pub select_account: bool,
}

impl Prompt {
    /// Takes a `prompt`; `None` for an unknown value, and for `none` beside another one (decision 19).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut prompt = Self::default();
        for word in text.split_ascii_whitespace() {
            match word {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" => prompt.select_account = true,
                _ => return None,
            }
        }
        let shows_a_page = prompt.login || prompt.consent || prompt.select_account;
        (!(prompt.none && shows_a_page)).then_some(prompt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_stands_alone_and_unknown_values_are_refused() {
        assert_eq!(Prompt::parse("none"), Some(Prompt { none: true, ..Prompt::default() }));
        assert_eq!(Prompt::parse("login consent"), Some(Prompt { login: true, consent: true, ..Prompt::default() }));
        assert_eq!(Prompt::parse("none login"), None);
        assert_eq!(Prompt::parse("create"), None);
    }
}
