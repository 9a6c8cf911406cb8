//! A small MCP server (Model Context Protocol, Streamable HTTP), as an app of Frappe's serves one: a whitelisted method that takes JSON-RPC
//! by POST and answers JSON. It keeps no sessions and opens no streams.

use serde_json::{Value, json};

use super::auth::Caller;
use super::fault::Fault;
use super::json::Json;
use super::query::Query;
use super::reply::Reply;
use super::request::Request;
use super::rest;
use super::state::State;

/// The method's name, below `/api/method/`.
pub const MCP_METHOD: &str = "empress_mcp.handle";
/// Of the protocol; the newest first.
const VERSIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;

/// Answers one message.
pub fn handle(state: &State, request: &Request, caller: &Caller) -> Reply {
    if request.head.method != "POST" {
        return Reply::new(405, "text/plain; charset=utf-8", "").field("Allow", "POST");
    }
    let Ok(message) = serde_json::from_slice::<Value>(&request.body.read) else {
        return reply(400, &error(&Value::Null, PARSE_ERROR, "this is no JSON"));
    };
    let Some(method) = message["method"].as_str().filter(|_| message["jsonrpc"] == "2.0") else {
        return reply(400, &error(&Value::Null, INVALID_REQUEST, "this is no request of JSON-RPC 2.0"));
    };
    let id = &message["id"];
    if id.is_null() {
        return Reply::new(202, "", "");
    }
    let params = &message["params"];
    let result = match method {
        "initialize" => Ok(initialize(params)),
        "ping" => Ok(json!({})),
        "tools/list" => Ok(json!({ "tools": tools() })),
        "tools/call" => call(state, request, caller, params),
        _ => Err((METHOD_NOT_FOUND, format!("there is no method {method}"))),
    };
    match result {
        Ok(result) => reply(200, &json!({ "jsonrpc": "2.0", "id": id, "result": result })),
        Err((code, text)) => reply(200, &error(id, code, &text)),
    }
}

fn reply(status: u16, body: &Value) -> Reply {
    Reply::json(status, &Json::Leaf(body.clone()))
}

fn error(id: &Value, code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

fn initialize(params: &Value) -> Value {
    let wanted = VERSIONS.into_iter().find(|version| params["protocolVersion"] == *version);
    json!({
        "protocolVersion": wanted.unwrap_or(VERSIONS[0]),
        "capabilities": { "tools": {} },
        "serverInfo": { "name": "erpnext-standin", "version": "15.44.2" },
    })
}

fn tools() -> Value {
    json!([
        {
            "name": "whoami",
            "description": "The user as whom this server acts.",
            "inputSchema": { "type": "object", "properties": {} },
        },
        {
            "name": "list_customers",
            "description": "The names of the customers that the user may see.",
            "inputSchema": { "type": "object", "properties": { "limit": { "type": "integer", "minimum": 1 } } },
        },
    ])
}

fn call(state: &State, request: &Request, caller: &Caller, params: &Value) -> Result<Value, (i32, String)> {
    let text = |text: String| json!({ "content": [{ "type": "text", "text": text }] });
    match params["name"].as_str().unwrap_or_default() {
        "whoami" => Ok(text(caller.user.clone())),
        "list_customers" => Ok(match customers(state, request, caller, &params["arguments"]) {
            Ok(rows) => text(Json::List(rows).text()),
            Err(_) => json!({ "isError": true, "content": [{ "type": "text", "text": "not permitted" }] }),
        }),
        other => Err((INVALID_PARAMS, format!("there is no tool {other}"))),
    }
}

fn customers(state: &State, request: &Request, caller: &Caller, arguments: &Value) -> Result<Vec<Json>, Fault> {
    let limit = arguments["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(20);
    let query = Query { fields: vec!["name".to_owned()], limit, ..Query::of(request) };
    rest::list(state, caller, "Customer", &query)
}
