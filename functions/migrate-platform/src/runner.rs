//! Applies migrations: each in a transaction of its own, except those that build indexes concurrently.

use refinery::{AsyncMigrate, Migration, Report, Runner};
use refinery_core::traits::r#async::{AsyncQuery, AsyncTransaction};
use shared::error::{Error, Result};
use tokio_postgres::{Client, Error as PostgresError};

use crate::locks::LOCK_TIMEOUT;

/// Applies the missing ones of `migrations`, and waits at most [`LOCK_TIMEOUT`] for each lock.
///
/// A migration that contains `CREATE INDEX CONCURRENTLY` runs outside of a transaction, statement by statement, and waits for older
/// transactions as long as statements may last, because it makes nobody wait. It may contain no other statements than those
/// about indexes, and must drop each index first, because an interrupted build leaves an invalid one.
pub(crate) async fn apply(client: &mut Client, migrations: &[Migration]) -> Result<Report> {
    client.batch_execute(&format!("SET lock_timeout = '{LOCK_TIMEOUT}'")).await?;
    Runner::new(migrations).run_async(&mut Session(client)).await.map_err(Error::internal)
}

struct Session<'a>(&'a mut Client);

impl AsyncTransaction for Session<'_> {
    type Error = PostgresError;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        queries: T,
    ) -> Result<usize, PostgresError> {
        let queries: Vec<&str> = queries.collect();
        if !queries.iter().any(|sql| sql.contains("CREATE INDEX CONCURRENTLY")) {
            return AsyncTransaction::execute(self.0, queries.into_iter()).await;
        }
        self.0.batch_execute("SET lock_timeout = 0").await?;
        for sql in &queries {
            for statement in sql.split(';').filter(|statement| !statement.trim().is_empty()) {
                self.0.batch_execute(statement).await?;
            }
        }
        self.0.batch_execute(&format!("SET lock_timeout = '{LOCK_TIMEOUT}'")).await?;
        Ok(queries.len())
    }
}

impl AsyncQuery<Vec<Migration>> for Session<'_> {
    async fn query<'a>(&'a mut self, query: &'a str) -> Result<Vec<Migration>, PostgresError> {
        AsyncQuery::query(self.0, query).await
    }
}

impl AsyncMigrate for Session<'_> {}
