//! The schema of a tenant's PostgreSQL database: migrations that build it from nothing, or from an earlier version.

use refinery::Migration;
use shared::{error::Result, tenants::TENANT_SCHEMA_VERSION};
use tokio_postgres::Client;

use crate::runner;

mod embedded {
    refinery::embed_migrations!("../../infra/migrations/tenant/postgresql");
}

/// Migrations in ascending order of version, starting at 1.
pub struct TenantSchema {
    migrations: Vec<Migration>,
    /// The version after the last migration.
    pub version: i32,
}

impl TenantSchema {
    /// The schema in `infra/migrations/tenant/postgresql`, which is what this platform's functions expect.
    pub fn current() -> Self {
        Self { migrations: embedded::migrations::runner().get_migrations().clone(), version: TENANT_SCHEMA_VERSION }
    }

    /// A later schema, with one more migration. Tests migrate tenants to it.
    #[must_use]
    pub fn followed_by(mut self, migration: Migration) -> Self {
        self.migrations.push(migration);
        self.version += 1;
        self
    }

    /// The schema with its migrations up to `version`.
    #[must_use]
    pub(crate) fn up_to(&self, version: i32) -> Self {
        let is_earlier = |migration: &&Migration| migration.version() <= version;
        Self { migrations: self.migrations.iter().filter(is_earlier).cloned().collect(), version }
    }

    /// Applies the missing migrations to the database of `client`.
    pub(crate) async fn apply(&self, client: &mut Client) -> Result<()> {
        runner::apply(client, &self.migrations).await.map(drop)
    }

    /// Identifies the migrations: version and checksum of each. Digits, dots and spaces only.
    pub(crate) fn fingerprint(&self) -> String {
        let parts: Vec<_> = self
            .migrations
            .iter()
            .map(|migration| format!("{}.{}", migration.version(), migration.checksum()))
            .collect();
        parts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_migration_is_the_version_that_new_tenants_get() {
        let newest = TenantSchema::current().migrations.iter().map(Migration::version).max();
        assert_eq!(newest.map(i64::from), Some(i64::from(TENANT_SCHEMA_VERSION)));
    }
}
