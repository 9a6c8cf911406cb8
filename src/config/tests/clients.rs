//! `[[client]]`: what its keys mean together.

use super::{ClientSettings, assert_wrong, config};
use crate::oauth::{
    AgentTerms, Allowance, Client, ClientAuthMethod, ClientId, ClientMode, ClientSource, DailyBudget, GrantType, Pkce,
    ResponseType, SigningAlgorithm, UserName,
};

fn block(more: &str) -> String {
    format!("[[client]]\nid = \"shop\"\n{more}\n")
}

fn client(more: &str) -> Client {
    config(&block(more)).client[0].to_client()
}

const URIS: &str = "redirect_uris = [\"https://shop.example.com/cb\"]\n";
const SECRET: &str = "secret = \"s3cret\"\n";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

#[test]
fn a_client_with_a_secret_is_confidential_and_strict() {
    let client = client(&format!("{URIS}{SECRET}"));
    assert_eq!((client.id.as_str(), client.name.as_str()), ("shop", "shop"));
    assert_eq!(
        (client.auth_method, client.pkce, client.mode),
        (ClientAuthMethod::Basic, Pkce::Optional, ClientMode::Strict)
    );
    assert_eq!(client.scopes.to_string(), "all openid");
    assert_eq!(client.grant_types, [GrantType::AuthorizationCode, GrantType::RefreshToken]);
    assert_eq!(client.response_types, [ResponseType::CODE]);
    assert!(client.secret.is_some_and(|secret| secret.matches("s3cret")));
    assert_eq!((client.enabled, client.source), (true, ClientSource::File));
    assert!(!client.allow.contains(Allowance::Implicit));
}

#[test]
fn a_client_without_a_secret_is_public_and_needs_pkce() {
    let client = client(URIS);
    assert_eq!((client.auth_method, client.pkce), (ClientAuthMethod::None, Pkce::Required));
    assert!(client.is_public() && client.secret.is_none());
}

#[test]
fn what_is_said_is_taken_over_the_defaults() {
    let client = client(&format!(
        "{URIS}{SECRET}name = \"Shop\"\nauth_method = \"client_secret_post\"\npkce = \"required\"\nmode = \"compat\"\nscopes = [\"openid\"]\n\
         service_user = \"bot@example.com\"\ngrant_types = [\"authorization_code\", \"client_credentials\"]\nid_token_alg = \"HS256\"\n\
         allowed_roles = [\"Sales User\"]\nskip_consent = true\n"
    ));
    assert_eq!(
        (client.name.as_str(), client.auth_method, client.pkce),
        ("Shop", ClientAuthMethod::Post, Pkce::Required)
    );
    assert_eq!((client.mode, client.scopes.to_string().as_str()), (ClientMode::Compat, "openid"));
    assert_eq!(client.service_user.as_ref().map(UserName::as_str), Some("bot@example.com"));
    assert_eq!(client.id_token_alg, Some(SigningAlgorithm::Hs256));
    assert_eq!(client.allowed_roles, ["Sales User"]);
    assert!(client.skip_consent);
}

#[test]
fn implicit_response_types_come_by_the_allowance_or_by_name() {
    let allowed = client(&format!("{URIS}allow = [\"implicit\"]"));
    assert_eq!(allowed.response_types.len(), 1 + ResponseType::IMPLICIT.len());
    assert!(allowed.grant_types.contains(&GrantType::Implicit));
    let named = client(&format!("{URIS}response_types = [\"code\", \"id_token\"]"));
    assert_eq!(named.response_types.iter().map(ToString::to_string).collect::<Vec<_>>(), ["code", "id_token"]);
    assert!(named.allow.contains(Allowance::Implicit));
    let alone = client(&format!("{URIS}allow = [\"implicit\"]\ngrant_types = [\"implicit\"]"));
    assert!(alone.response_types.iter().all(|response| !response.code));
}

#[test]
fn the_allowance_password_brings_the_grant_type() {
    let client = client(&format!("{SECRET}grant_types = [\"refresh_token\"]\nallow = [\"password\"]"));
    assert!(client.grant_types.contains(&GrantType::Password) && client.allow.contains(Allowance::Password));
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    for (more, key, part) in [
        (format!("{URIS}{SECRET}auth_method = \"none\""), "auth_method", "remove the secret"),
        (format!("{URIS}auth_method = \"client_secret_basic\""), "auth_method", "add secret_file"),
        (format!("{URIS}{SECRET}auth_method = \"client_secret\""), "auth_method", "client_secret_basic"),
        (format!("{URIS}{SECRET}secret_file = \"/x\""), "secret", "not both"),
        (SECRET.to_owned(), "redirect_uris", "needed by the grant type authorization_code"),
        (format!("{URIS}{SECRET}grant_types = []"), "grant_types", "empty"),
        (
            format!("{URIS}{SECRET}grant_types = [\"authorization_code\", \"password\"]"),
            "grant_types",
            "allow = [\"password\"]",
        ),
        (format!("{URIS}{SECRET}grant_types = [\"implicit\"]"), "grant_types", "allow = [\"implicit\"]"),
        (
            format!("{URIS}{SECRET}grant_types = [\"refresh_token\"]\nresponse_types = [\"code\"]"),
            "response_types",
            "authorization_code",
        ),
        (format!("{URIS}{SECRET}grant_types = [\"client_credentials\"]"), "service_user", "needed"),
        (format!("{URIS}{SECRET}service_user = \"u\""), "service_user", "add it to grant_types"),
        (
            format!("{URIS}service_user = \"u\"\ngrant_types = [\"client_credentials\"]"),
            "grant_types",
            "clients with a secret",
        ),
        (format!("{URIS}{SECRET}grant_types = [\"{EXCHANGE}\"]"), "exchanges_tokens_of", "needed"),
        (format!("{URIS}{SECRET}exchanges_tokens_of = [\"app\"]"), "exchanges_tokens_of", "add it to grant_types"),
        (
            format!("{URIS}grant_types = [\"{EXCHANGE}\"]\nexchanges_tokens_of = [\"app\"]"),
            "grant_types",
            "clients that authenticate",
        ),
        (format!("{URIS}pkce = \"optional\""), "pkce", "no_pkce"),
        (format!("{URIS}{SECRET}id_token_alg = \"HS256\""), "id_token_alg", "allow = [\"hs256\"]"),
        (format!("{URIS}id_token_alg = \"HS256\"\nallow = [\"hs256\"]"), "id_token_alg", "it has none"),
        (format!("{URIS}allow = [\"everything\"]"), "allow[0]", "unknown variant"),
        (format!("{URIS}scopes = [\"a b\"]"), "scopes[0]", "a scope has"),
    ] {
        assert_wrong(&block(&more), &format!("client[0].{key}"), part);
    }
}

#[test]
fn a_block_without_secret_and_redirect_uris_changes_what_it_names_of_a_client_of_erpnext() {
    let upstream = || {
        let registered =
            client(&format!("{URIS}{SECRET}mode = \"compat\"\nallowed_roles = [\"Desk User\"]\nskip_consent = true"));
        Client { name: "Shop app".to_owned(), source: ClientSource::Erpnext, ..registered }
    };
    let overridden = |more: &str| {
        let config = config(&block(more));
        assert!(config.client[0].is_override());
        config.client[0].override_client(upstream())
    };
    assert_eq!(overridden(""), upstream());
    let strict = overridden("mode = \"strict\"");
    assert_eq!(strict, Client { mode: ClientMode::Strict, ..upstream() }, "and nothing else");
    let public = overridden("auth_method = \"none\"");
    assert!(public.is_public() && public.pkce == Pkce::Required && public.secret.is_some());
    let allowed = overridden("allow = [\"password\"]");
    assert!(allowed.allows(Allowance::Password) && allowed.grant_types.contains(&GrantType::Password));
    let open = overridden("allowed_roles = []\nskip_consent = false\nname = \"The shop\"\nscopes = [\"openid\"]");
    assert!(open.allowed_roles.is_empty() && !open.skip_consent);
    assert_eq!((open.name.as_str(), open.scopes.to_string().as_str()), ("The shop", "openid"));
    let backend = overridden(&format!("grant_types = [\"{EXCHANGE}\"]\nexchanges_tokens_of = [\"app\"]"));
    assert!(backend.may_exchange_tokens() && backend.exchanges_tokens_of == [ClientId::new("app")]);
    let service = overridden("grant_types = [\"client_credentials\"]\nservice_user = \"bot@example.com\"");
    assert_eq!(service.grant_types, [GrantType::ClientCredentials]);
}

#[test]
fn a_block_takes_password_and_implicit_away_from_a_client_of_erpnext() {
    let overridden = |more: &str| {
        let registered = client(&format!(
            "{URIS}{SECRET}grant_types = [\"refresh_token\"]\nallow = [\"password\", \"implicit\"]\nmode = \"compat\""
        ));
        assert!(registered.allows(Allowance::Password) && registered.allows(Allowance::Implicit));
        config(&block(more)).client[0].override_client(registered)
    };
    let open = |client: &Client| (client.allows(Allowance::Password), client.allows(Allowance::Implicit));
    let code = [ResponseType::CODE];
    for more in ["mode = \"strict\"", "grant_types = [\"authorization_code\", \"refresh_token\"]"] {
        let closed = overridden(more);
        assert_eq!((open(&closed), closed.response_types.as_slice()), ((false, false), &code[..]), "{more}");
        let left = |grant_type| closed.grant_types.contains(grant_type);
        assert!(!left(&GrantType::Password) && !left(&GrantType::Implicit), "{more}");
        assert!(left(&GrantType::AuthorizationCode) && left(&GrantType::RefreshToken), "{more}");
    }
    for registered in ["grant_types = [\"refresh_token\"]", "grant_types = [\"implicit\"]"] {
        let registered = client(&format!("{URIS}{SECRET}{registered}\nallow = [\"password\", \"implicit\"]"));
        let code = config(&block("response_types = [\"code\"]")).client[0].override_client(registered);
        assert_eq!(open(&code), (true, false));
        assert!(
            code.grant_types.contains(&GrantType::AuthorizationCode)
                && code.grant_types.contains(&GrantType::RefreshToken)
        );
        assert!(!code.grant_types.contains(&GrantType::Implicit));
    }
    assert_eq!(open(&overridden("mode = \"compat\"")), (true, true));
    let kept = overridden("mode = \"strict\"\nallow = [\"password\"]");
    assert_eq!(open(&kept), (true, false));
    assert!(kept.grant_types.contains(&GrantType::Password));
}

#[test]
fn a_block_that_overrides_is_checked_too() {
    assert_wrong(&block("auth_method = \"client_secret\""), "client[0].auth_method", "client_secret_basic");
    assert_wrong(&block("grant_types = []"), "client[0].grant_types", "empty");
    assert_wrong(&block("grant_types = [\"client_credentials\"]"), "client[0].service_user", "needed");
    let exchanges = format!("grant_types = [\"{EXCHANGE}\"]");
    assert_wrong(&block(&exchanges), "client[0].exchanges_tokens_of", "needed");
    let public = format!("{exchanges}\nexchanges_tokens_of = [\"app\"]\nauth_method = \"none\"");
    assert_wrong(&block(&public), "client[0].grant_types", "clients that authenticate");
    let off = format!("erpnext.clients = \"off\"\n{}", block("mode = \"strict\""));
    assert_wrong(&off, "client[0].redirect_uris", "needed");
}

#[test]
fn ids_are_needed_written_in_ascii_and_told_apart() {
    assert_wrong(&format!("[[client]]\n{URIS}"), "client[0].id", "needed");
    assert_wrong(&format!("[[client]]\nid = \"a b\"\n{URIS}"), "client[0].id", "visible ASCII");
    assert_wrong(&(block(URIS) + &block(URIS)), "client[1].id", "client[0] has the same id");
}

/// RFC 8037, appendix A.2.
const KEY: &str =
    "jwks = { keys = [{ kty = \"OKP\", crv = \"Ed25519\", x = \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\" }] }";

#[test]
fn keys_are_published_by_https_or_where_the_operator_says() {
    let with = |uri: &str, more: &str| format!("{}\n{more}", block(&format!("{URIS}jwks_uri = \"{uri}\"")));
    let loaded = config(&with("https://shop.example.com/jwks", ""));
    let client = loaded.client[0].to_client();
    assert_eq!((client.auth_method, client.keys.is_some()), (ClientAuthMethod::PrivateKeyJwt, true));
    let own = "[fetch]\nallow_hosts = [\"idp.internal\", \"localhost\"]";
    config(&with("https://idp.internal:8443/jwks", own));
    config(&with("http://localhost:8000/jwks", own));
    for uri in ["http://idp.internal/jwks", "https://a@shop.example.com/jwks", "https://shop.example.com/jwks#x", "x"] {
        assert_wrong(&with(uri, own), "client[0].jwks_uri", "must");
    }
    assert_wrong(&with("https://idp.internal:8443/jwks", ""), "client[0].jwks_uri", "fetch.allow_hosts");
    let both = format!("{URIS}{KEY}\njwks_uri = \"https://shop.example.com/jwks\"");
    assert_wrong(&block(&both), "client[0].jwks_uri", "not both");
    let secret = "secret = \"0123456789abcdef0123456789abcdef\"\njwks_uri = \"https://shop.example.com/jwks\"";
    assert_wrong(&block(&format!("{URIS}{secret}")), "client[0].jwks_uri", "in place of a secret");
    assert_wrong("[fetch]\nallow_hosts = [\"https://idp.internal\"]", "fetch.allow_hosts[0]", "without scheme");
}

#[test]
fn a_client_with_keys_signs_and_has_no_secret() {
    let with = |more: &str| block(&format!("{URIS}{KEY}\n{more}"));
    let loaded = config(&with(""));
    let client = loaded.client[0].to_client();
    assert_eq!((client.auth_method, client.keys.is_some()), (ClientAuthMethod::PrivateKeyJwt, true));
    assert!(!loaded.client[0].is_override(), "ERPNext has no such client");
    config(&with("auth_method = \"private_key_jwt\""));
    assert_wrong(&with("secret = \"0123456789abcdef0123456789abcdef\""), "client[0].jwks", "in place of a secret");
    assert_wrong(&with("auth_method = \"none\""), "client[0].auth_method", "private_key_jwt");
    let without = block(&format!("{URIS}auth_method = \"private_key_jwt\""));
    assert_wrong(&without, "client[0].auth_method", "add jwks");
    for (jwks, problem) in [
        ("{ keys = [] }", "none of its keys"),
        ("{ a = 1 }", "JWK Set"),
        ("{ keys = [{ kty = \"oct\", k = \"AAAA\" }] }", "private or a symmetric"),
    ] {
        assert_wrong(&block(&format!("{URIS}jwks = {jwks}")), "client[0].jwks", problem);
    }
    assert_wrong(&block("auth_method = \"private_key_jwt\""), "client[0].auth_method", "ERPNext has no keys");
}

#[test]
fn a_client_is_told_of_logouts_over_https_or_loopback() {
    let block = |uri: &str| block(&format!("{URIS}backchannel_logout_uri = \"{uri}\""));
    for uri in ["https://shop.example.com/out", "http://127.0.0.1:9/out", "http://localhost/out", ""] {
        config(&block(uri));
    }
    for uri in ["http://shop.example.com/out", "shop:out", "http://localhost.example.com/"] {
        assert_wrong(&block(uri), "client[0].backchannel_logout_uri", "must be https");
    }
    assert_wrong(&block("https://shop.example.com/#x"), "client[0].backchannel_logout_uri", "fragment");
}

#[test]
fn an_agent_has_scopes_and_a_budget_of_its_own() {
    let agent = |more: &str| config(&block(&format!("{URIS}{SECRET}agent = true\n{more}"))).client[0].to_client();
    let plain = agent("");
    assert_eq!(plain.scopes.to_string(), "openid profile email offline_access erp:read erp:write");
    assert_eq!(plain.agent, Some(AgentTerms::default()));
    assert!(!plain.may_be_granted("all") && plain.must_be_ticked("erp:write") && !plain.must_be_ticked("erp:read"));
    let own = agent("scopes = ['erp:read']\nrequests_per_day = 7\nwrites_per_day = 'off'");
    let terms = own.agent.expect("an agent");
    assert_eq!((terms.requests_per_day, terms.writes_per_day), (Some(DailyBudget::of(7)), Some(DailyBudget::Off)));
    assert_eq!(own.scopes.to_string(), "erp:read");
    assert_eq!(client(&format!("{URIS}{SECRET}")).agent, None);
    for (more, key, part) in [
        ("agent = true\nscopes = ['all', 'erp:read']", "scopes", "`all` is not for agents"),
        ("agent = true\nskip_consent = true", "skip_consent", "asked what it may do"),
        ("agent = true\nallow = ['password']", "grant_types", "not for an agent"),
        ("requests_per_day = 7", "requests_per_day", "agent = true"),
        ("agent = true\nwrites_per_day = 0", "writes_per_day", "above 0"),
        ("agent = true\nwrites_per_day = 'none'", "writes_per_day", "\"off\" for no limit"),
    ] {
        assert_wrong(&block(&format!("{URIS}{SECRET}{more}")), &format!("client[0].{key}"), part);
    }
    assert_wrong("registration.scopes = ['all']", "registration.scopes", "agents = false");
    assert_eq!(config("registration = { scopes = ['all'], agents = false }").registration.scopes.len(), 1);
}

#[test]
fn a_client_of_erpnexts_may_be_made_an_agent() {
    let blocks = config("[[client]]\nid = 'theirs'\nagent = true");
    let theirs = ClientSettings { id: "theirs".to_owned(), skip_consent: true, ..ClientSettings::default() };
    let client = blocks.client[0].override_client(theirs.to_client());
    assert_eq!(client.scopes.to_string(), "openid profile email offline_access erp:read erp:write");
    assert!(client.agent.is_some() && !client.skip_consent);
}

#[test]
fn a_route_reads_where_tokens_are_looked_at() {
    let route = |path: &str, more: &str| format!("[[route]]\npath = '{path}'\nreads = true\n{more}");
    assert!(config(&route("/api/method/mcp.handle", "")).route[0].reads);
    assert_wrong(&route("/x", "auth = 'pass'"), "route[0].reads", "no token is looked at");
}
