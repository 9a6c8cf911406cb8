//! The `claims` parameter (OpenID Connect Core §5.5): of it, the names that the id_token is asked to carry.

use serde_json::{Map, Value};

use crate::endpoints::respond::OAuthError;

const MOST_CLAIMS: usize = 64;

/// The names under `id_token`.
///
/// # Errors
/// `invalid_request` when it is not a JSON object of objects.
pub(super) fn id_token_claims(parameter: Option<&str>) -> Result<Vec<String>, OAuthError> {
    let Some(text) = parameter else { return Ok(Vec::new()) };
    let malformed = || OAuthError::invalid_request("claims must be a JSON object with id_token and userinfo");
    let claims: Map<String, Value> = serde_json::from_str(text).map_err(|_| malformed())?;
    match claims.get("id_token") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(names)) => Ok(names.keys().take(MOST_CLAIMS).cloned().collect()),
        Some(_) => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_under_id_token_are_taken() {
        let names =
            id_token_claims(Some(r#"{"id_token":{"email":null,"name":{"essential":true}},"userinfo":{"roles":null}}"#));
        assert_eq!(names, Ok(vec!["email".to_owned(), "name".to_owned()]));
        assert_eq!(id_token_claims(None), Ok(Vec::new()));
        assert!(id_token_claims(Some("[]")).is_err());
        assert!(id_token_claims(Some(r#"{"id_token":1}"#)).is_err());
    }
}
