//! Scopes (RFC 6749 §3.3).

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One scope: characters %x21, %x23-5B, %x5D-7E, at least one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(String);

/// The text is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope has one or more of the characters %x21, %x23-5B and %x5D-7E")]
pub struct InvalidScope;

impl Scope {
    /// `openid`: an OpenID Connect request.
    pub const OPENID: &'static str = "openid";
    /// `all`: everything that the user may do.
    pub const ALL: &'static str = "all";
    /// `offline_access`: outlives the login session.
    pub const OFFLINE_ACCESS: &'static str = "offline_access";
    /// `erp:read`: what an agent needs for requests that change nothing.
    pub const ERP_READ: &'static str = "erp:read";
    /// `erp:write`: what an agent needs for all others.
    pub const ERP_WRITE: &'static str = "erp:write";
    /// What an agent may be granted where nobody says more or less.
    pub const OF_AGENTS: [&'static str; 6] =
        [Self::OPENID, "profile", "email", Self::OFFLINE_ACCESS, Self::ERP_READ, Self::ERP_WRITE];
    /// The scopes of OpenID Connect Core §5.4 that name claims, and `roles`, ERPNext's own.
    pub const OIDC_CLAIMS: [&'static str; 5] = ["profile", "email", "phone", "address", "roles"];

    /// The scopes of OpenID Connect Core §5.4 and §11: with `openid` registered a client may be granted them (decision 20).
    pub const OIDC_STANDARD: [&'static str; 5] = ["profile", "email", "address", "phone", Self::OFFLINE_ACCESS];

    /// Takes one scope.
    ///
    /// # Errors
    /// [`InvalidScope`] when the text is empty or has another character.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        let valid = !text.is_empty() && text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidScope) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is known to open nothing that changes anything: a user grants an agent any other by name.
    #[must_use]
    pub fn only_reads(scope: &str) -> bool {
        [Self::OPENID, Self::OFFLINE_ACCESS, Self::ERP_READ].contains(&scope) || Self::OIDC_CLAIMS.contains(&scope)
    }
}

/// A list of scopes without repetition, in the order in which they were first named. Clones share it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(Arc<[Scope]>);

impl Scopes {
    /// Takes scopes that stand apart by white space.
    ///
    /// # Errors
    /// [`InvalidScope`] when one of them is none.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        text.split_ascii_whitespace().map(Scope::parse).collect()
    }

    /// Whether the scope is in the list.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|s| s.as_str() == scope)
    }

    /// Whether every scope of this list is in `other`.
    #[must_use]
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.iter().all(|scope| other.contains(scope.as_str()))
    }

    /// The scopes of this list that `keep` wants.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.iter().filter(|scope| keep(scope.as_str())).cloned().collect())
    }

    /// Whether a client that registered these scopes gets each family of claims by a scope of its own; for ERPNext's
    /// clients `openid` alone means all claims.
    #[must_use]
    pub fn name_claims(&self) -> bool {
        Scope::OIDC_CLAIMS.iter().any(|scope| self.contains(scope))
    }

    /// This list with those of another behind it that are new.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).cloned().collect()
    }

    /// The scopes in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut list = Vec::new();
        for scope in scopes {
            if !list.contains(&scope) {
                list.push(scope);
            }
        }
        Self(list.into())
    }
}

/// As the wire has them: apart by one space.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scopes_keep_their_order_and_drop_repetitions() {
        assert_eq!(Scopes::parse(" all  openid all ").map(|s| s.to_string()), Ok("all openid".to_owned()));
    }

    #[test]
    fn a_quote_a_backslash_and_other_letters_are_no_scope() {
        for text in ["a\"b", "a\\b", "ä", "", "a\u{7f}"] {
            assert_eq!(Scope::parse(text), Err(InvalidScope), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(text in "[ !#-\\[\\]-~]{0,60}") {
            let scopes = Scopes::parse(&text).expect("only scope characters");
            prop_assert_eq!(Scopes::parse(&scopes.to_string()), Ok(scopes));
        }
    }
}
