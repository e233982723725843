//! The platform database.

use shared::{
    clients::postgres::Connection,
    error::{Error, Result},
};

mod embedded {
    refinery::embed_migrations!("../../infra/migrations/platform");
}

/// Applies the missing migrations. Returns their names, and the resulting version.
pub(crate) async fn migrate(connection: &mut Connection) -> Result<(Vec<String>, i64)> {
    let runner = embedded::migrations::runner();
    let report = runner.run_async(&mut ***connection).await.map_err(Error::internal)?;
    let applied = report.applied_migrations().iter().map(ToString::to_string).collect();
    let version = runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0);
    Ok((applied, version))
}
