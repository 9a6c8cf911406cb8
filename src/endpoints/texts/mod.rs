//! The words of our pages: one file a language in `templates/texts`, in the syntax of Project Fluent, compiled in.

mod language;
mod meanings;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, sync::LazyLock};

use fluent_bundle::{FluentArgs, FluentError, FluentResource, FluentValue, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

pub(super) use language::Language;

static ALL: LazyLock<[Texts; 8]> = LazyLock::new(|| Language::ALL.map(Texts::new));

/// The words of one language.
pub(super) struct Texts {
    pub(super) language: Language,
    bundle: FluentBundle<FluentResource>,
}

const fn source(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("../../../templates/texts/en.ftl"),
        Language::German => include_str!("../../../templates/texts/de.ftl"),
        Language::Spanish => include_str!("../../../templates/texts/es.ftl"),
        Language::French => include_str!("../../../templates/texts/fr.ftl"),
        Language::Portuguese => include_str!("../../../templates/texts/pt.ftl"),
        Language::Arabic => include_str!("../../../templates/texts/ar.ftl"),
        Language::Hindi => include_str!("../../../templates/texts/hi.ftl"),
        Language::Chinese => include_str!("../../../templates/texts/zh-Hans.ftl"),
    }
}

impl Texts {
    /// The words of a language.
    pub(super) fn of(language: Language) -> &'static Self {
        let [english, ..] = &*ALL;
        ALL.iter().find(|texts| texts.language == language).unwrap_or(english)
    }

    fn new(language: Language) -> Self {
        let resource = FluentResource::try_new(source(language).to_owned()).unwrap_or_else(|(rest, errors)| {
            tracing::error!(language = language.as_str(), ?errors, "texts can't be read");
            rest
        });
        let tag: LanguageIdentifier = language.as_str().parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![tag]);
        // A value is set apart from the words around it where their direction is the other one: most names of
        // applications and sites are written from left to right. Elsewhere the marks would only be in the way.
        bundle.set_use_isolating(language.is_right_to_left());
        if let Err(errors) = bundle.add_resource(resource) {
            tracing::error!(language = language.as_str(), ?errors, "texts are there twice");
        }
        Self { language, bundle }
    }

    /// The message of this name, which has no values.
    pub(super) fn say(&self, name: &str) -> String {
        self.format(name, None)
    }

    /// The message of this name with its values. A value is never searched for names.
    pub(super) fn with(&self, name: &str, values: &[(&'static str, &str)]) -> String {
        let values = values.iter().map(|(name, value)| (*name, FluentValue::from(plain(value))));
        self.format(name, Some(&values.collect()))
    }

    /// The message of this name with the number `$count`, in the form that the language has for it.
    pub(super) fn count(&self, name: &str, count: u64) -> String {
        self.format(name, Some(&FluentArgs::from_iter([("count", FluentValue::from(count))])))
    }

    fn format(&self, name: &str, values: Option<&FluentArgs<'_>>) -> String {
        let mut errors = Vec::new();
        let text = self.try_format(name, values, &mut errors);
        if text.is_none() || !errors.is_empty() {
            tracing::error!(language = self.language.as_str(), message = name, ?errors, "a text is not whole");
        }
        // The tests hold that this does not happen.
        text.unwrap_or_default()
    }

    fn try_format(&self, name: &str, values: Option<&FluentArgs<'_>>, errors: &mut Vec<FluentError>) -> Option<String> {
        let pattern = self.bundle.get_message(name)?.value()?;
        Some(self.bundle.format_pattern(pattern, values, errors).into_owned())
    }
}

/// A value without the characters that turn the direction of what follows them (UAX #9): no name is to dress up as
/// another, or to reach beyond itself.
fn plain(value: &str) -> Cow<'_, str> {
    const fn turns(letter: char) -> bool {
        matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    }
    if value.contains(turns) { value.replace(turns, "").into() } else { value.into() }
}
