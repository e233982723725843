//! SQL of health: the history of samples, states and changes, and the facts that a report takes from the platform database.

mod samples;
mod states;
mod thinning;

use std::collections::HashMap;

use deadpool_postgres::GenericClient;
pub use samples::{insert_samples, list_samples, list_uptimes};
pub use states::{insert_changes, list_changes, list_states, lock, upsert_states};
pub use thinning::{delete_changes, delete_samples, merge_samples};

use crate::{error::Result, health::TenantCounts, types::Channel};

/// What a PostgreSQL server reports of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct PostgresServer {
    pub version: String,
    /// The lag of the slowest replica, or of the server itself if it is a replica. `None` without replicas, or without the
    /// role `pg_read_all_stats`, which is needed to see them.
    pub replication_lag_seconds: Option<f64>,
}

/// Queries a server's version and replication lag.
pub async fn find_server(client: &impl GenericClient) -> Result<PostgresServer> {
    let statement = client
        .prepare_cached(
            // A replica that has caught up has no replay_lag. One that may not be seen has neither a lag nor a state. The lag
            // of a replica that is behind and silent is the time since its last reply.
            "SELECT split_part(current_setting('server_version'), ' ', 1),
                    CASE WHEN NOT pg_is_in_recovery() THEN (
                             SELECT extract(epoch FROM max(greatest(
                                 replay_lag,
                                 CASE WHEN replay_lsn < pg_current_wal_lsn() THEN now() - reply_time END,
                                 '0'
                             )))
                             FROM pg_stat_replication
                             WHERE state = 'streaming'
                         )
                         WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
                         ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp())
                    END::float8",
        )
        .await?;
    let row = client.query_one(&statement, &[]).await?;
    Ok(PostgresServer { version: row.try_get(0)?, replication_lag_seconds: row.try_get(1)? })
}

/// Counts the tenants by status.
pub async fn count_tenants(client: &impl GenericClient) -> Result<TenantCounts> {
    let statement = client.prepare_cached("SELECT status, count(*) FROM tenants GROUP BY status").await?;
    let mut counts = TenantCounts::default();
    for row in client.query(&statement, &[]).await? {
        let status: &str = row.try_get(0)?;
        counts.add(status.parse().map_err(crate::error::Error::internal)?, row.try_get(1)?);
    }
    Ok(counts)
}

/// Counts the active tenants that have a connected channel, by kind of channel.
pub async fn count_by_channel(client: &impl GenericClient) -> Result<HashMap<Channel, i64>> {
    let statement = client
        .prepare_cached(
            "SELECT channel, count(DISTINCT tenant_id)
             FROM tenant_usage
             JOIN tenants ON tenants.id = tenant_id
             CROSS JOIN unnest(channels) AS channel
             WHERE status = 'active'
             GROUP BY channel",
        )
        .await?;
    let mut counts: HashMap<_, _> = Channel::ALL.into_iter().map(|channel| (channel, 0)).collect();
    for row in client.query(&statement, &[]).await? {
        let name: &str = row.try_get(0)?;
        if let Some(channel) = Channel::ALL.into_iter().find(|channel| channel.as_str() == name) {
            counts.insert(channel, row.try_get(1)?);
        }
    }
    Ok(counts)
}

/// How many seconds the oldest pending operation has waited; 0 when none is pending.
pub async fn oldest_waiting_seconds(client: &impl GenericClient) -> Result<f64> {
    let statement = client
        .prepare_cached(
            "SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8
             FROM operations
             WHERE finished_at IS NULL AND status = 'pending'",
        )
        .await?;
    Ok(client.query_one(&statement, &[]).await?.try_get(0)?)
}
