//! `migrate-platform` runs at each deployment. It migrates the platform database, creates the template database on every
//! PostgreSQL cluster, migrates the databases of existing tenants, and creates the first super-admin. It is idempotent, and
//! concurrent runs are serialized.
//!
//! CloudFormation invokes it (`release.rs`), and so can a person. Invoked with the event `recover_owner`, it does none of that and
//! lets an owner in again. Only the operator of the deployment can invoke it: it has no route and no queue.

mod locks;
mod platform;
mod recovery;
mod release;
mod roles;
mod runner;
mod schema;
mod template;
mod tenants;

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use shared::{
    clients::postgres::{Connection, Postgres},
    config::{Clusters, ConfigError, FirstAdminConfig, FromEnv, PostgresConfig, QueueConfig},
    error::{Error, Result},
    exports, super_admins,
    worker::{Invocation, Trigger, Worker},
};
use tokio::time::Instant;

pub use locks::Patience;
pub use platform::PlatformSchema;
pub use recovery::Recovery;
pub use release::Release;
pub use schema::TenantSchema;
pub use tenants::{FailedMigration, TenantMigrations};

/// Long enough for a migration that rewrites a table. With the wait for a concurrent run it is shorter than the function's timeout
/// of 15 minutes.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(10);

/// How long to wait until a concurrent run ends.
const RUN_TIMEOUT: &str = "2min";

#[derive(Debug)]
pub struct App {
    /// The platform database, with the role of its owner.
    pub platform: PostgresConfig,
    /// The tenants' clusters, with a role that may create databases and roles.
    pub clusters: Clusters,
    pub first_admin: Option<FirstAdminConfig>,
    /// The relay is poked after a recovery.
    pub queues: QueueConfig,
}

impl App {
    /// Reads the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            platform: PostgresConfig::from_env()?,
            clusters: Clusters::postgres_from_env()?,
            first_admin: FirstAdminConfig::from_env()?,
            queues: QueueConfig::from_env()?,
        })
    }

    /// Migrates everything to the current schemas.
    pub async fn run(&self) -> Result<Summary> {
        run(&self.platform, &self.clusters, &TenantSchema::current(), self.first_admin.as_ref()).await
    }
}

impl Worker for App {
    fn default_timeout(&self) -> Duration {
        STATEMENT_TIMEOUT
    }
}

/// What an invocation did.
#[derive(Serialize)]
#[serde(untagged)]
pub enum MigrationOutcome {
    Migrated(Summary),
    Recovered(Recovery),
    Released(Release),
}

/// Handles one invocation, as [`handle_event`] does.
pub async fn handle(app: &App, invocation: Invocation) -> Result<MigrationOutcome> {
    match invocation.trigger {
        Trigger::Event(event) if release::is_in(&event) => {
            release::run(app, &event, invocation.deadline).await.map(MigrationOutcome::Released)
        }
        Trigger::Event(event) => handle_event(app, &event).await,
        Trigger::Queue(_) => Err(Error::Malformed("This function has no queue".to_owned())),
    }
}

/// Recovers an owner if the event contains a recovery, and otherwise migrates everything, whatever the event.
pub async fn handle_event(app: &App, event: &Value) -> Result<MigrationOutcome> {
    if let Some(recovery) = recovery::in_event(event) {
        return recovery::run(app, recovery).await.map(MigrationOutcome::Recovered);
    }
    let summary = app.run().await?;
    tracing::info!(?summary, "migrated");
    Ok(MigrationOutcome::Migrated(summary))
}

/// The result of a run.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Migrations of the platform database that this run applied.
    pub applied: Vec<String>,
    pub platform_version: i64,
    pub tenant_schema_version: i32,
    /// Clusters on which this run created a template.
    pub templates_created: Vec<String>,
    pub tenants: TenantMigrations,
    /// Whether this run created the first super-admin.
    pub first_admin_created: bool,
}

/// Migrates the platform database, the clusters and the tenants, and creates the first super-admin if none exists.
pub async fn run(
    platform: &PostgresConfig,
    clusters: &Clusters,
    schema: &TenantSchema,
    first_admin: Option<&FirstAdminConfig>,
) -> Result<Summary> {
    let current = (PlatformSchema::current(), Patience::default());
    run_to(platform, current, clusters, schema, first_admin).await
}

/// Creates the missing templates on each cluster: the one of `schema`, for new tenants, and one for each older version in which a copy of an
/// export would be created. Returns the clusters that lacked one.
async fn create_templates(
    platform: &Connection,
    clusters: &Clusters,
    settings: &PostgresConfig,
    schema: &TenantSchema,
) -> Result<Vec<String>> {
    let mut versions = exports::store::list_schema_versions(platform).await?;
    versions.retain(|version| *version < schema.version);
    versions.push(schema.version);
    let mut created = Vec::new();
    for cluster in &clusters.0 {
        let config = settings.of_cluster(cluster);
        let mut lacked = false;
        for version in &versions {
            lacked |= template::ensure(&config, &schema.up_to(*version)).await?;
        }
        if lacked {
            created.push(cluster.name.clone());
        }
    }
    Ok(created)
}

/// As [`run`], to another schema of the platform database, and with other patience.
pub async fn run_to(
    platform: &PostgresConfig,
    (platform_schema, patience): (PlatformSchema, Patience),
    clusters: &Clusters,
    schema: &TenantSchema,
    first_admin: Option<&FirstAdminConfig>,
) -> Result<Summary> {
    let until = Instant::now() + patience.tenants;
    let settings = PostgresConfig { statement_timeout: STATEMENT_TIMEOUT, ..platform.clone() };
    let mut connection = Postgres::connect(&settings).map_err(Error::internal)?.get().await?;
    // Held until the connection closes, when this function returns or its process dies.
    connection
        .batch_execute(&format!(
            "SET lock_timeout = '{RUN_TIMEOUT}'; SELECT pg_advisory_lock(hashtext('landlord migrate-platform'))"
        ))
        .await?;
    roles::ensure(&connection).await?;
    let (applied, platform_version) = platform_schema.apply(&mut connection, &settings, patience).await?;
    let templates_created = create_templates(&connection, clusters, &settings, schema).await?;
    let first_admin_created = match first_admin {
        Some(admin) => super_admins::create_first(&connection, admin).await?,
        None => false,
    };
    let tenants = tenants::migrate(&connection, clusters, platform, schema, until).await?;
    let tenant_schema_version = schema.version;
    Ok(Summary { applied, platform_version, tenant_schema_version, templates_created, tenants, first_admin_created })
}
