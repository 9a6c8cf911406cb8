//! `[[client]]`: clients that this file registers.

use std::{path::PathBuf, sync::Arc};

use serde::Deserialize;

use super::optional::empty_is_none;
use crate::{
    oauth::{
        AgentTerms, Allowance, Allowances, Client, ClientAuthMethod, ClientId, ClientKeys, ClientMode, ClientSource,
        DailyBudget, DocumentUrl, GrantType, IdTokenClaims, KeySource, Pkce, RedirectUri, ResponseType, Scope,
        SigningAlgorithm, UserName,
    },
    secret::Secret,
};

/// `[[client]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientSettings {
    /// Its `client_id`. Needed.
    pub id: String,
    /// What the consent page calls it. Default empty: its id.
    pub name: String,
    /// The file with its secret. Default none: a public client.
    #[serde(deserialize_with = "empty_is_none")]
    pub secret_file: Option<PathBuf>,
    /// The same in the configuration itself, in place of the file; where a file is named, what it held when loaded.
    #[serde(deserialize_with = "empty_is_none")]
    pub secret: Option<Secret>,
    /// Its redirect URIs. Needed with a grant type that redirects.
    pub redirect_uris: Vec<RedirectUri>,
    /// The scopes that it may be granted. Default `all` and `openid`, as ERPNext's clients have them.
    pub scopes: Vec<Scope>,
    /// The grant types that it may use. Default `authorization_code` and `refresh_token`.
    pub grant_types: Vec<GrantType>,
    /// The response types that it may ask for. Default none named: `code`, and with the allowance `implicit` the others.
    pub response_types: Vec<ResponseType>,
    /// How it authenticates. Default: `client_secret_basic` with a secret, `private_key_jwt` with keys, `none` with neither.
    #[serde(deserialize_with = "empty_is_none")]
    pub auth_method: Option<ClientAuthMethod>,
    /// Whether it must use PKCE. Default: `required` of a public client, else `optional` (decision 28).
    #[serde(deserialize_with = "empty_is_none")]
    pub pkce: Option<Pkce>,
    /// How lax the gateway is with it. Default `strict`.
    pub mode: ClientMode,
    /// Single allowances besides those of the mode. Default none.
    pub allow: Allowances,
    /// Which claims of the user its id_tokens carry. Default `full`.
    pub id_token_claims: IdTokenClaims,
    /// Whether users are not asked for consent. Default false.
    pub skip_consent: bool,
    /// The clients whose access tokens it may exchange for its own (RFC 8693). Default none.
    pub exchanges_tokens_of: Vec<ClientId>,
    /// The user that its own tokens (`client_credentials`) act as. Default none.
    #[serde(deserialize_with = "empty_is_none")]
    pub service_user: Option<UserName>,
    /// The algorithm of its id_tokens. Default empty: that of `[tokens]`.
    #[serde(deserialize_with = "empty_is_none")]
    pub id_token_alg: Option<SigningAlgorithm>,
    /// Roles of which its users need one. Default none: every user may.
    pub allowed_roles: Vec<String>,
    /// Where a logout may lead. Default none.
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where it is told of a logout. Default none.
    #[serde(deserialize_with = "empty_is_none")]
    pub backchannel_logout_uri: Option<RedirectUri>,
    /// Whether its grants end when the user logs out of ERPNext, but for those with `offline_access`. Default false: those
    /// of strict clients end at the end session endpoint, and others live on.
    pub ends_with_login: bool,
    /// Whether its authorization requests must be pushed (RFC 9126 §6). Default false: it may push them.
    pub require_pushed_authorization_requests: bool,
    /// Whether its tokens must be bound to a key that it holds (RFC 9449 §5.2). Default false: they are where it sends a proof.
    pub dpop_bound_access_tokens: bool,
    /// Whether it is an agent: it reads with `erp:read`, writes with `erp:write`, which users tick, and has a budget. Default
    /// false. An agent that names no scopes has `openid`, `profile`, `email`, `offline_access`, `erp:read`, `erp:write`.
    pub agent: bool,
    /// How many requests the agent may send in a day (UTC). Default: as `[agents]` says.
    pub requests_per_day: Option<DailyBudget>,
    /// How many of them may be writes. Default: as `[agents]` says.
    pub writes_per_day: Option<DailyBudget>,
    /// Its public keys, a JWK Set (RFC 7517 §5), for `private_key_jwt`. Default none.
    pub jwks: Option<serde_json::Value>,
    /// Where it publishes its public keys, in place of `jwks`. Default none.
    #[serde(deserialize_with = "empty_is_none")]
    pub jwks_uri: Option<DocumentUrl>,
    /// The keys that the block has: one that overrides a client of ERPNext's changes these alone.
    #[serde(skip)]
    pub given: Vec<&'static str>,
}

/// What a block may say of a client that ERPNext registers, all but its secret and its redirect URIs, and what each key
/// changes, in this order: what ERPNext's row allows goes with the key that no longer lists it, and `allow` adds.
pub(super) const OVERRIDABLE: [(&str, Override); 20] = [
    ("name", |client, block| client.name.clone_from(&block.name)),
    ("scopes", |client, block| client.scopes = block.scopes.clone()),
    ("grant_types", |client, block| {
        client.grant_types.clone_from(&block.grant_types);
        if !block.grant_types.contains(&GrantType::Password) {
            client.allow = client.allow.without(Allowance::Password);
        }
        if !block.grant_types.contains(&GrantType::Implicit) {
            close_implicit(client);
        }
    }),
    ("response_types", |client, block| {
        client.response_types.clone_from(&block.response_types);
        if !block.response_types.iter().any(|response| response.uses_fragment()) {
            close_implicit(client);
        }
    }),
    ("auth_method", |client, block| {
        client.auth_method = block.auth_method;
        client.pkce = block.pkce;
    }),
    ("pkce", |client, block| client.pkce = block.pkce),
    ("mode", |client, block| {
        client.mode = block.mode;
        if block.mode == ClientMode::Strict {
            client.allow = client.allow.without(Allowance::Password);
            client.grant_types.retain(|grant_type| *grant_type != GrantType::Password);
            if !block.grant_types.contains(&GrantType::Implicit) {
                close_implicit(client);
            }
        }
    }),
    ("allow", |client, block| client.allow = client.allow.iter().chain(block.allow.iter()).collect()),
    ("id_token_claims", |client, block| client.id_token_claims = block.id_token_claims),
    ("skip_consent", |client, block| client.skip_consent = block.skip_consent),
    ("exchanges_tokens_of", |client, block| client.exchanges_tokens_of.clone_from(&block.exchanges_tokens_of)),
    ("service_user", |client, block| client.service_user.clone_from(&block.service_user)),
    ("id_token_alg", |client, block| client.id_token_alg = block.id_token_alg),
    ("allowed_roles", |client, block| client.allowed_roles.clone_from(&block.allowed_roles)),
    ("post_logout_redirect_uris", |client, block| {
        client.post_logout_redirect_uris.clone_from(&block.post_logout_redirect_uris);
    }),
    ("backchannel_logout_uri", |client, block| {
        client.backchannel_logout_uri.clone_from(&block.backchannel_logout_uri);
    }),
    ("ends_with_login", |client, block| client.ends_with_login = block.ends_with_login),
    ("dpop_bound_access_tokens", |client, block| client.binds_tokens = block.binds_tokens),
    ("require_pushed_authorization_requests", |client, block| client.pushes_requests = block.pushes_requests),
    // Behind what it takes back.
    ("agent", |client, block| {
        if let Some(terms) = block.agent {
            *client = client.clone().into_agent(terms);
        }
    }),
];

/// Takes the response types away that put a token into the fragment. A client that had no others has the code.
fn close_implicit(client: &mut Client) {
    client.allow = client.allow.without(Allowance::Implicit);
    client.response_types.retain(|response| !response.uses_fragment());
    let was_listed = client.grant_types.contains(&GrantType::Implicit);
    client.grant_types.retain(|grant_type| *grant_type != GrantType::Implicit);
    if was_listed && !client.grant_types.contains(&GrantType::AuthorizationCode) {
        client.grant_types.retain(|grant_type| *grant_type != GrantType::RefreshToken);
        client.grant_types.extend([GrantType::AuthorizationCode, GrantType::RefreshToken]);
    }
    if client.response_types.is_empty() && client.grant_types.contains(&GrantType::AuthorizationCode) {
        client.response_types.push(ResponseType::CODE);
    }
}

/// Changes a client to what the block's has.
type Override = fn(&mut Client, &Client);

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            secret_file: None,
            secret: None,
            redirect_uris: Vec::new(),
            scopes: [Scope::ALL, Scope::OPENID].into_iter().filter_map(|scope| Scope::parse(scope).ok()).collect(),
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            response_types: Vec::new(),
            auth_method: None,
            pkce: None,
            mode: ClientMode::Strict,
            allow: Allowances::default(),
            id_token_claims: IdTokenClaims::Full,
            skip_consent: false,
            exchanges_tokens_of: Vec::new(),
            service_user: None,
            id_token_alg: None,
            allowed_roles: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            ends_with_login: false,
            require_pushed_authorization_requests: false,
            dpop_bound_access_tokens: false,
            agent: false,
            requests_per_day: None,
            writes_per_day: None,
            jwks: None,
            jwks_uri: None,
            given: Vec::new(),
        }
    }
}

impl ClientSettings {
    /// Notes which keys the block has. An agent's scopes are given in any case.
    pub(super) fn note_given(&mut self, has: impl Fn(&str) -> bool) {
        if self.agent && !has("scopes") {
            self.scopes = Scope::OF_AGENTS.into_iter().filter_map(|scope| Scope::parse(scope).ok()).collect();
        }
        let given = |key: &&str| has(key) || (self.agent && *key == "scopes");
        self.given = OVERRIDABLE.iter().map(|(key, _)| *key).filter(given).collect();
    }

    fn agent_terms(&self) -> Option<AgentTerms> {
        let Self { requests_per_day, writes_per_day, .. } = *self;
        self.agent.then_some(AgentTerms { requests_per_day, writes_per_day })
    }

    /// Whether the block, where clients are read from ERPNext, is about one of those.
    #[must_use]
    pub fn is_override(&self) -> bool {
        !self.has_secret() && !self.has_keys() && self.redirect_uris.is_empty()
    }

    /// A client of ERPNext's as this block has it.
    #[must_use]
    pub fn override_client(&self, client: Client) -> Client {
        let block = self.to_client();
        let mut client = client;
        for (key, take) in OVERRIDABLE {
            if self.given.contains(&key) {
                take(&mut client, &block);
            }
        }
        if self.allow.contains(Allowance::Password) && !client.grant_types.contains(&GrantType::Password) {
            client.grant_types.push(GrantType::Password);
        }
        client
    }

    /// How it authenticates: as said, or as what it has tells.
    #[must_use]
    pub fn auth_method(&self) -> ClientAuthMethod {
        let by_what_it_has = match (self.has_secret(), self.has_keys()) {
            (true, _) => ClientAuthMethod::Basic,
            (false, true) => ClientAuthMethod::PrivateKeyJwt,
            (false, false) => ClientAuthMethod::None,
        };
        self.auth_method.unwrap_or(by_what_it_has)
    }

    pub(super) const fn has_secret(&self) -> bool {
        self.secret.is_some() || self.secret_file.is_some()
    }

    /// Whether it has keys, given or published.
    pub(super) const fn has_keys(&self) -> bool {
        self.jwks.is_some() || self.jwks_uri.is_some()
    }

    fn keys(&self) -> Option<KeySource> {
        // Keys that can't be read are a problem that was reported: they verify nothing.
        let given = self.jwks.as_ref().and_then(|keys| ClientKeys::parse(keys).ok());
        given.map(Arc::new).map(KeySource::Given).or_else(|| self.jwks_uri.clone().map(KeySource::At))
    }

    /// Whether it may use the response types that put a token into the fragment: by the allowance, or because they are
    /// listed.
    pub(super) fn is_implicit(&self) -> bool {
        self.allow.contains(Allowance::Implicit) || self.response_types.iter().any(|response| response.uses_fragment())
    }

    fn response_types(&self) -> Vec<ResponseType> {
        if !self.response_types.is_empty() {
            return self.response_types.clone();
        }
        let redirects = self.grant_types.contains(&GrantType::AuthorizationCode);
        let code = redirects.then_some(ResponseType::CODE);
        let implicit =
            ResponseType::IMPLICIT.into_iter().filter(|response| self.is_implicit() && (redirects || !response.code));
        code.into_iter().chain(implicit).collect()
    }

    fn grant_types(&self) -> Vec<GrantType> {
        let mut grant_types = self.grant_types.clone();
        let by_allowance = [
            (GrantType::Password, self.allow.contains(Allowance::Password)),
            (GrantType::Implicit, self.is_implicit()),
        ];
        for (grant_type, allowed) in by_allowance {
            if allowed && !grant_types.contains(&grant_type) {
                grant_types.push(grant_type);
            }
        }
        grant_types
    }

    /// The client that these settings register.
    #[must_use]
    pub fn to_client(&self) -> Client {
        let auth_method = self.auth_method();
        let default_pkce = if auth_method == ClientAuthMethod::None { Pkce::Required } else { Pkce::Optional };
        Client {
            id: ClientId::new(&self.id),
            name: if self.name.is_empty() { self.id.clone() } else { self.name.clone() },
            secret: self.secret.clone(),
            keys: self.keys(),
            auth_method,
            pushes_requests: self.require_pushed_authorization_requests,
            binds_tokens: self.dpop_bound_access_tokens,
            redirect_uris: self.redirect_uris.clone(),
            default_redirect_uri: None,
            scopes: self.scopes.iter().cloned().collect(),
            grant_types: self.grant_types(),
            response_types: self.response_types(),
            pkce: self.pkce.unwrap_or(default_pkce),
            mode: self.mode,
            allow: if self.is_implicit() { self.allow.with(Allowance::Implicit) } else { self.allow },
            id_token_claims: self.id_token_claims,
            skip_consent: self.skip_consent,
            exchanges_tokens_of: self.exchanges_tokens_of.clone(),
            service_user: self.service_user.clone(),
            id_token_alg: self.id_token_alg,
            allowed_roles: self.allowed_roles.clone(),
            post_logout_redirect_uris: self.post_logout_redirect_uris.clone(),
            backchannel_logout_uri: self.backchannel_logout_uri.clone(),
            ends_with_login: self.ends_with_login,
            agent: self.agent_terms(),
            enabled: true,
            source: ClientSource::File,
        }
    }
}
