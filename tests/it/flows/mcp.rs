//! A client that knows nothing but the URL of an MCP server behind the gateway, as `tests/clients/javascript/mcp.mjs` has the real one:
//! from the 401 over the metadata to a registration, a token and the server's tools.

use serde_json::{Value, json};

use crate::{
    standin::{ALICE, BOB, MCP_METHOD},
    support::{Answer, Request, Setup, TestGateway, Tokens},
};

const URI: &str = "http://127.0.0.1/cb";

fn gateway(scopes: &[&str], agents: bool) -> TestGateway {
    let rule = format!("path = '/api/method/{MCP_METHOD}'\nauth = 'bearer'\nreads = true\nresource = true");
    let scopes: Vec<_> = scopes.iter().map(|scope| toml::Value::from(*scope)).collect();
    let setup = Setup::new().open_to_registration().set("registration.scopes", scopes);
    setup.set("registration.agents", agents).route(&rule).start()
}

fn message(method: &str, params: &Value) -> Request {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    Request::new("POST", &format!("/api/method/{MCP_METHOD}"))
        .header("Accept", "application/json, text/event-stream")
        .header("MCP-Protocol-Version", "2025-06-18")
        .body("application/json", body.as_bytes())
}

/// What a tool says to who has this token.
fn tool(gateway: &TestGateway, access_token: &str, name: &str) -> Answer {
    gateway.send(&message("tools/call", &json!({"name": name, "arguments": {}})).bearer(access_token))
}

/// The scopes of the metadata that the 401 names.
fn listed_scopes(gateway: &TestGateway) -> String {
    let refused = gateway.send(&message("initialize", &json!({"protocolVersion": "2025-06-18"})));
    assert_eq!(refused.status, 401, "{refused}");
    let challenge = refused.header("www-authenticate").expect("a challenge");
    let url = challenge.split_once("resource_metadata=\"").and_then(|(_, rest)| rest.split('"').next());
    let metadata = gateway.get(url.and_then(|url| url.strip_prefix(&gateway.url())).expect("ours")).json();
    assert_eq!(metadata["authorization_servers"], json!([gateway.url()]));
    assert_eq!(metadata["resource"], format!("{}/api/method/{MCP_METHOD}", gateway.url()), "the server alone");
    let scopes = metadata["scopes_supported"].as_array().expect("scopes").iter().filter_map(Value::as_str);
    scopes.collect::<Vec<_>>().join(" ")
}

/// Registers for all that is listed, and asks for all of it.
fn tokens(gateway: &TestGateway, user: &str, method: &str) -> Tokens {
    let scopes = listed_scopes(gateway);
    let registered = gateway.registered(URI, &json!({"token_endpoint_auth_method": method, "scope": scopes}));
    let resource = format!("{}/api/method/{MCP_METHOD}", gateway.url());
    let asked = [("scope", scopes.as_str()), ("resource", resource.as_str())];
    gateway.tokens(user, registered.client(), &asked)
}

#[test]
fn from_nothing_but_a_url_a_client_comes_to_call_tools_as_its_user() {
    let gateway = gateway(&["openid", "profile", "email", "erp:read", "erp:write"], true);
    // Two that register within a moment are two.
    let (alice, bob) = (tokens(&gateway, ALICE, "none"), tokens(&gateway, BOB, "client_secret_post"));
    for (tokens, user) in [(&alice, ALICE), (&bob, BOB)] {
        let scope = tokens.body["scope"].as_str().expect("a scope");
        assert!(scope.ends_with(" erp:read"), "nobody has ticked that it may write: {scope}");
        let answer = tool(&gateway, &tokens.access, "whoami");
        assert_eq!(answer.json()["result"]["content"][0]["text"], user, "{answer}");
    }
    gateway.refuses("it was asked for with the server's URL as resource, and is good there alone", &alice.access);
    let listed = gateway.send(&message("tools/list", &json!({})).bearer(&alice.access)).json();
    assert_eq!(listed["result"]["tools"][1]["name"], "list_customers", "{listed}");
    let stream = gateway.send(&Request::get(&format!("/api/method/{MCP_METHOD}")).bearer(&alice.access));
    assert_eq!(stream.status, 405, "no stream is offered: {stream}");
    let ended = tool(&gateway, "emp_at_ended", "whoami");
    assert_eq!(ended.status, 401, "upon which clients refresh: {ended}");
}

#[test]
fn a_registered_client_that_asks_for_all_that_is_listed_gets_what_it_may_have() {
    // Also where that is not `openid`, of which other clients' requests for more than they may have are made (decision 20).
    let gateway = gateway(&["read:Customer"], false);
    assert!(listed_scopes(&gateway).contains("openid"), "others have it");
    let tokens = tokens(&gateway, ALICE, "none");
    assert_eq!(tokens.body["scope"], "read:Customer");
    assert_eq!(tool(&gateway, &tokens.access, "whoami").json()["result"]["content"][0]["text"], ALICE);
}
