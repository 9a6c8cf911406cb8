//! Replays the essentials of the transcripts with a raw TCP client.

mod failures;
mod mcp;
mod oauth;
mod permissions;
mod rest;
mod site;
mod wire;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::*;

/// The gateway's `Authorization` line.
const GATEWAY: &str = "Authorization: token gateway-key:gateway-secret";

/// A raw answer.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    fn field(&self, name: &str) -> Option<String> {
        self.fields(name).into_iter().next()
    }

    fn fields(&self, name: &str) -> Vec<String> {
        let lines = self.head.split("\r\n").filter_map(|line| line.split_once(": "));
        let found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned()).collect()
    }

    fn cookie(&self, name: &str) -> String {
        let start = format!("{name}=");
        let lines = self.fields("set-cookie");
        let line = lines.iter().find_map(|line| line.strip_prefix(&start)).unwrap_or_default();
        line.split(';').next().unwrap_or_default().to_owned()
    }
}

fn connect(standin: &StandIn) -> TcpStream {
    let stream = TcpStream::connect(standin.addr()).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
    stream
}

/// Sends bytes on a fresh connection and reads until it is closed.
fn raw(standin: &StandIn, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(standin);
    stream.write_all(bytes).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    answer
}

/// One request with these lines and this body.
fn send(standin: &StandIn, line: &str, fields: &[&str], body: &str) -> Answer {
    let mut request = format!("{line} HTTP/1.1\r\nHost: erp.example.com\r\nConnection: close\r\n");
    for field in fields {
        request.push_str(field);
        request.push_str("\r\n");
    }
    if !body.is_empty() {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    request.push_str(body);
    parse(&raw(standin, request.as_bytes()))
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("a status");
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}

fn get(standin: &StandIn, target: &str, fields: &[&str]) -> Answer {
    send(standin, &format!("GET {target}"), fields, "")
}

fn form(standin: &StandIn, target: &str, fields: &[&str], body: &str) -> Answer {
    let mut all = vec!["Content-Type: application/x-www-form-urlencoded"];
    all.extend(fields);
    send(standin, &format!("POST {target}"), &all, body)
}

fn json(standin: &StandIn, line: &str, fields: &[&str], body: &str) -> Answer {
    let mut all = vec!["Content-Type: application/json"];
    all.extend(fields);
    send(standin, line, &all, body)
}

const LOGGED_USER: &str = "/api/method/frappe.auth.get_logged_user";
