//! What the gateway knows of an OAuth client (RFC 6749 §2, RFC 7591 §2).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{AgentTerms, ClientId, KeySource, RedirectUri, ResponseType, Scope, Scopes, UserName};
use crate::secret::Secret;

/// A registered client, whatever its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// `client_id`.
    pub id: ClientId,
    /// What the consent page calls it.
    pub name: String,
    /// Its secret; a public client has none.
    pub secret: Option<Secret>,
    /// Its public keys, where it shows who it is by a signature.
    pub keys: Option<KeySource>,
    /// How it proves who it is.
    pub auth_method: ClientAuthMethod,
    /// Whether its authorization requests must be pushed (RFC 9126 §6).
    pub pushes_requests: bool,
    /// Whether its tokens must be bound to a key that it holds (RFC 9449 §5.2).
    pub binds_tokens: bool,
    /// Its registered redirect URIs.
    pub redirect_uris: Vec<RedirectUri>,
    /// The one that is meant when a request names none.
    pub default_redirect_uri: Option<RedirectUri>,
    /// The scopes that it may be granted; asked for none, it gets them all.
    pub scopes: Scopes,
    /// The grant types that it may use.
    pub grant_types: Vec<GrantType>,
    /// The response types that it may ask for.
    pub response_types: Vec<ResponseType>,
    /// Whether its authorization requests need a code challenge.
    pub pkce: Pkce,
    /// Strict or compat.
    pub mode: ClientMode,
    /// Allowances given one by one, besides those of the mode.
    pub allow: Allowances,
    /// Which claims of the user its id_tokens carry.
    pub id_token_claims: IdTokenClaims,
    /// Whether users are not asked for consent.
    pub skip_consent: bool,
    /// The clients whose tokens it may exchange for its own (RFC 8693).
    pub exchanges_tokens_of: Vec<ClientId>,
    /// The user that tokens of `client_credentials` act as.
    pub service_user: Option<UserName>,
    /// The algorithm of its id_tokens; `None` is the gateway's setting.
    pub id_token_alg: Option<SigningAlgorithm>,
    /// Roles of which its users need one; none listed: every user may.
    pub allowed_roles: Vec<String>,
    /// Where a logout may lead (OpenID Connect RP-Initiated Logout 1.0 §3.1).
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where it is told of a logout (OpenID Connect Back-Channel Logout 1.0 §2.2).
    pub backchannel_logout_uri: Option<RedirectUri>,
    /// Whether its grants end with the user's login session, however that ends.
    pub ends_with_login: bool,
    /// Whether it is an agent, and on which terms: it reads and writes by scopes of its own, within a budget.
    pub agent: Option<AgentTerms>,
    /// A disabled client is as good as unknown.
    pub enabled: bool,
    /// Where it was registered.
    pub source: ClientSource,
}

impl Client {
    /// Whether it can keep a secret (RFC 6749 §2.1).
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.auth_method == ClientAuthMethod::None
    }

    /// Whether a lax behaviour is allowed: by the mode, or by name.
    #[must_use]
    pub fn allows(&self, allowance: Allowance) -> bool {
        self.allow.contains(allowance) || (self.mode == ClientMode::Compat && allowance.is_compat())
    }

    /// Whether a user who allows it something must tick this scope besides: it is an agent's, and may do more than read.
    #[must_use]
    pub fn must_be_ticked(&self, scope: &str) -> bool {
        self.agent.is_some() && !Scope::only_reads(scope)
    }

    /// The same client as an agent: `all` is not for it, and its users are asked.
    #[must_use]
    pub fn into_agent(self, terms: AgentTerms) -> Self {
        let scopes = self.scopes.filtered(|scope| scope != Scope::ALL);
        Self { agent: Some(terms), scopes, skip_consent: false, ..self }
    }

    /// Whether it may ask the authorization endpoint for this.
    #[must_use]
    pub fn may_ask_for(&self, response_type: ResponseType) -> bool {
        // One that comes through the browser is bound to no key.
        if response_type.token && self.binds_tokens {
            return false;
        }
        if response_type.uses_fragment() {
            self.allows(Allowance::Implicit) || self.response_types.contains(&response_type)
        } else {
            self.response_types.contains(&ResponseType::CODE)
        }
    }

    /// Whether it may be granted this scope. Where `openid` is registered, the standard scopes of OpenID Connect are allowed
    /// too (decision 20). `roles` is with `openid` where the client registered no family of claims: `openid` means it then.
    #[must_use]
    pub fn may_be_granted(&self, scope: &str) -> bool {
        let by_openid = Scope::OIDC_STANDARD.contains(&scope) || (scope == "roles" && !self.scopes.name_claims());
        self.scopes.contains(scope) || (self.scopes.contains(Scope::OPENID) && by_openid)
    }

    /// Whether it may exchange tokens for its own (RFC 8693): somebody's, and only as a client that shows who it is.
    #[must_use]
    pub fn may_exchange_tokens(&self) -> bool {
        let may = self.grant_types.contains(&GrantType::TokenExchange) && !self.is_public();
        may && !self.exchanges_tokens_of.is_empty()
    }

    /// Whether what it is granted without `offline_access` ends at the end session endpoint (decision 31). ERPNext's own
    /// tokens outlive a logout, and its clients rely on that.
    #[must_use]
    pub fn grants_end_with_login(&self) -> bool {
        self.ends_with_login || self.mode != ClientMode::Compat
    }

    /// The redirect URI that is meant when a request names none.
    #[must_use]
    pub fn sole_redirect_uri(&self) -> Option<&RedirectUri> {
        match (&self.default_redirect_uri, self.redirect_uris.as_slice()) {
            (Some(default), _) => Some(default),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it in settings and on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or(UnknownWord)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

/// The word names no value of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown value")]
pub struct UnknownWord;

words! {
    /// How a client authenticates at the token endpoint (OpenID Connect Core §9).
    ClientAuthMethod {
        /// HTTP Basic (RFC 6749 §2.3.1).
        Basic = "client_secret_basic",
        /// In the form.
        Post = "client_secret_post",
        /// Basic or post: ERPNext's clients have no method, and always a secret.
        Secret = "client_secret",
        /// A signed assertion (RFC 7523).
        PrivateKeyJwt = "private_key_jwt",
        /// Not at all: a public client.
        None = "none",
    }
}

words! {
    /// The grant types (RFC 6749 §4, §6; RFC 8628; RFC 8693).
    GrantType {
        /// §4.1
        AuthorizationCode = "authorization_code",
        /// §6
        RefreshToken = "refresh_token",
        /// §4.4
        ClientCredentials = "client_credentials",
        /// §4.3
        Password = "password",
        /// §4.2; never at the token endpoint.
        Implicit = "implicit",
        /// RFC 8628 §3.4
        DeviceCode = "urn:ietf:params:oauth:grant-type:device_code",
        /// RFC 8693 §2.1
        TokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange",
    }
}

words! {
    /// Whether an authorization request needs a code challenge (RFC 7636).
    Pkce {
        /// It does.
        Required = "required",
        /// Only checked when it is there.
        Optional = "optional",
    }
}

words! {
    /// How lax the gateway is with a client.
    ClientMode {
        /// To the letter of the RFCs.
        Strict = "strict",
        /// As ERPNext was, by the allowances of [`Allowance::is_compat`].
        Compat = "compat",
    }
}

words! {
    /// Which claims of the user an id_token carries.
    IdTokenClaims {
        /// All that the scopes allow, as ERPNext's do.
        Full = "full",
        /// Only what the `claims` parameter asks for.
        Minimal = "minimal",
    }
}

words! {
    /// Where a client was registered.
    ClientSource {
        /// ERPNext's doctype *OAuth Client*.
        Erpnext = "erpnext",
        /// The configuration file.
        File = "file",
        /// The registration endpoint, or the command line.
        Registered = "registered",
        /// Nowhere: its id is the URL of a document that describes it.
        Document = "document",
    }
}

impl ClientSource {
    /// Whether anybody can make such a client, so that it is nobody whom the operator knows.
    #[must_use]
    pub const fn is_anybodys(self) -> bool {
        match self {
            Self::Registered | Self::Document => true,
            Self::File | Self::Erpnext => false,
        }
    }
}

words! {
    /// How id_tokens are signed (RFC 7518 §3.1).
    SigningAlgorithm {
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        Rs256 = "RS256",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// Ed25519.
        EdDsa = "EdDSA",
        /// HMAC with the client's secret; only by [`Allowance::Hs256`].
        Hs256 = "HS256",
    }
}

words! {
    /// A lax behaviour that one client is allowed and every use of which is counted (decision 29).
    Allowance {
        /// A confidential client may leave its secret out.
        NoSecret = "no_secret",
        /// An authorization request may come without a code challenge where it is required.
        NoPkce = "no_pkce",
        /// `code_challenge_method=plain`.
        PlainPkce = "plain_pkce",
        /// A verifier, and with plain a challenge, of fewer than 43 characters.
        ShortVerifier = "short_verifier",
        /// id_tokens signed HS256 with the client's secret.
        Hs256 = "hs256",
        /// Earlier refresh tokens of a grant keep working.
        OldRefresh = "old_refresh",
        /// Introspection without credentials.
        OpenIntrospection = "open_introspection",
        /// Revocation without credentials.
        OpenRevocation = "open_revocation",
        /// A token request as multipart form.
        MultipartToken = "multipart_token",
        /// An introspection request as JSON.
        JsonIntrospection = "json_introspection",
        /// A refresh without `client_id`.
        RefreshWithoutClientId = "refresh_without_client_id",
        /// Userinfo for a token of any scope.
        AnyScopeProfile = "any_scope_profile",
        /// `grant_type=password`.
        Password = "password",
        /// The response types that carry a token in the fragment.
        Implicit = "implicit",
    }
}

impl Allowance {
    /// Whether the mode compat switches it on; the others are given by name only.
    #[must_use]
    pub const fn is_compat(self) -> bool {
        !matches!(self, Self::Password | Self::Implicit)
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of allowances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Allowances(u32);

impl Allowances {
    /// Whether the allowance is in the set.
    #[must_use]
    pub const fn contains(self, allowance: Allowance) -> bool {
        self.0 & allowance.bit() != 0
    }

    /// The set with this allowance in it.
    #[must_use]
    pub const fn with(self, allowance: Allowance) -> Self {
        Self(self.0 | allowance.bit())
    }

    /// The set without this allowance.
    #[must_use]
    pub const fn without(self, allowance: Allowance) -> Self {
        Self(self.0 & !allowance.bit())
    }

    /// The allowances of the set.
    pub fn iter(self) -> impl Iterator<Item = Allowance> {
        Allowance::ALL.iter().copied().filter(move |allowance| self.contains(*allowance))
    }
}

impl FromIterator<Allowance> for Allowances {
    fn from_iter<I: IntoIterator<Item = Allowance>>(allowances: I) -> Self {
        allowances.into_iter().fold(Self::default(), Self::with)
    }
}

impl<'de> Deserialize<'de> for Allowances {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Allowance>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compat_allows_all_but_what_only_the_operator_may_allow() {
        let by_mode: Vec<_> = Allowance::ALL.iter().filter(|a| !a.is_compat()).collect();
        assert_eq!(by_mode, [&Allowance::Password, &Allowance::Implicit]);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: Allowances = [Allowance::NoSecret, Allowance::Implicit].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Allowance::NoSecret, Allowance::Implicit]);
        assert!(!set.contains(Allowance::Password));
    }

    #[test]
    fn words_are_read_back() {
        for allowance in Allowance::ALL {
            assert_eq!(allowance.as_str().parse(), Ok(*allowance));
        }
        assert_eq!("jwt".parse::<GrantType>(), Err(UnknownWord));
    }
}
