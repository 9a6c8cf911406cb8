//! The HTTP client towards ERPNext. It follows no redirect, keeps no cookie, takes no proxy from the environment, and
//! reads no more of an answer than it is worth. No credential ever gets into a URL.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST},
};
use serde_json::Value;
use tokio::{sync::Semaphore, time::timeout};
use url::{Url, form_urlencoded};

use super::{DirectoryError, ErpnextSettings, LoginProbe, answer::Answer, bases::Bases, settings::InvalidSettings};
use crate::secret::Secret;

/// Five hundred rows of a list have some 60 kB; a traceback has a few.
const MAX_ANSWER: usize = 2 * 1024 * 1024;
/// Shorter than the two seconds after which gunicorn closes an idle connection: a call that is written to a connection
/// as it closes fails.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);
/// So many calls are under way at a time, however many requests wait for one: fewer than a small site has workers for
/// long, and the site has requests of its users to answer.
pub(super) const CALLS_AT_ONCE: usize = 16;
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

pub(super) type OnCall = Arc<dyn Fn(&'static str, &'static str) + Send + Sync>;

/// Calls ERPNext.
pub(super) struct Agent {
    http: reqwest::Client,
    bases: Bases,
    account: HeaderValue,
    on_call: OnCall,
    places: Semaphore,
    /// How long a call waits for a place, and then for its answer.
    patience: Duration,
}

/// On whose behalf a call is made.
pub(super) enum As<'a> {
    /// The gateway's own account.
    Account,
    /// The user whose credential this is.
    Bearer(&'a HeaderValue),
    /// The owner of a login session, from the address of its peer.
    Login(&'a LoginProbe),
    /// Nobody yet, from this address.
    Guest(IpAddr),
}

/// What a call carries.
pub(super) enum Payload<'a> {
    None,
    Json(Value),
    Form(&'a [(&'a str, &'a str)]),
}

/// One call.
pub(super) struct Call<'a> {
    /// What it is for, in the words of logs and metrics.
    pub(super) what: &'static str,
    pub(super) method: Method,
    /// The segments of the path, not encoded.
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) payload: Payload<'a>,
    pub(super) by: As<'a>,
}

impl<'a> Call<'a> {
    /// A GET without a query.
    pub(super) const fn get(what: &'static str, path: &'a [&'a str], by: As<'a>) -> Self {
        Self { what, method: Method::GET, path, query: &[], payload: Payload::None, by }
    }

    /// A POST of the gateway's account.
    pub(super) const fn post(what: &'static str, path: &'a [&'a str], payload: Value) -> Self {
        Self { what, method: Method::POST, path, query: &[], payload: Payload::Json(payload), by: As::Account }
    }
}

impl Agent {
    pub(super) fn new(settings: &ErpnextSettings, on_call: OnCall) -> Result<Self, InvalidSettings> {
        let bases = Bases::new(&settings.urls).ok_or(InvalidSettings::Url("[erpnext].url"))?;
        let http = reqwest::Client::builder()
            .default_headers(default_headers(settings)?)
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.call_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .build()
            .map_err(|error| InvalidSettings::HttpClient(error.without_url().to_string()))?;
        let (account, patience) = (account(&settings.api_key)?, settings.call_timeout);
        Ok(Self { http, bases, account, on_call, places: Semaphore::new(CALLS_AT_ONCE), patience })
    }

    /// The answer, whatever its status.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Answer, DirectoryError> {
        let what = call.what;
        let answer = self.try_send(call).await;
        let outcome = match &answer {
            Ok(answer) if answer.status().is_success() => "ok",
            Ok(answer) if answer.status().is_client_error() => "denied",
            Ok(_) | Err(_) => "failed",
        };
        (self.on_call)(what, outcome);
        answer.map_err(|problem| DirectoryError::Unavailable(format!("{what}: {problem}")))
    }

    async fn try_send(&self, call: Call<'_>) -> Result<Answer, String> {
        let place = timeout(self.patience, self.places.acquire()).await;
        let _place = place.map_err(|_| "too many calls at once")?.map_err(|_| "it has stopped")?;
        let (_, first) = self.bases.in_order().next().ok_or("no upstream")?;
        let request = self.http.request(call.method, url(first, call.path, call.query)?);
        let request = match call.by {
            As::Account => request.header(AUTHORIZATION, self.account.clone()),
            As::Bearer(credential) => request.header(AUTHORIZATION, credential.clone()),
            As::Login(probe) => from_address(request.header(COOKIE, cookie(&probe.sid)?), probe.peer),
            As::Guest(peer) => from_address(request, peer),
        };
        let request = match call.payload {
            Payload::None => request,
            Payload::Json(value) => request.header(CONTENT_TYPE, "application/json").body(value.to_string()),
            Payload::Form(fields) => request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()),
        };
        let request = request.build().map_err(describe)?;
        let mut response = self.first_answer(&request, call.path, call.query).await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = read_bounded(&mut response).await?;
        Ok(Answer::new(call.what, status, &headers, body))
    }

    /// The answer of the first upstream that can be connected to. A call that was sent is not sent again.
    async fn first_answer(
        &self,
        request: &reqwest::Request,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<reqwest::Response, String> {
        let mut problem = "no upstream".to_owned();
        for (place, base) in self.bases.in_order() {
            let mut attempt = request.try_clone().ok_or("a body that can't be sent again")?;
            *attempt.url_mut() = url(base, path, query)?;
            match self.http.execute(attempt).await {
                Ok(response) if response.status().is_server_error() => {
                    self.bases.failed(place);
                    return Ok(response);
                }
                Ok(response) => {
                    self.bases.answered(place);
                    return Ok(response);
                }
                Err(error) => {
                    self.bases.failed(place);
                    let was_sent = !error.is_connect();
                    problem = describe(error);
                    if was_sent {
                        break;
                    }
                }
            }
        }
        Err(problem)
    }

    /// Asks each upstream, and the realtime server at its own origin, whether it lives; what does not answer, and why.
    pub(super) async fn ask_each(&self, realtime: Option<&str>) -> Vec<String> {
        let mut asked = Vec::new();
        for base in self.bases.all() {
            asked.push(url(base, &["api", "method", "ping"], &[]));
        }
        if let Some(realtime) = realtime {
            let base = web_url(realtime).ok_or_else(|| "[erpnext].socketio_url is no URL".to_owned());
            asked.push(base.and_then(|base| url(&base, &["socket.io", ""], &[("EIO", "4"), ("transport", "polling")])));
        }
        let mut problems = Vec::new();
        for url in asked {
            problems.extend(match url {
                Ok(url) => self.ask(url).await.err(),
                Err(problem) => Some(problem),
            });
        }
        problems
    }

    async fn ask(&self, url: Url) -> Result<(), String> {
        let origin = url.origin().ascii_serialization();
        let answered = self.http.get(url).send().await.map_err(|error| format!("{origin}: {}", describe(error)))?;
        let status = answered.status();
        if status.is_server_error() || status == http::StatusCode::NOT_FOUND {
            return Err(format!("{origin}: unexpected status {}", status.as_u16()));
        }
        Ok(())
    }
}

fn url(base: &Url, path: &[&str], query: &[(&str, &str)]) -> Result<Url, String> {
    let mut url = base.clone();
    url.path_segments_mut().map_err(|()| "no path".to_owned())?.pop_if_empty().extend(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

/// An http or https URL with a host.
pub(super) fn web_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn default_headers(settings: &ErpnextSettings) -> Result<HeaderMap, InvalidSettings> {
    let public = web_url(&settings.public_url).ok_or(InvalidSettings::Url("[server].public_url"))?;
    let host = settings.host_header.clone().unwrap_or_else(|| public.authority().to_owned());
    let value = |name, text: &str| HeaderValue::from_str(text).map_err(|_| InvalidSettings::Header(name));
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(HOST, value("[erpnext].host_header", &host)?);
    headers.insert("x-forwarded-proto", value("[server].public_url", public.scheme())?);
    if let Some(site) = &settings.site_name {
        headers.insert("x-frappe-site-name", value("[erpnext].site_name", site)?);
    }
    Ok(headers)
}

fn account(api_key: &Secret) -> Result<HeaderValue, InvalidSettings> {
    let key = api_key.expose().trim();
    if !key.split_once(':').is_some_and(|(key, secret)| !key.is_empty() && !secret.is_empty()) {
        return Err(InvalidSettings::ApiKey);
    }
    let mut header = HeaderValue::try_from(format!("token {key}")).map_err(|_| InvalidSettings::ApiKey)?;
    header.set_sensitive(true);
    Ok(header)
}

fn cookie(sid: &Secret) -> Result<HeaderValue, String> {
    let mut header =
        HeaderValue::try_from(format!("sid={}", sid.expose())).map_err(|_| "a cookie that is none".to_owned())?;
    header.set_sensitive(true);
    Ok(header)
}

fn from_address(request: reqwest::RequestBuilder, peer: IpAddr) -> reqwest::RequestBuilder {
    request.header(X_FORWARDED_FOR, peer.to_canonical().to_string())
}

/// Kept apart from the error's own text, which would name the URL.
fn describe(error: reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    let cause = std::error::Error::source(&error.without_url()).map(ToString::to_string);
    cause.map_or_else(|| kind.to_owned(), |cause| format!("{kind} ({cause})"))
}

async fn read_bounded(response: &mut reqwest::Response) -> Result<Bytes, String> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(describe)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err("an answer of more than 2 MiB".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
