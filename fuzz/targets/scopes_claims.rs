//! What the endpoints read of a client's words: forms, JSON objects, scopes, `claims`, `prompt`, `response_type`.
#![no_main]

use std::collections::HashSet;

use empress_gateway::{
    fuzzing::{Parameters, asked_claims},
    oauth::{Prompt, ResponseType, Scope, Scopes},
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use url::form_urlencoded;

fuzz_target!(|bytes: &[u8]| {
    form(bytes);
    json(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    scopes(text);
    claims(text);
    if let Some(prompt) = Prompt::parse(text) {
        assert!(!(prompt.none && (prompt.login || prompt.consent || prompt.select_account)), "{text}");
        let known = ["none", "login", "consent", "select_account"];
        assert!(text.split_ascii_whitespace().all(|word| known.contains(&word)), "{text}");
    }
    if let Ok(parsed) = ResponseType::parse(text) {
        assert!(parsed.code || parsed.token || parsed.id_token, "{text}");
        assert_eq!(ResponseType::parse(&parsed.to_string()), Ok(parsed));
    }
});

/// As the `url` crate reads it, unless it is refused.
fn form(bytes: &[u8]) {
    let Ok(form) = Parameters::urlencoded(bytes) else { return };
    let pairs: Vec<(String, String)> = form_urlencoded::parse(bytes).into_owned().collect();
    for (name, _) in &pairs {
        let first = pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
        assert_eq!(form.sent(name), first, "{name}");
        assert_eq!(form.count(name), pairs.iter().filter(|(other, _)| other == name).count(), "{name}");
    }
    let names: HashSet<_> = pairs.iter().map(|(name, _)| name).collect();
    if form.without_repetition().is_ok() {
        let may_repeat = |name: &str| matches!(name, "resource" | "audience");
        let repeated = names.iter().filter(|name| !may_repeat(name.as_str()));
        assert!(repeated.into_iter().all(|name| pairs.iter().filter(|(other, _)| other == *name).count() == 1));
    }
}

fn json(bytes: &[u8]) {
    let Ok(parameters) = Parameters::json(bytes) else { return };
    let object: Value = serde_json::from_slice(bytes).expect("JSON");
    for (name, value) in object.as_object().expect("an object") {
        let text = parameters.sent(name);
        match value {
            Value::String(value) => assert_eq!(text, Some(value.as_str())),
            Value::Number(_) | Value::Bool(_) => assert_eq!(text, Some(value.to_string().as_str())),
            _ => assert_eq!(text, None),
        }
    }
}

fn scopes(text: &str) {
    let Ok(scopes) = Scopes::parse(text) else {
        let sound = |word: &str| word.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        assert!(!text.split_ascii_whitespace().all(sound), "{text:?}");
        return;
    };
    let printed = scopes.to_string();
    assert_eq!(Scopes::parse(&printed).as_ref(), Ok(&scopes));
    assert!(!printed.starts_with(' ') && !printed.ends_with(' ') && !printed.contains("  "));
    let words: HashSet<_> = text.split_ascii_whitespace().collect();
    assert_eq!(scopes.iter().map(Scope::as_str).collect::<HashSet<_>>(), words);
    assert_eq!(scopes.iter().count(), words.len(), "none twice");
    let fewer = scopes.filtered(|scope| scope != Scope::ALL);
    assert!(fewer.is_subset_of(&scopes) && !fewer.contains(Scope::ALL));
    assert_eq!(scopes.is_subset_of(&fewer), !scopes.contains(Scope::ALL));
}

fn claims(text: &str) {
    let Some((id_token, userinfo, subject)) = asked_claims(text) else { return };
    let claims: Value = serde_json::from_str(text).expect("JSON");
    for (names, place) in [(&id_token, "id_token"), (&userinfo, "userinfo")] {
        let members = claims[place].as_object();
        assert!(names.len() <= 64);
        assert!(names.iter().all(|name| members.is_some_and(|members| members.contains_key(name))), "{text}");
    }
    let sub = |place| claims[place].as_object()?.get("sub")?.get("value")?.as_str();
    let named = sub("id_token").or_else(|| sub("userinfo"));
    assert_eq!(subject.as_ref().map(|subject| subject.as_str()), named, "{text}");
}
