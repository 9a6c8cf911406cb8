//! A row of Frappe's doctype *OAuth Client*, and the client that it is.

use serde::{Deserialize, Serialize};

use super::ClientRules;
use crate::{
    oauth::{
        Allowance, Allowances, Client, ClientAuthMethod, ClientId, ClientSource, GrantType, IdTokenClaims, Pkce,
        RedirectUri, ResponseType, Scope, Scopes,
    },
    secret::Secret,
};

/// The fields that are asked for.
pub(super) const FIELDS: &str = r#"["name","app_name","client_secret","redirect_uris","default_redirect_uri","scopes","grant_type","response_type","skip_authorization","modified"]"#;

/// A client as Frappe describes it. Kept in the store like this, so that other settings make another client of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClientRow {
    pub(super) name: ClientId,
    pub(super) app_name: Option<String>,
    client_secret: Option<String>,
    redirect_uris: Option<String>,
    default_redirect_uri: Option<String>,
    scopes: Option<String>,
    grant_type: Option<String>,
    response_type: Option<String>,
    #[serde(default)]
    skip_authorization: u8,
    #[serde(default)]
    pub(super) modified: String,
    /// From the child table, which no list of the fields shows.
    #[serde(default)]
    pub(super) allowed_roles: Vec<String>,
}

/// One role of a client.
#[derive(Deserialize)]
pub(super) struct RoleRow {
    pub(super) name: ClientId,
    pub(super) role: Option<String>,
}

impl ClientRow {
    /// The client, as the rules of the settings have it.
    pub(super) fn to_client(&self, rules: &ClientRules) -> Client {
        let text = |field: &Option<String>| field.as_deref().map(str::trim).unwrap_or_default().to_owned();
        let secret = Some(text(&self.client_secret)).filter(|secret| !secret.is_empty()).map(Secret::new);
        let implicit = text(&self.grant_type) == "Implicit" || text(&self.response_type) == "Token";
        let allow = [(Allowance::Implicit, implicit), (Allowance::Password, rules.password_grant)];
        let client = Client {
            id: self.name.clone(),
            name: Some(text(&self.app_name)).filter(|name| !name.is_empty()).unwrap_or_else(|| self.name.to_string()),
            auth_method: if secret.is_some() { ClientAuthMethod::Secret } else { ClientAuthMethod::None },
            pkce: if secret.is_some() { Pkce::Optional } else { Pkce::Required },
            secret,
            keys: None,
            pushes_requests: false,
            binds_tokens: false,
            redirect_uris: text(&self.redirect_uris).split_whitespace().filter_map(|uri| self.uri(uri)).collect(),
            default_redirect_uri: Some(text(&self.default_redirect_uri))
                .filter(|uri| !uri.is_empty())
                .and_then(|uri| self.uri(&uri)),
            scopes: self.scopes(),
            grant_types: grant_types(implicit, rules.password_grant),
            response_types: response_types(implicit),
            mode: rules.mode,
            allow: allow
                .into_iter()
                .filter(|(_, given)| *given)
                .map(|(allowance, _)| allowance)
                .collect::<Allowances>(),
            id_token_claims: IdTokenClaims::Full,
            skip_consent: self.skip_authorization != 0,
            exchanges_tokens_of: Vec::new(),
            service_user: None,
            id_token_alg: None,
            allowed_roles: self.allowed_roles.clone(),
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            ends_with_login: false,
            agent: None,
            enabled: true,
            source: ClientSource::Erpnext,
        };
        rules.overridden(client)
    }

    fn uri(&self, text: &str) -> Option<RedirectUri> {
        let parsed = RedirectUri::parse(text);
        if parsed.is_err() {
            tracing::warn!(client = %self.name, "a redirect URI of the client is none that may be redirected to: left out");
        }
        parsed.ok()
    }

    fn scopes(&self) -> Scopes {
        let scopes = self.scopes.as_deref().unwrap_or_default().split_whitespace();
        scopes.filter_map(|scope| Scope::parse(scope).ok()).collect()
    }
}

fn grant_types(implicit: bool, password: bool) -> Vec<GrantType> {
    let by_page = if implicit { GrantType::Implicit } else { GrantType::AuthorizationCode };
    let refresh = (!implicit || password).then_some(GrantType::RefreshToken);
    let password = password.then_some(GrantType::Password);
    [Some(by_page), refresh, password].into_iter().flatten().collect()
}

/// Frappe's own answers to the hybrid types are broken, so nobody relies on them.
fn response_types(implicit: bool) -> Vec<ResponseType> {
    if implicit {
        ResponseType::IMPLICIT.into_iter().filter(|response| !response.code).collect()
    } else {
        vec![ResponseType::CODE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::ClientMode;

    fn row(more: &str) -> ClientRow {
        let mut row = serde_json::json!({
            "name": "s1p7u9lop3", "app_name": "Shop", "client_secret": "4fc44bd404", "scopes": "all  openid",
            "redirect_uris": "https://a.example/cb\n\thttps://b.example/cb javascript:alert(1) ",
            "default_redirect_uri": "https://a.example/cb", "grant_type": "Authorization Code",
            "response_type": "Code", "skip_authorization": 1, "modified": "2026-11-24 01:30:00.000000",
            "allowed_roles": ["Desk User"]
        });
        let more: serde_json::Value = serde_json::from_str(more).expect("JSON");
        row.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        serde_json::from_value(row).expect("a row")
    }

    fn client(more: &str, password_grant: bool) -> Client {
        row(more).to_client(&ClientRules { mode: ClientMode::Compat, password_grant, overrides: Vec::new() })
    }

    /// Transcript 06.
    #[test]
    fn a_row_is_a_client_with_a_secret_that_may_be_sent_by_either_method() {
        let client = client("{}", false);
        assert_eq!((client.id.as_str(), client.name.as_str()), ("s1p7u9lop3", "Shop"));
        assert!(client.secret.as_ref().is_some_and(|secret| secret.matches("4fc44bd404")));
        assert_eq!((client.auth_method, client.pkce), (ClientAuthMethod::Secret, Pkce::Optional));
        let uris: Vec<_> = client.redirect_uris.iter().map(RedirectUri::as_str).collect();
        assert_eq!(uris, ["https://a.example/cb", "https://b.example/cb"], "any white space; a script is no way back");
        assert_eq!(client.default_redirect_uri.as_ref().map(RedirectUri::as_str), Some("https://a.example/cb"));
        assert_eq!(client.scopes.to_string(), "all openid");
        assert_eq!(client.grant_types, [GrantType::AuthorizationCode, GrantType::RefreshToken]);
        assert_eq!(client.response_types, [ResponseType::CODE]);
        assert!(client.skip_consent && !client.allows(Allowance::Implicit) && !client.allows(Allowance::Password));
        assert_eq!(client.allowed_roles, ["Desk User"]);
        assert_eq!((client.mode, client.source), (ClientMode::Compat, ClientSource::Erpnext));
    }

    #[test]
    fn an_implicit_client_gets_the_response_types_without_a_code() {
        let client = client(r#"{"grant_type": "Implicit", "response_type": "Token"}"#, false);
        assert!(client.allows(Allowance::Implicit));
        assert_eq!(client.grant_types, [GrantType::Implicit]);
        assert!(client.response_types.iter().all(|response| !response.code), "{:?}", client.response_types);
        let texts: Vec<String> = client.response_types.iter().map(ToString::to_string).collect();
        assert!(texts.contains(&"token".to_owned()), "{texts:?}");
    }

    #[test]
    fn the_password_grant_is_for_all_of_them_when_the_operator_says_so() {
        let client = client("{}", true);
        assert!(client.allows(Allowance::Password) && client.grant_types.contains(&GrantType::Password));
    }

    #[test]
    fn a_client_without_a_secret_is_public() {
        let client = client(r#"{"client_secret": null, "app_name": null}"#, false);
        assert!(client.is_public() && client.pkce == Pkce::Required);
        assert_eq!(client.name, "s1p7u9lop3");
    }
}
