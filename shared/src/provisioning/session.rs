//! Sessions on a PostgreSQL cluster that end when another worker takes the operation over.
//!
//! `CREATE DATABASE` and `DROP DATABASE` cannot name a fencing token. So the session does: its application name holds the
//! database's name and the token, and whoever takes the operation over ends every session of an earlier worker before it
//! touches the database itself. In that order nothing can slip through, however long a worker was frozen and wherever:
//!
//! 1. A worker marks its session, and *then* makes sure that its lease stands.
//! 2. The next worker takes the lease, and *then* ends every session that is marked for the database, and waits for its end.
//!
//! An earlier worker's session that was marked before step 2 looked is ended, with whatever it was doing. One that was
//! marked later finds at its check that the lease is gone. Neither depends on a clock.

use tokio_postgres::Client;

use super::{fault::Fault, step::Site};
use crate::clients::{
    clusters::PostgresCluster,
    postgres::{Connection, connect_once},
};

/// How long to wait for an earlier worker's session to end.
const FAREWELL_MS: i64 = 3000;

/// A session in the cluster's own database.
pub(super) async fn open(site: &Site<'_>, cluster: &PostgresCluster) -> Result<Connection, Fault> {
    let connection = cluster.pool.get().await?;
    enter(site, &connection).await?;
    Ok(connection)
}

/// A session in the tenant's database.
pub(super) async fn open_tenant(site: &Site<'_>, cluster: &PostgresCluster) -> Result<Client, Fault> {
    let client = connect_once(&cluster.config, Some(site.database)).await?;
    enter(site, &client).await?;
    Ok(client)
}

async fn enter(site: &Site<'_>, client: &Client) -> Result<(), Fault> {
    // Both parts are ours: a name of hexadecimal digits and a number. 63 bytes is the most that PostgreSQL keeps.
    let family = format!("landlord {} ", site.database);
    let mark = format!("{family}{}", site.lease.token);
    client.batch_execute(&format!("SET application_name = '{mark}'")).await?;
    site.check().await?;
    if site.lease.token == 1 {
        return Ok(());
    }
    client
        .execute(
            "SELECT pg_terminate_backend(pid, $3)
             FROM pg_stat_activity
             WHERE starts_with(application_name, $1) AND application_name <> $2",
            &[&family, &mark, &FAREWELL_MS],
        )
        .await?;
    let left = client
        .query_one(
            "SELECT count(*) FROM pg_stat_activity WHERE starts_with(application_name, $1) AND application_name <> $2",
            &[&family, &mark],
        )
        .await?
        .try_get::<_, i64>(0)?;
    if left > 0 {
        return Err(Fault::transient("An earlier worker's session with PostgreSQL has not ended yet"));
    }
    Ok(())
}
