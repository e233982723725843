//! The benchmark's databases on the servers that the environment names.

use std::time::Duration;

use shared::config::PostgresConfig;

use crate::error::Result;

/// The last database of a Redis server with the default configuration. The platform uses another one.
const REDIS_DATABASE: u8 = 15;

/// A configuration for loading and dropping databases, which is slow while the server writes much.
pub(crate) fn patient(url: &str) -> PostgresConfig {
    PostgresConfig { statement_timeout: Duration::from_mins(2), ..PostgresConfig::new(url) }
}

/// Replaces the database in a URL and keeps the server and the parameters.
pub(crate) fn postgres_database(url: &str, database: &str) -> Result<String> {
    let (server, rest) = url.rsplit_once('/').ok_or("POSTGRES_URL names no database")?;
    let parameters = rest.split_once('?').map(|(_, parameters)| format!("?{parameters}")).unwrap_or_default();
    Ok(format!("{server}/{database}{parameters}"))
}

/// A URL without its password, for a command line, which other users of the machine can read; and the password.
pub(crate) fn without_password(url: &str) -> Result<(String, String)> {
    let (scheme, rest) = url.split_once("://").ok_or("the URL has no scheme")?;
    let (credentials, server) = rest.split_once('@').ok_or("the URL names no user")?;
    let (user, password) = credentials.split_once(':').ok_or("the URL contains no password")?;
    Ok((format!("{scheme}://{user}@{server}"), password.to_owned()))
}

/// Replaces the database in a URL with the benchmark's.
pub(crate) fn redis_database(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("redis", url));
    let server = rest.split_once('/').map_or(rest, |(server, _)| server);
    format!("{scheme}://{server}/{REDIS_DATABASE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postgres_url_keeps_its_parameters() {
        let url =
            postgres_database("postgres://me:secret@db.example:5432/landlord?sslmode=require", "bench_1").unwrap();
        assert_eq!(url, "postgres://me:secret@db.example:5432/bench_1?sslmode=require");
    }

    #[test]
    fn a_password_is_taken_out_of_a_url() {
        let (url, password) = without_password("postgres://me:secret@db.example:5432/bench_1?sslmode=require").unwrap();
        assert_eq!(
            (url.as_str(), password.as_str()),
            ("postgres://me@db.example:5432/bench_1?sslmode=require", "secret")
        );
        assert!(without_password("postgres://db.example/bench_1").is_err());
    }

    #[test]
    fn the_database_of_a_redis_url_is_replaced_or_added() {
        for url in [
            "rediss://:secret@cache.example:6379",
            "rediss://:secret@cache.example:6379/",
            "rediss://:secret@cache.example:6379/3",
        ] {
            assert_eq!(redis_database(url), "rediss://:secret@cache.example:6379/15");
        }
    }
}
