//! What may be registered: the rules of RFC 7591 §2 and RFC 8252 §7, and the site's own.

use serde_json::Value;
use url::{Host, Url};

use super::{ClientMetadata, RequestedMetadata};
use crate::oauth::{ClientAuthMethod, ClientKeys, DocumentUrl, GrantType, RedirectUri, ResponseType, Scopes};

const MOST_URIS: usize = 20;
const MOST_CONTACTS: usize = 10;
const LONGEST_URI: usize = 2048;
const LONGEST_TEXT: usize = 200;

/// Whom the site lets register with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationPolicy {
    /// The scopes that a client may be registered for.
    pub scopes: Scopes,
    /// The hosts that https redirect URIs may have; none named: every public one.
    pub redirect_hosts: Vec<String>,
    /// Whether redirect URIs may lead to the user's own machine (RFC 8252 §7.3).
    pub loopback: bool,
    /// Hosts of the operator's own, where clients may publish documents though they are not public.
    pub document_hosts: Vec<String>,
}

/// Why a client is not registered with what it asks for (RFC 7591 §3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetadata {
    /// `invalid_redirect_uri`
    #[error("{0}")]
    RedirectUri(&'static str),
    /// `invalid_client_metadata`
    #[error("{0}")]
    Metadata(&'static str),
}

use InvalidMetadata::{Metadata, RedirectUri as BadUri};

impl RegistrationPolicy {
    /// What the client is registered with: what it asks for, with the defaults of RFC 7591 §2, and narrowed to the scopes
    /// and grant types that it may have.
    ///
    /// # Errors
    /// [`InvalidMetadata`] says which member can't be registered, and never what was asked for.
    pub fn check(&self, asked: RequestedMetadata) -> Result<ClientMetadata, InvalidMetadata> {
        let redirect_uris = self.uris(asked.redirect_uris.unwrap_or_default())?;
        if redirect_uris.is_empty() {
            return Err(BadUri("redirect_uris is needed: at least one"));
        }
        let token_endpoint_auth_method = auth_method(asked.token_endpoint_auth_method.as_deref())?;
        let jwks_uri = self.key_url(asked.jwks_uri.as_deref())?;
        check_keys(token_endpoint_auth_method, asked.jwks.as_ref(), jwks_uri.as_ref())?;
        Ok(ClientMetadata {
            redirect_uris,
            token_endpoint_auth_method,
            jwks: asked.jwks,
            jwks_uri,
            grant_types: grant_types(asked.grant_types)?,
            response_types: response_types(asked.response_types)?,
            scope: self.scopes(asked.scope.as_deref())?,
            client_name: text(asked.client_name)?,
            client_uri: page(asked.client_uri)?,
            logo_uri: page(asked.logo_uri)?,
            tos_uri: page(asked.tos_uri)?,
            policy_uri: page(asked.policy_uri)?,
            contacts: contacts(asked.contacts.unwrap_or_default())?,
            software_id: text(asked.software_id)?,
            software_version: text(asked.software_version)?,
            post_logout_redirect_uris: self.uris(asked.post_logout_redirect_uris.unwrap_or_default())?,
        })
    }

    fn uris(&self, asked: Vec<String>) -> Result<Vec<RedirectUri>, InvalidMetadata> {
        if asked.len() > MOST_URIS {
            return Err(BadUri("too many redirect URIs: at most 20"));
        }
        let mut uris = Vec::new();
        for text in asked {
            let uri = self.redirect_uri(&text)?;
            if !uris.contains(&uri) {
                uris.push(uri);
            }
        }
        Ok(uris)
    }

    fn redirect_uri(&self, text: &str) -> Result<RedirectUri, InvalidMetadata> {
        const NOT_ALLOWED: &str = "a redirect URI is none that may be registered: https, http on loopback (127.0.0.1, [::1], \
                                   localhost), or a private-use scheme with a dot (RFC 8252)";
        if text.len() > LONGEST_URI {
            return Err(BadUri("a redirect URI is too long: at most 2048 characters"));
        }
        let uri = RedirectUri::parse(text).map_err(|_| {
            BadUri("a redirect URI is malformed, has a fragment or user information, or a scheme that is refused")
        })?;
        if uri.is_loopback() {
            let allowed = if self.loopback { Ok(uri) } else { Err("redirect URIs on loopback are not allowed here") };
            return allowed.map_err(BadUri);
        }
        let url = Url::parse(text).map_err(|_| BadUri(NOT_ALLOWED))?;
        match url.scheme() {
            "https" if self.allows_host(url.host().as_ref()) => Ok(uri),
            "https" => Err(BadUri("the host of a redirect URI is not one that is allowed here")),
            scheme if scheme.contains('.') => Ok(uri),
            _ => Err(BadUri(NOT_ALLOWED)),
        }
    }

    /// A name that only the user's own network knows is for the operator to allow: a code sent there is anybody's who
    /// listens under that name.
    fn allows_host(&self, host: Option<&Host<&str>>) -> bool {
        let Some(host) = host else { return false };
        if !self.redirect_hosts.is_empty() {
            return self.redirect_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(&host.to_string()));
        }
        match host {
            Host::Domain(name) => {
                let name = name.trim_end_matches('.');
                name.contains('.') && !name.ends_with(".localhost")
            }
            Host::Ipv4(_) | Host::Ipv6(_) => false,
        }
    }

    /// Where keys may be fetched from. What its name is an address of is looked at by who fetches.
    fn key_url(&self, asked: Option<&str>) -> Result<Option<DocumentUrl>, InvalidMetadata> {
        const NOT_ALLOWED: &str =
            "jwks_uri must be https on port 443 of a host with a public name, without user and fragment";
        let Some(asked) = asked else { return Ok(None) };
        let url = DocumentUrl::parse(asked).map_err(|_| Metadata(NOT_ALLOWED))?;
        let of_the_operator = self.document_hosts.iter().any(|host| host.eq_ignore_ascii_case(url.host()));
        let public = url.is_on_standard_port() && url.has_public_name();
        if public || of_the_operator { Ok(Some(url)) } else { Err(Metadata(NOT_ALLOWED)) }
    }

    /// Those that are asked for and allowed; asked for none, all that are allowed.
    fn scopes(&self, asked: Option<&str>) -> Result<Scopes, InvalidMetadata> {
        let Some(asked) = asked else { return Ok(self.scopes.clone()) };
        let asked = Scopes::parse(asked).map_err(|_| Metadata("scope is malformed"))?;
        let allowed = asked.filtered(|scope| self.scopes.contains(scope));
        match (asked.is_empty(), allowed.is_empty()) {
            (true, _) => Ok(self.scopes.clone()),
            (false, true) => Err(Metadata("none of the scopes may be registered here")),
            (false, false) => Ok(allowed),
        }
    }
}

fn auth_method(asked: Option<&str>) -> Result<ClientAuthMethod, InvalidMetadata> {
    match asked.map_or(Ok(ClientAuthMethod::Basic), str::parse) {
        Ok(
            method @ (ClientAuthMethod::Basic
            | ClientAuthMethod::Post
            | ClientAuthMethod::PrivateKeyJwt
            | ClientAuthMethod::None),
        ) => Ok(method),
        _ => Err(Metadata(
            "token_endpoint_auth_method must be client_secret_basic, client_secret_post, private_key_jwt or none",
        )),
    }
}

/// Whoever signs has keys, given or published, and nobody else has (RFC 7591 §2).
fn check_keys(
    method: ClientAuthMethod,
    jwks: Option<&Value>,
    jwks_uri: Option<&DocumentUrl>,
) -> Result<(), InvalidMetadata> {
    match (method == ClientAuthMethod::PrivateKeyJwt, jwks, jwks_uri) {
        (_, Some(_), Some(_)) => Err(Metadata("give jwks or jwks_uri, not both")),
        (true, None, None) => Err(Metadata("private_key_jwt needs keys: jwks or jwks_uri")),
        (false, None, None) | (true, None, Some(_)) => Ok(()),
        (false, _, _) => Err(Metadata("jwks and jwks_uri are for the token_endpoint_auth_method private_key_jwt")),
        (true, Some(keys), None) => match ClientKeys::parse(keys) {
            Ok(_) => Ok(()),
            Err(_) => Err(Metadata(
                "jwks must be a JWK Set of at most 50 public keys, one of them RSA of 2048 to 4096 bits, P-256 or Ed25519",
            )),
        },
    }
}

/// Grant types that nobody here knows are left out: clients name all that they could use.
fn grant_types(asked: Option<Vec<String>>) -> Result<Vec<GrantType>, InvalidMetadata> {
    let Some(asked) = asked else { return Ok(vec![GrantType::AuthorizationCode]) };
    let refused = [GrantType::Password, GrantType::Implicit];
    if asked.iter().any(|word| word.parse().is_ok_and(|grant_type| refused.contains(&grant_type))) {
        return Err(Metadata("grant_types: password and implicit can't be registered"));
    }
    let known = [GrantType::AuthorizationCode, GrantType::RefreshToken];
    let grant_types: Vec<_> =
        known.into_iter().filter(|known| asked.iter().any(|word| word == known.as_str())).collect();
    if grant_types.contains(&GrantType::AuthorizationCode) {
        Ok(grant_types)
    } else {
        Err(Metadata("grant_types must have authorization_code, and may have refresh_token"))
    }
}

fn response_types(asked: Option<Vec<String>>) -> Result<Vec<ResponseType>, InvalidMetadata> {
    let asked = asked.unwrap_or_else(|| vec![ResponseType::CODE.to_string()]);
    if !asked.is_empty() && asked.iter().all(|word| ResponseType::parse(word) == Ok(ResponseType::CODE)) {
        Ok(vec![ResponseType::CODE])
    } else {
        Err(Metadata("response_types: only code can be registered"))
    }
}

/// A text that a page or a terminal may show: no control characters, nothing that turns the direction of what follows.
fn text(asked: Option<String>) -> Result<Option<String>, InvalidMetadata> {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let Some(asked) = asked else { return Ok(None) };
    if asked.chars().count() > LONGEST_TEXT || asked.chars().any(|c| c.is_control() || turns(c)) {
        return Err(Metadata(
            "client_name, software_id, software_version and contacts have at most 200 characters, none for control",
        ));
    }
    let trimmed = asked.trim();
    Ok((!trimmed.is_empty()).then(|| trimmed.to_owned()))
}

fn contacts(asked: Vec<String>) -> Result<Vec<String>, InvalidMetadata> {
    if asked.len() > MOST_CONTACTS {
        return Err(Metadata("contacts has at most 10 members"));
    }
    asked.into_iter().filter_map(|one| text(Some(one)).transpose()).collect()
}

/// A page for people: never fetched.
fn page(asked: Option<String>) -> Result<Option<String>, InvalidMetadata> {
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return Ok(None) };
    let is_https = asked.len() <= LONGEST_URI && RedirectUri::parse(&asked).is_ok_and(|uri| uri.is_https());
    if is_https {
        Ok(Some(asked))
    } else {
        Err(Metadata("client_uri, logo_uri, tos_uri and policy_uri must be https URLs"))
    }
}
