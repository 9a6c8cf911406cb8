use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::*;
use crate::route::{Action, Opened, Subject};

/// The messages of a language, each with the values that it names.
fn messages(language: Language) -> BTreeMap<String, BTreeSet<String>> {
    let (begin, variable) = (Regex::new(r"^([a-z-]+) =").expect("a pattern"), Regex::new(r"\$([a-z]+)").expect("one"));
    let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut name = String::new();
    for line in source(language).lines().filter(|line| !line.starts_with('#')) {
        if let Some(found) = begin.captures(line) {
            name = found[1].to_owned();
            assert!(messages.insert(name.clone(), BTreeSet::new()).is_none(), "{language:?} says {name} twice");
        }
        let named = variable.captures_iter(line).map(|found| found[1].to_owned());
        messages.entry(name.clone()).or_default().extend(named);
    }
    messages.remove("");
    messages
}

#[test]
fn every_language_has_every_message_with_the_same_values() {
    let english = messages(Language::English);
    assert!(english.len() > 40);
    for language in Language::ALL {
        assert_eq!(messages(language), english, "{language:?}");
    }
}

#[test]
fn every_message_can_be_said_in_every_language() {
    for language in Language::ALL {
        FluentResource::try_new(source(language).to_owned()).unwrap_or_else(|(_, errors)| panic!("{errors:?}"));
        let texts = Texts::of(language);
        assert_eq!(texts.language, language);
        for (name, values) in messages(language) {
            for number in (1..=101).chain([1000, 2026]) {
                let value = |name: &str| match name {
                    "count" | "day" | "month" | "year" => FluentValue::from(number),
                    _ => FluentValue::from("<value>"),
                };
                let args: FluentArgs<'_> = values.iter().map(|name| (name.as_str(), value(name))).collect();
                let mut errors = Vec::new();
                let text = texts.try_format(&name, Some(&args), &mut errors).expect("the message is there");
                assert!(errors.is_empty(), "{language:?}, {name}: {errors:?}");
                assert!(!text.trim().is_empty() && !text.contains(['{', '}', '$']), "{language:?}, {name}: {text}");
                if values.is_empty() {
                    break;
                }
            }
        }
    }
}

#[test]
fn the_pages_say_only_what_there_is_and_all_of_it() {
    let said = Regex::new(r#"\.(?:say|with|count|pair)\(\s*"([a-z-]+)""#).expect("a pattern");
    let mut names = BTreeSet::new();
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![here.join("templates"), here.join("src/endpoints")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") && ["rs", "html"].contains(&kind) {
                let text = std::fs::read_to_string(&path).expect("text");
                names.extend(said.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
    }
    // Named in a table of actions.
    names.extend(["read", "create", "change", "delete"].map(str::to_owned));
    assert_eq!(names, messages(Language::English).into_keys().collect());
}

#[test]
fn what_a_scope_opens_is_said_in_every_language() {
    let actions = vec![Action::Read, Action::Create, Action::Change];
    let invoices = Opened { subject: Subject::Doctype("Sales {method}".to_owned()), actions };
    let method = Opened { subject: Subject::Method("shop.sync".to_owned()), actions: Vec::new() };
    for (language, words) in [
        (Language::English, "read, create and change Sales {method}; call the method shop.sync"),
        (Language::German, "Sales {method} lesen, anlegen und ändern; die Methode shop.sync aufrufen"),
        (Language::French, "lire, créer et modifier Sales {method} ; appeler la méthode shop.sync"),
        (Language::Spanish, "leer, crear y modificar Sales {method}; llamar al método shop.sync"),
        (Language::Portuguese, "ler, criar e alterar Sales {method}; chamar o método shop.sync"),
        (Language::Arabic, "قراءة وإنشاء وتعديل Sales {method}؛ استدعاء الطريقة shop.sync"),
        (Language::Hindi, "Sales {method} पढ़ना, बनाना और बदलना; shop.sync मेथड चलाना"),
        (Language::Chinese, "读取、创建和修改 Sales {method}；调用方法 shop.sync"),
    ] {
        let said = Texts::of(language).opened(&[invoices.clone(), method.clone()]).expect("words");
        // Without the marks that set values apart in Arabic.
        assert_eq!(plain(&said), words);
    }
    let read = Opened { subject: Subject::Documents, actions: vec![Action::Read] };
    let english = Texts::of(Language::English);
    let meaning = |scope| english.meaning(scope, "erp", true, std::slice::from_ref(&read));
    assert_eq!(meaning("read"), "read documents of every type");
    assert_eq!(meaning("openid"), "recognise you; read documents of every type");
    assert_eq!(meaning("all"), "do everything on erp that you may do");
    assert_eq!(english.meaning("x", "erp", true, &[]), "use the permission “x” on your behalf");
}

#[test]
fn a_value_stays_as_it_is_and_does_not_reach_beyond_itself() {
    let heading = |language, app| Texts::of(language).with("consent-heading", &[("app", app), ("site", "erp")]);
    assert_eq!(heading(Language::English, "{ $site }"), "{ $site } asks for access to erp");
    // U+202E turns what follows: "erp.example" would be read from the right.
    assert_eq!(heading(Language::English, "shop\u{202e}"), "shop asks for access to erp");
    assert_eq!(heading(Language::Arabic, "shop\u{2069}"), "يطلب \u{2068}shop\u{2069} الوصول إلى \u{2068}erp\u{2069}");
}

#[test]
fn a_number_has_the_form_that_the_language_gives_it() {
    let wait = |language, minutes| plain(&Texts::of(language).count("login-too-many", minutes)).into_owned();
    assert!(wait(Language::English, 1).ends_with("in a minute."));
    assert!(wait(Language::English, 5).ends_with("in 5 minutes."));
    assert!(wait(Language::Arabic, 2).ends_with("دقيقتين."));
    assert!(wait(Language::Arabic, 5).ends_with("5 دقائق."));
    assert!(wait(Language::Arabic, 15).ends_with("15 دقيقة."));
}
