//! Why nothing is issued. Each variant is a reason; `endpoints::respond` says what the peer hears of it.

use super::SigningError;
use crate::{erpnext::DirectoryError, store::StoreError};

/// Why a use case of the issuer ended without a token.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The store can't answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The upstream can't answer.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A token can't be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// HS256 was asked for, and the client has no secret.
    #[error("HS256 needs a client secret")]
    NoSecretToSignWith,
    /// The user is disabled, deleted, or somebody else under the same name.
    #[error("the user is disabled or gone")]
    UserGone,
    /// The user has none of the roles that the client asks for.
    #[error("the user has none of the client's roles")]
    RoleMissing,
    /// What the client presented is not good.
    #[error("{0:?}")]
    Refused(GrantRefusal),
}

impl From<GrantRefusal> for IssueError {
    fn from(refusal: GrantRefusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Why a presented code, token or credential earns no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantRefusal {
    /// Not a code of ours, by its shape alone.
    MalformedCode,
    /// No such code, or it has expired.
    UnknownCode,
    /// The code was used before; its grant is ended.
    ReplayedCode,
    /// The code or refresh token was given to another client.
    OtherClient,
    /// `redirect_uri` is not the one that the code was sent to.
    RedirectUriDiffers,
    /// The authorization request named a redirect URI, the token request none.
    RedirectUriMissing,
    /// There was a challenge, there is no verifier.
    VerifierMissing,
    /// There was no challenge, there is a verifier: a downgrade (RFC 9700 §4.8.2).
    VerifierUnexpected,
    /// The verifier is too short, too long, or has an illegal character.
    VerifierMalformed,
    /// The verifier does not meet the challenge.
    VerifierWrong,
    /// The code or refresh token is bound to a key that was not proven (RFC 9449 §5, §10).
    KeyNotProven,
    /// Not a refresh token of ours, by its shape alone.
    MalformedRefreshToken,
    /// No such refresh token, expired, or its grant has ended.
    UnknownRefreshToken,
    /// The refresh token was rotated away too long ago, or its successor was used; its grant is ended.
    ReusedRefreshToken,
    /// A scope that was not granted, or is not the client's.
    ScopeTooWide,
    /// A resource that was not granted (RFC 8707 §2.2).
    OtherResource,
    /// The client has no user to act as.
    NoServiceUser,
    /// The password is wrong.
    PasswordWrong,
    /// The user has a second factor, which only the login page can ask for.
    SecondFactorNeeded,
    /// The user has not decided about the device yet.
    DevicePending,
    /// The same, and the device polls too often.
    DeviceTooFast,
    /// The user has denied it to the device.
    DeviceDenied,
    /// The device code has expired.
    DeviceExpired,
}

impl GrantRefusal {
    /// The word for it in the audit trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedCode => "malformed_code",
            Self::UnknownCode => "unknown_code",
            Self::ReplayedCode => "replayed_code",
            Self::OtherClient => "other_client",
            Self::RedirectUriDiffers => "redirect_uri_differs",
            Self::RedirectUriMissing => "redirect_uri_missing",
            Self::VerifierMissing => "verifier_missing",
            Self::VerifierUnexpected => "verifier_unexpected",
            Self::VerifierMalformed => "verifier_malformed",
            Self::VerifierWrong => "verifier_wrong",
            Self::KeyNotProven => "key_not_proven",
            Self::MalformedRefreshToken => "malformed_refresh_token",
            Self::UnknownRefreshToken => "unknown_refresh_token",
            Self::ReusedRefreshToken => "reused_refresh_token",
            Self::ScopeTooWide => "scope_too_wide",
            Self::OtherResource => "other_resource",
            Self::NoServiceUser => "no_service_user",
            Self::PasswordWrong => "password_wrong",
            Self::SecondFactorNeeded => "second_factor_needed",
            Self::DevicePending => "device_pending",
            Self::DeviceTooFast => "device_too_fast",
            Self::DeviceDenied => "device_denied",
            Self::DeviceExpired => "device_expired",
        }
    }

    /// Whether it says no more than to ask again later.
    #[must_use]
    pub const fn is_to_wait(self) -> bool {
        matches!(self, Self::DevicePending | Self::DeviceTooFast)
    }

    /// Whether this may be somebody's guess: only what our own checksum or a login page would tell apart from a mishap.
    #[must_use]
    pub const fn may_be_a_guess(self) -> bool {
        matches!(
            self,
            Self::MalformedCode | Self::MalformedRefreshToken | Self::PasswordWrong | Self::SecondFactorNeeded
        )
    }
}
