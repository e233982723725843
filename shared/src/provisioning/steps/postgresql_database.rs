//! The tenant's PostgreSQL database, cloned from the template.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use crate::{
    operations::StepName,
    provisioning::{
        fault::StepError,
        session,
        step::{Step, StepContext, UNDO_LIMIT},
    },
    tenants::{TENANT_SCHEMA_VERSION, tenant_template},
};

/// The step.
pub(in crate::provisioning) struct PostgresqlDatabase;

impl Step for PostgresqlDatabase {
    const NAME: StepName = StepName::PostgresqlDatabase;
    const FENCED: bool = true;

    async fn apply(&self, site: &StepContext<'_>) -> Result<(), StepError> {
        let cluster = site.stores.postgres(&site.placement.postgres_cluster)?;
        let session = session::open(site, cluster).await?;
        let (name, template) = (site.database, tenant_template(TENANT_SCHEMA_VERSION));
        // Closed to everyone until what follows has said who may connect: rights on a database are not cloned with it.
        // `wal_log` copies block by block instead of forcing two checkpoints.
        let created = session
            .batch_execute(&format!(
                "CREATE DATABASE {name} TEMPLATE {template} OWNER landlord_provisioner STRATEGY wal_log ALLOW_CONNECTIONS false"
            ))
            .await;
        match created {
            Ok(()) => {}
            // A database is there wholly or not at all, so this is what an earlier try made.
            Err(error) if error.code() == Some(&SqlState::DUPLICATE_DATABASE) => {}
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_DATABASE) => {
                return Err(StepError::from(error).because(format!(
                    "The cluster `{}` has no database `{template}` to clone: run migrate-platform",
                    site.placement.postgres_cluster
                )));
            }
            Err(error) => return Err(error.into()),
        }
        session
            .batch_execute(&format!(
                "REVOKE ALL ON DATABASE {name} FROM PUBLIC;
                 GRANT CONNECT ON DATABASE {name} TO landlord_api;
                 ALTER DATABASE {name} ALLOW_CONNECTIONS true"
            ))
            .await?;
        Ok(())
    }

    async fn undo(&self, site: &StepContext<'_>) -> Result<(), StepError> {
        let cluster = site.stores.postgres(&site.placement.postgres_cluster)?;
        let session = session::open_patient(site, cluster, UNDO_LIMIT).await?;
        // Nobody else has business in a database whose tenant never was active, so whoever is connected is thrown out.
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", site.database);
        let mut patience = 20;
        loop {
            match session.batch_execute(&drop).await {
                // A process of the server's own that has just begun to clean up there belongs to nobody yet, or to a role
                // that may not be thrown out. A moment later it has gone, or can be told to.
                Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) && patience > 0 => {
                    patience -= 1;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                dropped => return Ok(dropped?),
            }
        }
    }
}
