//! Sessions on a PostgreSQL cluster that end when another worker takes the operation over.
//!
//! `CREATE DATABASE` and `DROP DATABASE` cannot name a fencing token. So the session does: its application name holds the
//! database's name and the token, and whoever takes the operation over ends every session of an earlier worker before it
//! touches the database itself. In that order nothing can slip through, however long a worker was frozen and wherever:
//!
//! 1. A worker marks its session, and *then* makes sure that its lease stands.
//! 2. The next worker takes the lease, and *then* ends every session that is marked for the database with an earlier token,
//!    and waits for its end.
//!
//! An earlier worker's session that was marked before step 2 looked is ended, with whatever it was doing. One that was
//! marked later finds at its check that the lease is gone. Neither depends on a clock.

use std::time::Duration;

use deadpool_postgres::Object;
use tokio_postgres::{Client, error::SqlState};

use crate::provisioning::{fault::StepError, step::StepContext};
use crate::{
    clients::{
        clusters::PostgresCluster,
        postgres::{Connection, connect_once},
    },
    config::PostgresConfig,
};

/// How long to wait for an earlier worker's session to end.
const TERMINATE_TIMEOUT_MS: i64 = 6000;

/// A session in the cluster's own database.
pub(super) async fn open(site: &StepContext<'_>, cluster: &PostgresCluster) -> Result<Connection, StepError> {
    let mut dead = 0;
    loop {
        let connection = cluster.pool.get().await?;
        match mark(site, &connection).await {
            Ok(()) => {
                enter(site, &connection).await?;
                return Ok(connection);
            }
            // While it was idle in the pool it was ended, by whoever took over the operation that it served last.
            Err(error) if is_ended(&error) && dead < cluster.config.pool_size => {
                dead += 1;
                drop(Object::take(connection));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// A session of its own in the cluster's own database, whose statements may take `limit`.
pub(super) async fn open_patient(
    site: &StepContext<'_>,
    cluster: &PostgresCluster,
    limit: Duration,
) -> Result<Client, StepError> {
    let config = PostgresConfig { statement_timeout: limit, ..cluster.config.clone() };
    begin(site, connect_once(&config, None).await?).await
}

/// A session in the tenant's database.
pub(super) async fn open_tenant(site: &StepContext<'_>, cluster: &PostgresCluster) -> Result<Client, StepError> {
    begin(site, connect_once(&cluster.config, Some(site.database)).await?).await
}

async fn begin(site: &StepContext<'_>, client: Client) -> Result<Client, StepError> {
    mark(site, &client).await?;
    enter(site, &client).await?;
    Ok(client)
}

/// What the marks of all sessions that work on a database begin with. It and the token are ours: hexadecimal digits and a
/// number. 63 bytes is the most that PostgreSQL keeps.
fn family(site: &StepContext<'_>) -> String {
    format!("landlord {} ", site.database)
}

async fn mark(site: &StepContext<'_>, client: &Client) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(&format!("SET application_name = '{}{}'", family(site), site.lease.token)).await
}

fn is_ended(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.code() == Some(&SqlState::ADMIN_SHUTDOWN)
}

/// Makes sure that the lease stands, and ends the sessions of earlier workers.
async fn enter(site: &StepContext<'_>, client: &Client) -> Result<(), StepError> {
    site.check().await?;
    if site.lease.token == 1 {
        return Ok(());
    }
    let (family, token) = (family(site), site.lease.token);
    let earlier: Vec<i32> = client
        .query(
            "SELECT pid, pg_terminate_backend(pid, $3)
             FROM pg_stat_activity
             WHERE CASE WHEN starts_with(application_name, $1) THEN substr(application_name, length($1) + 1)::bigint < $2 END",
            &[&family, &token, &TERMINATE_TIMEOUT_MS],
        )
        .await?
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    if earlier.is_empty() {
        return Ok(());
    }
    // Those alone: one that an earlier worker has marked since finds that its lease is gone.
    let left: i64 = client
        .query_one(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1) AND starts_with(application_name, $2)",
            &[&earlier, &family],
        )
        .await?
        .try_get(0)?;
    if left > 0 {
        return Err(StepError::transient("An earlier worker's session with PostgreSQL has not ended yet"));
    }
    Ok(())
}
