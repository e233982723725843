//! Health: what the database server and the platform's tables say of themselves, and the history of what was found.

mod samples;
mod states;
mod thinning;

use std::collections::HashMap;

use deadpool_postgres::GenericClient;
pub use samples::{Sample, StoredSample, Uptime, insert_samples, list_samples, list_uptimes};
pub use states::{Change, State, insert_changes, list_changes, list_states, lock, upsert_states};
pub use thinning::{Thinned, thin};

use crate::{error::Result, health::TenantCounts, types::Channel};

/// What a PostgreSQL server says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Its version.
    pub version: String,
    /// How far the slowest replica is behind, or the server itself where it is one; `None` where there is no replica, or it
    /// may not be seen (which takes the role `pg_read_all_stats`).
    pub replication_lag_seconds: Option<f64>,
}

/// Asks a server how it is.
pub async fn server(client: &impl GenericClient) -> Result<Server> {
    let statement = client
        .prepare_cached(
            // A replica that has caught up has no lag to tell; nor has one that may not be seen, which has no state either.
            // One that is behind and silent is as late as it is silent.
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
    Ok(Server { version: row.try_get(0)?, replication_lag_seconds: row.try_get(1)? })
}

/// How many tenants there are, by status.
pub async fn count_tenants(client: &impl GenericClient) -> Result<TenantCounts> {
    let statement = client.prepare_cached("SELECT status, count(*) FROM tenants GROUP BY status").await?;
    let mut counts = TenantCounts::default();
    for row in client.query(&statement, &[]).await? {
        let status: &str = row.try_get(0)?;
        counts.add(status.parse().map_err(crate::error::Error::internal)?, row.try_get(1)?);
    }
    Ok(counts)
}

/// How many active tenants have a connected channel of each kind.
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

/// How many seconds the oldest operation has waited to be taken up; 0 when none waits.
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
