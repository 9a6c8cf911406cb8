//! `[log]`

use std::path::PathBuf;

use serde::Deserialize;

use super::optional::empty_is_none;
use crate::telemetry::logging::{Format, Level};

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// What is written: this level and graver ones. Default `info`.
    pub level: Level,
    /// How it is written. Default `json`.
    pub format: Format,
    /// Whether each request is written. Default true.
    pub access: bool,
    /// The audit trail's file, one JSON object a line. Default empty: with the log.
    #[serde(deserialize_with = "empty_is_none")]
    pub audit_file: Option<PathBuf>,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: Level::Info, format: Format::Json, access: true, audit_file: None }
    }
}
