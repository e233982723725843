//! Paging by cursor: where a page ended, in the order newest first with the id breaking ties.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use time::OffsetDateTime;
use uuid::Uuid;

use super::InvalidValue;

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

/// The last item of a page, and of which list. Opaque to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// When the item was created.
    pub created_at: OffsetDateTime,
    /// Its id.
    pub id: Uuid,
}

impl Cursor {
    /// The text that goes into `cursor=`: base64url of the list's name, the microseconds and the id.
    pub fn encode(&self, list: &str) -> String {
        let micros = self.created_at.unix_timestamp_nanos() / 1000;
        URL_SAFE_NO_PAD.encode(format!("{list} {micros} {}", self.id.simple()))
    }

    /// Reads what [`Cursor::encode`] wrote for the same list.
    pub fn decode(text: &str, list: &str) -> Result<Self, InvalidValue> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let decoded = bytes.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let Some((name, rest)) = decoded.and_then(|text| text.split_once(' ')) else {
            return Err(InvalidValue::new("must be a cursor that a page of this list gave"));
        };
        if name != list {
            return Err(InvalidValue::new("is a cursor of another list"));
        }
        rest.split_once(' ')
            .and_then(|(micros, id)| {
                let nanos = micros.parse::<i128>().ok()?.checked_mul(1000)?;
                let created_at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
                Some(Self { created_at, id: Uuid::try_parse(id).ok()? })
            })
            .ok_or_else(|| InvalidValue::new("must be a cursor that a page of this list gave"))
    }
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
        fn whatever_is_sent_as_a_cursor_is_read_without_a_panic(text in "\\PC*") {
            let _ = Cursor::decode(&text, "tenants");
        }
    }
}
