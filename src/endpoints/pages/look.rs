//! How the pages look at this site: the style with the operator's colour, and the logo. Made once.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::frame::hash;
use crate::config::{Colour, Logo, PagesSettings};

const STYLE: &str = include_str!("../../../templates/style.css");

/// What all pages of a site share.
#[derive(Clone, Debug)]
pub struct Look {
    pub(super) style: String,
    /// For the content policy.
    pub(super) style_hash: String,
    /// The URL of the logo, image and all.
    pub(super) logo: Option<String>,
}

impl Look {
    /// The look that the settings ask for.
    #[must_use]
    pub fn new(settings: &PagesSettings) -> Self {
        let style = STYLE.to_owned() + &settings.colour.map(button).unwrap_or_default();
        Self { style_hash: hash(&style), style, logo: settings.logo.as_ref().map(data_url) }
    }
}

fn data_url(logo: &Logo) -> String {
    format!("data:{};base64,{}", logo.media_type, STANDARD.encode(&logo.bytes))
}

/// The main button in a colour, in both schemes. An attribute more is what counts in the dark one.
fn button(colour: Colour) -> String {
    let Colour([red, green, blue]) = colour;
    let text = if contrast(colour, BLACK) > contrast(colour, WHITE) { "#000" } else { "#fff" };
    format!("button.main.main{{background:#{red:02x}{green:02x}{blue:02x};border-color:var(--field);color:{text}}}\n")
}

const BLACK: Colour = Colour([0; 3]);
const WHITE: Colour = Colour([255; 3]);

/// How well one colour is read on another (WCAG 2.1, contrast ratio).
fn contrast(one: Colour, other: Colour) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// WCAG 2.1, relative luminance.
fn luminance(Colour(parts): Colour) -> f64 {
    let linear = |part: u8| {
        let part = f64::from(part) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    let [red, green, blue] = parts.map(linear);
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    /// What WCAG 2.1 asks of text (1.4.3, AA).
    const READABLE: f64 = 4.5;
    /// And of the bounds of fields and buttons, and of the focus (1.4.11).
    const SEEN: f64 = 3.0;

    fn colours(rule: &str) -> HashMap<String, Colour> {
        let named = Regex::new(r"--([a-z-]+):(#[0-9a-f]{3,6})").expect("a pattern");
        let whole = |text: &str| match text.as_bytes() {
            [_, r, g, b] => {
                [*r, *r, *g, *g, *b, *b].iter().fold("#".to_owned(), |all, next| all + &char::from(*next).to_string())
            }
            _ => text.to_owned(),
        };
        let found = named.captures_iter(rule);
        found.map(|found| (found[1].to_owned(), Colour::parse(&whole(&found[2])).expect("a colour"))).collect()
    }

    #[test]
    fn all_text_can_be_read_in_both_schemes() {
        let rules: Vec<_> = STYLE.lines().filter(|line| line.contains(":root{")).map(colours).collect();
        assert_eq!(rules.len(), 2, "light and dark");
        for scheme in &rules {
            for (text, ground, least) in [
                ("ink", "card", READABLE),
                ("ink", "page", READABLE),
                ("soft", "card", READABLE),
                ("soft", "page", READABLE),
                ("bad", "card", READABLE),
                ("on-main", "main", READABLE),
                ("field", "card", SEEN),
                ("focus", "card", SEEN),
            ] {
                let found = contrast(scheme[text], scheme[ground]);
                assert!(found >= least, "{text} on {ground}: {found}");
            }
        }
    }

    #[test]
    fn the_reckoning_is_that_of_wcag() {
        assert!((contrast(BLACK, WHITE) - 21.0).abs() < 1e-9);
        let grey = Colour([0x77; 3]);
        assert!((contrast(grey, WHITE) - 4.478).abs() < 1e-3, "{}", contrast(grey, WHITE));
    }

    proptest! {
        #[test]
        fn the_button_can_be_read_whatever_its_colour(parts: [u8; 3]) {
            let style = button(Colour(parts));
            let text = if style.contains("color:#000}") { BLACK } else { WHITE };
            prop_assert!(contrast(Colour(parts), text) >= READABLE, "{style}");
        }
    }

    #[test]
    fn the_logo_is_in_the_page_itself() {
        let logo = Some(Logo { media_type: "image/svg+xml", bytes: b"<svg/>".to_vec() });
        let look = Look::new(&PagesSettings { logo, ..PagesSettings::default() });
        assert_eq!(look.logo.as_deref(), Some("data:image/svg+xml;base64,PHN2Zy8+"));
        assert_eq!(look.style, STYLE);
    }
}
