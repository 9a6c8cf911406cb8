//! One GET of one document: by https, to the URL that was named and nowhere else, to public addresses, for a few seconds and
//! kilobytes.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use bytes::BytesMut;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE},
};
use serde_json::Value;
use tokio::{sync::Semaphore, time::timeout};
use url::Host;

use super::{
    FetchError,
    address::is_public,
    names::{LookUp, Names, NotPublic},
};
use crate::oauth::DocumentUrl;

/// The whole of it: the look-up of the host, the connection, the answer. So long a place is waited for before that.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many of one kind are under way at a time; whoever finds no place in time has no answer.
const AT_ONCE: usize = 16;
/// So many of them with one host: one that lets everybody wait must leave places to others.
const AT_ONCE_OF_HOST: usize = 2;

/// Fetches documents.
pub(super) struct Agent {
    http: reqwest::Client,
    names: Names,
    places: Semaphore,
    /// The places of the hosts that are asked at the moment.
    hosts: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) document: Value,
    /// How long it may be kept, as the answer says.
    pub(super) max_age: Option<Duration>,
}

impl Agent {
    /// `roots` are certificates to believe besides the system's.
    pub(super) fn new(
        look_up: LookUp,
        allow_hosts: &[String],
        roots: Vec<reqwest::Certificate>,
    ) -> Result<Self, reqwest::Error> {
        let names = Names::new(look_up, allow_hosts);
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent("empress-gateway")
            .dns_resolver(names.clone())
            .tls_certs_merge(roots)
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            // A connection that is kept would be one to an address that was checked long ago.
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .build()?;
        Ok(Self { http, names, places: Semaphore::new(AT_ONCE), hosts: Mutex::default() })
    }

    /// The document, if it is JSON of at most `most` bytes.
    pub(super) async fn get(&self, url: &DocumentUrl, most: usize) -> Result<Answered, FetchError> {
        self.check(url)?;
        let stopped = |_| FetchError::NoAnswer("fetching has stopped");
        let of_host = self.places_of(url.host());
        // In this order: whoever waits for a host keeps no other from being asked.
        let places =
            async { Ok((of_host.acquire().await.map_err(stopped)?, self.places.acquire().await.map_err(stopped)?)) };
        let _places = timeout(PATIENCE, places).await.unwrap_or(Err(FetchError::Busy))?;
        let fetched = timeout(PATIENCE, self.try_get(url, most)).await;
        fetched.unwrap_or(Err(FetchError::NoAnswer("nothing came within 5 seconds")))
    }

    /// The rules for a URL that need no look-up. A host that is an address is never looked up.
    fn check(&self, url: &DocumentUrl) -> Result<(), FetchError> {
        if self.names.is_allowed(url.host()) {
            return Ok(());
        }
        if !url.is_on_standard_port() {
            return Err(FetchError::NotAllowed("it is not https on port 443"));
        }
        let address = match url.url().host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(FetchError::NotAllowed("it has no host")),
        };
        if is_public(address) { Ok(()) } else { Err(FetchError::NotAllowed("its address is not public")) }
    }

    fn places_of(&self, host: &str) -> Arc<Semaphore> {
        let host = host.trim_end_matches('.');
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = hosts.get(host).and_then(Weak::upgrade) {
            return places;
        }
        hosts.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(AT_ONCE_OF_HOST));
        hosts.insert(host.to_owned(), Arc::downgrade(&places));
        places
    }

    async fn try_get(&self, url: &DocumentUrl, most: usize) -> Result<Answered, FetchError> {
        let mut response = self.http.get(url.url().clone()).send().await.map_err(|error| failed(&error))?;
        check_status(response.status())?;
        if !is_json(response.headers()) {
            return Err(FetchError::Refused("it is not JSON by its content type"));
        }
        let max_age = max_age(response.headers());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            if body.len() + chunk.len() > most {
                return Err(FetchError::Refused("it is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        let document = serde_json::from_slice(&body).map_err(|_| FetchError::Refused("it is not JSON"))?;
        Ok(Answered { document, max_age })
    }
}

/// The error's own text may have the URL, and the peer's words: neither is passed on.
fn failed(error: &reqwest::Error) -> FetchError {
    if NotPublic::is_behind(error) {
        FetchError::NotAllowed("its host has an address that is not public")
    } else if error.is_timeout() {
        FetchError::NoAnswer("nothing came within 5 seconds")
    } else if error.is_connect() {
        FetchError::NoAnswer("no connection with its host: its name, its address or its certificate is not good")
    } else {
        FetchError::NoAnswer("the connection with its host broke")
    }
}

/// A server that is in trouble has not said anything about the document.
fn check_status(status: StatusCode) -> Result<(), FetchError> {
    match status {
        StatusCode::OK => Ok(()),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            Err(FetchError::NoAnswer("its host asks to wait"))
        }
        status if status.is_server_error() => Err(FetchError::NoAnswer("its host answers that it can't serve it now")),
        status if status.is_redirection() => Err(FetchError::Refused("its host redirects, which is not followed")),
        _ => Err(FetchError::Refused("its host does not have it")),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    name == "application/json" || name.strip_prefix("application/").is_some_and(|sub| sub.ends_with("+json"))
}

/// RFC 9111 §5.2.2: `no-store`, `no-cache` and nonsense are no time at all.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut found = None;
    for directive in values.flat_map(|value| value.split(',')).map(str::trim) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Some(Duration::ZERO),
            "max-age" => {
                let secs = value.trim_matches('"').parse().unwrap_or_default();
                found = found.or(Some(Duration::from_secs(secs)));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_an_answer_may_be_kept_is_what_it_says() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CACHE_CONTROL, HeaderValue::from_static(value));
            }
            max_age(&headers).map(|age| age.as_secs())
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["public, Max-Age=600"]), Some(600));
        assert_eq!(of(&["public", "max-age=\"600\", max-age=9"]), Some(600));
        assert_eq!(of(&["max-age=600, no-cache"]), Some(0));
        assert_eq!(of(&["no-store"]), Some(0));
        assert_eq!(of(&["max-age=soon"]), Some(0));
        assert_eq!(of(&["s-maxage=600"]), None);
    }

    #[test]
    fn json_is_told_by_its_content_type() {
        let of =
            |value: &'static str| is_json(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]));
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/jwk-set+json"] {
            assert!(of(good), "{good}");
        }
        for bad in ["text/html", "text/json", "application/jsonp", "text/plain; a=application/json", ""] {
            assert!(!of(bad), "{bad}");
        }
    }
}
