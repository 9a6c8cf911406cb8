//! The MCP server of an app.

use super::*;

const LINE: &str = "POST /api/method/empress_mcp.handle";

fn ask(standin: &StandIn, auth: &str, message: &Value) -> Answer {
    json(standin, LINE, &[auth], &message.to_string())
}

#[test]
fn it_answers_as_the_user_and_only_by_post() {
    let standin = StandIn::start();
    standin.set_api_key(ALICE, "ak", "as");
    let alice = "Authorization: token ak:as";
    let call = |method: &str, params: Value| {
        let message = serde_json::json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let answer = ask(&standin, alice, &message);
        assert_eq!((answer.status, &answer.json()["id"]), (200, &7.into()), "{}", answer.text());
        answer.json()
    };
    let begun = call("initialize", serde_json::json!({"protocolVersion": "2025-06-18"}));
    assert_eq!(begun["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(call("tools/list", Value::Null)["result"]["tools"][1]["name"], "list_customers");
    assert_eq!(call("tools/call", serde_json::json!({"name": "whoami"}))["result"]["content"][0]["text"], ALICE);
    let one = call("tools/call", serde_json::json!({"name": "list_customers", "arguments": {"limit": 1}}));
    let rows: Value = serde_json::from_str(one["result"]["content"][0]["text"].as_str().expect("text")).expect("JSON");
    assert_eq!(rows.as_array().map(Vec::len), Some(1));
    assert_eq!(call("tools/call", serde_json::json!({"name": "x"}))["error"]["code"], -32602);
    assert_eq!(call("x", Value::Null)["error"]["code"], -32601);

    let told = serde_json::json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(ask(&standin, alice, &told).status, 202);
    assert_eq!(json(&standin, LINE, &[alice], "{").json()["error"]["code"], -32700);
    assert_eq!(ask(&standin, alice, &serde_json::json!({"method": "ping", "id": 1})).json()["error"]["code"], -32600);
    let get = get(&standin, "/api/method/empress_mcp.handle", &[alice]);
    assert_eq!((get.status, get.field("allow").as_deref()), (405, Some("POST")));
    assert_eq!(json(&standin, LINE, &[], &told.to_string()).status, 403, "a guest");
}
