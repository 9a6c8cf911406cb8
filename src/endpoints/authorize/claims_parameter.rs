//! The `claims` parameter (OpenID Connect Core §5.5): of it, what the id_token is asked to carry.

use serde_json::{Map, Value};

use crate::{endpoints::respond::OAuthError, oauth::Subject};

const MOST_CLAIMS: usize = 64;

/// What is asked of the id_token.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AskedClaims {
    /// The names of the claims.
    pub names: Vec<String>,
    /// The subject that it must be about (§5.5.1), as `id_token_hint` would name it.
    pub sub: Option<Subject>,
}

/// The members under `id_token`.
///
/// # Errors
/// `invalid_request` when it is not a JSON object of objects.
pub(crate) fn asked_claims(parameter: Option<&str>) -> Result<AskedClaims, OAuthError> {
    let Some(text) = parameter else { return Ok(AskedClaims::default()) };
    let malformed = || OAuthError::invalid_request("claims must be a JSON object with id_token and userinfo");
    let claims: Map<String, Value> = serde_json::from_str(text).map_err(|_| malformed())?;
    match claims.get("id_token") {
        None | Some(Value::Null) => Ok(AskedClaims::default()),
        Some(Value::Object(members)) => Ok(AskedClaims {
            names: members.keys().take(MOST_CLAIMS).cloned().collect(),
            sub: members.get("sub").and_then(|sub| sub.get("value")?.as_str()).map(Subject::new),
        }),
        Some(_) => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_and_the_subject_under_id_token_are_taken() {
        let text = r#"{"id_token":{"email":null,"sub":{"value":"1"}},"userinfo":{"roles":null}}"#;
        let names = vec!["email".to_owned(), "sub".to_owned()];
        assert_eq!(asked_claims(Some(text)), Ok(AskedClaims { names, sub: Some(Subject::new("1")) }));
        assert_eq!(asked_claims(None), Ok(AskedClaims::default()));
        assert!(asked_claims(Some("[]")).is_err());
        assert!(asked_claims(Some(r#"{"id_token":1}"#)).is_err());
    }
}
