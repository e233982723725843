//! The tenant: one customer organization of the platform, with databases of its own.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use super::{InvalidValue, Limits, TenantId, text};

/// A name that people read: 1–120 characters after trimming, in one visible line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantName(String);

impl TenantName {
    /// Validates and trims.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        text::line(text, 1, 120).map(Self)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a tenant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TenantStatus {
    /// Its databases are being made.
    Provisioning,
    /// In use.
    Active,
    /// Made, but closed to its users by an operator.
    Suspended,
    /// Its databases could not be made; nothing of them is left, and it can be retried.
    Failed,
    /// Its databases are being removed.
    Deleting,
    /// Gone; the row is kept for the record.
    Deleted,
}

impl TenantStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Provisioning, Self::Active, Self::Suspended, Self::Failed, Self::Deleting, Self::Deleted];

    /// As in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }

    /// What an operator may set the status to from here. Every other change is the work of an operation.
    pub fn settable(self) -> &'static [Self] {
        match self {
            Self::Active => &[Self::Suspended],
            Self::Suspended => &[Self::Active],
            Self::Provisioning | Self::Failed | Self::Deleting | Self::Deleted => &[],
        }
    }
}

impl fmt::Display for TenantStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TenantStatus {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| InvalidValue::one_of(Self::ALL.map(Self::as_str)))
    }
}

/// A tenant organization, as the API shows it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = Organization))]
pub struct Tenant {
    /// Id (UUIDv7).
    pub id: TenantId,
    /// Name that people read.
    #[cfg_attr(feature = "http", schema(min_length = 1, max_length = 120, example = "Kopi Kenangan"))]
    pub name: String,
    /// URL-safe name, unique among living tenants.
    #[cfg_attr(
        feature = "http",
        schema(min_length = 2, max_length = 48, pattern = "^[a-z0-9](-?[a-z0-9])*$", example = "kopi-kenangan")
    )]
    pub slug: String,
    /// Where it stands.
    pub status: TenantStatus,
    /// Name of its MongoDB database; its PostgreSQL database has the same.
    #[cfg_attr(feature = "http", schema(example = "tenant_0190a0c48f6e7c3a9d2b5e1f00c0ffee"))]
    pub mongo_database: String,
    /// Version of the tenant schema that its databases are at; 0 until provisioned.
    #[cfg_attr(feature = "http", schema(minimum = 0, example = 1))]
    pub schema_version: i32,
    /// When it was asked for.
    #[serde(serialize_with = "timestamp")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(serialize_with = "timestamp")]
    pub updated_at: OffsetDateTime,
    /// Resource limits.
    pub limits: Limits,
    /// ISO 3166-1 alpha-2 code.
    #[cfg_attr(feature = "http", schema(value_type = crate::domain::Country, example = "ID"))]
    pub country: String,
    /// Counts every change of the row; the entity tag is made of it.
    #[serde(skip)]
    pub revision: i64,
}

/// RFC 3339 in UTC with microseconds, `2026-01-02T03:04:05.678901Z`. Written by hand digit by digit: it is the most
/// expensive part of a list of thousands of tenants otherwise.
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

/// As [`timestamp`], for what may not have happened yet.
pub fn optional_timestamp<S: Serializer>(at: &Option<OffsetDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => timestamp(at, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::format_description::well_known::Rfc3339;

    use super::*;

    #[derive(Serialize)]
    struct At(#[serde(serialize_with = "timestamp")] OffsetDateTime);

    proptest! {
        #[test]
        fn timestamps_are_rfc_3339_and_lose_nothing_above_a_microsecond(micros in 0_i64..4_000_000_000_000_000) {
            let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap();
            let text: String = serde_json::from_value(serde_json::to_value(At(at)).unwrap()).unwrap();
            prop_assert_eq!(OffsetDateTime::parse(&text, &Rfc3339).unwrap(), at);
        }
    }

    #[test]
    fn a_status_can_only_be_set_between_active_and_suspended() {
        for from in TenantStatus::ALL {
            for to in from.settable() {
                assert!([TenantStatus::Active, TenantStatus::Suspended].contains(to));
                assert_ne!(from, *to);
            }
        }
    }
}
