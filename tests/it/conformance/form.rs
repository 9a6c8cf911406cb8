//! Forms of pages, as a browser without scripts reads them.

use crate::support::Answer;

/// The first form of a page.
#[derive(Clone, Debug)]
pub struct Form {
    pub action: String,
    /// Hidden fields with their values.
    pub hidden: Vec<(String, String)>,
    /// Fields that a person fills in.
    pub blank: Vec<String>,
    /// Buttons with a name and a value.
    pub buttons: Vec<(String, String)>,
}

impl Form {
    /// `None` when the page has no form.
    pub fn of(page: &Answer) -> Option<Self> {
        let html = page.text();
        let (_, from) = html.split_once("<form")?;
        let (form, _) = from.split_once("</form>").expect("a form ends");
        let (head, body) = form.split_once('>').expect("a tag ends");
        assert_eq!(attribute(head, "method").as_deref().map(str::to_lowercase).as_deref(), Some("post"), "{page}");
        let mut made = Self {
            action: attribute(head, "action").unwrap_or_else(|| panic!("where does it go? {page}")),
            hidden: Vec::new(),
            blank: Vec::new(),
            buttons: Vec::new(),
        };
        for tag in tags(body, "<input") {
            // One without a name is not sent.
            let Some(name) = attribute(tag, "name") else { continue };
            if attribute(tag, "type").as_deref() == Some("hidden") {
                made.hidden.push((name, attribute(tag, "value").unwrap_or_default()));
            } else {
                made.blank.push(name);
            }
        }
        let named = tags(body, "<button").filter_map(|tag| attribute(tag, "name").zip(attribute(tag, "value")));
        made.buttons.extend(named);
        Some(made)
    }

    pub fn has_button(&self, value: &str) -> bool {
        self.buttons.iter().any(|(_, other)| other == value)
    }

    /// Whether it asks for a password.
    pub fn is_login(&self) -> bool {
        self.blank.iter().any(|name| name == "pwd")
    }

    /// What is sent when these fields are filled in.
    pub fn filled(&self, values: &[(&str, &str)]) -> Vec<(String, String)> {
        let filled = values.iter().filter(|(name, _)| self.blank.iter().any(|blank| blank == name));
        let filled = filled.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.hidden.iter().cloned().chain(filled).collect()
    }

    /// What is sent when this button is pressed.
    pub fn pressed(&self, value: &str) -> Vec<(String, String)> {
        let button = self.buttons.iter().find(|(_, other)| other == value);
        let button = button.unwrap_or_else(|| panic!("no button {value}: {self:?}"));
        self.hidden.iter().chain([button]).cloned().collect()
    }
}

fn tags<'h>(html: &'h str, start: &'h str) -> impl Iterator<Item = &'h str> {
    html.split(start).skip(1).filter_map(|rest| rest.split('>').next())
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, from) = tag.split_once(&format!(" {name}=\""))?;
    from.split('"').next().map(unescaped)
}

/// The characters that character references stand for.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (reference, rest) = part.split_once(';').unwrap_or_else(|| panic!("a bare & in {text}"));
        let number = |digits: &str, base| u32::from_str_radix(digits, base).ok().and_then(char::from_u32);
        let character = match reference {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            _ => match reference.strip_prefix("#x") {
                Some(digits) => number(digits, 16),
                None => reference.strip_prefix('#').and_then(|digits| number(digits, 10)),
            },
        };
        plain.push(character.unwrap_or_else(|| panic!("what is &{reference}; in {text}?")));
        plain.push_str(rest);
    }
    plain
}
