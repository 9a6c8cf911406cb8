//! Registration requests (RFC 7591). No panic; what is registered leads nowhere but where the policy lets it, and is
//! registered again as it is.
#![no_main]

use std::sync::LazyLock;

use empress_gateway::oauth::{ClientAuthMethod, GrantType, RegistrationPolicy, RequestedMetadata, Scopes};
use libfuzzer_sys::fuzz_target;

static POLICY: LazyLock<RegistrationPolicy> = LazyLock::new(|| RegistrationPolicy {
    scopes: Scopes::parse("openid email").expect("scopes"),
    redirect_hosts: Vec::new(),
    loopback: true,
    document_hosts: Vec::new(),
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(requested) = serde_json::from_slice::<RequestedMetadata>(bytes) else { return };
    let Ok(registered) = POLICY.check(requested) else { return };
    assert!(!registered.redirect_uris.is_empty());
    for uri in registered.redirect_uris.iter().chain(&registered.post_logout_redirect_uris) {
        let (scheme, _) = uri.as_str().split_once(':').expect("a URI");
        assert!(uri.is_https() || uri.is_loopback() || scheme.contains('.'), "{uri:?}");
        assert!(!uri.as_str().contains('#'));
    }
    let known = [GrantType::AuthorizationCode, GrantType::RefreshToken];
    assert!(registered.grant_types.iter().all(|grant_type| known.contains(grant_type)));
    let signs = registered.token_endpoint_auth_method == ClientAuthMethod::PrivateKeyJwt;
    assert_eq!(signs, registered.jwks.is_some() != registered.jwks_uri.is_some());
    assert!(registered.jwks_uri.as_ref().is_none_or(|url| url.is_on_standard_port() && url.has_public_name()));
    assert!(registered.scope.is_subset_of(&POLICY.scopes));
    let said = serde_json::to_vec(&registered).expect("JSON");
    let again = POLICY.check(serde_json::from_slice(&said).expect("what was said")).expect("it was registered");
    assert_eq!(again, registered);
});
