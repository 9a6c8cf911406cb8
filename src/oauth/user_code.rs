//! User codes (RFC 8628 §6.1): what a person reads on a device and types into a browser.

use std::fmt;

use super::TokenHash;
use crate::random::Random;

/// Letters that are not taken for one another, and no vowels, so that no word comes out.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;
/// What is left of a byte beyond this would favour the first letters.
const FAIR: u8 = 240;

/// Eight letters of twenty: 34.5 bits, which the limit on wrong ones and the short life make enough (RFC 8628 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserCode([u8; LENGTH]);

impl UserCode {
    /// A fresh code.
    #[must_use]
    pub fn fresh(random: &dyn Random) -> Self {
        let mut letters = [0; LENGTH];
        for letter in &mut letters {
            *letter = fair_letter(random);
        }
        Self(letters)
    }

    /// What somebody has typed: in any letter case, and with any blanks and dashes (RFC 8628 §6.1).
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let kept: String =
            typed.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '‐'..='―' | '_' | '.')).collect();
        let letters: [u8; LENGTH] = kept.to_ascii_uppercase().into_bytes().try_into().ok()?;
        letters.iter().all(|letter| LETTERS.contains(letter)).then_some(Self(letters))
    }

    /// What the store knows it by.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.to_string())
    }
}

/// As it is shown: `XXXX-XXXX`.
impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, letter) in self.0.iter().enumerate() {
            if index == LENGTH / 2 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(*letter))?;
        }
        Ok(())
    }
}

fn fair_letter(random: &dyn Random) -> u8 {
    loop {
        let [byte] = random.bytes::<1>();
        if byte < FAIR
            && let Some(letter) = LETTERS.get(usize::from(byte) % LETTERS.len())
        {
            return *letter;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = UserCode::fresh(&SeededRandom::new(3));
        let shown = code.to_string();
        assert_eq!((shown.len(), shown.find('-')), (9, Some(4)), "{shown}");
        for typed in
            [shown.clone(), shown.to_lowercase(), shown.replace('-', ""), format!(" {} ", shown.replace('-', " "))]
        {
            assert_eq!(UserCode::parse(&typed), Some(code), "{typed}");
        }
        assert_eq!(UserCode::parse("WDJB–MJHT").map(|code| code.to_string()).as_deref(), Some("WDJB-MJHT"));
    }

    #[test]
    fn what_is_no_code_is_not_read() {
        for typed in ["", "WDJB-MJH", "WDJB-MJHTT", "ADJB-MJHT", "WDJB-MJH1", "WDJB+MJHT", "ＷDJB-MJHT"] {
            assert_eq!(UserCode::parse(typed), None, "{typed}");
        }
    }

    #[test]
    fn every_letter_comes() {
        let random = SeededRandom::new(1);
        let seen: std::collections::BTreeSet<u8> = (0..100).flat_map(|_| UserCode::fresh(&random).0).collect();
        assert_eq!(seen.len(), LETTERS.len());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            if let Some(code) = UserCode::parse(&text) {
                prop_assert_eq!(UserCode::parse(&code.to_string()), Some(code));
            }
        }
    }
}
