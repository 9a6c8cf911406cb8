//! Tokens that the upstream issued, and what came of reading them.

use super::Grant;
use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId, TokenHash},
};

/// A token that the upstream issued, with its refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeRow {
    /// The hash of the access token.
    pub access: TokenHash,
    /// The hash of the refresh token.
    pub refresh: Option<TokenHash>,
    /// The grant that they are to be known as. It begins when the row was made.
    pub grant: Grant,
    /// When the access token ends.
    pub expires_at: UnixTime,
    /// When the refresh token ends unless it is used.
    pub refresh_expires_at: UnixTime,
    /// Tells whether the row has changed since.
    pub edition: String,
    /// Whether the upstream has revoked it.
    pub state: NativeState,
}

/// Whether a native token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NativeState {
    /// The upstream accepts it until it expires.
    Active,
    /// The upstream refuses it.
    Revoked,
}

/// What came of taking in native rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NativeImport {
    /// How many are new.
    pub added: usize,
    /// The grants that ended or changed: what is remembered of them is not to be believed.
    pub ended: Vec<GrantId>,
    /// Access tokens of rows that the upstream should forget: their grant has ended here, or it is ours by a refresh and
    /// the access token has expired.
    pub spent: Vec<TokenHash>,
}

/// How many native tokens of a client there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeCount {
    /// The client.
    pub client: ClientId,
    /// Access tokens that have not ended.
    pub access: u64,
    /// Refresh tokens that have not ended and that no refresh has replaced.
    pub refresh: u64,
    /// Tokens of either kind that were used since the asked time.
    pub used: u64,
    /// When one was used last.
    pub last_used: Option<UnixTime>,
}
