//! Where a tenant's PostgreSQL database is, and when it may be used.

use crate::{
    error::{Conflict, Result},
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
    /// The cluster and the name of the database, for a change. Fails with [`Conflict`] unless the tenant is active and its
    /// databases have the newest schema.
    pub fn require_active(&self) -> Result<(&str, &str)> {
        self.status.require_active()?;
        let (found, required) = (self.schema_version, TENANT_SCHEMA_VERSION);
        if found < required {
            return Err(Conflict::TenantSchemaOutdated { found, required }.into());
        }
        self.require_database()
    }

    /// As [`Self::require_active`], for reading: the tenant may be suspended.
    pub fn require_readable(&self) -> Result<(&str, &str)> {
        if !matches!(self.status, TenantStatus::Active | TenantStatus::Suspended) {
            return Err(Conflict::TenantNotReadable { tenant_status: self.status.as_str() }.into());
        }
        self.require_database()
    }

    fn require_database(&self) -> Result<(&str, &str)> {
        let (found, required) = (self.schema_version, TENANT_SCHEMA_VERSION);
        if found < required {
            return Err(Conflict::TenantSchemaOutdated { found, required }.into());
        }
        self.require_placed()
    }

    /// The cluster and the name of the database, whatever the tenant's status. Fails with [`Conflict::TenantNotPlaced`] if the
    /// tenant is not placed.
    pub fn require_placed(&self) -> Result<(&str, &str)> {
        let cluster = self.postgres_cluster.as_deref().ok_or(Conflict::TenantNotPlaced)?;
        Ok((cluster, &self.database))
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
