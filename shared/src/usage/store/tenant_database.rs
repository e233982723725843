//! Counts in a tenant's own PostgreSQL database.

use std::time::Duration;

use tokio_postgres::Client;

use crate::{
    error::Result,
    sql::{self, Columns},
    usage::UserFigures,
};

sql::columns! {
    UserCountColumns -> UserFigures {
        active: "count(*)",
        online: "count(*) FILTER (WHERE online_until > now())",
        database_bytes: "pg_database_size(current_database())",
    }
}

/// Counts over a connection to the tenant's database. The server cancels the query after `timeout`.
pub async fn count_users(client: &Client, timeout: Duration) -> Result<UserFigures> {
    client.batch_execute(&format!("SET statement_timeout = {}", timeout.as_millis())).await?;
    let query = sql::text!("SELECT ", UserCountColumns::LIST, " FROM users WHERE status = 'active'");
    UserCountColumns::read(&client.query_one(query, &[]).await?)
}
