//! Where a tenant's PostgreSQL database is, and when it may be used.

use crate::{
    error::{Error, Result},
    tenants::{TENANT_SCHEMA_VERSION, TenantStatus},
    types::{Limits, TenantId},
};

/// Where a tenant's PostgreSQL database is, and what decides whether it may be used.
#[derive(Debug, Clone)]
pub struct TenantLocation {
    pub id: TenantId,
    pub status: TenantStatus,
    /// Name of the tenant's databases.
    pub database: String,
    /// `None` before the tenant is placed.
    pub postgres_cluster: Option<String>,
    pub schema_version: i32,
    pub limits: Limits,
}

impl TenantLocation {
    /// The cluster and the name of the database, for a change. Fails with [`Error::Conflict`] unless the tenant is active and its
    /// databases have the newest schema.
    pub fn require_active(&self) -> Result<(&str, &str)> {
        if self.status != TenantStatus::Active {
            return Err(Error::Conflict(format!("The tenant is {}; it must be active", self.status)));
        }
        self.require_database()
    }

    /// As [`Self::require_active`], for reading: the tenant may be suspended.
    pub fn require_readable(&self) -> Result<(&str, &str)> {
        if !matches!(self.status, TenantStatus::Active | TenantStatus::Suspended) {
            return Err(Error::Conflict(format!("The tenant is {}; it must be active or suspended", self.status)));
        }
        self.require_database()
    }

    fn require_database(&self) -> Result<(&str, &str)> {
        if self.schema_version < TENANT_SCHEMA_VERSION {
            return Err(Error::Conflict(format!(
                "The tenant's databases have schema version {}, and version {TENANT_SCHEMA_VERSION} is required; run \
                 migrate-platform",
                self.schema_version
            )));
        }
        let cluster = self.postgres_cluster.as_deref();
        cluster
            .map(|cluster| (cluster, &*self.database))
            .ok_or_else(|| Error::Conflict("The tenant has no databases: it is not placed on a cluster".to_owned()))
    }
}

/// A tenant whose databases have an old schema.
#[derive(Debug, Clone)]
pub struct OutdatedTenant {
    pub id: TenantId,
    /// Name of the tenant's databases.
    pub database: String,
    pub postgres_cluster: String,
}
