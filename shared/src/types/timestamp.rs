//! Timestamps in JSON.

use serde::Serializer;
use time::OffsetDateTime;

/// RFC 3339 in UTC with microseconds, `2026-01-02T03:04:05.678901Z`. The digits are written by hand, because formatting them
/// would otherwise be the most expensive part of serializing a list of thousands of tenants.
pub fn timestamp<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    let at = at.to_offset(time::UtcOffset::UTC);
    let mut buffer = *b"0000-00-00T00:00:00.000000Z";
    let mut put = |mut end: usize, digits: usize, mut number: u32| {
        for _ in 0..digits {
            end -= 1;
            buffer[end] = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
    };
    put(4, 4, at.year().unsigned_abs());
    put(7, 2, u32::from(u8::from(at.month())));
    put(10, 2, u32::from(at.day()));
    put(13, 2, u32::from(at.hour()));
    put(16, 2, u32::from(at.minute()));
    put(19, 2, u32::from(at.second()));
    put(26, 6, at.microsecond());
    serializer.serialize_str(std::str::from_utf8(&buffer).unwrap_or_default())
}

/// As [`timestamp`], or `null`.
pub fn optional_timestamp<S: Serializer>(at: &Option<OffsetDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => timestamp(at, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Serialize;
    use time::format_description::well_known::Rfc3339;

    use super::*;

    #[derive(Serialize)]
    struct At(#[serde(serialize_with = "timestamp")] OffsetDateTime);

    proptest! {
        #[test]
        fn timestamps_are_rfc_3339_and_keep_microseconds(micros in 0_i64..4_000_000_000_000_000) {
            let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap();
            let text: String = serde_json::from_value(serde_json::to_value(At(at)).unwrap()).unwrap();
            prop_assert_eq!(OffsetDateTime::parse(&text, &Rfc3339).unwrap(), at);
        }
    }
}
