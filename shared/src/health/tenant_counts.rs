//! The number of tenants by status, which a health report contains.

use serde::{Deserialize, Serialize};

use crate::tenants::TenantStatus;

/// The number of tenants by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct TenantCounts {
    /// Their databases are being created.
    pub provisioning: i64,
    /// In use.
    pub active: i64,
    /// Suspended by a super-admin.
    pub suspended: i64,
    /// Provisioning failed.
    pub failed: i64,
    /// Their databases are being removed.
    pub deleting: i64,
    /// Kept for the record.
    pub deleted: i64,
    /// Tenants of all statuses.
    pub total: i64,
}

impl TenantCounts {
    /// Adds `count` tenants of a status.
    pub fn add(&mut self, status: TenantStatus, count: i64) {
        let of_status = match status {
            TenantStatus::Provisioning => &mut self.provisioning,
            TenantStatus::Active => &mut self.active,
            TenantStatus::Suspended => &mut self.suspended,
            TenantStatus::Failed => &mut self.failed,
            TenantStatus::Deleting => &mut self.deleting,
            TenantStatus::Deleted => &mut self.deleted,
        };
        *of_status += count;
        self.total += count;
    }
}
