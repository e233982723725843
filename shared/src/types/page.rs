//! Paging by cursor: the end of a page in a list that is sorted newest first or by a value, and then by id.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::types::{FaultCode, InvalidValue};

/// The maximum number of items of a page: 1–10000, by default 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit(u16);

impl PageLimit {
    pub const MAX: u16 = 10_000;

    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text.parse::<u16>() {
            Ok(number) if (1..=Self::MAX).contains(&number) => Ok(Self(number)),
            _ => Err(InvalidValue::new(FaultCode::OutOfRange, "must be an integer from 1 to 10000")),
        }
    }

    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(1000)
    }
}

/// The order of a list by time. The id breaks ties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TimeOrder {
    #[default]
    NewestFirst,
    OldestFirst,
}

/// A page of a list that is sorted by time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageRequest {
    pub order: TimeOrder,
    /// The end of the previous page, in the same order.
    pub cursor: Option<Cursor>,
    pub limit: PageLimit,
}

/// The number of items of a list, counted up to a bound so that counting takes a bounded time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub number: i64,
    /// Whether the list has exactly this number of items. Otherwise it has more.
    pub is_exact: bool,
}

/// The end of a page. Opaque to the caller.
pub trait PageCursor {
    /// The value of `cursor=`: base64url of the list's name, the item's value and its id. A list with several orders has a name
    /// for each, `list:order`.
    fn encode(&self, list: &str) -> String;
}

/// The last item of a page in a list that is sorted by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub created_at: OffsetDateTime,
    pub id: Uuid,
}

impl PageCursor for Cursor {
    fn encode(&self, list: &str) -> String {
        let micros = self.created_at.unix_timestamp_nanos() / 1000;
        URL_SAFE_NO_PAD.encode(format!("{list} {micros} {}", self.id.simple()))
    }
}

impl Cursor {
    /// The reverse of [`PageCursor::encode`].
    pub fn decode(text: &str, list: &str) -> Result<Self, InvalidValue> {
        let (micros, id) = open(text, list)?;
        let nanos = micros.parse::<i128>().ok().and_then(|micros| micros.checked_mul(1000));
        nanos
            .and_then(|nanos| OffsetDateTime::from_unix_timestamp_nanos(nanos).ok())
            .map(|created_at| Self { created_at, id })
            .ok_or_else(invalid_cursor)
    }
}

/// The last item of a page in a list that is sorted by a value, which may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueCursor {
    pub value: Option<i64>,
    pub id: Uuid,
}

impl PageCursor for ValueCursor {
    fn encode(&self, list: &str) -> String {
        let value = self.value.map_or_else(|| MISSING.to_owned(), |value| value.to_string());
        URL_SAFE_NO_PAD.encode(format!("{list} {value} {}", self.id.simple()))
    }
}

impl ValueCursor {
    /// The reverse of [`PageCursor::encode`].
    pub fn decode(text: &str, list: &str) -> Result<Self, InvalidValue> {
        let (value, id) = open(text, list)?;
        let value = if value == MISSING { None } else { Some(value.parse().map_err(|_| invalid_cursor())?) };
        Ok(Self { value, id })
    }
}

/// Represents a missing value.
const MISSING: &str = "-";

fn invalid_cursor() -> InvalidValue {
    InvalidValue::format("must be a cursor from a page of this list")
}

/// The value and the id.
fn open(text: &str, list: &str) -> Result<(String, Uuid), InvalidValue> {
    let decoded = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (name, rest) = decoded.as_deref().and_then(|text| text.split_once(' ')).ok_or_else(invalid_cursor)?;
    if name != list {
        let without_order = |name: &str| name.split(':').next().map(str::to_owned);
        let other =
            if without_order(name) == without_order(list) { "another order of this list" } else { "another list" };
        return Err(InvalidValue::format(format!("is a cursor of {other}")));
    }
    let (value, id) = rest.split_once(' ').ok_or_else(invalid_cursor)?;
    Ok((value.to_owned(), Uuid::try_parse(id).map_err(|_| invalid_cursor())?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_decoded_cursor_is_the_one_that_was_encoded(micros in 0_i64..4_000_000_000_000_000, id in any::<u128>()) {
            let created_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap();
            let cursor = Cursor { created_at, id: Uuid::from_u128(id) };
            let text = cursor.encode("tenants");
            prop_assert_eq!(Cursor::decode(&text, "tenants").unwrap(), cursor);
            prop_assert!(Cursor::decode(&text, "users").is_err());
        }

        #[test]
        fn a_cursor_of_another_order_is_rejected(value in any::<Option<i64>>(), id in any::<u128>()) {
            let cursor = ValueCursor { value, id: Uuid::from_u128(id) };
            let text = cursor.encode("usage:-agents");
            prop_assert_eq!(ValueCursor::decode(&text, "usage:-agents").unwrap(), cursor);
            for other in ["usage:agents", "usage"] {
                let error = ValueCursor::decode(&text, other).unwrap_err().to_string();
                prop_assert!(error.contains("another order"), "{}", error);
            }
            prop_assert!(ValueCursor::decode(&text, "users").unwrap_err().to_string().contains("another list"));
        }

        #[test]
        fn decoding_any_text_does_not_panic(text in "\\PC*") {
            let _ = Cursor::decode(&text, "tenants");
            let _ = ValueCursor::decode(&text, "tenants");
        }
    }
}
