//! Paging by cursor: where a page ended, in the order newest first or in that of a value, with the id breaking ties.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::types::InvalidValue;

/// How many items a page holds at the most: 1–10000, 1000 unless said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit(u16);

impl PageLimit {
    /// The greatest.
    pub const MAX: u16 = 10_000;

    /// Validates.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text.parse::<u16>() {
            Ok(number) if (1..=Self::MAX).contains(&number) => Ok(Self(number)),
            _ => Err(InvalidValue::new("must be an integer from 1 to 10000")),
        }
    }

    /// The number.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(1000)
    }
}

/// Where a page ended. Opaque to the caller.
pub trait PageCursor {
    /// The text that goes into `cursor=`: base64url of the list's name and of what follows it. A list that has several
    /// orders has a name for each, `list:order`.
    fn encode(&self, list: &str) -> String;
}

/// The last item of a page in the order newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// When the item was created.
    pub created_at: OffsetDateTime,
    /// Its id.
    pub id: Uuid,
}

impl PageCursor for Cursor {
    fn encode(&self, list: &str) -> String {
        let micros = self.created_at.unix_timestamp_nanos() / 1000;
        URL_SAFE_NO_PAD.encode(format!("{list} {micros} {}", self.id.simple()))
    }
}

impl Cursor {
    /// Reads what [`PageCursor::encode`] wrote for the same list.
    pub fn decode(text: &str, list: &str) -> Result<Self, InvalidValue> {
        let (micros, id) = open(text, list)?;
        let nanos = micros.parse::<i128>().ok().and_then(|micros| micros.checked_mul(1000));
        nanos
            .and_then(|nanos| OffsetDateTime::from_unix_timestamp_nanos(nanos).ok())
            .map(|created_at| Self { created_at, id })
            .ok_or_else(not_ours)
    }
}

/// The last item of a page in the order of a value, which may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueCursor {
    /// Its value.
    pub value: Option<i64>,
    /// Its id.
    pub id: Uuid,
}

impl PageCursor for ValueCursor {
    fn encode(&self, list: &str) -> String {
        let value = self.value.map_or_else(|| MISSING.to_owned(), |value| value.to_string());
        URL_SAFE_NO_PAD.encode(format!("{list} {value} {}", self.id.simple()))
    }
}

impl ValueCursor {
    /// Reads what [`PageCursor::encode`] wrote for the same list.
    pub fn decode(text: &str, list: &str) -> Result<Self, InvalidValue> {
        let (value, id) = open(text, list)?;
        let value = if value == MISSING { None } else { Some(value.parse().map_err(|_| not_ours())?) };
        Ok(Self { value, id })
    }
}

/// Stands for a value that is missing.
const MISSING: &str = "-";

fn not_ours() -> InvalidValue {
    InvalidValue::new("must be a cursor that a page of this list gave")
}

/// What follows the list's name, and the id.
fn open(text: &str, list: &str) -> Result<(String, Uuid), InvalidValue> {
    let decoded = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (name, rest) = decoded.as_deref().and_then(|text| text.split_once(' ')).ok_or_else(not_ours)?;
    if name != list {
        let without_order = |name: &str| name.split(':').next().map(str::to_owned);
        let other =
            if without_order(name) == without_order(list) { "another order of this list" } else { "another list" };
        return Err(InvalidValue::new(format!("is a cursor of {other}")));
    }
    let (value, id) = rest.split_once(' ').ok_or_else(not_ours)?;
    Ok((value.to_owned(), Uuid::try_parse(id).map_err(|_| not_ours())?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_survives_the_way_out_and_back(micros in 0_i64..4_000_000_000_000_000, id in any::<u128>()) {
            let created_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap();
            let cursor = Cursor { created_at, id: Uuid::from_u128(id) };
            let text = cursor.encode("tenants");
            prop_assert_eq!(Cursor::decode(&text, "tenants").unwrap(), cursor);
            prop_assert!(Cursor::decode(&text, "users").is_err());
        }

        #[test]
        fn a_cursor_of_one_order_is_none_of_another(value in any::<Option<i64>>(), id in any::<u128>()) {
            let cursor = ValueCursor { value, id: Uuid::from_u128(id) };
            let text = cursor.encode("usage:-agents");
            prop_assert_eq!(ValueCursor::decode(&text, "usage:-agents").unwrap(), cursor);
            for other in ["usage:agents", "usage"] {
                let refused = ValueCursor::decode(&text, other).unwrap_err().to_string();
                prop_assert!(refused.contains("another order"), "{}", refused);
            }
            prop_assert!(ValueCursor::decode(&text, "users").unwrap_err().to_string().contains("another list"));
        }

        #[test]
        fn whatever_is_sent_as_a_cursor_is_read_without_a_panic(text in "\\PC*") {
            let _ = Cursor::decode(&text, "tenants");
            let _ = ValueCursor::decode(&text, "tenants");
        }
    }
}
