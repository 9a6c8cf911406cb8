//! A request as Frappe reads it: WSGI variables, decoded path, `form_dict`.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::body::Body;
use super::head::Head;

/// A complete request, interpreted.
#[derive(Debug)]
pub struct Request {
    /// As received.
    pub head: Head,
    /// Decoded once, leading slashes collapsed.
    pub path: String,
    /// The undecoded query.
    pub raw_query: String,
    /// Decoded, in order.
    pub query: Vec<(String, String)>,
    /// Decoded fields of a urlencoded or multipart body, in order.
    pub form: Vec<(String, String)>,
    /// Frappe's `form_dict`: JSON body, else query and form together (the form wins).
    pub form_dict: Map<String, Value>,
    /// The body.
    pub body: Body,
    /// Address of the peer.
    pub peer: String,
    variables: Vec<(String, String)>,
}

impl Request {
    /// Interprets head and body.
    pub fn new(head: Head, body: Body, peer: String) -> Self {
        let (_, raw_query) = head.path_and_query();
        let mut request = Self {
            path: head.decoded_path(),
            query: pairs(raw_query.as_bytes()),
            raw_query,
            form: Vec::new(),
            form_dict: Map::new(),
            body,
            peer,
            variables: fold(&head.fields),
            head,
        };
        request.read_body();
        request
    }

    fn read_body(&mut self) {
        let mime = self.mime();
        let json = mime == "application/json" || (mime.starts_with("application/") && mime.ends_with("+json"));
        if json && !self.body.read.is_empty() {
            // The query counts for nothing beside a JSON body.
            if let Ok(Value::Object(map)) = serde_json::from_slice(&self.body.read) {
                self.form_dict = map;
            }
            return;
        }
        if mime == "application/x-www-form-urlencoded" {
            self.form = pairs(&self.body.read);
        } else if mime == "multipart/form-data" {
            self.form = self.body.fields.clone();
        }
        for source in [&self.query, &self.form] {
            let mut seen = Vec::new();
            for (name, value) in source {
                // Of a repeated name the first counts.
                if !seen.contains(&name) {
                    self.form_dict.insert(name.clone(), Value::String(value.clone()));
                    seen.push(name);
                }
            }
        }
    }

    /// The content type without its parameters, in lower case.
    pub fn mime(&self) -> String {
        let value = self.variable("Content-Type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The field of this name as WSGI has it: `-` and `_` are one, repeated fields joined by a comma.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let name = wsgi(name);
        let mut variables = self.variables.iter();
        variables.find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    /// A value of `form_dict` as text; numbers are written out.
    pub fn value(&self, name: &str) -> Option<String> {
        match self.form_dict.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// A value of `form_dict` that is JSON, given as JSON or as text.
    pub fn json_value(&self, name: &str) -> Option<Value> {
        match self.form_dict.get(name)? {
            Value::String(text) => Some(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))),
            other => Some(other.clone()),
        }
    }

    /// The cookie as sent; the first of that name.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let line = self.variable("Cookie")?;
        line.split(';').find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then(|| value.trim_matches('"').to_owned())
        })
    }

    /// The cookie, percent-decoded.
    pub fn decoded_cookie(&self, name: &str) -> Option<String> {
        self.cookie(name).map(|value| percent_decode_str(&value).decode_utf8_lossy().into_owned())
    }

    /// The leftmost address of `X-Forwarded-For`, else the peer.
    pub fn client_address(&self) -> String {
        let forwarded = self.variable("X-Forwarded-For").and_then(|value| value.split(',').next());
        forwarded.map_or_else(|| self.peer.clone(), |first| first.trim().to_owned())
    }

    /// Whether a proxy says that the browser came by https.
    pub fn is_https(&self) -> bool {
        self.variable("X-Forwarded-Proto") == Some("https")
    }

    /// `scheme://Host` of the request.
    pub fn base_url(&self) -> String {
        let scheme = if self.is_https() { "https" } else { "http" };
        format!("{scheme}://{}", self.variable("Host").unwrap_or("localhost"))
    }

    /// Whether errors are answered as JSON, by Frappe's rule.
    pub fn wants_json(&self) -> bool {
        let accept = self.variable("Accept").unwrap_or_default();
        let ajax = self.variable("X-Requested-With") == Some("XMLHttpRequest");
        (!accept.is_empty() && (ajax || accept.contains("application/json")))
            || (self.path.starts_with("/api/") && !accept.starts_with("text"))
    }
}

fn pairs(bytes: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(bytes).into_owned().collect()
}

fn wsgi(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

/// WSGI's variables. gunicorn 22 drops names with `_`; the older ones, and this, merge them.
fn fold(fields: &[(String, String)]) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = Vec::new();
    for (name, value) in fields {
        let name = wsgi(name);
        if let Some((_, joined)) = variables.iter_mut().find(|(key, _)| *key == name) {
            joined.push(',');
            joined.push_str(value);
        } else {
            variables.push((name, value.clone()));
        }
    }
    variables
}
