//! The demo's own OAuth client for browsers: starts requests, takes the code at `/callback`, exchanges it, and shows what
//! it got.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{Method, Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use url::form_urlencoded;

use crate::{
    agent::{Agent, Call},
    clients::{Clients, DemoClient, unguessable},
    html,
    show::shortened,
};

/// ERPNext's own path of the endpoints.
pub const METHODS: &str = "/api/method/frappe.integrations.oauth2.";

/// A request that has been started and not answered yet.
struct Started {
    client: DemoClient,
    verifier: Option<String>,
}

/// The client and what it is waiting for, by `state`.
pub struct Callback {
    url: String,
    gateway: String,
    clients: Clients,
    agent: Agent,
    started: Mutex<HashMap<String, Started>>,
}

type Parameters = Vec<(String, String)>;

/// Answers browsers until the program ends.
pub async fn serve(listener: TcpListener, callback: Arc<Callback>) {
    while let Ok((stream, _)) = listener.accept().await {
        let callback = Arc::clone(&callback);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let callback = Arc::clone(&callback);
                async move { Ok::<_, Infallible>(callback.answer(request).await) }
            });
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}

impl Callback {
    pub fn new(url: String, gateway: &str, clients: Clients) -> anyhow::Result<Self> {
        let (agent, started) = (Agent::new()?, Mutex::default());
        Ok(Self { url, gateway: gateway.to_owned(), clients, agent, started })
    }

    /// Where its pages are.
    pub fn url(&self) -> &str {
        &self.url
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<String> {
        let (head, body) = request.into_parts();
        let mut parameters = parsed(head.uri.query().unwrap_or_default());
        if head.method == Method::POST {
            // `response_mode=form_post`. As a response's body it can be read whole without another crate.
            let form = reqwest::Response::from(Response::new(reqwest::Body::wrap(body))).text().await;
            parameters.extend(parsed(&form.unwrap_or_default()));
        }
        match head.uri.path() {
            "/" => shown(StatusCode::OK, "Demo client", &self.index()),
            "/start" => self.start(&parameters),
            "/callback" => self.receive(&parameters).await,
            _ => shown(StatusCode::NOT_FOUND, "Not found", ""),
        }
    }

    fn index(&self) -> String {
        let entry = |client: &DemoClient| {
            let (name, about) = (html::escape(client.name), html::escape(client.about));
            format!("<li><a href=\"/start?client={}\">Log in for {name}</a>: {about}</li>\n", client.id)
        };
        format!("<ul>\n{}</ul>", self.clients.with_redirect().map(entry).collect::<String>())
    }

    /// Sends the browser to the gateway. What the link says besides `client` goes into the request as it is.
    fn start(&self, parameters: &Parameters) -> Response<String> {
        let wanted = value(parameters, "client").unwrap_or_default();
        let Some(client) = self.clients.with_redirect().find(|client| client.id == wanted) else {
            return shown(StatusCode::NOT_FOUND, "No such client", "");
        };
        let verifier = client.uses_pkce().then(unguessable::<32>);
        let state = unguessable::<16>();
        let mut query = form_urlencoded::Serializer::new(String::new());
        let defaults =
            [("response_type", "code"), ("scope", "openid all"), ("redirect_uri", self.clients.redirect_uri.as_str())];
        for (name, default) in defaults {
            query.append_pair(name, value(parameters, name).unwrap_or(default));
        }
        query.append_pair("client_id", client.id).append_pair("state", &state);
        if let Some(verifier) = &verifier {
            query.append_pair("code_challenge", &challenge(verifier)).append_pair("code_challenge_method", "S256");
        }
        let taken = ["client", "response_type", "scope", "redirect_uri"];
        query.extend_pairs(parameters.iter().filter(|(name, _)| !taken.contains(&name.as_str())));
        let location = format!("{}{METHODS}authorize?{}", self.gateway, query.finish());
        self.lock().insert(state, Started { client: client.clone(), verifier });
        let mut answer = Response::new(String::new());
        *answer.status_mut() = StatusCode::FOUND;
        if let Ok(location) = location.parse() {
            answer.headers_mut().insert(header::LOCATION, location);
        }
        answer
    }

    /// The gateway's answer to a request.
    async fn receive(&self, parameters: &Parameters) -> Response<String> {
        let got = html::facts(parameters);
        let again = "<p><a href=\"/\">Start again</a></p>";
        let started = value(parameters, "state").and_then(|state| self.lock().remove(state));
        let Some(code) = value(parameters, "code") else {
            return shown(StatusCode::OK, "The request was refused", &(got + again));
        };
        let Some(started) = started else {
            let text = "<p>This client did not start this request, so that the code is not used.</p>";
            return shown(StatusCode::OK, "A code came back", &(got + text + again));
        };
        let exchanged = match self.exchange(&started, code).await {
            Ok(html) => html,
            Err(error) => format!("<p>The exchange failed: {}</p>", html::escape(&format!("{error:#}"))),
        };
        shown(StatusCode::OK, "A code came back", &(got + &exchanged + again))
    }

    async fn exchange(&self, started: &Started, code: &str) -> anyhow::Result<String> {
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", self.clients.redirect_uri.clone()),
        ];
        form.extend(started.verifier.clone().map(|verifier| ("code_verifier", verifier)));
        let url = format!("{}{METHODS}get_token", self.gateway);
        let call = Call::post(url, form).by_client(started.client.id, started.client.secret.as_deref());
        let tokens = self.agent.send(&call).await?;
        let facts = tokens.json().as_object().cloned().unwrap_or_default();
        let facts: Parameters = facts.iter().map(|(name, value)| (name.clone(), shortened(&plain(value)))).collect();
        let claims = serde_json::to_string_pretty(&claims(&tokens.member("id_token")))?;
        let profile_url = format!("{}{METHODS}openid_profile", self.gateway);
        let profile = self.agent.send(&Call::get(profile_url).with_token(&tokens.member("access_token"))).await?;
        let profile = serde_json::to_string_pretty(&profile.json())?;
        Ok(format!(
            "<h2>Exchanged for tokens</h2>\n{}<h2>The id_token says</h2>\n<pre id=\"claims\">{}</pre>\n\
             <h2>With the access token, openid_profile says</h2>\n<pre id=\"profile\">{}</pre>\n",
            html::facts(&facts),
            html::escape(&claims),
            html::escape(&profile)
        ))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Started>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The S256 challenge of a verifier (RFC 7636 §4.2).
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// The claims of an id_token that came straight from the token endpoint: shown, not relied on, so not verified.
pub fn claims(id_token: &str) -> serde_json::Value {
    let payload = id_token.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    payload.and_then(|payload| serde_json::from_slice(&payload).ok()).unwrap_or_default()
}

fn parsed(urlencoded: &str) -> Parameters {
    form_urlencoded::parse(urlencoded.as_bytes()).into_owned().collect()
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn value<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a str> {
    parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn shown(status: StatusCode, title: &str, content: &str) -> Response<String> {
    let mut answer = Response::new(html::page(title, content));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html; charset=utf-8"));
    answer.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    answer
}
