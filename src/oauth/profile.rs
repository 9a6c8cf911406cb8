//! Who a user is, and which claims a scope opens (OpenID Connect Core §5.1, §5.4).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Scopes, Subject, UserName};

/// What the upstream says of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The name under which the upstream knows the user.
    pub user: UserName,
    /// `sub`.
    pub sub: Subject,
    /// `name`.
    pub name: Option<String>,
    /// `given_name`.
    pub given_name: Option<String>,
    /// `family_name`.
    pub family_name: Option<String>,
    /// `email`.
    pub email: Option<String>,
    /// `picture`, an absolute URL.
    pub picture: Option<String>,
    /// `roles`: the effective ones.
    pub roles: Vec<String>,
}

/// The claims that are no one's but the user's.
const USER_CLAIMS: [(&str, &str); 6] = [
    ("name", "profile"),
    ("given_name", "profile"),
    ("family_name", "profile"),
    ("email", "email"),
    ("picture", "profile"),
    ("roles", "roles"),
];

impl Profile {
    /// The user's claims that these scopes open, without `sub`. Where the client registered one of `profile`, `email`
    /// or `roles`, each family needs its scope; for ERPNext's clients `openid` alone means all of them.
    #[must_use]
    pub fn claims(&self, granted: &Scopes, registered: &Scopes) -> Map<String, Value> {
        let by_family = registered.name_claims();
        let mut claims = Map::new();
        for (claim, scope) in USER_CLAIMS {
            if by_family && !granted.contains(scope) {
                continue;
            }
            if let Some(value) = self.claim(claim) {
                claims.insert(claim.to_owned(), value);
            }
        }
        claims
    }

    /// The value of one claim; `None` when the user has none.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<Value> {
        let text = match name {
            "name" => &self.name,
            "given_name" => &self.given_name,
            "family_name" => &self.family_name,
            "email" => &self.email,
            "picture" => &self.picture,
            "roles" => return Some(Value::from(self.roles.clone())),
            _ => return None,
        };
        text.as_deref().filter(|text| !text.is_empty()).map(Value::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Profile {
        Profile {
            user: UserName::new("alice@example.com"),
            sub: Subject::new("1"),
            name: Some("Alice Adams".to_owned()),
            given_name: Some("Alice".to_owned()),
            family_name: None,
            email: Some("alice@example.com".to_owned()),
            picture: None,
            roles: vec!["All".to_owned()],
        }
    }

    fn names(granted: &str, registered: &str) -> Vec<String> {
        let scopes = |text| Scopes::parse(text).expect("scopes");
        alice().claims(&scopes(granted), &scopes(registered)).keys().cloned().collect()
    }

    #[test]
    fn openid_alone_means_all_claims_that_have_a_value() {
        assert_eq!(names("openid", "all openid"), ["email", "given_name", "name", "roles"]);
    }

    #[test]
    fn families_follow_their_scopes_once_one_is_registered() {
        assert_eq!(names("openid email", "openid email profile"), ["email"]);
    }
}
