//! The tenant: one customer organization of the platform, with databases of its own.

mod events;
mod filter;
#[cfg(feature = "postgres")]
pub mod store;

use crate::types::timestamp;
pub use filter::TenantFilter;

pub use events::TenantEvent;
use std::{fmt, str::FromStr};

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    types::single_line,
    types::{Country, InvalidValue, Limits, TenantId},
};

string_type! {
    /// A name that people read: 1–120 characters after trimming, in one visible line.
    TenantName {
        parse: |text| single_line(text, 1, 120),
        schema: { format: "single-line", min_length: 1, max_length: 120, example: "Kopi Kenangan" },
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

parsed_from_string!(TenantStatus, str::parse);
named_parameter!(TenantStatus);
text_in_sql!(TenantStatus);

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
    pub country: Country,
    /// Counts every change of the row; the entity tag is made of it.
    #[serde(skip)]
    pub revision: i64,
}

/// The version of the schema that a newly provisioned tenant's databases have: the number of the newest file in
/// `infra/migrations/tenant`.
pub const TENANT_SCHEMA_VERSION: i32 = 1;

/// The database, on every PostgreSQL cluster, that databases of tenants are cloned from.
pub fn tenant_template(schema_version: i32) -> String {
    format!("landlord_template_v{schema_version}")
}

/// A name for the PostgreSQL and MongoDB database of a tenant, that was never used. It is not made of the tenant's id:
/// every attempt to provision a tenant gets a name of its own, so that a late clean-up after one attempt cannot touch the databases of another.
pub fn new_database_name() -> String {
    format!("tenant_{}", uuid::Uuid::now_v7().simple())
}

#[cfg(test)]
mod tests {
    use super::*;

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
