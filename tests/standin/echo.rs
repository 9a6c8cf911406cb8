//! What no ERPNext has: methods that show what arrived, and answers of any shape.

use std::time::Duration;

use super::auth::Caller;
use super::json::Json;
use super::reply::{Payload, Reply};
use super::request::Request;
use super::websocket::accept;

/// The methods for guests and users alike, with any verb; `None` for every other name.
pub fn method(request: &Request, caller: &Caller, name: &str) -> Option<Reply> {
    let number = |key: &str, default: u64| request.value(key).and_then(|text| text.parse().ok()).unwrap_or(default);
    let said = |text: &str| Reply::json(200, &Json::map([("message", text.into())]));
    Some(match name {
        "echo" => Reply::json(200, &Json::map([("message", echo(request, caller))])),
        "slow" => {
            let mut reply = said("slow");
            reply.delay = Duration::from_millis(number("ms", 1000));
            reply
        }
        "large" => Reply::new(200, "application/octet-stream", "").payload(Payload::Filler(number("bytes", 1 << 20))),
        "stream" => {
            let pause = Duration::from_millis(number("ms", 100));
            Reply::new(200, "text/plain; charset=utf-8", "")
                .payload(Payload::Pieces { count: number("chunks", 10), pause })
        }
        "status" => {
            let status = number("code", 200).clamp(100, 999);
            let body = Json::map([("message", status.into())]);
            Reply::json(u16::try_from(status).unwrap_or(200), &body)
        }
        "set_cookie" => {
            let name = request.value("name").unwrap_or_else(|| "standin".to_owned());
            let value = request.value("value").unwrap_or_else(|| "1".to_owned());
            said("set").field("Set-Cookie", &format!("{name}={value}; Path=/"))
        }
        _ => return None,
    })
}

/// The paths of the realtime service and the websocket tests.
pub fn special(request: &Request) -> Option<Reply> {
    let query = |name: &str| request.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match request.path.as_str() {
        "/ws-refused" => Some(Reply::new(200, "text/plain; charset=utf-8", "no upgrade here")),
        "/ws-echo" => Some(upgrade(request)),
        "/socket.io/" | "/socket.io" => Some(match query("transport") {
            Some("websocket") => upgrade(request),
            Some("polling") => {
                let text = "0{\"sid\":\"standin\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\
                            \"pingTimeout\":20000,\"maxPayload\":1000000}";
                Reply::new(200, "text/plain; charset=UTF-8", text)
            }
            _ => Reply::json(400, &Json::map([("code", 0.into()), ("message", "Transport unknown".into())])),
        }),
        _ => None,
    }
}

fn upgrade(request: &Request) -> Reply {
    let asks = request.variable("Upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
    match request.variable("Sec-WebSocket-Key") {
        Some(key) if asks => Reply::new(101, "", "").payload(Payload::WebSocket(accept(key))),
        _ => Reply::new(400, "text/plain; charset=utf-8", "not a websocket request"),
    }
}

fn echo(request: &Request, caller: &Caller) -> Json {
    let headers =
        request.head.fields.iter().map(|(name, value)| Json::List(vec![name.as_str().into(), value.as_str().into()]));
    Json::map([
        ("user", caller.user.as_str().into()),
        ("method", request.head.method.as_str().into()),
        ("path", request.head.path_and_query().0.into()),
        ("decoded_path", request.path.as_str().into()),
        ("query", request.raw_query.as_str().into()),
        ("headers", Json::List(headers.collect())),
        ("client_address", request.client_address().into()),
        ("body_length", request.body.length.into()),
        ("body_sha256", request.body.sha256.as_str().into()),
    ])
}
