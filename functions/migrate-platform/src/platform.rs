//! The schema of the platform database.

use refinery::Migration;
use shared::{clients::postgres::Connection, config::PostgresConfig, error::Result};

use crate::{
    locks::{Blockers, Patience, with_retries},
    runner,
};

mod embedded {
    refinery::embed_migrations!("../../infra/migrations/platform");
}

/// Migrations in ascending order of version, starting at 1.
pub struct PlatformSchema {
    migrations: Vec<Migration>,
}

impl PlatformSchema {
    /// The schema in `infra/migrations/platform`, which is what this platform's functions expect.
    pub fn current() -> Self {
        Self { migrations: embedded::migrations::runner().get_migrations().clone() }
    }

    /// A later schema, with one more migration. Tests migrate to it.
    #[must_use]
    pub fn followed_by(mut self, migration: Migration) -> Self {
        self.migrations.push(migration);
        self
    }

    fn version(&self) -> i64 {
        self.migrations.iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0)
    }

    /// Applies the missing migrations to the database of `connection`. Returns their names, and the resulting version.
    pub(crate) async fn apply(
        &self,
        connection: &mut Connection,
        settings: &PostgresConfig,
        patience: Patience,
    ) -> Result<(Vec<String>, i64)> {
        let blockers = Blockers::of(connection, settings).await?;
        let mut applied = Vec::new();
        // Each migration is a transaction of its own, so an attempt continues where the one before gave up.
        with_retries(patience, &blockers, async || {
            let report = runner::apply(&mut *connection, &self.migrations).await?;
            applied.extend(report.applied_migrations().iter().map(ToString::to_string));
            Ok(())
        })
        .await?;
        Ok((applied, self.version()))
    }
}
