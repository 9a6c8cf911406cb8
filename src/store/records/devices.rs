//! Devices that wait for a user (RFC 8628), as values.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::GrantUser;
use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId, Scopes, TokenHash},
};

/// The time between two polls at first, and what is added to it for each that comes too early (RFC 8628 §3.2, §3.5).
pub const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// A device that has asked for authorization (RFC 8628 §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingDevice {
    /// The hash of the code that the user types.
    pub user_code: TokenHash,
    /// The client that asked.
    pub client: ClientId,
    /// The scopes that it asked for.
    pub scopes: Scopes,
    /// When it asked; it may poll from then on.
    pub asked_at: UnixTime,
    /// When the codes are too old.
    pub expires_at: UnixTime,
}

/// What a user has granted to a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceApproval {
    /// The grant that will come from it.
    pub grant: GrantId,
    /// Who granted it.
    pub user: GrantUser,
    /// When the user logged in, if that was seen.
    pub auth_time: Option<UnixTime>,
    /// What was granted, where it may be less than was asked for.
    #[serde(default)]
    pub scopes: Option<Scopes>,
}

/// What a user has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceDecision {
    /// The device may go on.
    Approved(Box<DeviceApproval>),
    /// It may not.
    Denied,
}

/// What came of a poll (RFC 8628 §3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenDevice {
    /// Nobody has decided yet.
    Pending,
    /// Nobody has decided yet, and the poll came too early: the interval has grown.
    SlowDown,
    /// The user has denied it; the device code is gone now.
    Denied,
    /// The device code is too old.
    Expired,
    /// The first taker of what was granted: the device code is used up now.
    Granted {
        /// The scopes that were asked for.
        scopes: Scopes,
        /// By whom they were granted.
        approval: Box<DeviceApproval>,
    },
    /// Somebody took it before; its grant is ended.
    Replayed(GrantId),
    /// It was given to another client. Nothing has changed.
    OtherClient,
    /// Never was, or is long gone.
    Absent,
}
