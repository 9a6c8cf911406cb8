//! The syntax of HTTP/1 messages, as far as more than one part reads it: field lines in place, and chunks. No IO.

pub mod chunks;
mod fields;

pub use self::fields::{FieldLine, FieldLines, Fields, FieldsMut, MAX_FIELDS, TooManyFields, write_line};
