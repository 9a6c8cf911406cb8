//! What Frappe says about a call that it refuses, put into one line for an operator: its own message, without markup,
//! without a traceback, and without anything that could be a secret.

use serde::Deserialize;

/// More than any message worth reading has.
const LONGEST: usize = 400;
/// A word that is at least so long may be a token: Frappe names the rows of *OAuth Bearer Token* by their tokens. Names
/// of other documents, API keys and words of people are shorter.
const LIKE_A_TOKEN: usize = 20;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    /// A JSON list of JSON objects, as text.
    #[serde(rename = "_server_messages")]
    server_messages: Option<String>,
    exception: Option<String>,
    exc_type: Option<String>,
    message: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct ServerMessage {
    message: String,
}

/// The message; `None` where the body has none.
pub(super) fn said(body: &[u8]) -> Option<String> {
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    let messages = refusal.server_messages.as_deref().map(server_messages).unwrap_or_default();
    let text = if messages.is_empty() {
        let exception = refusal.exception.map(|text| text.trim_start_matches("frappe.exceptions.").to_owned());
        let message = refusal.message.as_ref().and_then(serde_json::Value::as_str).map(str::to_owned);
        message.or(exception).or(refusal.exc_type)?
    } else {
        messages.join("; ")
    };
    let line = one_line(&without_markup(&text));
    (!line.is_empty()).then_some(line)
}

fn server_messages(list: &str) -> Vec<String> {
    let entries: Vec<String> = serde_json::from_str(list).unwrap_or_default();
    entries
        .iter()
        .filter_map(|entry| serde_json::from_str::<ServerMessage>(entry).ok())
        .map(|one| one.message)
        .collect()
}

fn without_markup(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        let opens = tag.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '/');
        match tag.split_once('>') {
            Some((name, after)) if opens => {
                // A tag that breaks the line parts words.
                if ["br", "p", "/p", "div", "/div", "li", "/summary"].contains(&name.trim_end_matches(['/', ' '])) {
                    text.push(' ');
                }
                rest = after;
            }
            Some(_) | None => {
                text.push('<');
                rest = tag;
            }
        }
    }
    text.push_str(rest);
    for (entity, letter) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
        text = text.replace(entity, letter);
    }
    text
}

fn one_line(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        let run = word.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '-');
        if run.into_iter().any(may_be_secret) { "…" } else { word }
    });
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect()
}

/// The name of an exception is long, too, and no secret.
fn may_be_secret(part: &str) -> bool {
    part.starts_with("emp_") || (part.len() >= LIKE_A_TOKEN && !part.ends_with("Error"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Frappe 15 answered the deletion of a client that has tokens.
    #[test]
    fn a_message_is_told_without_markup_and_without_the_token_that_it_names() {
        let entry = r#"{"message": "Cannot delete or cancel because OAuth Client <a href=\"/app/Form/OAuth Client/9oiaotpnsm\">9oiaotpnsm</a> is linked with OAuth Bearer Token <a href=\"/app/Form/OAuth Bearer Token/emp_sh_probe000000\">emp_sh_probe000000</a> ", "title": "Message"}"#;
        let body = serde_json::json!({
            "exception": "frappe.exceptions.LinkExistsError: other words",
            "exc_type": "LinkExistsError",
            "exc": "[\"Traceback (most recent call last)\"]",
            "_server_messages": serde_json::to_string(&[entry]).expect("JSON"),
        });
        assert_eq!(
            said(body.to_string().as_bytes()).as_deref(),
            Some("Cannot delete or cancel because OAuth Client 9oiaotpnsm is linked with OAuth Bearer Token …")
        );
    }

    #[test]
    fn the_exception_the_message_and_its_type_are_told_where_there_is_nothing_better() {
        let of = |body: &str| said(body.as_bytes());
        let exception =
            r#"{"exception":"frappe.exceptions.InvalidEmailAddressError: a@b is not valid","exc_type":"X"}"#;
        assert_eq!(of(exception).as_deref(), Some("InvalidEmailAddressError: a@b is not valid"));
        assert_eq!(of(r#"{"exc_type":"DoesNotExistError"}"#).as_deref(), Some("DoesNotExistError"));
        let both = r#"{"message":"Invalid login credentials","exception":"frappe.exceptions.AuthenticationError"}"#;
        assert_eq!(of(both).as_deref(), Some("Invalid login credentials"));
        assert_eq!(of("<html>"), None);
        assert_eq!(of("{}"), None);
    }

    #[test]
    fn lines_and_lone_angles_stay_readable_and_a_native_token_is_left_out() {
        let text = r#"{"message":"a<br>b\n <b>c</b> 1 < 2 &amp; &lt;x&gt; 3M5gTOEekpAIWytha6qi2xdnzkH57X"}"#;
        assert_eq!(said(text.as_bytes()).as_deref(), Some("a b c 1 < 2 & <x> …"));
    }
}
