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
    /// What the upstream is asked for only where a client may hear of it.
    pub details: ProfileDetails,
}

/// The claims that ERPNext's own userinfo does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileDetails {
    /// `preferred_username`.
    pub preferred_username: Option<String>,
    /// `gender`.
    pub gender: Option<String>,
    /// `birthdate`, ISO 8601.
    pub birthdate: Option<String>,
    /// `zoneinfo`, of the IANA database.
    pub zoneinfo: Option<String>,
    /// `locale`, BCP 47.
    pub locale: Option<String>,
    /// `phone_number`, as it was written.
    pub phone_number: Option<String>,
    /// `formatted` of `address`.
    pub address: Option<String>,
}

/// A claim that is the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct UserClaim {
    name: &'static str,
    /// The scope that opens it.
    scope: &'static str,
    /// Whether it is one of [`ProfileDetails`].
    is_detail: bool,
}

const fn basic(name: &'static str, scope: &'static str) -> UserClaim {
    UserClaim { name, scope, is_detail: false }
}

const fn detail(name: &'static str, scope: &'static str) -> UserClaim {
    UserClaim { name, scope, is_detail: true }
}

/// OpenID Connect Core §5.1 and §5.4, as far as ERPNext knows the values; and `roles`.
const USER_CLAIMS: [UserClaim; 13] = [
    basic("name", "profile"),
    basic("given_name", "profile"),
    basic("family_name", "profile"),
    basic("email", "email"),
    basic("picture", "profile"),
    basic("roles", "roles"),
    detail("preferred_username", "profile"),
    detail("gender", "profile"),
    detail("birthdate", "profile"),
    detail("zoneinfo", "profile"),
    detail("locale", "profile"),
    detail("phone_number", "phone"),
    detail("address", "address"),
];

/// The names of all claims of the user's that can be told.
pub fn user_claims() -> impl Iterator<Item = &'static str> {
    USER_CLAIMS.iter().map(|claim| claim.name)
}

/// The scope that opens a claim; `None` when it is none of the user's.
#[must_use]
pub fn scope_of_claim(name: &str) -> Option<&'static str> {
    USER_CLAIMS.iter().find(|claim| claim.name == name).map(|claim| claim.scope)
}

/// Which claims of a user may be told.
#[derive(Clone, Copy, Debug)]
pub struct OpenedClaims<'a> {
    /// The scopes of the token.
    pub granted: &'a Scopes,
    /// The scopes of the client: where one of them names a family of claims, each family needs its scope; for ERPNext's
    /// clients `openid` alone means all that ERPNext itself would tell.
    pub registered: &'a Scopes,
    /// Those that the `claims` parameter asked for by name, and was granted.
    pub asked: &'a [String],
}

impl OpenedClaims<'_> {
    fn has(&self, claim: UserClaim) -> bool {
        let by_scope = self.granted.contains(claim.scope);
        let at_all = !claim.is_detail && !self.registered.name_claims();
        by_scope || at_all || self.asked.iter().any(|asked| asked == claim.name)
    }

    /// Whether one of [`ProfileDetails`] is among them.
    #[must_use]
    pub fn need_details(&self) -> bool {
        USER_CLAIMS.into_iter().any(|claim| claim.is_detail && self.has(claim))
    }
}

impl Profile {
    /// The user's claims that are opened and have a value, without `sub`.
    #[must_use]
    pub fn claims(&self, opened: OpenedClaims<'_>) -> Map<String, Value> {
        let told = USER_CLAIMS.into_iter().filter(|claim| opened.has(*claim));
        told.filter_map(|claim| self.claim(claim.name).map(|value| (claim.name.to_owned(), value))).collect()
    }

    /// The value of one claim; `None` when the user has none.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<Value> {
        let details = &self.details;
        let text = match name {
            "name" => &self.name,
            "given_name" => &self.given_name,
            "family_name" => &self.family_name,
            "email" => &self.email,
            "picture" => &self.picture,
            "roles" => return Some(Value::from(self.roles.clone())),
            "preferred_username" => &details.preferred_username,
            "gender" => &details.gender,
            "birthdate" => &details.birthdate,
            "zoneinfo" => &details.zoneinfo,
            "locale" => &details.locale,
            "phone_number" => &details.phone_number,
            // §5.1.1
            "address" => {
                let formatted = details.address.as_deref().filter(|text| !text.is_empty());
                return formatted.map(|formatted| serde_json::json!({ "formatted": formatted }));
            }
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
            details: ProfileDetails {
                phone_number: Some("+1 555 0100".to_owned()),
                address: Some("1 Long Road".to_owned()),
                locale: Some("en".to_owned()),
                ..ProfileDetails::default()
            },
        }
    }

    fn names(granted: &str, registered: &str, asked: &[&str]) -> Vec<String> {
        let scopes = |text| Scopes::parse(text).expect("scopes");
        let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        let (granted, registered) = (scopes(granted), scopes(registered));
        let opened = OpenedClaims { granted: &granted, registered: &registered, asked: &asked };
        alice().claims(opened).keys().cloned().collect()
    }

    #[test]
    fn openid_alone_means_all_claims_of_erpnext_that_have_a_value() {
        assert_eq!(names("openid", "all openid", &[]), ["email", "given_name", "name", "roles"]);
    }

    #[test]
    fn families_follow_their_scopes_once_one_is_registered() {
        assert_eq!(names("openid email", "openid email profile", &[]), ["email"]);
        assert_eq!(names("openid phone", "openid phone address", &[]), ["phone_number"]);
        assert_eq!(names("openid profile", "openid profile", &[]), ["given_name", "locale", "name"]);
    }

    #[test]
    fn what_erpnext_does_not_tell_needs_its_scope_whoever_asks() {
        assert_eq!(names("openid address", "all openid", &[]), ["address", "email", "given_name", "name", "roles"]);
    }

    #[test]
    fn a_claim_may_be_asked_for_by_name() {
        assert_eq!(names("openid", "openid profile", &["phone_number", "name", "x"]), ["name", "phone_number"]);
    }

    #[test]
    fn details_are_needed_only_where_they_are_told() {
        let scopes = |text| Scopes::parse(text).expect("scopes");
        let need = |granted, registered, asked: &[String]| {
            OpenedClaims { granted: &scopes(granted), registered: &scopes(registered), asked }.need_details()
        };
        assert!(!need("openid", "all openid", &[]));
        assert!(!need("openid email", "openid email", &[]));
        assert!(need("openid profile", "openid profile", &[]));
        assert!(need("openid", "openid email", &["gender".to_owned()]));
    }
}
