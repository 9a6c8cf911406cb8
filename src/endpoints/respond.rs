//! The door through which the endpoints' errors reach a peer as OAuth error JSON, and the headers of all our answers.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::{
    access::{NONCE_HEADER, NotProven},
    erpnext::DirectoryError,
    issuer::{GrantRefusal, IssueError},
    oauth::{ErrorCode, InvalidResource},
    store::StoreError,
};

/// What an endpoint answers.
pub type Answer = Response<Bytes>;

/// How long a client should wait when a part is away, in seconds.
const RETRY_AFTER_AWAY: u64 = 2;

/// An error as the peer hears of it. The text helps the integrator and never holds what the peer must not learn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthError {
    /// `error`
    pub code: ErrorCode,
    /// `error_description`
    pub description: Cow<'static, str>,
    /// The status.
    pub status: StatusCode,
    /// `WWW-Authenticate: Basic`, where Basic was tried.
    pub basic_challenge: bool,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// `DPoP-Nonce`
    pub dpop_nonce: Option<String>,
}

impl OAuthError {
    /// An error with the status that its code has at the token endpoint (RFC 6749 §5.2).
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        let status = match code {
            ErrorCode::InvalidClient | ErrorCode::InvalidToken => StatusCode::UNAUTHORIZED,
            ErrorCode::InsufficientScope => StatusCode::FORBIDDEN,
            ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::InvalidRequest
            | ErrorCode::InvalidGrant
            | ErrorCode::UnauthorizedClient
            | ErrorCode::UnsupportedGrantType
            | ErrorCode::UnsupportedResponseType
            | ErrorCode::InvalidScope
            | ErrorCode::AccessDenied
            | ErrorCode::LoginRequired
            | ErrorCode::ConsentRequired
            | ErrorCode::UnmetAuthenticationRequirements
            | ErrorCode::RequestNotSupported
            | ErrorCode::RequestUriNotSupported
            | ErrorCode::RegistrationNotSupported
            | ErrorCode::InvalidDpopProof
            | ErrorCode::UseDpopNonce
            | ErrorCode::AuthorizationPending
            | ErrorCode::SlowDown
            | ErrorCode::ExpiredToken
            | ErrorCode::InvalidTarget
            | ErrorCode::InvalidRedirectUri
            | ErrorCode::InvalidClientMetadata => StatusCode::BAD_REQUEST,
        };
        Self {
            code,
            description: description.into(),
            status,
            basic_challenge: false,
            retry_after: None,
            dpop_nonce: None,
        }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// `invalid_request`
    pub fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// Too many failures (RFC 6585 §4).
    #[must_use]
    pub fn too_many(retry_after: u64) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(ErrorCode::InvalidRequest, "too many failed requests, try again later")
        }
        .with_status(StatusCode::TOO_MANY_REQUESTS)
    }

    /// A part that is needed is away: 503.
    #[must_use]
    pub fn unavailable() -> Self {
        Self {
            retry_after: Some(RETRY_AFTER_AWAY),
            ..Self::new(ErrorCode::TemporarilyUnavailable, "the service is temporarily unavailable, try again")
        }
    }

    /// The answer.
    #[must_use]
    pub fn answer(&self) -> Answer {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'static str,
            error_description: &'a str,
        }
        let body = Body { error: self.code.as_str(), error_description: &self.description };
        let mut answer = json(self.status, &body);
        no_store(&mut answer);
        if self.basic_challenge {
            set(&mut answer, header::WWW_AUTHENTICATE, "Basic realm=\"token\", charset=\"UTF-8\"");
        }
        if let Some(seconds) = self.retry_after {
            set(&mut answer, header::RETRY_AFTER, &seconds.to_string());
        }
        if let Some(nonce) = &self.dpop_nonce {
            set(&mut answer, NONCE_HEADER.clone(), nonce);
        }
        answer
    }
}

impl From<NotProven> for OAuthError {
    fn from(not_proven: NotProven) -> Self {
        let wrong = |text: &'static str| Self::new(ErrorCode::InvalidDpopProof, text);
        match not_proven {
            NotProven::Missing => wrong("more than one DPoP proof, or one that is no text"),
            NotProven::Wrong(reason) => Self::new(ErrorCode::InvalidDpopProof, reason.to_string()),
            NotProven::Nonce(nonce) => Self {
                dpop_nonce: Some(nonce),
                ..Self::new(ErrorCode::UseDpopNonce, "the DPoP proof needs the nonce of the header DPoP-Nonce")
            },
            NotProven::Replayed => wrong("the DPoP proof was used before"),
            NotProven::OtherKey => wrong("the DPoP proof is of another key"),
            NotProven::Full => {
                tracing::error!("no more DPoP proofs can be remembered");
                Self::unavailable()
            }
        }
    }
}

impl From<InvalidResource> for OAuthError {
    fn from(invalid: InvalidResource) -> Self {
        Self::new(ErrorCode::InvalidTarget, invalid.to_string())
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store can't answer");
        Self::unavailable()
    }
}

impl From<DirectoryError> for OAuthError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::UserGone => Self::new(ErrorCode::InvalidGrant, USER_GONE),
            DirectoryError::Unavailable(_) | DirectoryError::Refused(_) => {
                tracing::error!(%error, "ERPNext can't answer");
                Self::unavailable()
            }
        }
    }
}

const USER_GONE: &str = "the user may not use this site any more";

impl From<IssueError> for OAuthError {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Store(error) => error.into(),
            IssueError::Directory(error) => error.into(),
            IssueError::Signing(error) => {
                tracing::error!(%error, "a token can't be signed");
                Self::new(ErrorCode::ServerError, "the token could not be signed")
            }
            IssueError::NoSecretToSignWith => {
                tracing::error!("a client's id_token_alg is HS256, but it has no secret");
                Self::new(ErrorCode::ServerError, "the id_token could not be signed")
            }
            IssueError::UserGone => Self::new(ErrorCode::InvalidGrant, USER_GONE),
            IssueError::RoleMissing => Self::new(ErrorCode::InvalidGrant, "the user may not use this client"),
            IssueError::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<GrantRefusal> for OAuthError {
    fn from(refusal: GrantRefusal) -> Self {
        let grant = |text: &'static str| Self::new(ErrorCode::InvalidGrant, text);
        let code = || grant("the code is unknown, expired, used before, or was issued to another client");
        let refresh = || grant("the refresh token is unknown, expired, revoked, or was issued to another client");
        match refusal {
            GrantRefusal::MalformedCode
            | GrantRefusal::UnknownCode
            | GrantRefusal::ReplayedCode
            | GrantRefusal::OtherClient => code(),
            GrantRefusal::MalformedRefreshToken
            | GrantRefusal::UnknownRefreshToken
            | GrantRefusal::ReusedRefreshToken => refresh(),
            GrantRefusal::RedirectUriDiffers => grant("redirect_uri is not the one of the authorization request"),
            GrantRefusal::RedirectUriMissing => grant("redirect_uri must repeat the one of the authorization request"),
            GrantRefusal::VerifierMissing => {
                grant("code_verifier is missing: the authorization request had a code_challenge")
            }
            GrantRefusal::VerifierUnexpected => {
                grant("code_verifier without a code_challenge in the authorization request")
            }
            GrantRefusal::VerifierMalformed => {
                Self::invalid_request("code_verifier must be 43 to 128 of the characters A-Z a-z 0-9 - . _ ~")
            }
            GrantRefusal::VerifierWrong => grant("code_verifier does not match the code_challenge"),
            GrantRefusal::KeyNotProven => grant("the code or token is bound to a key: send a DPoP proof of it"),
            GrantRefusal::ScopeTooWide => {
                Self::new(ErrorCode::InvalidScope, "a scope was asked for that is not granted")
            }
            GrantRefusal::OtherResource => {
                Self::new(ErrorCode::InvalidTarget, "a resource was asked for that is not granted")
            }
            GrantRefusal::NoServiceUser => Self::new(
                ErrorCode::UnauthorizedClient,
                "the client has no service_user, which client_credentials needs",
            ),
            GrantRefusal::PasswordWrong => grant("the user name or password is wrong"),
            GrantRefusal::DevicePending => {
                Self::new(ErrorCode::AuthorizationPending, "the user has not decided yet: ask again after the interval")
            }
            GrantRefusal::DeviceTooFast => {
                Self::new(ErrorCode::SlowDown, "the user has not decided yet: ask 5 seconds less often from now on")
            }
            GrantRefusal::DeviceDenied => Self::new(ErrorCode::AccessDenied, "the user denied the request"),
            GrantRefusal::DeviceExpired => {
                Self::new(ErrorCode::ExpiredToken, "the device_code has expired: begin again")
            }
            GrantRefusal::SecondFactorNeeded => {
                grant("the user has two-factor login: use the authorization code grant")
            }
        }
    }
}

/// A JSON answer.
pub fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut answer = Response::new(Bytes::from(bytes));
    *answer.status_mut() = status;
    set(&mut answer, header::CONTENT_TYPE, "application/json");
    set(&mut answer, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    answer
}

/// Says that the answer is nobody's to keep: it tells of a token, a code or a user (RFC 6749 §5.1).
pub fn no_store(answer: &mut Answer) {
    set(answer, header::CACHE_CONTROL, "no-store");
    set(answer, header::PRAGMA, "no-cache");
}

/// Sets a header; a value that can't stand in one is left out.
pub fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_code_its_text_and_is_not_stored() {
        let answer = OAuthError::new(ErrorCode::InvalidGrant, "no").answer();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert_eq!(answer.body(), r#"{"error":"invalid_grant","error_description":"no"}"#);
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(answer.headers()[header::PRAGMA], "no-cache");
    }

    #[test]
    fn unknown_used_and_foreign_codes_look_alike() {
        let all = [
            GrantRefusal::MalformedCode,
            GrantRefusal::UnknownCode,
            GrantRefusal::ReplayedCode,
            GrantRefusal::OtherClient,
        ];
        let first = OAuthError::from(GrantRefusal::UnknownCode);
        assert!(all.into_iter().all(|refusal| OAuthError::from(refusal) == first));
    }
}
