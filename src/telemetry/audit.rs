//! The audit trail: who was granted what, and when it ended. One JSON object a line, in a file of its own or with the
//! log. It names clients, users and grants; never a token, code, secret or cookie.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Mutex, PoisonError},
};

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::logging::AUDIT_TARGET;
use crate::clock::UnixTime;

/// What happened, and to whom. What is not known or does not apply is left out of the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditEvent<'a> {
    /// What happened: `tokens_issued`, `grant_revoked`, `code_replayed`.
    pub event: &'static str,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    /// The client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<&'a str>,
    /// The user's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// The grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<&'a str>,
    /// The client whose token was exchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_client_id: Option<&'a str>,
    /// The grant of that token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_grant_id: Option<&'a str>,
    /// The grant type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_type: Option<&'static str>,
    /// The scopes, apart by blanks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<&'a str>,
    /// The peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// How many, where one line stands for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: &'a str,
    #[serde(flatten)]
    event: AuditEvent<'a>,
}

/// Where audit events go.
pub struct Audit {
    file: Option<Mutex<File>>,
}

impl Audit {
    /// With the log, under the target `audit`.
    #[must_use]
    pub const fn with_log() -> Self {
        Self { file: None }
    }

    /// To the end of a file, made for its owner alone if it is not there.
    ///
    /// # Errors
    /// When it can't be opened for writing.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        Ok(Self { file: Some(Mutex::new(file)) })
    }

    /// Writes an event down. What the file does not take goes to the log: nothing is lost in silence.
    pub fn record(&self, now: UnixTime, event: &AuditEvent<'_>) {
        let line = line(now, event);
        let Some(file) = &self.file else {
            tracing::info!(target: AUDIT_TARGET, "{line}");
            return;
        };
        // One write a line, so that lines of two processes do not mix.
        let written = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(format!("{line}\n").as_bytes());
        if let Err(error) = written {
            tracing::error!(target: AUDIT_TARGET, %error, "the audit file can't be written: {line}");
        }
    }
}

fn line(now: UnixTime, event: &AuditEvent<'_>) -> String {
    let nanos = i128::from(now.millis()).saturating_mul(1_000_000);
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok().and_then(|time| time.format(&Rfc3339).ok());
    let time = time.unwrap_or_else(|| now.to_string());
    serde_json::to_string(&Line { time: &time, event: *event })
        .unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn each_event_is_one_line_of_json_in_a_file_for_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.jsonl");
        let issued = AuditEvent {
            event: "tokens_issued",
            client_id: Some("shop"),
            user: Some("a\r\n\"b,ä"),
            address: Some(IpAddr::from([192, 0, 2, 7])),
            ..AuditEvent::default()
        };
        let revoked = AuditEvent {
            event: "grant_revoked",
            reason: Some("code_replayed"),
            grant_id: Some("g1"),
            ..AuditEvent::default()
        };
        Audit::open(&path).expect("a new file").record(UnixTime::from_millis(1_500), &issued);
        Audit::open(&path).expect("the same file").record(UnixTime::from_secs(2), &revoked);
        assert_eq!(
            fs::read_to_string(&path).expect("the trail"),
            "{\"time\":\"1970-01-01T00:00:01.5Z\",\"event\":\"tokens_issued\",\"client_id\":\"shop\",\"user\":\"a\\r\\n\\\"b,ä\",\
             \"address\":\"192.0.2.7\"}\n\
             {\"time\":\"1970-01-01T00:00:02Z\",\"event\":\"grant_revoked\",\"reason\":\"code_replayed\",\"grant_id\":\"g1\"}\n"
        );
        assert_eq!(fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_unusable_file_is_an_error_at_once() {
        assert!(Audit::open(Path::new("/nowhere/audit.jsonl")).is_err());
    }
}
