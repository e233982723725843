//! The databases of tenants that were made with an earlier schema. Each is brought to the newest by itself, so that one which
//! cannot be reached keeps no other from it, and whatever ends a run is taken up by the next one.

use std::time::Duration;

use futures::{StreamExt, stream};
use serde::Serialize;
use shared::{
    clients::postgres::{Connection, connect_once},
    config::{Clusters, PostgresConfig},
    error::{Error, Result, chain},
    tenants::{self, TENANT_SCHEMA_VERSION, store::OutdatedTenant},
    types::TenantId,
};
use tokio::time::{Instant, timeout};

use crate::template::embedded;

/// Tenants that are migrated at once.
const AT_ONCE: usize = 8;

/// Tenants that are looked up together.
const PAGE: i64 = 500;

/// When no further tenant is begun: the function has 5 minutes.
const LIMIT: Duration = Duration::from_mins(4);

/// How long one tenant may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait for those who work in a database. Who comes after a migration that waits, waits for it too.
const LOCK_TIMEOUT: &str = "3s";

/// What became of the tenants that were behind.
#[derive(Debug, Default, Serialize)]
pub struct TenantMigrations {
    /// Those whose databases have the newest schema now.
    pub migrated: usize,
    /// Those whose databases do not, and why. The next run tries again.
    pub failed: Vec<FailedMigration>,
    /// Whether there was no time for some. The next run goes on.
    pub unfinished: bool,
}

/// A tenant whose database could not be migrated.
#[derive(Debug, Serialize)]
pub struct FailedMigration {
    /// Which.
    pub tenant_id: TenantId,
    /// Why, for an operator.
    pub error: String,
}

/// Brings the databases of all tenants to the newest schema. `settings` are of a role that may act as
/// `landlord_provisioner`.
pub(crate) async fn migrate(
    platform: &Connection,
    clusters: &Clusters,
    settings: &PostgresConfig,
) -> Result<TenantMigrations> {
    let until = Instant::now() + LIMIT;
    let mut done = TenantMigrations::default();
    let mut after = None;
    loop {
        let page = tenants::store::list_outdated(platform, TENANT_SCHEMA_VERSION, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(done) };
        after = Some(last.id);
        let work = stream::iter(page).map(async |tenant| {
            if Instant::now() > until {
                return None;
            }
            Some((tenant.id, bring_up(platform, clusters, settings, &tenant).await))
        });
        let mut results = work.buffer_unordered(AT_ONCE);
        while let Some(result) = results.next().await {
            match result {
                None => done.unfinished = true,
                Some((_, Ok(()))) => done.migrated += 1,
                Some((tenant_id, Err(error))) => {
                    let error = why(&error);
                    tracing::error!(tenant.id = %tenant_id, error, "a tenant's database could not be migrated");
                    done.failed.push(FailedMigration { tenant_id, error });
                }
            }
        }
        if done.unfinished {
            return Ok(done);
        }
    }
}

/// The cause by itself: what a caller of the API is told says nothing here.
fn why(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), chain)
}

async fn bring_up(
    platform: &Connection,
    clusters: &Clusters,
    settings: &PostgresConfig,
    tenant: &OutdatedTenant,
) -> Result<()> {
    let cluster = clusters
        .find(&tenant.postgres_cluster)
        .ok_or_else(|| Error::internal(format!("the cluster `{}` is not configured", tenant.postgres_cluster)))?;
    let config = PostgresConfig { url: cluster.url.clone(), statement_timeout: PATIENCE, ..settings.clone() };
    let migrate = async {
        let mut client = connect_once(&config, Some(&tenant.database)).await?;
        client.batch_execute(&format!("SET ROLE landlord_provisioner; SET lock_timeout = '{LOCK_TIMEOUT}'")).await?;
        embedded::migrations::runner().run_async(&mut client).await.map_err(Error::internal)?;
        Ok(())
    };
    timeout(PATIENCE, migrate).await.unwrap_or_else(|_| Err(Error::DeadlineExceeded))?;
    tenants::store::set_schema_version(platform, tenant, TENANT_SCHEMA_VERSION).await
}
