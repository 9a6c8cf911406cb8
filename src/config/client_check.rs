//! The rules of a `[[client]]` that go over more than one key.

use super::{ClientSync, FetchSettings, client::ClientSettings, findings::Findings};
use crate::oauth::{Allowance, ClientAuthMethod, ClientKeys, ClientMode, GrantType, Pkce, Scope, SigningAlgorithm};

const USE_METHOD: &str = "use \"client_secret_basic\", \"client_secret_post\", \"private_key_jwt\" or \"none\"";
const NOTHING_TO_DO: &str = "the list is empty: the client could do nothing";
const NEEDS_SERVICE_USER: &str = "needed by the grant type client_credentials: the ERPNext user that the tokens act as";
const NEEDS_TOKENS: &str = "needed by the grant type urn:ietf:params:oauth:grant-type:token-exchange: the clients whose tokens it may exchange";

/// Checks every client, and that no two have one id.
pub(super) fn check(clients: &[ClientSettings], sync: ClientSync, findings: &mut Findings<'_>) {
    for (index, client) in clients.iter().enumerate() {
        let rules = Rules { client, at: format!("client[{index}]") };
        rules.check_id(findings);
        if let Some(earlier) =
            clients.iter().take(index).position(|earlier| earlier.id == client.id && !client.id.is_empty())
        {
            findings.add(&rules.key("id"), format!("client[{earlier}] has the same id"));
        }
        let overrides = sync == ClientSync::Sync && client.is_override();
        if overrides {
            rules.check_override(findings);
        } else {
            rules.check_secret(findings);
            rules.check_keys(findings);
            rules.check_grant_types(findings);
            rules.check_pkce(findings);
            rules.check_algorithm(findings);
        }
        rules.check_exchange(overrides, findings);
        rules.check_agent(findings);
        rules.check_logout(findings);
    }
}

/// Keys that would never be fetched are found before a client misses them.
pub(super) fn check_key_urls(clients: &[ClientSettings], fetch: &FetchSettings, findings: &mut Findings<'_>) {
    for (index, client) in clients.iter().enumerate() {
        let Some(url) = &client.jwks_uri else { continue };
        if !url.is_on_standard_port() && !fetch.allows(url.host()) {
            findings.add(
                &format!("client[{index}].jwks_uri"),
                "must be https on port 443, or lead to a host that fetch.allow_hosts names",
            );
        }
    }
}

/// What an operator is told who gives an agent too much.
pub(super) const ALL_IS_NOT_FOR_AGENTS: &str =
    "`all` is not for agents: name \"erp:read\" and \"erp:write\", of which users grant the second one apart";

struct Rules<'a> {
    client: &'a ClientSettings,
    at: String,
}

impl Rules<'_> {
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.at)
    }

    fn sound(&self, keys: &[&str], findings: &Findings<'_>) -> bool {
        keys.iter().all(|key| findings.sound(&[&self.key(key)]))
    }

    /// A block without secret and redirect URIs is about a client of ERPNext's, which has both.
    fn check_override(&self, findings: &mut Findings<'_>) {
        if !self.sound(&["secret", "secret_file", "redirect_uris"], findings) {
            return;
        }
        match self.client.auth_method {
            Some(ClientAuthMethod::Secret) => findings.add(&self.key("auth_method"), USE_METHOD),
            Some(ClientAuthMethod::PrivateKeyJwt) => findings.add(
                &self.key("auth_method"),
                "ERPNext has no keys of its clients: register a client of this file, with jwks and redirect_uris",
            ),
            Some(ClientAuthMethod::Basic | ClientAuthMethod::Post | ClientAuthMethod::None) | None => {}
        }
        if self.client.grant_types.is_empty() {
            findings.add(&self.key("grant_types"), NOTHING_TO_DO);
        }
        let path = self.key("service_user");
        let own = self.client.grant_types.contains(&GrantType::ClientCredentials);
        if own && self.client.service_user.is_none() && self.sound(&["grant_types", "service_user"], findings) {
            findings.add(&path, NEEDS_SERVICE_USER);
        }
    }

    /// RFC 6749 appendix A.1: visible characters and blanks; a colon would split the Basic credentials elsewhere.
    fn check_id(&self, findings: &mut Findings<'_>) {
        let id = &self.client.id;
        if id.is_empty() {
            findings.add(&self.key("id"), "needed: the client_id");
        } else if !id.bytes().all(|b| matches!(b, 0x21..=0x7e)) {
            findings.add(&self.key("id"), "only visible ASCII characters, no blanks");
        }
    }

    fn check_secret(&self, findings: &mut Findings<'_>) {
        let (client, secret) = (self.client, self.key("secret"));
        if client.secret.is_some() && client.secret_file.is_some() {
            findings.add(&secret, "give secret or secret_file, not both");
        }
        if !self.sound(&["secret", "secret_file", "auth_method"], findings) {
            return;
        }
        let method = self.key("auth_method");
        match client.auth_method {
            Some(ClientAuthMethod::Secret) => {
                findings.add(&method, USE_METHOD);
            }
            Some(ClientAuthMethod::None) if client.has_secret() => {
                findings.add(
                    &method,
                    "\"none\" is for public clients, but this one has a secret: remove the secret, or the method",
                );
            }
            Some(ClientAuthMethod::Basic | ClientAuthMethod::Post) if !client.has_secret() => {
                findings.add(&method, "this method needs a secret: add secret_file, or use \"none\"");
            }
            _ => {}
        }
    }

    /// A client shows who it is by one means.
    fn check_keys(&self, findings: &mut Findings<'_>) {
        let (client, path) = (self.client, self.key("jwks"));
        if let Some(Err(problem)) = client.jwks.as_ref().map(ClientKeys::parse) {
            findings.add(&path, problem.to_string());
        }
        let path = if client.jwks.is_some() { path } else { self.key("jwks_uri") };
        if client.jwks.is_some() && client.jwks_uri.is_some() {
            findings.add(&self.key("jwks_uri"), "give jwks or jwks_uri, not both");
        }
        if client.has_keys() && client.has_secret() {
            findings.add(&path, "keys are in place of a secret: remove the one or the other");
        }
        if !self.sound(&["auth_method", "jwks", "jwks_uri"], findings) {
            return;
        }
        let by_key = client.auth_method() == ClientAuthMethod::PrivateKeyJwt;
        if by_key && !client.has_keys() {
            findings.add(&self.key("auth_method"), "this method needs the client's public keys: add jwks or jwks_uri");
        } else if !by_key && client.has_keys() && !client.has_secret() {
            findings.add(&self.key("auth_method"), "keys are for \"private_key_jwt\": use that, or remove them");
        }
    }

    fn check_grant_types(&self, findings: &mut Findings<'_>) {
        if !self.sound(&["grant_types", "response_types", "allow", "redirect_uris"], findings) {
            return;
        }
        let (client, path) = (self.client, self.key("grant_types"));
        let uses = |grant_type| client.grant_types.contains(&grant_type);
        if client.grant_types.is_empty() {
            findings.add(&path, NOTHING_TO_DO);
        }
        let redirects = uses(GrantType::AuthorizationCode) || client.is_implicit();
        if redirects && client.redirect_uris.is_empty() {
            findings.add(
                &self.key("redirect_uris"),
                "needed by the grant type authorization_code: add one, or change grant_types",
            );
        }
        if client.response_types.iter().any(|response| response.code) && !uses(GrantType::AuthorizationCode) {
            findings.add(&self.key("response_types"), "a code needs the grant type authorization_code");
        }
        for (grant_type, allowed) in [
            (GrantType::Password, client.allow.contains(Allowance::Password)),
            (GrantType::Implicit, client.is_implicit()),
        ] {
            if uses(grant_type) && !allowed {
                findings
                    .add(&path, format!("{grant_type} is off unless the client may: add allow = [\"{grant_type}\"]"));
            }
        }
        if client.dpop_bound_access_tokens && client.is_implicit() {
            findings.add(
                &self.key("dpop_bound_access_tokens"),
                "a token that comes through the browser is bound to no key: remove the implicit response types, or this",
            );
        }
        self.check_client_credentials(uses(GrantType::ClientCredentials), findings);
    }

    fn check_client_credentials(&self, used: bool, findings: &mut Findings<'_>) {
        let path = self.key("service_user");
        if used && self.client.service_user.is_none() {
            findings.add(&path, NEEDS_SERVICE_USER);
        } else if !used && self.client.service_user.is_some() {
            findings.add(&path, "is only for the grant type client_credentials: add it to grant_types");
        }
        let public = self.client.auth_method() == ClientAuthMethod::None;
        if used && public && self.sound(&["auth_method", "secret", "secret_file"], findings) {
            findings.add(
                &self.key("grant_types"),
                "client_credentials is for clients with a secret (RFC 6749 §4.4): add secret_file",
            );
        }
    }

    /// A client of ERPNext's has a secret, unless its block says otherwise.
    fn check_exchange(&self, overrides: bool, findings: &mut Findings<'_>) {
        let (client, path) = (self.client, self.key("exchanges_tokens_of"));
        if !self
            .sound(&["grant_types", "exchanges_tokens_of", "auth_method", "secret", "secret_file", "jwks"], findings)
        {
            return;
        }
        let used = client.grant_types.contains(&GrantType::TokenExchange);
        if used && client.exchanges_tokens_of.is_empty() {
            findings.add(&path, NEEDS_TOKENS);
        } else if !used && !client.exchanges_tokens_of.is_empty() {
            findings
                .add(&path, format!("is only for the grant type {}: add it to grant_types", GrantType::TokenExchange));
        }
        let method = if overrides { client.auth_method } else { Some(client.auth_method()) };
        if used && method == Some(ClientAuthMethod::None) {
            findings.add(
                &self.key("grant_types"),
                "token exchange is for clients that authenticate: add secret_file, or jwks",
            );
        }
    }

    fn check_pkce(&self, findings: &mut Findings<'_>) {
        let public = self.client.auth_method() == ClientAuthMethod::None;
        let lax = self.client.mode == ClientMode::Compat || self.client.allow.contains(Allowance::NoPkce);
        let sound = self.sound(&["auth_method", "secret", "secret_file", "mode", "allow"], findings);
        if public && sound && !lax && self.client.pkce == Some(Pkce::Optional) {
            findings.add(&self.key("pkce"), "a public client needs PKCE; if this one can't: allow = [\"no_pkce\"]");
        }
    }

    fn check_algorithm(&self, findings: &mut Findings<'_>) {
        let allowed = self.client.mode == ClientMode::Compat || self.client.allow.contains(Allowance::Hs256);
        if self.client.id_token_alg != Some(SigningAlgorithm::Hs256)
            || !self.sound(&["mode", "allow", "secret", "secret_file"], findings)
        {
            return;
        }
        if !allowed {
            findings.add(
                &self.key("id_token_alg"),
                "HS256 is off unless the client may: add allow = [\"hs256\"], or use \"RS256\"",
            );
        } else if !self.client.has_secret() {
            findings
                .add(&self.key("id_token_alg"), "HS256 signs with the client's secret, and it has none: use \"RS256\"");
        }
    }

    /// Who is told of a logout must be who was meant.
    fn check_logout(&self, findings: &mut Findings<'_>) {
        let uri = self.client.backchannel_logout_uri.as_ref();
        if uri.is_some_and(|uri| !uri.is_https() && !uri.is_loopback()) {
            findings.add(&self.key("backchannel_logout_uri"), "must be https, or http on a loopback address");
        }
    }

    /// What an agent does must be its user's to allow, scope by scope.
    fn check_agent(&self, findings: &mut Findings<'_>) {
        let client = self.client;
        if !client.agent {
            for key in ["requests_per_day", "writes_per_day"] {
                if findings.has(&self.key(key)) {
                    findings.add(&self.key(key), "is for agents: add agent = true");
                }
            }
            return;
        }
        if client.scopes.iter().any(|scope| scope.as_str() == Scope::ALL) {
            findings.add(&self.key("scopes"), ALL_IS_NOT_FOR_AGENTS);
        }
        if client.skip_consent {
            findings.add(&self.key("skip_consent"), "an agent's users are asked what it may do: remove this, or agent");
        }
        if client.allow.contains(Allowance::Password) || client.grant_types.contains(&GrantType::Password) {
            findings.add(&self.key("grant_types"), "not for an agent: with a password nobody asks what it may do");
        }
    }
}
