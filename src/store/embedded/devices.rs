//! Devices that wait for a user (RFC 8628). One that has taken what was granted leaves a tombstone among the codes: a replay
//! ends its grant, and a revocation in between voids it, as with an authorization code.

use std::time::Duration;

use rusqlite::params;

use super::{
    requests::{self, Whose},
    rows::Rows,
};
use crate::{
    clock::UnixTime,
    oauth::{ClientId, Scopes, TokenHash},
    store::{DeviceApproval, DeviceDecision, POLL_INTERVAL, PendingDevice, StoreResult, TakenCode, TakenDevice},
};

const DEVICES: &str = "devices";
/// A poll may come so much too early: networks are not even.
const TOLERANCE: Duration = Duration::from_millis(500);
/// How long a row outlives its device code, so that the device hears `expired_token`.
const KEPT: Duration = Duration::from_secs(600);

pub fn put_device(rows: &Rows<'_>, device: TokenHash, pending: &PendingDevice) -> StoreResult<bool> {
    let written = rows.change(
        "INSERT INTO devices (site, device, user_code, client, scopes, interval, next_poll_at, asked_at, expires_at,
                              keep_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9) ON CONFLICT (site, user_code) DO NOTHING",
        params![
            rows.site,
            device,
            pending.user_code,
            pending.client,
            pending.scopes,
            i64::try_from(POLL_INTERVAL.as_millis()).unwrap_or(i64::MAX),
            pending.asked_at,
            pending.expires_at,
            pending.expires_at.plus(KEPT),
        ],
    )?;
    Ok(written == 1)
}

pub fn device_by_user_code(rows: &Rows<'_>, user_code: TokenHash, now: UnixTime) -> StoreResult<Option<PendingDevice>> {
    rows.one(
        "SELECT client, scopes, asked_at, expires_at FROM devices
         WHERE site = ?1 AND user_code = ?2 AND expires_at > ?3 AND denied = 0 AND approval IS NULL",
        params![rows.site, user_code, now],
        |row| {
            let (client, scopes) = (row.get(0)?, row.get(1)?);
            Ok(PendingDevice { user_code, client, scopes, asked_at: row.get(2)?, expires_at: row.get(3)? })
        },
    )
}

pub fn decide_device(
    rows: &Rows<'_>,
    user_code: TokenHash,
    decision: &DeviceDecision,
    now: UnixTime,
) -> StoreResult<bool> {
    let device: Option<[u8; 32]> = rows.one(
        "SELECT device FROM devices
         WHERE site = ?1 AND user_code = ?2 AND expires_at > ?3 AND denied = 0 AND approval IS NULL",
        params![rows.site, user_code, now],
        |row| row.get(0),
    )?;
    let Some(device) = device else { return Ok(false) };
    match decision {
        DeviceDecision::Approved(approval) => rows.change(
            "UPDATE devices SET approval = ?3, user_name = ?4 WHERE site = ?1 AND device = ?2",
            params![
                rows.site,
                device,
                rows.codec.seal_record(rows.place(DEVICES, &device), &**approval)?,
                approval.user.name
            ],
        )?,
        DeviceDecision::Denied => {
            rows.change("UPDATE devices SET denied = 1 WHERE site = ?1 AND device = ?2", params![rows.site, device])?
        }
    };
    Ok(true)
}

struct DeviceRow {
    client: ClientId,
    scopes: Scopes,
    denied: bool,
    approval: Option<Vec<u8>>,
    interval: u64,
    next_poll_at: UnixTime,
    expires_at: UnixTime,
}

pub fn take_device(rows: &Rows<'_>, device: TokenHash, client: &ClientId, now: UnixTime) -> StoreResult<TakenDevice> {
    let found = rows.one(
        "SELECT client, scopes, denied, approval, interval, next_poll_at, expires_at FROM devices
         WHERE site = ?1 AND device = ?2",
        params![rows.site, device],
        |row| {
            Ok(DeviceRow {
                client: row.get(0)?,
                scopes: row.get(1)?,
                denied: row.get(2)?,
                approval: row.get(3)?,
                interval: u64::try_from(row.get::<_, i64>(4)?).unwrap_or_default(),
                next_poll_at: row.get(5)?,
                expires_at: row.get(6)?,
            })
        },
    )?;
    match found {
        None => match requests::take_code(rows, device, now)? {
            TakenCode::Replayed(grant) => Ok(TakenDevice::Replayed(grant)),
            TakenCode::Taken(_) | TakenCode::Absent => Ok(TakenDevice::Absent),
        },
        Some(row) if row.client != *client => Ok(TakenDevice::OtherClient),
        Some(row) if row.expires_at <= now => Ok(TakenDevice::Expired),
        Some(row) if row.denied => {
            forget(rows, device)?;
            Ok(TakenDevice::Denied)
        }
        Some(DeviceRow { approval: Some(sealed), client, scopes, expires_at, .. }) => {
            let place = rows.place(DEVICES, device.as_bytes());
            let approval: DeviceApproval = rows.codec.open_record(place, &sealed)?;
            forget(rows, device)?;
            requests::put_tombstone(rows, device, (&approval.grant, &client, &approval.user.name), (expires_at, now))?;
            Ok(TakenDevice::Granted { scopes, approval: Box::new(approval) })
        }
        Some(row) => wait(rows, device, &row, now),
    }
}

/// Nobody has decided yet: notes when the next poll may come.
fn wait(rows: &Rows<'_>, device: TokenHash, row: &DeviceRow, now: UnixTime) -> StoreResult<TakenDevice> {
    let early = now.plus(TOLERANCE) < row.next_poll_at;
    let interval = if early { row.interval.saturating_add(millis(POLL_INTERVAL)) } else { row.interval };
    rows.change(
        "UPDATE devices SET interval = ?3, next_poll_at = ?4 WHERE site = ?1 AND device = ?2",
        params![
            rows.site,
            device,
            i64::try_from(interval).unwrap_or(i64::MAX),
            now.plus(Duration::from_millis(interval))
        ],
    )?;
    Ok(if early { TakenDevice::SlowDown } else { TakenDevice::Pending })
}

fn forget(rows: &Rows<'_>, device: TokenHash) -> StoreResult<()> {
    rows.change("DELETE FROM devices WHERE site = ?1 AND device = ?2", params![rows.site, device])?;
    Ok(())
}

/// Forgets what was granted to devices that have not taken it yet.
pub fn void_devices(rows: &Rows<'_>, whose: Whose<'_>) -> StoreResult<()> {
    match whose {
        Whose::User(user) => rows.change(
            "DELETE FROM devices INDEXED BY devices_approved WHERE site = ?1 AND user_name = ?2",
            params![rows.site, user],
        )?,
        Whose::Client(client) => {
            rows.change("DELETE FROM devices WHERE site = ?1 AND client = ?2", params![rows.site, client])?
        }
        Whose::UserAtClient(user, client) => rows.change(
            "DELETE FROM devices INDEXED BY devices_approved WHERE site = ?1 AND user_name = ?2 AND client = ?3",
            params![rows.site, user, client],
        )?,
    };
    Ok(())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
