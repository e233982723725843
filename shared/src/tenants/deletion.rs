//! When and why a tenant is deleted, and how long it can be restored.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    error::{Error, Result},
    tenants::TenantStatus,
    types::timestamp,
};

bounded_integer! {
    /// For how many days a deleted tenant can be restored.
    pub RecoveryDays: 0..=30, default 7
}

impl RecoveryDays {
    pub(super) fn duration(self) -> time::Duration {
        time::Duration::days(self.0.into())
    }
}

/// A deletion: since when and why, and until when the tenant can be restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Deletion {
    /// When a super-admin requested it.
    #[serde(serialize_with = "timestamp", deserialize_with = "time::serde::rfc3339::deserialize")]
    pub requested_at: OffsetDateTime,
    /// The super-admin who requested it.
    pub requested_by: String,
    /// Why.
    #[cfg_attr(feature = "http", schema(example = "The customer has cancelled the contract"))]
    pub reason: String,
    /// Until then, the tenant can be restored. Then everything is removed. At once if the tenant was never active.
    #[serde(serialize_with = "timestamp", deserialize_with = "time::serde::rfc3339::deserialize")]
    pub purge_after: OffsetDateTime,
    /// The status before the deletion, which a restore brings back.
    pub status_before: TenantStatus,
}

impl Deletion {
    /// Reads the column `deletion`.
    pub(super) fn read(column: Option<Value>) -> Result<Option<Self>> {
        column.map(serde_json::from_value).transpose().map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_can_be_restored_for_at_most_thirty_days() {
        for bad in [-1, 31, i64::MAX] {
            assert!(RecoveryDays::new(bad).is_err(), "{bad}");
        }
        assert_eq!(RecoveryDays::new(0).unwrap().duration(), time::Duration::ZERO);
        assert_eq!(RecoveryDays::new(30).unwrap().duration(), time::Duration::days(30));
        assert_eq!(RecoveryDays::default().duration(), time::Duration::days(7));
    }
}
