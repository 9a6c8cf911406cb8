//! The `claims` parameter (OpenID Connect Core §5.5): which claims are asked for by name, of the id_token and of userinfo.

use serde_json::{Map, Value};

use crate::{
    endpoints::respond::OAuthError,
    oauth::{ErrorCode, Subject},
};

const MOST_CLAIMS: usize = 64;

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AskedClaims {
    /// The names of the id_token's.
    pub id_token: Vec<String>,
    /// The names of userinfo's.
    pub userinfo: Vec<String>,
    /// The subject that the answer must be about (§5.5.1), as `id_token_hint` would name it.
    pub sub: Option<Subject>,
    /// Whether `auth_time` is essential: a login whose time is not known does not do then.
    pub needs_auth_time: bool,
}

/// Reads the members `id_token` and `userinfo`; others are ignored, as is whether a claim is essential, except where this
/// decides what happens: a claim that can't be had is left out (§5.5.1).
///
/// # Errors
/// `invalid_request` when it is not a JSON object of objects. `unmet_authentication_requirements` where an `acr` is
/// essential: ERPNext tells of none (§5.5.1.1).
pub(crate) fn asked_claims(parameter: Option<&str>) -> Result<AskedClaims, OAuthError> {
    let Some(text) = parameter else { return Ok(AskedClaims::default()) };
    let claims: Map<String, Value> = serde_json::from_str(text).map_err(|_| malformed())?;
    let (id_token, userinfo) = (members(&claims, "id_token")?, members(&claims, "userinfo")?);
    if is_essential(&id_token, "acr") {
        return Err(OAuthError::new(
            ErrorCode::UnmetAuthenticationRequirements,
            "acr is not supported, so that it can't be essential",
        ));
    }
    let sub = [&id_token, &userinfo].into_iter().find_map(|asked| asked.get("sub")?.get("value")?.as_str());
    Ok(AskedClaims {
        sub: sub.map(Subject::new),
        needs_auth_time: is_essential(&id_token, "auth_time"),
        id_token: names(&id_token),
        userinfo: names(&userinfo),
    })
}

fn malformed() -> OAuthError {
    OAuthError::invalid_request(
        "claims must be a JSON object whose members id_token and userinfo are objects of objects",
    )
}

/// A member, each claim in which is `null` or an object.
fn members(claims: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, OAuthError> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(asked)) if asked.values().all(|how| how.is_null() || how.is_object()) => Ok(asked.clone()),
        Some(_) => Err(malformed()),
    }
}

fn is_essential(asked: &Map<String, Value>, name: &str) -> bool {
    asked.get(name).and_then(|how| how.get("essential")?.as_bool()).unwrap_or_default()
}

fn names(asked: &Map<String, Value>) -> Vec<String> {
    asked.keys().take(MOST_CLAIMS).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_and_the_subject_are_taken() {
        let text = r#"{"id_token":{"email":null,"sub":{"value":"1"}},"userinfo":{"roles":{"essential":true}},"x":1}"#;
        let expected = AskedClaims {
            id_token: vec!["email".to_owned(), "sub".to_owned()],
            userinfo: vec!["roles".to_owned()],
            sub: Some(Subject::new("1")),
            needs_auth_time: false,
        };
        assert_eq!(asked_claims(Some(text)), Ok(expected));
        assert_eq!(asked_claims(None), Ok(AskedClaims::default()));
        for text in ["[]", "x", r#"{"id_token":1}"#, r#"{"userinfo":[]}"#, r#"{"id_token":{"name":true}}"#] {
            assert_eq!(asked_claims(Some(text)).map_err(|error| error.code), Err(ErrorCode::InvalidRequest), "{text}");
        }
    }

    #[test]
    fn what_is_essential_is_heard_where_it_matters() {
        let asked = |text| asked_claims(Some(text));
        let auth_time = asked(r#"{"id_token":{"auth_time":{"essential":true}}}"#).expect("claims");
        assert!(auth_time.needs_auth_time);
        assert!(!asked(r#"{"id_token":{"auth_time":null}}"#).expect("claims").needs_auth_time);
        let acr = asked(r#"{"id_token":{"acr":{"essential":true,"values":["2"]}}}"#);
        assert_eq!(acr.map_err(|error| error.code), Err(ErrorCode::UnmetAuthenticationRequirements));
        assert!(asked(r#"{"id_token":{"acr":{"values":["2"]}}}"#).is_ok(), "voluntary");
    }
}
