//! How commands print: for people, or JSON for programs. A peer that does not read changes nothing of the outcome.

use std::io::Write;

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::clock::UnixTime;

/// A time as people and programs read it, to the second.
pub(super) fn shown(time: UnixTime) -> String {
    let seconds = i64::try_from(time.secs()).unwrap_or(i64::MAX);
    let time = OffsetDateTime::from_unix_timestamp(seconds).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

/// Prints a value as one line of JSON.
pub(super) fn json(out: &mut dyn Write, value: &impl Serialize) {
    let text = serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    let _ = writeln!(out, "{text}");
}

/// Prints names and values, the values below each other. An empty value is left out.
pub(super) fn pairs(out: &mut dyn Write, pairs: &[(&str, String)]) {
    let there = || pairs.iter().filter(|(_, value)| !value.is_empty());
    let width = there().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in there() {
        let _ = writeln!(out, "{name:<width$}  {value}");
    }
}

/// Prints a table, its columns as wide as they must be.
pub(super) fn table(out: &mut dyn Write, head: &[&str], rows: &[Vec<String>]) {
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    let all = || std::iter::once(&head).chain(rows);
    let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or_default()).collect();
    for row in all() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(out, "{}", line.trim_end());
    }
}
