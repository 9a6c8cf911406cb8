//! What comes back from the authorization and the token endpoint.

use std::{collections::HashMap, process::Command};

use crate::{
    conformance::suite::{FIRST, Mode, POST, Suite},
    support::{CHALLENGE, Setup, VERIFIER, header},
};

/// oidcc-server
pub fn a_code_flow_gives_tokens_that_can_be_verified(mode: Mode) {
    let suite = Suite::start(mode);
    let methods = suite.discovery()["token_endpoint_auth_methods_supported"].clone();
    assert!(methods.as_array().is_some_and(|methods| methods.contains(&"client_secret_basic".into())), "{methods}");
    let flow = suite.flow(&mut suite.visitor(), FIRST, &suite.request(FIRST));
    assert!(flow.code.len() * 8 >= 128 && entropy(&flow.code) >= 96.0, "128 bits cannot be guessed: {}", flow.code);
    // What OpenID Connect Core §2 and §3.3.2.11 and the logout specifications name, and nothing of the user's.
    let known = ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "sid"];
    for name in flow.claims.as_object().expect("claims").keys() {
        assert!(known.contains(&name.as_str()), "{name} was not asked for: {}", flow.claims);
    }
}

/// Shannon's, over the characters.
fn entropy(text: &str) -> f64 {
    let mut counts = HashMap::new();
    for c in text.chars() {
        *counts.entry(c).or_insert(0_u32) += 1;
    }
    let length = f64::from(u32::try_from(text.len()).expect("short"));
    -length * counts.values().map(|count| f64::from(*count) / length).map(|share| share * share.log2()).sum::<f64>()
}

/// oidcc-response-type-missing
pub fn a_missing_response_type_is_an_error(mode: Mode) {
    let suite = Suite::start(mode);
    let request = suite.request(FIRST).without("response_type");
    let visit = suite.visitor().visit(request.get());
    let error = suite.error(&request, &visit);
    assert!(["invalid_request", "unsupported_response_type"].contains(&error.as_str()), "{error}");
}

/// oidcc-idtoken-signature, which the suite runs with registered clients alone
pub fn an_id_token_is_signed_with_rs256_and_names_its_key(mode: Mode) {
    let suite = Suite::start(mode);
    let flow = suite.flow(&mut suite.visitor(), FIRST, &suite.request(FIRST));
    let head = header(&flow.tokens.id_token);
    assert_eq!(head["alg"], "RS256");
    assert!(head["kid"].as_str().is_some_and(|kid| !kid.is_empty()), "{head}");
}

/// oidcc-idtoken-unsigned, which is skipped where discovery does not list `none`
pub fn no_id_token_goes_without_a_signature(mode: Mode) {
    let suite = Suite::start(mode);
    let listed = suite.discovery()["id_token_signing_alg_values_supported"].clone();
    assert!(listed.as_array().is_some_and(|listed| !listed.contains(&"none".into())), "{listed}");
    // Nor can a client be given it.
    let refused = Setup::new().client(
        "id = 'unsigned'\nsecret = 'canary-secret-of-unsigned-0123456789'\nid_token_alg = 'none'\n\
         redirect_uris = ['https://client.example/cb']",
    );
    let refused = refused.unstarted();
    let file = refused.write_configuration();
    let checked = Command::new(env!("CARGO_BIN_EXE_empress-gateway")).arg("check").arg("--config").arg(&file).output();
    let checked = checked.expect("the binary starts");
    assert!(!checked.status.success());
    let said = String::from_utf8_lossy(&checked.stderr) + String::from_utf8_lossy(&checked.stdout);
    assert!(said.contains("none"), "{said}");
}

/// oidcc-ensure-request-without-nonce-succeeds-for-code-flow
pub fn a_code_flow_needs_no_nonce(mode: Mode) {
    let suite = Suite::start(mode);
    let flow = suite.flow(&mut suite.visitor(), FIRST, &suite.request(FIRST).without("nonce"));
    assert!(flow.claims.get("nonce").is_none(), "{}", flow.claims);
}

/// oidcc-server-client-secret-post
pub fn a_client_may_show_its_secret_in_the_form(mode: Mode) {
    let suite = Suite::start(mode);
    let methods = suite.discovery()["token_endpoint_auth_methods_supported"].clone();
    assert!(methods.as_array().is_some_and(|methods| methods.contains(&"client_secret_post".into())), "{methods}");
    suite.flow(&mut suite.visitor(), POST, &suite.request(POST));
}

/// oidcc-ensure-request-with-valid-pkce-succeeds
pub fn pkce_is_understood(mode: Mode) {
    let suite = Suite::start(mode);
    let request = suite.request(FIRST).with("code_challenge", CHALLENGE).with("code_challenge_method", "S256");
    suite.flow_with(&mut suite.visitor(), FIRST, &request, &[("code_verifier", VERIFIER)]);
    // And it is not for nothing.
    let visit = suite.visitor().visit(request.get());
    let code = suite.code(&request, &visit);
    assert_eq!(suite.exchange(FIRST, &code, &[]).status, 400);
}
