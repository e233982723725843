//! Databases of tenants that were created with an earlier schema. Each is migrated independently, so that an unreachable
//! one does not block the others. The next run continues where a run ended.

use std::time::Duration;

use futures::{StreamExt, stream};
use serde::Serialize;
use shared::{
    clients::postgres::{Connection, connect_once},
    config::{Clusters, PostgresConfig},
    error::{Error, Result, chain},
    telemetry::metrics::{self, Metric},
    tenants::{self, store::OutdatedTenant},
    types::TenantId,
};
use tokio::time::{Instant, timeout};

use crate::schema::TenantSchema;

/// Tenants that are migrated at the same time.
const CONCURRENCY: usize = 8;

/// Tenants per query.
const PAGE_SIZE: i64 = 500;

/// Timeout per tenant.
const TENANT_TIMEOUT: Duration = Duration::from_secs(30);

/// The result for tenants with an earlier schema.
#[derive(Debug, Default, Serialize)]
pub struct TenantMigrations {
    /// Number of tenants that were migrated.
    pub migrated: usize,
    /// Tenants that could not be migrated. The next run tries again.
    pub failed: Vec<FailedMigration>,
    /// Whether the time was not enough for all tenants. The next run continues.
    pub unfinished: bool,
}

/// A tenant whose database could not be migrated.
#[derive(Debug, Serialize)]
pub struct FailedMigration {
    pub tenant_id: TenantId,
    /// The cause, for a super-admin.
    pub error: String,
}

/// Migrates the databases of all tenants to `schema`, and starts with none after `until`. The role of `settings` must be able to act as
/// `landlord_provisioner`.
pub(crate) async fn migrate(
    platform: &Connection,
    clusters: &Clusters,
    settings: &PostgresConfig,
    schema: &TenantSchema,
    until: Instant,
) -> Result<TenantMigrations> {
    let mut done = TenantMigrations::default();
    let mut after = None;
    loop {
        let page = tenants::store::list_outdated(platform, schema.version, after, PAGE_SIZE).await?;
        let Some(last) = page.last() else { return Ok(done) };
        after = Some(last.id);
        let work = stream::iter(page).map(async |tenant| {
            if Instant::now() > until {
                return None;
            }
            Some((tenant.id, migrate_one(platform, clusters, settings, schema, &tenant).await))
        });
        let mut results = work.buffer_unordered(CONCURRENCY);
        while let Some(result) = results.next().await {
            match result {
                None => done.unfinished = true,
                Some((_, Ok(()))) => done.migrated += 1,
                Some((tenant_id, Err(error))) => {
                    let error = cause(&error);
                    tracing::error!(tenant.id = %tenant_id, error, "a tenant's database could not be migrated");
                    metrics::count(Metric::FailedTenantMigrations);
                    done.failed.push(FailedMigration { tenant_id, error });
                }
            }
        }
        if done.unfinished {
            return Ok(done);
        }
    }
}

/// The cause without the error's text for callers of the API, which hides it.
fn cause(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), chain)
}

async fn migrate_one(
    platform: &Connection,
    clusters: &Clusters,
    settings: &PostgresConfig,
    schema: &TenantSchema,
    tenant: &OutdatedTenant,
) -> Result<()> {
    let cluster = clusters
        .find(&tenant.postgres_cluster)
        .ok_or_else(|| Error::internal(format!("the cluster `{}` is not configured", tenant.postgres_cluster)))?;
    let config = PostgresConfig { statement_timeout: TENANT_TIMEOUT, ..settings.of_cluster(cluster) };
    let migrate = async {
        let mut client = connect_once(&config, Some(&tenant.database)).await?;
        client.batch_execute("SET ROLE landlord_provisioner").await?;
        schema.apply(&mut client).await
    };
    timeout(TENANT_TIMEOUT, migrate).await.unwrap_or_else(|_| Err(Error::DeadlineExceeded))?;
    tenants::store::set_schema_version(platform, tenant, schema.version).await
}
