//! The languages that the pages speak, and which of them a request wants.

use http::{HeaderMap, header};

/// A language that the pages speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::endpoints) enum Language {
    #[default]
    English,
    German,
    Spanish,
    French,
    Portuguese,
    Arabic,
    Hindi,
    /// In simplified characters.
    Chinese,
}

impl Language {
    /// Every language.
    pub(in crate::endpoints) const ALL: [Self; 8] = [
        Self::English,
        Self::German,
        Self::Spanish,
        Self::French,
        Self::Portuguese,
        Self::Arabic,
        Self::Hindi,
        Self::Chinese,
    ];

    /// The first that we speak of `ui_locales` (OpenID Connect Core §3.1.2.1), else what `Accept-Language` likes best
    /// (RFC 9110 §12.5.4), else English.
    pub(in crate::endpoints) fn of(ui_locales: Option<&str>, headers: &HeaderMap) -> Self {
        let asked = ui_locales.unwrap_or_default().split_ascii_whitespace().find_map(Self::parse);
        asked.unwrap_or_else(|| accepted(headers))
    }

    /// The language of a tag (BCP 47): its first part alone counts; `None` where we do not speak it. Reads what
    /// [`Language::as_str`] gives.
    pub(in crate::endpoints) fn parse(tag: &str) -> Option<Self> {
        let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        let wanted = primary(tag.trim());
        Self::ALL.into_iter().find(|language| primary(language.as_str()) == wanted)
    }

    /// Its tag, as an element's `lang` has it.
    pub(in crate::endpoints) const fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Spanish => "es",
            Self::French => "fr",
            Self::Portuguese => "pt",
            Self::Arabic => "ar",
            Self::Hindi => "hi",
            Self::Chinese => "zh-Hans",
        }
    }

    /// The direction in which it is written, as an element's `dir` has it.
    pub(in crate::endpoints) const fn direction(self) -> &'static str {
        if self.is_right_to_left() { "rtl" } else { "ltr" }
    }

    pub(super) const fn is_right_to_left(self) -> bool {
        matches!(self, Self::Arabic)
    }
}

/// What `Accept-Language` likes best of what we speak. Of equal weights the first counts; weight 0 is a refusal.
fn accepted(headers: &HeaderMap) -> Language {
    let lines = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|line| line.to_str().ok());
    let mut entries: Vec<_> = lines.flat_map(|line| line.split(',')).filter_map(weighted).collect();
    entries.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    let refused = |language| entries.iter().any(|(tag, weight)| *weight == 0 && Language::parse(tag) == Some(language));
    let wanted = entries.iter().filter(|(_, weight)| *weight > 0).find_map(|(tag, _)| match *tag {
        "*" => Language::ALL.into_iter().find(|language| !refused(*language)),
        tag => Language::parse(tag),
    });
    wanted.unwrap_or_default()
}

/// One entry: the tag and its weight in thousandths. An entry whose weight can't be read does not count.
fn weighted(entry: &str) -> Option<(&str, u16)> {
    let mut parts = entry.split(';').map(str::trim);
    let tag = parts.next().filter(|tag| !tag.is_empty())?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((tag, weight.map_or(Some(1000), thousandths)?))
}

/// `0`, `0.5`, `1.000` (RFC 9110 §12.4.2)
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let fraction = format!("{fraction:0<3}").parse::<u16>().ok()?;
    match (whole, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(accept: &'static str) -> Language {
        Language::of(None, &HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, HeaderValue::from_static(accept))]))
    }

    #[test]
    fn the_language_that_is_liked_best_of_those_that_we_speak_is_used() {
        for (accept, language) in [
            ("it,de-AT;q=0.8,en;q=0.5", Language::German),
            ("en;q=0.5,de-AT;q=0.8", Language::German),
            ("pt-BR,pt;q=0.9,en;q=0.8", Language::Portuguese),
            ("zh-Hans-CN", Language::Chinese),
            ("zh-TW,en;q=0.9", Language::Chinese),
            ("ar-EG", Language::Arabic),
            ("hi-IN,hi;q=0.9", Language::Hindi),
            ("es;q=0.1, fr ; q=0.2", Language::French),
            ("fr;q=0,de;q=0.1", Language::German),
            ("fr;q=0", Language::English),
            ("en;q=0,*;q=0.1", Language::German),
            ("it, *;q=0.5", Language::English),
            ("fr;q=2,es;q=0.3", Language::Spanish),
            ("fr;q=0.1234,es;q=0.001", Language::Spanish),
            ("\u{9},;,fr;q=", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(of(accept), language, "{accept}");
        }
        assert_eq!(Language::of(None, &HeaderMap::new()), Language::English);
    }

    #[test]
    fn what_the_client_asks_for_counts_before_what_the_browser_likes() {
        let german = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, HeaderValue::from_static("de"))]);
        assert_eq!(Language::of(Some("it fr-CA es"), &german), Language::French);
        assert_eq!(Language::of(Some("pt_BR"), &german), Language::Portuguese);
        assert_eq!(Language::of(Some("it"), &german), Language::German);
    }

    #[test]
    fn a_language_is_read_back_from_its_tag() {
        for language in Language::ALL {
            assert_eq!(Language::parse(language.as_str()), Some(language));
        }
        assert_eq!(Language::parse("EN-us"), Some(Language::English));
        for unknown in ["", "-", "english", "e", "*"] {
            assert_eq!(Language::parse(unknown), None, "{unknown}");
        }
    }
}
