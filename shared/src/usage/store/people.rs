//! What is found in a tenant's own PostgreSQL database.

use std::time::Duration;

use tokio_postgres::Client;

use crate::error::Result;

/// Who works there, and how large the database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct People {
    /// Agents that are not deactivated.
    pub agents: i64,
    /// Those of them that are online.
    pub agents_online: i64,
    /// Bytes of the database.
    pub database_bytes: i64,
}

/// Counts, by a connection to the tenant's database. The server gives up after `patience`.
pub async fn find_people(client: &Client, patience: Duration) -> Result<People> {
    client.batch_execute(&format!("SET statement_timeout = {}", patience.as_millis())).await?;
    let row = client
        .query_one(
            "SELECT count(*), count(*) FILTER (WHERE online_until > now()), pg_database_size(current_database())
             FROM users WHERE status = 'active'",
            &[],
        )
        .await?;
    Ok(People { agents: row.try_get(0)?, agents_online: row.try_get(1)?, database_bytes: row.try_get(2)? })
}
