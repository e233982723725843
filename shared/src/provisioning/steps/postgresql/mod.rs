//! The steps on the tenant's PostgreSQL cluster: the tenant's database, cloned from the template, and the first user in it.
//!
//! # Fencing
//! `CREATE DATABASE` and `DROP DATABASE` cannot name a fencing token, but sessions can. The application name of a session
//! contains the database's name and the token. A worker that takes over ends every session of an earlier worker before it
//! touches the database itself. The following order leaves no gap, however long and wherever a worker was frozen:
//!
//! 1. A worker sets the application name of its session, and *then* checks that its lease is valid.
//! 2. The next worker takes the lease, and *then* ends every session that names the database with an earlier token, and waits
//!    until these sessions have ended.
//!
//! A session that an earlier worker named before the query in step 2 is ended together with its current statement. A worker
//! that named its session later finds in its check that the lease is lost. Neither case depends on a clock.

pub(in crate::provisioning) mod access;

use std::time::Duration;

use deadpool_postgres::Object;
use tokio_postgres::{Client, error::SqlState};

use crate::{
    clients::{
        clusters::PostgresCluster,
        postgres::{Connection, connect_once},
    },
    config::PostgresConfig,
    operations::{
        StepName,
        store::{breakers::StoreKind, journal},
    },
    provisioning::{
        step::{Severity, Step, StepContext, StepError, UNDO_TIMEOUT},
        store,
    },
    tenants::{self, tenant_template},
};

pub(in crate::provisioning) struct PostgresqlDatabase;

impl Step for PostgresqlDatabase {
    const NAME: StepName = StepName::PostgresqlDatabase;
    const STORE: StoreKind = StoreKind::Postgresql;
    const FENCED: bool = true;

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let session = open_pooled(context).await?;
        let name = context.database;
        let template = tenant_template(schema_version(context, &session).await?);
        // Rights on a database are not cloned with it, so connections stay forbidden until the statements below have set them.
        // `wal_log` copies block by block instead of forcing two checkpoints.
        let created = session
            .batch_execute(&format!(
                "CREATE DATABASE {name} TEMPLATE {template} OWNER landlord_provisioner STRATEGY wal_log ALLOW_CONNECTIONS false"
            ))
            .await;
        match created {
            Ok(()) => {}
            // An earlier attempt has created it: PostgreSQL creates a database completely or not at all.
            Err(error) if error.code() == Some(&SqlState::DUPLICATE_DATABASE) => {}
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_DATABASE) => {
                let reason = format!(
                    "The cluster `{}` has no database `{template}` to clone; run migrate-platform",
                    context.placement.postgres_cluster
                );
                return Err(StepError {
                    severity: Severity::Unavailable,
                    ..StepError::from(error).with_reason(reason)
                });
            }
            Err(error) => return Err(error.into()),
        }
        let logins = if context.is_copy { "landlord_api" } else { "landlord_api, landlord_service" };
        session
            .batch_execute(&format!(
                "REVOKE ALL ON DATABASE {name} FROM PUBLIC;
                 GRANT CONNECT ON DATABASE {name} TO {logins};
                 ALTER DATABASE {name} ALLOW_CONNECTIONS true;
                 {}",
                comment(context)
            ))
            .await?;
        Ok(())
    }

    async fn undo(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        const MAX_RETRIES: u32 = 20;
        let session = open_with_timeout(context, UNDO_TIMEOUT).await?;
        // FORCE ends all connections. The tenant was never active or is purged, so no other client needs the database.
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", context.database);
        let mut retries = 0;
        loop {
            match session.batch_execute(&drop).await {
                // An autovacuum worker of the server has just connected. It either has no role yet, or a role that this one
                // may not terminate. A moment later it has ended or can be terminated.
                Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) && retries < MAX_RETRIES => {
                    retries += 1;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                dropped => return Ok(dropped?),
            }
        }
    }
}

/// The statement that describes whose databases these are. The search of a purge, and people, read it.
fn comment(context: &StepContext<'_>) -> String {
    let (name, tenant, creator) = (context.database, context.lease.tenant_id, context.creator);
    format!("COMMENT ON DATABASE {name} IS 'Tenant {tenant}, created by operation {creator}'")
}

/// The tenant's first user, an `admin`.
pub(in crate::provisioning) struct AdminUser;

impl Step for AdminUser {
    const NAME: StepName = StepName::AdminUser;
    const STORE: StoreKind = StoreKind::Postgresql;
    const FENCED: bool = true;
    const UNDO_ASKS_STORE: bool = false;

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let admin = tenants::store::find_pending_admin(&context.platform.get().await?, context.lease.tenant_id)
            .await?
            .ok_or_else(|| StepError::permanent("The platform database has no record of the tenant's first user"))?;
        let session = open_in_tenant(context).await?;
        Ok(store::insert_admin(&session, &admin).await?)
    }

    /// Does nothing: the user is removed together with the database.
    async fn undo(&self, _: &StepContext<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

/// Limit for waiting until an earlier worker's session has ended.
const TERMINATE_TIMEOUT_MS: i64 = 6000;

/// The schema version that the operation began with. If its template does not exist yet, because code is deployed before
/// `migrate-platform` has run, the newest version that has one: the tenant is migrated with all others then. The rows of a restored copy fit
/// one version only.
async fn schema_version(context: &StepContext<'_>, session: &Client) -> Result<i32, StepError> {
    let wanted = context.schema_version;
    if context.is_copy {
        return Ok(wanted);
    }
    let Some(version) = store::find_newest_template(session, wanted).await? else {
        return Ok(wanted);
    };
    if version < wanted {
        tracing::warn!(wanted, version, "the template of the schema does not exist yet, so an older one is cloned");
        journal::set_schema_version(&context.platform.get().await?, context.lease, version).await?;
    }
    Ok(version)
}

fn cluster<'a>(context: &'a StepContext<'_>) -> Result<&'a PostgresCluster, StepError> {
    context.stores.postgres(&context.placement.postgres_cluster)
}

/// A session from the pool, in the cluster's own database.
pub(in crate::provisioning) async fn open_pooled(context: &StepContext<'_>) -> Result<Connection, StepError> {
    let cluster = cluster(context)?;
    let mut ended = 0;
    loop {
        let connection = cluster.pool.get().await?;
        match set_application_name(context, &connection).await {
            Ok(()) => {
                end_earlier_sessions(context, &connection).await?;
                return Ok(connection);
            }
            // The session was idle in the pool when another worker ended it, while taking over the operation for which the
            // session was last used.
            Err(error) if is_session_ended(&error) && ended < cluster.config.pool_size => {
                ended += 1;
                drop(Object::take(connection));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// A new session in the cluster's own database, with another limit for statements.
async fn open_with_timeout(context: &StepContext<'_>, statement_timeout: Duration) -> Result<Client, StepError> {
    let config = PostgresConfig { statement_timeout, ..cluster(context)?.config.clone() };
    begin_session(context, connect_once(&config, None).await?).await
}

/// A new session in the tenant's database, for statements that may take as long as the invocation lasts.
pub(in crate::provisioning) async fn open_in_tenant_for(
    context: &StepContext<'_>,
    statement_timeout: Duration,
) -> Result<Client, StepError> {
    let config = PostgresConfig { statement_timeout, ..cluster(context)?.config.clone() };
    begin_session(context, connect_once(&config, Some(context.database)).await?).await
}

/// A new session in the tenant's database.
pub(in crate::provisioning) async fn open_in_tenant(context: &StepContext<'_>) -> Result<Client, StepError> {
    begin_session(context, connect_once(&cluster(context)?.config, Some(context.database)).await?).await
}

async fn begin_session(context: &StepContext<'_>, client: Client) -> Result<Client, StepError> {
    set_application_name(context, &client).await?;
    end_earlier_sessions(context, &client).await?;
    Ok(client)
}

/// Prefix of the application names of all sessions that work on a database. The token follows. Both parts are safe to insert
/// into SQL: hexadecimal digits and a number. PostgreSQL keeps at most 63 bytes of the name.
fn application_name_prefix(context: &StepContext<'_>) -> String {
    format!("landlord {} ", context.database)
}

async fn set_application_name(context: &StepContext<'_>, client: &Client) -> Result<(), tokio_postgres::Error> {
    let (prefix, token) = (application_name_prefix(context), context.lease.token);
    client.batch_execute(&format!("SET application_name = '{prefix}{token}'")).await
}

fn is_session_ended(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.code() == Some(&SqlState::ADMIN_SHUTDOWN)
}

/// Checks that the lease is valid, and ends the sessions of earlier workers.
async fn end_earlier_sessions(context: &StepContext<'_>, client: &Client) -> Result<(), StepError> {
    context.check_lease().await?;
    if context.lease.token == 1 {
        return Ok(());
    }
    let (prefix, token) = (application_name_prefix(context), context.lease.token);
    let earlier: Vec<i32> = client
        .query(
            "SELECT pid, pg_terminate_backend(pid, $3)
             FROM pg_stat_activity
             WHERE CASE WHEN starts_with(application_name, $1) THEN substr(application_name, length($1) + 1)::bigint < $2 END",
            &[&prefix, &token, &TERMINATE_TIMEOUT_MS],
        )
        .await?
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    if earlier.is_empty() {
        return Ok(());
    }
    // Only these: a session that an earlier worker has named since then finds in its check that the lease is lost.
    let remaining: i64 = client
        .query_one(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1) AND starts_with(application_name, $2)",
            &[&earlier, &prefix],
        )
        .await?
        .try_get(0)?;
    if remaining > 0 {
        return Err(StepError::transient("An earlier worker's session with PostgreSQL has not ended yet"));
    }
    Ok(())
}
