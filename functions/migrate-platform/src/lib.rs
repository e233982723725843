//! `migrate-platform`: brings the platform database to the newest schema, makes the template that tenants' databases are
//! cloned from on every PostgreSQL cluster, brings the databases of the tenants that are there to the newest schema too, and
//! makes the first super-admin. It runs at each deployment; twice is once, and two at once take turns.

mod platform;
mod roles;
mod template;
mod tenants;

use std::time::Duration;

use serde::Serialize;
use shared::{
    clients::postgres::Postgres,
    config::{Clusters, ConfigError, FirstAdminConfig, FromEnv, PostgresConfig},
    error::{Error, Result},
    super_admins,
};

pub use tenants::{FailedMigration, TenantMigrations};

/// How long a statement may take: a migration may rewrite a table, and waits for another one to end.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(10);

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// The platform database, as its owner.
    pub platform: PostgresConfig,
    /// The clusters of tenants, as a role that may create databases and roles.
    pub clusters: Clusters,
    /// The first super-admin.
    pub first_admin: Option<FirstAdminConfig>,
}

impl App {
    /// Reads the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            platform: PostgresConfig::from_env()?,
            clusters: Clusters::postgres_from_env()?,
            first_admin: FirstAdminConfig::from_env()?,
        })
    }

    /// Runs it.
    pub async fn run(&self) -> Result<Summary> {
        run(&self.platform, &self.clusters, self.first_admin.as_ref()).await
    }
}

/// What was done, and how things are now.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Migrations of the platform database that were applied now.
    pub applied: Vec<String>,
    /// The version of the platform database.
    pub platform_version: i64,
    /// The version of the tenant schema.
    pub tenant_schema_version: i32,
    /// Clusters whose template was made now.
    pub templates_made: Vec<String>,
    /// What became of the tenants whose databases had an earlier schema.
    pub tenants: TenantMigrations,
    /// Whether the first super-admin was made now.
    pub first_admin_made: bool,
}

/// Migrates the platform database and the clusters, and makes the first super-admin if there is none.
pub async fn run(
    platform: &PostgresConfig,
    clusters: &Clusters,
    first_admin: Option<&FirstAdminConfig>,
) -> Result<Summary> {
    let patient = PostgresConfig { statement_timeout: STATEMENT_TIMEOUT, ..platform.clone() };
    let mut connection = Postgres::connect(&patient).map_err(Error::internal)?.get().await?;
    // Until the connection ends, which is when this function returns or its process dies.
    connection.execute("SELECT pg_advisory_lock(hashtext('landlord migrate-platform'))", &[]).await?;
    roles::ensure(&connection).await?;
    let (applied, platform_version) = platform::migrate(&mut connection).await?;
    let mut templates_made = Vec::new();
    for cluster in &clusters.0 {
        let config = PostgresConfig { url: cluster.url.clone(), ..patient.clone() };
        if template::ensure(&config).await? {
            templates_made.push(cluster.name.clone());
        }
    }
    let first_admin_made = match first_admin {
        Some(admin) => super_admins::create_first(&connection, admin).await?,
        None => false,
    };
    let tenants = tenants::migrate(&connection, clusters, platform).await?;
    let tenant_schema_version = shared::tenants::TENANT_SCHEMA_VERSION;
    Ok(Summary { applied, platform_version, tenant_schema_version, templates_made, tenants, first_admin_made })
}
