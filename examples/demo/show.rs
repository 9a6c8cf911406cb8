//! Requests and answers as a person can read them: parameters on lines of their own, long values shortened.

use std::io::IsTerminal as _;

use http::header;
use serde_json::Value;

use crate::agent::{Answer, Call};

/// A word longer than this is shortened.
const LONG: usize = 40;
/// And an address longer than this.
const LONG_ADDRESS: usize = 100;
/// The headers that tell something in this flow.
const TOLD: [header::HeaderName; 5] =
    [header::LOCATION, header::SET_COOKIE, header::CONTENT_TYPE, header::CACHE_CONTROL, header::WWW_AUTHENTICATE];

/// Where it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Show {
    colour: bool,
}

#[derive(Clone, Copy)]
enum Style {
    Bold,
    Soft,
    Good,
    Bad,
}

impl Show {
    /// With colours if standard output is a terminal.
    pub fn on_terminal() -> Self {
        Self { colour: std::io::stdout().is_terminal() }
    }

    fn styled(self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Bold => "1",
            Style::Soft => "2",
            Style::Good => "32",
            Style::Bad => "31",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub fn started(self, gateway: &str, erpnext: &str) {
        println!("{}", self.styled(Style::Bold, "Empress Gateway demo"));
        println!("gateway  {gateway}\nbehind it, in place of ERPNext  {erpnext}");
    }

    pub fn step(self, number: usize, title: &str) {
        println!("\n{}", self.styled(Style::Bold, &format!("{number}. {title}")));
    }

    pub fn title(self, title: &str) {
        println!("\n{}", self.styled(Style::Bold, title));
    }

    pub fn exchange(self, call: &Call, answer: &Answer) {
        let (url, query) = call.url.split_once('?').unwrap_or((&call.url, ""));
        println!("  > {} {url}", self.styled(Style::Bold, call.method.as_str()));
        self.pairs("?", query);
        for (name, value) in &call.headers {
            println!("  >   {}", self.styled(Style::Soft, &format!("{name}: {}", shortened(value))));
        }
        for (name, value) in &call.form {
            println!("  >   {name} = {}", shortened(value));
        }
        let style =
            if answer.status.is_client_error() || answer.status.is_server_error() { Style::Bad } else { Style::Good };
        println!("  < {}", self.styled(style, &answer.status.to_string()));
        for name in &TOLD {
            for value in answer.headers.get_all(name) {
                self.answer_header(name.as_str(), value.to_str().unwrap_or_default());
            }
        }
        if let Value::Object(_) = answer.json() {
            json(&answer.json());
        }
    }

    fn answer_header(self, name: &str, value: &str) {
        let (head, query) = if name == "location" { value.split_once('?').unwrap_or((value, "")) } else { (value, "") };
        // A challenge is short and meant to be read; a cookie's value is not.
        let head = if name == "www-authenticate" { head.to_owned() } else { shortened(head) };
        println!("  <   {}", self.styled(Style::Soft, &format!("{name}: {head}")));
        self.pairs("?", query);
    }

    fn pairs(self, mark: &str, query: &str) {
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            println!("        {}", self.styled(Style::Soft, &format!("{mark} {name} = {}", shortened(&value))));
        }
    }

    /// What the step showed, in a sentence.
    pub fn note(self, text: &str) {
        println!("  {}", self.styled(Style::Good, &format!("= {text}")));
    }

    pub fn failed(self, error: &anyhow::Error) {
        println!("\n{}", self.styled(Style::Bad, &format!("The flow went wrong: {error:#}")));
    }
}

/// Indented, with long texts shortened.
pub fn json(value: &Value) {
    let text = serde_json::to_string_pretty(&with_short_texts(value)).unwrap_or_default();
    for line in text.lines() {
        println!("      {line}");
    }
}

/// The text with each long word cut to its beginning and end: tokens, cookies, handles. Addresses may be longer.
pub fn shortened(text: &str) -> String {
    text.split(' ').map(shortened_word).collect::<Vec<_>>().join(" ")
}

fn shortened_word(word: &str) -> String {
    let length = word.chars().count();
    if length <= if word.starts_with("http") { LONG_ADDRESS } else { LONG } {
        return word.to_owned();
    }
    let begin: String = word.chars().take(20).collect();
    let end: String = word.chars().skip(length - 6).collect();
    format!("{begin}…{end}")
}

fn with_short_texts(value: &Value) -> Value {
    match value {
        Value::String(text) => shortened(text).into(),
        Value::Array(list) => list.iter().map(with_short_texts).collect(),
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), with_short_texts(value))).collect(),
        other => other.clone(),
    }
}
