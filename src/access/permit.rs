//! What came of the check: the permit to forward a request, or the reason why not and the answer that it earns
//! (RFC 6750 §3). Pure.

use std::{fmt::Write, sync::Arc};

use http::{HeaderName, HeaderValue, StatusCode};

use super::{CachedToken, NotProven};
use crate::oauth::SIGNATURE_ALGORITHMS;

/// The header that tells a nonce (RFC 9449 §8.1).
pub static NONCE_HEADER: HeaderName = HeaderName::from_static("dpop-nonce");

/// A request may go upstream on behalf of a token's user.
#[derive(Clone, Debug)]
pub struct Permit {
    /// `Authorization` towards the upstream, ready and marked sensitive; `None`: as it came (decision 11).
    pub credential: Option<HeaderValue>,
    /// What is known of the token.
    pub token: Arc<CachedToken>,
    /// Whether it was known before this request.
    pub cached: bool,
}

/// Why a request may not go upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The route needs a bearer token, and there is none.
    NoToken,
    /// The `Authorization` header can't be understood, or there are two.
    MalformedHeader,
    /// A token in the query besides the one in the header (RFC 6750 §2).
    TwoMethods,
    /// The token is of our prefix, but not of our making.
    MalformedToken,
    /// The token is not of our format.
    ForeignToken,
    /// The token is unknown, expired or revoked.
    InactiveToken,
    /// The token is bound to a key and was presented as if it were not, or the other way.
    OtherScheme,
    /// That the peer holds the token's key is not proven.
    NotProven(NotProven),
    /// The token is for another resource (RFC 8707).
    OtherResource,
    /// The token's user is disabled, gone, or somebody else by now.
    UserGone,
    /// The token's scopes are not enough; these would be.
    InsufficientScope(String),
    /// Whether the token is active can't be told.
    LookupFailed,
    /// Whether the user is enabled can't be told, or there is no credential for the user.
    UpstreamUnavailable,
    /// The check itself failed.
    Broken,
}

/// What a denial tells the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenialAnswer {
    /// The status.
    pub status: StatusCode,
    /// The error code, in the challenge too; a request without credentials is told none (RFC 6750 §3.1).
    pub error: Option<&'static str>,
    /// For the integrator; only characters that a challenge may carry.
    pub description: &'static str,
    /// What Frappe's client libraries look at.
    pub exc_type: &'static str,
    /// The attribute `scope` of the challenge.
    pub scope: Option<String>,
    /// The scheme of the challenge that belongs to it, if one does.
    pub challenge: Option<&'static str>,
    /// The nonce that a proof must have.
    pub nonce: Option<String>,
}

const BEARER: &str = "Bearer";
const DPOP: &str = "DPoP";

impl DenialAnswer {
    /// The body, in JSON.
    #[must_use]
    pub fn body(&self) -> serde_json::Value {
        let mut body = serde_json::json!({ "error_description": self.description, "exc_type": self.exc_type });
        if let (Some(error), Some(body)) = (self.error, body.as_object_mut()) {
            body.insert("error".to_owned(), error.into());
        }
        body
    }
}

/// Where challenges point.
#[derive(Clone, Debug)]
pub struct Realm {
    realm: String,
}

impl Denial {
    /// The word for it in logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::MalformedHeader => "malformed_header",
            Self::TwoMethods => "two_methods",
            Self::MalformedToken => "malformed_token",
            Self::ForeignToken => "foreign_token",
            Self::InactiveToken => "inactive_token",
            Self::OtherScheme => "other_scheme",
            Self::NotProven(NotProven::Nonce(_)) => "proof_without_nonce",
            Self::NotProven(NotProven::Missing | NotProven::Wrong(_) | NotProven::Replayed | NotProven::OtherKey) => {
                "not_proven"
            }
            Self::OtherResource => "other_resource",
            Self::UserGone => "user_gone",
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::LookupFailed | Self::NotProven(NotProven::Full) => "lookup_failed",
            Self::UpstreamUnavailable => "upstream_unavailable",
            Self::Broken => "broken",
        }
    }

    /// What the peer is told. Unknown, expired, revoked and disabled look alike.
    #[must_use]
    pub fn answer(&self) -> DenialAnswer {
        match self {
            Self::NoToken => unauthorized(None, "A bearer access token is required."),
            Self::MalformedHeader => bad_request("The Authorization header is malformed or repeated."),
            Self::TwoMethods => bad_request("The access token may only be sent in the Authorization header."),
            Self::MalformedToken | Self::ForeignToken | Self::InactiveToken | Self::UserGone => {
                unauthorized(Some("invalid_token"), "The access token is not active.")
            }
            Self::OtherResource => unauthorized(Some("invalid_token"), "The access token is for another resource."),
            Self::OtherScheme => by_key("invalid_token", "The access token is not one of this scheme."),
            Self::NotProven(NotProven::Nonce(nonce)) => DenialAnswer {
                nonce: Some(nonce.clone()),
                ..by_key("use_dpop_nonce", "The DPoP proof needs the nonce of the header DPoP-Nonce.")
            },
            Self::NotProven(NotProven::Missing) => {
                by_key("invalid_dpop_proof", "The access token needs one DPoP proof beside it.")
            }
            Self::NotProven(NotProven::Wrong(_) | NotProven::OtherKey) => {
                by_key("invalid_dpop_proof", "The DPoP proof is not one for this token and this request.")
            }
            Self::NotProven(NotProven::Replayed) => by_key("invalid_dpop_proof", "The DPoP proof was used before."),
            Self::InsufficientScope(scope) => DenialAnswer {
                status: StatusCode::FORBIDDEN,
                error: Some("insufficient_scope"),
                description: "The access token lacks a scope that this route needs.",
                exc_type: "PermissionError",
                scope: Some(scope.clone()),
                challenge: Some(BEARER),
                nonce: None,
            },
            Self::LookupFailed | Self::NotProven(NotProven::Full) | Self::UpstreamUnavailable | Self::Broken => {
                DenialAnswer {
                    status: StatusCode::SERVICE_UNAVAILABLE,
                    error: Some("temporarily_unavailable"),
                    description: "The access token can't be checked at the moment.",
                    exc_type: "ServiceUnavailableError",
                    scope: None,
                    challenge: None,
                    nonce: None,
                }
            }
        }
    }
}

impl Realm {
    /// The realm of a gateway with this public origin.
    #[must_use]
    pub fn new(public_origin: &str) -> Self {
        Self { realm: public_origin.to_owned() }
    }

    /// The value of `WWW-Authenticate`, if the answer has one; for the resource at this path, or the whole site where it is
    /// empty (RFC 9728 §5.1).
    #[must_use]
    pub fn challenge(&self, answer: &DenialAnswer, resource: &str) -> Option<HeaderValue> {
        let (scheme, realm) = (answer.challenge?, &self.realm);
        let mut challenge = format!("{scheme} realm=\"{realm}\"");
        if let Some(error) = answer.error {
            write!(challenge, ", error=\"{error}\", error_description=\"{}\"", answer.description).ok()?;
        }
        if let Some(scope) = &answer.scope {
            write!(challenge, ", scope=\"{scope}\"").ok()?;
        }
        if scheme == DPOP {
            write!(challenge, ", algs=\"{}\"", SIGNATURE_ALGORITHMS.join(" ")).ok()?;
        }
        write!(challenge, ", resource_metadata=\"{realm}/.well-known/oauth-protected-resource{resource}\"").ok()?;
        HeaderValue::try_from(challenge).ok()
    }
}

/// What a token that is bound to a key earns where that is not shown (RFC 9449 §7.1).
fn by_key(error: &'static str, description: &'static str) -> DenialAnswer {
    DenialAnswer { challenge: Some(DPOP), ..unauthorized(Some(error), description) }
}

fn unauthorized(error: Option<&'static str>, description: &'static str) -> DenialAnswer {
    DenialAnswer {
        status: StatusCode::UNAUTHORIZED,
        error,
        description,
        exc_type: "AuthenticationError",
        scope: None,
        challenge: Some(BEARER),
        nonce: None,
    }
}

fn bad_request(description: &'static str) -> DenialAnswer {
    DenialAnswer {
        status: StatusCode::BAD_REQUEST,
        error: Some("invalid_request"),
        description,
        exc_type: "ValidationError",
        scope: None,
        challenge: Some(BEARER),
        nonce: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(denial: &Denial) -> Option<String> {
        let value = Realm::new("https://erp.example.com").challenge(&denial.answer(), "")?;
        Some(value.to_str().expect("ASCII").to_owned())
    }

    #[test]
    fn a_request_without_credentials_is_told_no_error() {
        assert_eq!(
            challenge(&Denial::NoToken).as_deref(),
            Some(
                "Bearer realm=\"https://erp.example.com\", \
                 resource_metadata=\"https://erp.example.com/.well-known/oauth-protected-resource\""
            )
        );
        assert_eq!(Denial::NoToken.answer().status, 401);
    }

    #[test]
    fn every_reason_why_a_token_is_not_active_looks_alike() {
        let answer = Denial::InactiveToken.answer();
        assert_eq!((answer.status.as_u16(), answer.error), (401, Some("invalid_token")));
        for denial in [Denial::MalformedToken, Denial::ForeignToken, Denial::UserGone] {
            assert_eq!(denial.answer(), answer);
        }
    }

    #[test]
    fn a_missing_scope_is_named() {
        let denial = Denial::InsufficientScope("read:Customer write".to_owned());
        assert_eq!(denial.answer().status, 403);
        assert!(challenge(&denial).expect("a challenge").contains(", scope=\"read:Customer write\", "));
    }

    #[test]
    fn what_cannot_be_told_is_unavailable_and_no_challenge() {
        for denial in [Denial::LookupFailed, Denial::UpstreamUnavailable, Denial::Broken] {
            assert_eq!(denial.answer().status, 503);
            assert_eq!(challenge(&denial), None);
        }
        assert_eq!(Denial::TwoMethods.answer().status, 400);
    }
}
