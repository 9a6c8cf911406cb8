//! An HTTP client that follows nothing by itself, so that each step can be shown; with a browser's cookies on demand.

use std::collections::BTreeMap;

use http::{HeaderMap, Method, StatusCode, header};
use url::form_urlencoded;

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub form: Vec<(&'static str, String)>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

/// Sends calls.
#[derive(Clone, Debug)]
pub struct Agent {
    http: reqwest::Client,
}

/// The cookies of one browser, for one host.
#[derive(Debug, Default)]
pub struct Cookies(BTreeMap<String, String>);

impl Call {
    pub fn get(url: impl Into<String>) -> Self {
        Self { method: Method::GET, url: url.into(), headers: Vec::new(), form: Vec::new() }
    }

    pub fn post(url: impl Into<String>, form: Vec<(&'static str, String)>) -> Self {
        Self { method: Method::POST, form, ..Self::get(url) }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The credentials of a client (RFC 6749 §2.3.1), or its id in the form if it has no secret.
    pub fn by_client(mut self, id: &str, secret: Option<&str>) -> Self {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        if let Some(secret) = secret {
            return self.with("authorization", format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))));
        }
        self.form.push(("client_id", id.to_owned()));
        self
    }

    pub fn with_token(self, access_token: &str) -> Self {
        self.with("authorization", format!("Bearer {access_token}"))
    }
}

impl Answer {
    pub fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn location(&self) -> &str {
        self.header(header::LOCATION)
    }

    /// A parameter of the query that the answer redirects to.
    pub fn location_parameter(&self, name: &str) -> Option<String> {
        let url = url::Url::parse(self.location()).ok()?;
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// A text member of the JSON body.
    pub fn member(&self, name: &str) -> String {
        self.json().get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    }
}

impl Agent {
    pub fn new() -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { http })
    }

    pub async fn send(&self, call: &Call) -> anyhow::Result<Answer> {
        let mut request = self.http.request(call.method.clone(), &call.url);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        if call.method == Method::POST {
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&call.form).finish();
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        Ok(Answer { status, headers, body: answer.text().await? })
    }
}

impl Cookies {
    /// As a browser would send them.
    pub fn put_on(&self, call: Call) -> Call {
        if self.0.is_empty() {
            return call;
        }
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        call.with("cookie", pairs.join("; "))
    }

    pub fn take_from(&mut self, answer: &Answer) {
        for line in answer.headers.get_all(header::SET_COOKIE) {
            let pair = line.to_str().unwrap_or_default().split(';').next().and_then(|pair| pair.split_once('='));
            if let Some((name, value)) = pair {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
