//! What the gateway says of itself: OpenID Connect Discovery, RFC 8414, RFC 9728, RFC 7517.

use http::{StatusCode, header};
use serde_json::{Value, json};

use super::{
    EndpointSettings, Endpoints,
    respond::{Answer, json as json_answer, set},
    texts::Language,
};
use crate::{
    erpnext::KnownClients,
    issuer::JWKS_MAX_AGE,
    oauth::{GrantType, SIGNATURE_ALGORITHMS, Scopes, SigningAlgorithm, user_claims},
};

/// Where the endpoints stand on the public origin.
pub const METHOD_PATH: &str = "/api/method/frappe.integrations.oauth2.";

/// The claims of an id_token that are not the user's (OpenID Connect Core §2, §3.1.3.6).
const PROTOCOL_CLAIMS: [&str; 10] = ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "azp", "sid"];

/// The documents change with the configuration and, in scopes and grant types, with the clients.
const METADATA_MAX_AGE: &str = "public, max-age=3600";

impl Endpoints {
    pub(super) fn discovery(&self) -> Answer {
        let mut metadata = metadata(&self.settings, &self.clients.known(), self.issuer.settings.id_token_alg);
        if let Some(members) = metadata.as_object_mut() {
            members.insert("scopes_supported".to_owned(), self.scopes().into());
            if self.documents.is_some() {
                members.insert("client_id_metadata_document_supported".to_owned(), true.into());
            }
        }
        document(&metadata, METADATA_MAX_AGE)
    }

    pub(super) fn resource_metadata(&self, path: &str) -> Answer {
        let below = path.strip_prefix("/.well-known/oauth-protected-resource").unwrap_or_default();
        let resource = format!("{}{}", self.settings.public_origin, below.trim_end_matches('/'));
        let metadata = json!({
            "resource": resource,
            "authorization_servers": [self.settings.public_origin],
            "scopes_supported": self.scopes(),
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": SIGNATURE_ALGORITHMS,
            "dpop_bound_access_tokens_required": false,
            "jwks_uri": format!("{}/.well-known/jwks.json", self.settings.public_origin),
        });
        document(&metadata, METADATA_MAX_AGE)
    }

    /// The scopes that some client may be granted, and those that one could register for: who comes to register asks for what
    /// is listed.
    fn scopes(&self) -> Vec<String> {
        let mut scopes = self.clients.known().scopes.clone();
        let registered = self.settings.registration.as_ref().map(|rules| &rules.policy.scopes);
        let described = self.documents.as_ref().map(|clients| &clients.policy.scopes);
        for scope in registered.into_iter().chain(described).flat_map(Scopes::iter) {
            if !scopes.iter().any(|known| known == scope.as_str()) {
                scopes.push(scope.as_str().to_owned());
            }
        }
        scopes
    }

    pub(super) fn jwks(&self) -> Answer {
        let keys = self.issuer.signing.jwks(self.issuer.clock.now());
        document(&keys, &format!("public, max-age={}", JWKS_MAX_AGE.as_secs()))
    }
}

fn document(value: &Value, cache_control: &str) -> Answer {
    let mut answer = json_answer(StatusCode::OK, value);
    set(&mut answer, header::CACHE_CONTROL, cache_control);
    answer
}

/// The metadata of the authorization server (OpenID Connect Discovery §3, RFC 8414 §2).
fn metadata(settings: &EndpointSettings, clients: &KnownClients, signed_with: SigningAlgorithm) -> Value {
    let origin = &settings.public_origin;
    let method = |name: &str| format!("{origin}{METHOD_PATH}{name}");
    // `none` names a public client, which introspection is not for: there it is no more than to say nothing of a client.
    let client_auth = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
    let open_introspection = clients.open_introspection && !settings.introspection_needs_client;
    let introspection_auth = if open_introspection { &client_auth[..] } else { &client_auth[..3] };
    let algorithms: Vec<&str> = settings.signing_algorithms.iter().map(|alg| SigningAlgorithm::as_str(*alg)).collect();
    let mut document = json!({
        "issuer": origin,
        "authorization_endpoint": method("authorize"),
        "token_endpoint": method("get_token"),
        "pushed_authorization_request_endpoint": method("pushed_authorization_request"),
        "require_pushed_authorization_requests": false,
        "userinfo_endpoint": method("openid_profile"),
        "revocation_endpoint": method("revoke_token"),
        "introspection_endpoint": method("introspect_token"),
        "end_session_endpoint": method("end_session"),
        "jwks_uri": format!("{origin}/.well-known/jwks.json"),
        "response_types_supported": clients.response_types,
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": clients.grant_types,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
        "introspection_signing_alg_values_supported": [signed_with.as_str()],
        "token_endpoint_auth_methods_supported": client_auth,
        "revocation_endpoint_auth_methods_supported": client_auth,
        "introspection_endpoint_auth_methods_supported": introspection_auth,
        "token_endpoint_auth_signing_alg_values_supported": SIGNATURE_ALGORITHMS,
        "revocation_endpoint_auth_signing_alg_values_supported": SIGNATURE_ALGORITHMS,
        "introspection_endpoint_auth_signing_alg_values_supported": SIGNATURE_ALGORITHMS,
        "dpop_signing_alg_values_supported": SIGNATURE_ALGORITHMS,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_supported": claims(clients),
        "ui_locales_supported": Language::ALL.map(Language::as_str),
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "require_request_uri_registration": false,
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": false,
    });
    let optional = [
        // RFC 8628 §4
        ("device_authorization_endpoint", "device_authorization", clients.grant_types.contains(&GrantType::DeviceCode)),
        ("registration_endpoint", "register_client", settings.registration.is_some()),
    ];
    if let Some(members) = document.as_object_mut() {
        let served = optional.into_iter().filter(|(_, _, is_served)| *is_served);
        members.extend(served.map(|(member, name, _)| (member.to_owned(), method(name).into())));
    }
    document
}

/// `c_hash` comes beside a code (OpenID Connect Core §3.3.2.11).
fn claims(clients: &KnownClients) -> Vec<&'static str> {
    let has_hybrid = clients.response_types.iter().any(|response_type| response_type.code && response_type.id_token);
    PROTOCOL_CLAIMS.into_iter().chain(has_hybrid.then_some("c_hash")).chain(user_claims()).collect()
}
