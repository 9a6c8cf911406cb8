//! How our types are written into columns and read from them. A value that does not read is damage, never a default.

use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef},
};

use crate::{
    clock::UnixTime,
    oauth::{
        Allowance, ClientId, GrantId, KeyId, KeyThumbprint, Resources, Scopes, SigningAlgorithm, SiteId, Subject,
        TokenHash, UserName,
    },
};

impl ToSql for UnixTime {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(i64::try_from(self.millis()).unwrap_or(i64::MAX).into())
    }
}

impl FromSql for UnixTime {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let millis = value.as_i64()?;
        u64::try_from(millis).map(Self::from_millis).map_err(|_| FromSqlError::OutOfRange(millis))
    }
}

impl ToSql for TokenHash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes())))
    }
}

impl ToSql for KeyThumbprint {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes())))
    }
}

impl FromSql for KeyThumbprint {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(Self::from_bytes)
    }
}

impl FromSql for TokenHash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(Self::from_bytes)
    }
}

macro_rules! text_columns {
    ($($name:ident),+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_str().map(Self::new)
            }
        }
    )+};
}

text_columns!(ClientId, GrantId, KeyId, SiteId, Subject, UserName);

macro_rules! word_columns {
    ($($name:ident),+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_str()?.parse().map_err(FromSqlError::other)
            }
        }
    )+};
}

word_columns!(Allowance, SigningAlgorithm);

impl ToSql for Scopes {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.to_string().into())
    }
}

impl FromSql for Scopes {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).map_err(FromSqlError::other)
    }
}

/// A list of texts, as JSON.
pub struct TextList(pub Vec<String>);

impl ToSql for TextList {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        json(&self.0)
    }
}

impl FromSql for TextList {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

impl ToSql for Resources {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        // Most tokens name none: their rows stay as short as they were.
        if self.is_empty() { Ok(ToSqlOutput::Owned(Value::Null)) } else { json(&self.as_slice()) }
    }
}

impl FromSql for Resources {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let kept = Option::<TextList>::column_result(value)?;
        Ok(Self::kept(kept.map(|list| list.0).unwrap_or_default()))
    }
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<ToSqlOutput<'static>> {
    let json = serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    Ok(json.into())
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, params};

    use super::*;

    fn through_a_column<T: ToSql, U: FromSql>(value: &T) -> rusqlite::Result<U> {
        Connection::open_in_memory().expect("SQLite").query_row("SELECT ?1", params![value], |row| row.get(0))
    }

    #[test]
    fn values_are_read_as_they_were_written() {
        let (time, hash) = (UnixTime::from_millis(1_700_000_000_123), TokenHash::of("a"));
        assert_eq!(through_a_column(&time), Ok(time));
        assert_eq!(through_a_column(&hash), Ok(hash));
        assert_eq!(through_a_column(&ClientId::new("a\0b'")), Ok(ClientId::new("a\0b'")));
        assert_eq!(through_a_column(&Allowance::NoPkce), Ok(Allowance::NoPkce));
        let scopes = Scopes::parse("all openid").expect("scopes");
        assert_eq!(through_a_column(&scopes), Ok(scopes));
        let list = through_a_column::<_, TextList>(&TextList(vec!["a,b".to_owned()])).expect("a list");
        assert_eq!(list.0, ["a,b"]);
    }

    #[test]
    fn a_time_beyond_what_sqlite_holds_stays_the_last_one() {
        let last = through_a_column::<_, UnixTime>(&UnixTime::from_millis(u64::MAX)).expect("a time");
        assert_eq!(last.millis(), i64::MAX.unsigned_abs());
    }

    #[test]
    fn what_does_not_read_is_an_error() {
        assert!(through_a_column::<_, UnixTime>(&-1).is_err());
        assert!(through_a_column::<_, TokenHash>(&"short").is_err());
        assert!(through_a_column::<_, SigningAlgorithm>(&"none").is_err());
        assert!(through_a_column::<_, Scopes>(&"a\"b").is_err());
        assert!(through_a_column::<_, TextList>(&"[1]").is_err());
    }
}
