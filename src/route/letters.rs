//! How the names of a rule are compared with those of a request.
//!
//! ERPNext's database takes more names for one than a rule can list: its collation looks neither at case nor at accents,
//! and not at all at letters without width. `unicode_ci.txt` has what it takes for what, in its own words.

use std::{collections::HashMap, sync::LazyLock};

use super::names::UNKNOWN;

/// How literals are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    /// To the byte.
    Exact,
    /// As ERPNext's database compares names (`utf8mb4_unicode_ci`, without regard to blanks at the end).
    Folded,
    /// So, and a name that is not known may be any.
    Wide,
}

impl Letters {
    pub(super) fn equal(self, literal: &str, found: &str) -> bool {
        match self {
            Self::Exact => literal == found,
            Self::Folded => are_one(literal, found),
            Self::Wide => found == UNKNOWN || are_one(literal, found),
        }
    }
}

fn are_one(literal: &str, found: &str) -> bool {
    let mut pairs = literal.bytes().zip(found.bytes()).filter(|(one, other)| !one.eq_ignore_ascii_case(other));
    match pairs.next() {
        // Both stand for themselves in the collation, and all before them is one: most rules are about something else.
        Some((b' '..=b'~', b' '..=b'~')) => false,
        None if literal.len() == found.len() => true,
        Some(_) | None => folded_alike(literal, found),
    }
}

/// Letter by letter.
fn folded_alike(literal: &str, found: &str) -> bool {
    let (mut literal, mut found) = (folded(literal), folded(found));
    loop {
        match (literal.next(), found.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if one == other => {}
            // Blanks at the end count for nothing.
            (Some(' '), None) | (None, Some(' ')) => {}
            _ => return false,
        }
    }
}

/// A name as it is compared, letter by letter.
fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().flat_map(|letter| {
        let (one, more) = match letter {
            ' '..='~' => (Some(letter.to_ascii_lowercase()), ""),
            // The collation has one weight for all that came later.
            '\u{10000}'.. => (Some(char::REPLACEMENT_CHARACTER), ""),
            _ => match COMPARED_AS.get(&letter) {
                Some(letters) => (None, letters.as_str()),
                None => (Some(letter), ""),
            },
        };
        one.into_iter().chain(more.chars())
    })
}

/// As what the database compares a letter that is not compared as itself.
static COMPARED_AS: LazyLock<HashMap<char, String>> = LazyLock::new(|| {
    let lines = include_str!("unicode_ci.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(compared_as).flatten().collect()
});

/// The letters of one line of the table.
fn compared_as(line: &'static str) -> Option<impl Iterator<Item = (char, String)>> {
    let (folded, letters) = line.split_once(": ")?;
    let folded = match folded {
        "-" => String::new(),
        codes => codes.split(' ').map(letter).collect::<Option<String>>()?,
    };
    let ranges = letters.split(' ').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(letter(first)?..=letter(last)?)
    });
    Some(ranges.flatten().map(move |letter| (letter, folded.clone())))
}

fn letter(code: &str) -> Option<char> {
    char::from_u32(u32::from_str_radix(code, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_short_way_gives_the_same_answer(one in "[aAbáÀ ﬁi\u{301}\u{200b}ß.~]{0,5}", other in "[aAbáÀ ﬁif\u{301}\u{200b}s.~]{0,5}") {
            prop_assert_eq!(are_one(&one, &other), folded_alike(&one, &other));
        }
    }

    /// All tried on MariaDB 10.11.
    #[test]
    fn names_are_one_where_the_database_takes_them_for_one() {
        for (one, other) in [
            ("Administrator", "Ádministrator"),
            ("Administrator", "Ａdministrator"),
            ("Administrator", "ADMINISTRATÖR "),
            ("Administrator", "Admin\u{200b}istrator"),
            ("Administrator", "Admin\u{1}istrator"),
            ("Administrator", "Admin\0istrator"),
            ("Administrator", "A\u{301}dministrator"),
            ("System Settings", "Systém Settings\u{200b}"),
            ("System Settings", "System\u{a0}Settings"),
            ("Straße", "STRASSE"),
            ("Prüfung", "prufung"),
            ("File", "ﬁle"),
            ("Item 10", "Item ١٠"),
            ("щи", "ЩИ"),
            ("金山", "\u{f90a}山"),
            ("一", "\u{2f00}"),
            ("(株)", "\u{3231}"),
            ("😀", "😁"),
        ] {
            assert!(Letters::Folded.equal(one, other), "{one} {other}");
            assert!(Letters::Folded.equal(other, one), "{other} {one}");
            assert!(!Letters::Exact.equal(one, other), "{one} {other}");
        }
    }

    #[test]
    fn names_are_others_where_they_are_to_the_database() {
        for (one, other) in [
            ("User", "客户"),
            ("客户", "客戶"),
            ("Role", "Prüfung"),
            ("User", "Üsers"),
            ("o", "ø"),
            ("ae", "æ"),
            ("a", "\u{430}"),
            ("и", "й"),
            ("User", ""),
        ] {
            assert!(!Letters::Folded.equal(one, other), "{one} {other}");
        }
    }

    #[test]
    fn the_table_is_read_whole() {
        let lines = include_str!("unicode_ci.txt").lines().filter(|line| !line.starts_with('#'));
        for line in lines {
            let listed = line.split_once(": ").expect("two parts").1.split(' ');
            let count: u32 = listed
                .map(|range| {
                    let (first, last) = range.split_once('-').unwrap_or((range, range));
                    u32::from(letter(last).expect("a letter")) - u32::from(letter(first).expect("a letter")) + 1
                })
                .sum();
            assert_eq!(compared_as(line).expect("a line").count(), usize::try_from(count).expect("few"), "{line}");
        }
        assert!(COMPARED_AS.len() > 4000, "{}", COMPARED_AS.len());
    }

    #[test]
    fn only_a_rule_that_denies_takes_an_unknown_name_for_any() {
        assert!(Letters::Wide.equal("User", UNKNOWN) && !Letters::Folded.equal("User", UNKNOWN));
    }
}
