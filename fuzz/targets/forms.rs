//! The forms of pushed authorization requests and of devices, through the endpoints as they are served, with a store of their own. The
//! first byte says which: `p` a pushed request, `a` a device authorization request, `d` the form of the page for devices, `g` its
//! query. No panic; a reference comes of a request alone that its client may make, and leads to the login page or to the client;
//! nothing that a stranger types gets past the page.
#![no_main]

use std::{
    net::IpAddr,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use empress_gateway::{
    config::Config,
    endpoints::{Answer, Peer},
    oauth::UserCode,
    route::Endpoint,
    server::site::Site,
    telemetry::{audit::Audit, metrics::Metrics},
};
use http::{Request, StatusCode, header};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const ORIGIN: &str = "https://erp.example.com";
const APP: &str = "https://app.example/cb";
const METHOD: &str = "/api/method/frappe.integrations.oauth2.";
/// An ERPNext that is away. What addresses may do is no matter, as each run has another; a client's failures are.
const CONFIG: &str = r#"
[server]
public_url = "https://erp.example.com"
[erpnext]
url = "http://127.0.0.1:1"
api_key = "key:secret"
clients = "off"
native_tokens = "refuse"
[tokens]
id_token_alg = "ES256"
[store]
path = "FOLDER/db"
secret_key_file = "FOLDER/key"
[limits]
token_failures = "1000000000/h"
authorize = "1000000000/h"
user_codes = "1000000000/h"
[[client]]
id = "app"
auth_method = "none"
redirect_uris = ["https://app.example/cb"]
scopes = ["openid", "email"]
grant_types = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]
[[client]]
id = "bank"
secret = "a-secret-that-is-long-enough-for-a-bank"
auth_method = "client_secret_post"
pkce = "required"
redirect_uris = ["https://bank.example/cb"]
require_pushed_authorization_requests = true
"#;

struct Ground {
    runtime: Runtime,
    site: Site,
    /// Where the store is.
    _folder: TempDir,
}

static GROUND: LazyLock<Ground> = LazyLock::new(|| {
    // As the program does; what is fuzzed calls nobody.
    rustls::crypto::ring::default_provider().install_default().expect("the first one");
    let folder = tempfile::tempdir().expect("a folder");
    let text = CONFIG.replace("FOLDER", &folder.path().display().to_string());
    let config = Config::from_toml(&text).unwrap_or_else(|problems| panic!("{problems}"));
    let runtime = Runtime::new().expect("a runtime");
    let site = Site::new(&config, &Metrics::new(), Audit::with_log(), runtime.handle()).expect("a site");
    Ground { runtime, site, _folder: folder }
});

impl Ground {
    fn serve(&self, endpoint: Endpoint, request: http::request::Builder, body: &[u8]) -> Answer {
        let request = request.body(Bytes::copy_from_slice(body)).expect("a request");
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let peer = Peer { address: IpAddr::from(RUNS.fetch_add(1, Ordering::Relaxed).to_be_bytes()) };
        self.runtime.block_on(self.site.endpoints.serve(endpoint, request, peer))
    }

    fn post(&self, endpoint: Endpoint, name: &str, body: &[u8]) -> Answer {
        let request = Request::post(format!("{METHOD}{name}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, ORIGIN)
            .header(header::COOKIE, "sid=0123456789abcdef")
            .header(header::ACCEPT, "text/html");
        self.serve(endpoint, request, body)
    }

    fn pushed(&self, body: &[u8]) {
        let answer = self.post(Endpoint::PushedRequest, "pushed_authorization_request", body);
        let said = json(&answer);
        if answer.status() != StatusCode::CREATED {
            return is_error(&answer, &said);
        }
        let form = Form::of(body);
        let client = form.one("client_id");
        let (redirect, other) = if client == "bank" { ("https://bank.example/cb", "app") } else { (APP, "bank") };
        assert!(client == "app" || client == "bank", "{form:?}");
        assert!(form.all("redirect_uri").iter().all(|uri| uri.is_empty() || *uri == redirect), "{form:?}");
        assert_eq!(form.one("response_type"), "code", "{form:?}");
        assert_eq!(form.one("code_challenge_method"), "S256", "{form:?}");
        for name in ["request", "request_uri", "registration"] {
            assert!(form.all(name).is_empty(), "{form:?}");
        }
        let reference = said["request_uri"].as_str().expect("a reference");
        assert_eq!(self.brought(other, reference).status(), StatusCode::BAD_REQUEST, "by another client");
        let answer = self.brought(client, reference);
        let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        // As a page that posts to the client, where the request wants that.
        let is_posted = answer.status() == StatusCode::OK && form.all("response_mode") == ["form_post"];
        let leads = location.is_some_and(|to| to.starts_with(redirect) || to.starts_with(&format!("{ORIGIN}/login?")));
        assert!(is_posted || leads || answer.status() == StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        assert_eq!(self.brought(client, reference).status(), StatusCode::BAD_REQUEST, "once");
    }

    /// A browser without a login session with a reference.
    fn brought(&self, client: &str, reference: &str) -> Answer {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("client_id", client).append_pair("request_uri", reference);
        let request = Request::get(format!("{METHOD}authorize?{}", query.finish())).header(header::ACCEPT, "text/html");
        self.serve(Endpoint::Authorize, request, b"")
    }

    fn device_authorization(&self, body: &[u8]) {
        let answer = self.post(Endpoint::DeviceAuthorization, "device_authorization", body);
        let said = json(&answer);
        if answer.status() != StatusCode::OK {
            return is_error(&answer, &said);
        }
        assert_eq!(Form::of(body).one("client_id"), "app", "the other one has no such grant");
        let code = said["user_code"].as_str().and_then(UserCode::parse).expect("a code");
        let uri = said["verification_uri_complete"].as_str().expect("a URI");
        assert_eq!(uri, format!("{ORIGIN}{METHOD}device?user_code={code}"));
    }

    /// What has no token of ours in it gets nowhere, logged in or not.
    fn device_form(&self, body: &[u8]) {
        let answer = self.post(Endpoint::Device, "device", body);
        let refused = [StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN, StatusCode::SERVICE_UNAVAILABLE];
        assert!(refused.contains(&answer.status()), "{answer:?}");
    }

    fn device_query(&self, query: &[u8]) {
        let Ok(request) = http::Uri::try_from([METHOD.as_bytes(), b"device?", query].concat()) else { return };
        let answer = self.serve(Endpoint::Device, Request::get(request).header(header::ACCEPT, "text/html"), b"");
        if answer.status() != StatusCode::FOUND {
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{answer:?}");
            return;
        }
        let location = answer.headers()[header::LOCATION].to_str().expect("text");
        let url = url::Url::parse(location).expect("a URL");
        assert_eq!((url.origin().ascii_serialization().as_str(), url.path()), (ORIGIN, "/login"));
        let back = url.query_pairs().find(|(name, _)| name == "redirect-to").expect("a way back").1;
        // A code comes back as it is written, or not at all.
        let code = back.split_once("user_code=").map(|(_, code)| code);
        assert!(code.is_none_or(|code| UserCode::parse(code).is_some_and(|read| read.to_string() == code)), "{back}");
        assert!(back.trim_start_matches(ORIGIN).starts_with(&format!("{METHOD}device")), "{back}");
    }
}

/// A form as the `url` crate reads it.
#[derive(Debug)]
struct Form(Vec<(String, String)>);

impl Form {
    fn of(body: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(body).into_owned().collect())
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    }

    fn one(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name}: {self:?}");
        all[0]
    }
}

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

/// RFC 6749 §5.2
fn is_error(answer: &Answer, said: &Value) {
    assert!(matches!(answer.status().as_u16(), 400 | 401 | 429), "{answer:?}");
    assert!(said["error"].is_string() && said.get("request_uri").is_none() && said.get("device_code").is_none());
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, body)) = bytes.split_first() else { return };
    match kind {
        b'p' => GROUND.pushed(body),
        b'a' => GROUND.device_authorization(body),
        b'd' => GROUND.device_form(body),
        b'g' => GROUND.device_query(body),
        _ => {}
    }
});
