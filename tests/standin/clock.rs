//! The site's clock: ERPNext writes its columns in the site's own zone, without naming it.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

const COLUMN: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:6]");
const COLUMN_WHOLE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const HTTP: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// Now, in UTC.
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// A moment as a column of the site shows it, `2026-11-24 01:30:45.547399`.
pub fn column(at: OffsetDateTime, zone: UtcOffset) -> String {
    at.to_offset(zone).format(COLUMN).expect("a moment can be written")
}

/// Reads a column of the site; `None` where it is no time.
pub fn parse_column(text: &str, zone: UtcOffset) -> Option<OffsetDateTime> {
    PrimitiveDateTime::parse(text, COLUMN)
        .or_else(|_| PrimitiveDateTime::parse(text, COLUMN_WHOLE))
        .ok()
        .map(|local| local.assume_offset(zone))
}

/// A moment as HTTP headers and cookies write it.
pub fn http_date(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(HTTP).expect("a moment can be written")
}
