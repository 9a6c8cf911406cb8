//! The running demo, and an HTTP client for it that speaks plain HTTP on loopback.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use ureq::{
    Agent,
    http::{Method, Request, Response, Uri, uri::Scheme},
};

/// It ends when its standard input closes.
pub struct Demo {
    child: Child,
    /// Gateway, users, clients, callback.
    pub described: Value,
}

impl Demo {
    pub fn start(program: &str) -> Self {
        let mut command = Command::new(program);
        let child = command.arg("--machine").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("the demo starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("its description");
        Self { child, described: serde_json::from_str(&line).expect("JSON") }
    }

    pub fn text(&self, pointer: &str) -> &str {
        let value = self.described.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no {pointer} in {}", self.described))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().expect("it ends");
    }
}

/// Sends one request; follows nothing, and takes every status for an answer.
///
/// An `https` URL of the demo is asked by plain HTTP: oauth2 sends a revocation to no other, though it be on loopback.
pub fn send(request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, ureq::Error> {
    let (mut parts, body) = request.into_parts();
    let mut uri = parts.uri.into_parts();
    uri.scheme = Some(Scheme::HTTP);
    parts.uri = Uri::from_parts(uri).expect("a URI");
    let config = Agent::config_builder().http_status_as_error(false).max_redirects(0);
    let agent = Agent::new_with_config(config.build());
    let answer = if parts.method == Method::GET {
        agent.run(Request::from_parts(parts, ()))?
    } else {
        agent.run(Request::from_parts(parts, body))?
    };
    let (parts, mut body) = answer.into_parts();
    let bytes = body.read_to_vec()?;
    Ok(Response::from_parts(parts, bytes))
}
