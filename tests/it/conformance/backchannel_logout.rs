//! `oidcc-backchannel-rp-initiated-logout-certification-test-plan`.

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::{
    rp_logout::AFTER,
    suite::{FIRST, Mode, Suite, client_blocks},
    visit::End,
};
use crate::support::{METHOD, Receiver, Request, Setup, claims_by_jwks, header, parameters, query, until};

/// oidcc-backchannel-logout-discovery-endpoint-verification
#[test]
fn discovery_says_that_clients_are_told_of_a_logout_by_session() {
    let document = Suite::start(Mode::Query).discovery();
    assert_eq!(document["backchannel_logout_supported"], true);
    assert_eq!(document["backchannel_logout_session_supported"], true);
    assert!(document["end_session_endpoint"].is_string(), "{document}");
}

/// oidcc-backchannel-rp-initiated-logout
#[test]
fn the_client_is_told_of_the_logout_that_it_began() {
    let receiver = Receiver::start();
    let mut blocks = client_blocks();
    let first = blocks.iter_mut().find(|block| block["id"].as_str() == Some(FIRST.id)).expect("the client");
    first.insert("backchannel_logout_uri".to_owned(), receiver.url("/backchannel_logout").into());
    let suite = Suite::with_clients(Mode::Query, Setup::new(), &blocks);
    let mut visitor = suite.visitor();
    let flow = suite.flow(&mut visitor, FIRST, &suite.request(FIRST));
    let form = [("id_token_hint", flow.tokens.id_token.as_str()), ("post_logout_redirect_uri", AFTER), ("state", "s1")];
    let visit = visitor.visit(Request::get(&format!("{METHOD}end_session?{}", query(&form))));
    assert!(matches!(&visit.end, End::Client { uri, .. } if uri == AFTER));
    assert_eq!((visit.names(), visit.parameter("state")), (vec!["state"], Some("s1")));
    let posted = until("the client is told", || receiver.posted().first().cloned());
    assert!(posted.head.starts_with("POST /backchannel_logout "), "{posted:?}");
    let sent = parameters(&posted.body);
    let [(name, token)] = sent.as_slice() else { panic!("one parameter: {sent:?}") };
    assert_eq!((name.as_str(), header(token)["typ"].as_str()), ("logout_token", Some("logout+jwt")));
    // Signature, issuer, audience; and what the specification says in §2.4.
    let told = claims_by_jwks(&suite.gateway, FIRST, Algorithm::RS256, token);
    assert_eq!((&told["sub"], &told["sid"]), (&flow.claims["sub"], &flow.claims["sid"]));
    assert!(told["sid"].is_string(), "{told}");
    assert_eq!(told["events"], json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    assert!(told["jti"].as_str().is_some_and(|jti| jti.len() >= 16) && told.get("nonce").is_none(), "{told}");
    let issued = told["iat"].as_u64().expect("iat");
    assert!(issued.abs_diff(jsonwebtoken::get_current_timestamp()) < 300, "{told}");
    let request = suite.request(FIRST).with("prompt", "none");
    let visit = visitor.visit(request.get());
    assert_eq!(suite.error(&request, &visit), "login_required");
}
