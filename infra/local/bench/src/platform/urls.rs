//! Where a world is on the servers that the environment names.

use std::time::Duration;

use shared::config::PostgresConfig;

use crate::Result;

/// The last of the databases that a Redis has unless it is told otherwise.
const REDIS_DATABASE: u8 = 15;

/// To fill a database, and to drop it, takes its time when much is being written.
pub(super) fn patient(url: &str) -> PostgresConfig {
    PostgresConfig { statement_timeout: Duration::from_mins(2), ..PostgresConfig::new(url) }
}

/// The same server and parameters, another database.
pub(super) fn postgres_database(url: &str, database: &str) -> Result<String> {
    let (server, rest) = url.rsplit_once('/').ok_or("POSTGRES_URL names no database")?;
    let parameters = rest.split_once('?').map(|(_, parameters)| format!("?{parameters}")).unwrap_or_default();
    Ok(format!("{server}/{database}{parameters}"))
}

/// The same server, a database of the benchmark's own: the one that is used otherwise is the platform's.
pub(super) fn redis_database(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("redis", url));
    let server = rest.split_once('/').map_or(rest, |(server, _)| server);
    format!("{scheme}://{server}/{REDIS_DATABASE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_of_the_same_server_keeps_the_parameters() {
        let url =
            postgres_database("postgres://me:secret@db.example:5432/landlord?sslmode=require", "bench_1").unwrap();
        assert_eq!(url, "postgres://me:secret@db.example:5432/bench_1?sslmode=require");
    }

    #[test]
    fn another_database_of_the_same_redis_takes_the_place_of_the_one_that_was_named() {
        for url in [
            "rediss://:secret@cache.example:6379",
            "rediss://:secret@cache.example:6379/",
            "rediss://:secret@cache.example:6379/3",
        ] {
            assert_eq!(redis_database(url), "rediss://:secret@cache.example:6379/15");
        }
    }
}
