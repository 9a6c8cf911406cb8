//! Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document): a client whose `client_id` is the URL of its
//! metadata, and which is registered nowhere.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use url::Url;

use super::{ClientMetadata, InvalidMetadata, RegistrationPolicy, RequestedMetadata};
use crate::oauth::{ClientAuthMethod, ClientId, DocumentUrl};

use InvalidMetadata::{Metadata, RedirectUri as BadUri};

/// A longer id is none of a document's: the id stands in URLs, rows and logs.
const LONGEST_ID: usize = 512;

/// What a document says of itself besides the metadata.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Claimed {
    #[serde(rename = "client_id")]
    id: Option<String>,
    #[serde(rename = "client_secret")]
    secret: Option<IgnoredAny>,
    #[serde(rename = "client_secret_expires_at")]
    secret_expires_at: Option<IgnoredAny>,
}

/// The metadata in a document, if it is that of the client whose id is the document's URL (§4.1).
///
/// # Errors
/// What is wrong with it; nothing of what it says.
pub fn read_client_document(url: &DocumentUrl, document: &Value) -> Result<RequestedMetadata, &'static str> {
    if !document.is_object() {
        return Err("it is not a JSON object");
    }
    let malformed = |_| "its members do not have the types of RFC 7591";
    let claimed = Claimed::deserialize(document).map_err(malformed)?;
    if claimed.id.as_deref() != Some(url.as_str()) {
        return Err("its client_id is not the URL that it was fetched from");
    }
    if claimed.secret.is_some() || claimed.secret_expires_at.is_some() {
        return Err("it has a client_secret, and everybody can read it");
    }
    RequestedMetadata::deserialize(document).map_err(malformed)
}

impl ClientId {
    /// Whether only a document could be meant.
    #[must_use]
    pub fn is_url(&self) -> bool {
        self.as_str().starts_with("https://")
    }

    /// The document that describes the client, if the id is the URL of one (§3).
    #[must_use]
    pub fn document(&self) -> Option<DocumentUrl> {
        let url = (self.as_str().len() <= LONGEST_ID).then(|| DocumentUrl::parse(self.as_str()))?.ok()?;
        url.may_be_client_id().then_some(url)
    }
}

impl RegistrationPolicy {
    /// What the client is that a document describes: what [`Self::check`] makes of it, without a secret, and with https redirect
    /// URIs of the document's own origin or of hosts that the operator has named. Where it says nothing of how the client
    /// authenticates, the client is a public one, or signs if there are keys.
    ///
    /// # Errors
    /// [`InvalidMetadata`] says what is wrong, and never what was asked for.
    pub fn check_document(
        &self,
        url: &DocumentUrl,
        asked: &RequestedMetadata,
    ) -> Result<ClientMetadata, InvalidMetadata> {
        let mut asked = asked.clone();
        let has_keys = asked.jwks.is_some() || asked.jwks_uri.is_some();
        let default = if has_keys { ClientAuthMethod::PrivateKeyJwt } else { ClientAuthMethod::None };
        asked.token_endpoint_auth_method.get_or_insert_with(|| default.as_str().to_owned());
        let metadata = self.check(asked)?;
        if metadata.has_secret() {
            return Err(Metadata("token_endpoint_auth_method must be none or private_key_jwt: it can have no secret"));
        }
        let of_others = |uri: &Url| {
            let named = uri.host_str().is_some_and(|host| self.names_host(host));
            uri.scheme() == "https" && uri.origin() != url.url().origin() && !named
        };
        let uris = metadata.redirect_uris.iter().chain(&metadata.post_logout_redirect_uris);
        if uris.filter_map(|uri| Url::parse(uri.as_str()).ok()).any(|uri| of_others(&uri)) {
            return Err(BadUri("https redirect URIs must be of the origin that its client_id is of"));
        }
        Ok(metadata)
    }

    fn names_host(&self, host: &str) -> bool {
        self.redirect_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oauth::{GrantType, Scopes};

    const ID: &str = "https://agent.example/oauth/client.json";

    fn policy() -> RegistrationPolicy {
        RegistrationPolicy {
            scopes: Scopes::parse("openid profile").expect("scopes"),
            redirect_hosts: Vec::new(),
            loopback: true,
            document_hosts: Vec::new(),
        }
    }

    fn checked(policy: &RegistrationPolicy, more: &Value) -> Result<ClientMetadata, String> {
        let mut document =
            json!({"client_id": ID, "redirect_uris": ["https://agent.example/cb", "http://127.0.0.1/cb"]});
        for (name, value) in more.as_object().expect("an object") {
            document[name] = value.clone();
        }
        let url = ClientId::new(ID).document().expect("a URL");
        let asked = read_client_document(&url, &document).map_err(str::to_owned)?;
        policy.check_document(&url, &asked).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn a_document_makes_a_public_client_or_one_that_signs() {
        let public = checked(&policy(), &json!({})).expect("good");
        assert_eq!(public.token_endpoint_auth_method, ClientAuthMethod::None);
        assert_eq!(public.grant_types, [GrantType::AuthorizationCode]);
        let named =
            checked(&policy(), &json!({"token_endpoint_auth_method": "none", "scope": "openid all"})).expect("good");
        assert_eq!(named.scope.to_string(), "openid");
        let signs = checked(&policy(), &json!({"jwks_uri": "https://agent.example/jwks"})).expect("good");
        assert_eq!(signs.token_endpoint_auth_method, ClientAuthMethod::PrivateKeyJwt);
    }

    #[test]
    fn what_is_not_the_document_of_the_client_is_refused() {
        for more in [
            json!({"client_id": "https://agent.example/oauth/other.json"}),
            json!({"client_id": null}),
            json!({"client_id": 1}),
            json!({"client_secret": "x"}),
            json!({"client_secret_expires_at": 0}),
            json!({"token_endpoint_auth_method": "client_secret_basic"}),
            json!({"token_endpoint_auth_method": "client_secret_post"}),
            json!({"token_endpoint_auth_method": "tls_client_auth"}),
            json!({"token_endpoint_auth_method": "private_key_jwt"}),
            json!({"jwks_uri": "https://127.0.0.1/jwks"}),
            json!({"redirect_uris": []}),
            json!({"redirect_uris": ["https://other.example/cb"]}),
            json!({"redirect_uris": ["https://agent.example:8443/cb"]}),
            json!({"redirect_uris": ["https://agent.example.evil.example/cb"]}),
            json!({"redirect_uris": ["http://agent.example/cb"]}),
            json!({"post_logout_redirect_uris": ["https://other.example/bye"]}),
            json!({"grant_types": ["password"]}),
            json!({"scope": "all"}),
        ] {
            assert!(checked(&policy(), &more).is_err(), "{more}");
        }
        let url = ClientId::new(ID).document().expect("a URL");
        assert!(read_client_document(&url, &json!([ID])).is_err());
    }

    #[test]
    fn hosts_that_the_operator_names_may_be_led_back_to() {
        let named = RegistrationPolicy { redirect_hosts: vec!["other.example".to_owned()], ..policy() };
        let more = json!({"redirect_uris": ["https://other.example/cb"]});
        assert!(checked(&named, &more).is_ok() && checked(&policy(), &more).is_err());
    }

    #[test]
    fn an_id_is_the_url_of_a_document_or_none() {
        assert!(ClientId::new(ID).document().is_some());
        for id in ["shop", "dcr-x", "https://agent.example", "https://agent.example/a#b", "http://agent.example/a"] {
            assert!(ClientId::new(id).document().is_none(), "{id}");
        }
        assert!(ClientId::new(format!("{ID}{}", "a".repeat(LONGEST_ID))).document().is_none());
    }
}
