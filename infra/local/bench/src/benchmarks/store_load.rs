//! The load of each store, from its own statistics; of object storage, from a proxy in front of it.

use std::collections::BTreeMap;

use bson::{Bson, Document, doc};
use shared::clients::postgres::connect_once;
use tokio_postgres::Client;

use crate::{error::Result, measure::socket::CountingProxy, platform::instance::BenchPlatform};

/// MongoDB commands that drivers send periodically, independent of the load.
const PERIODIC_COMMANDS: [&str; 5] = ["hello", "isMaster", "ping", "replSetHeartbeat", "serverStatus"];
/// Redis commands at the start of a connection, and the command that reads the statistics.
const CONNECTION_COMMANDS: [&str; 5] = ["auth", "client", "hello", "info", "select"];

/// Reads the statistics of the stores.
pub(crate) struct LoadMeter<'a> {
    platform: &'a BenchPlatform,
    /// A connection to a database that is not counted.
    postgres: Client,
    platform_database: String,
    tenant_databases: Vec<String>,
    s3: &'a CountingProxy,
}

/// Counts since the start of each store.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoreLoad {
    /// The platform database.
    pub(crate) platform: PostgresLoad,
    /// The tenants' PostgreSQL databases.
    pub(crate) tenants: PostgresLoad,
    /// Commands by name.
    pub(crate) mongo: BTreeMap<String, i64>,
    /// Commands by name.
    pub(crate) redis: BTreeMap<String, i64>,
    /// HTTP requests.
    pub(crate) s3: i64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PostgresLoad {
    pub(crate) connections: i64,
    pub(crate) transactions: i64,
}

impl<'a> LoadMeter<'a> {
    pub(crate) async fn connect(
        platform: &'a BenchPlatform,
        tenant_databases: Vec<String>,
        s3: &'a CountingProxy,
    ) -> Result<Self> {
        let owner = platform.stores.connect_owner().await?;
        let platform_database = owner.query_one("SELECT current_database()::text", &[]).await?.try_get(0)?;
        let postgres = connect_once(&platform.stores.owner, Some("postgres")).await.map_err(|error| error.chain())?;
        Ok(Self { platform, postgres, platform_database, tenant_databases, s3 })
    }

    pub(crate) async fn read(&self) -> Result<StoreLoad> {
        Ok(StoreLoad {
            platform: self.postgres(std::slice::from_ref(&self.platform_database)).await?,
            tenants: self.postgres(&self.tenant_databases).await?,
            mongo: self.mongo().await?,
            redis: self.redis().await?,
            s3: i64::try_from(self.s3.requests())?,
        })
    }

    async fn postgres(&self, databases: &[String]) -> Result<PostgresLoad> {
        let sums = "SELECT sum(sessions)::bigint, sum(xact_commit + xact_rollback)::bigint
                    FROM pg_stat_database WHERE datname = ANY($1)";
        let row = self.postgres.query_one(sums, &[&databases]).await?;
        Ok(PostgresLoad { connections: row.try_get(0)?, transactions: row.try_get(1)? })
    }

    async fn mongo(&self) -> Result<BTreeMap<String, i64>> {
        let status = self.platform.stores.mongo.database("admin").run_command(doc! { "serverStatus": 1 }).await?;
        let commands = status.get_document("metrics")?.get_document("commands")?;
        let counts = commands.iter().filter_map(|(name, figures)| {
            let total = total(figures.as_document()?)?;
            (!PERIODIC_COMMANDS.contains(&name.as_str())).then(|| (name.clone(), total))
        });
        Ok(counts.collect())
    }

    async fn redis(&self) -> Result<BTreeMap<String, i64>> {
        let mut info = redis::cmd("INFO");
        info.arg("commandstats");
        let text: String = self.platform.stores.redis.query(&info).await.map_err(|error| error.chain())?;
        let counts = text.lines().filter_map(|line| {
            let (name, figures) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((name.to_owned(), figures.split(',').next()?.parse().ok()?))
        });
        let command = |name: &str| name.split('|').next().unwrap_or_default().to_owned();
        Ok(counts.filter(|(name, _)| !CONNECTION_COMMANDS.contains(&command(name).as_str())).collect())
    }
}

fn total(figures: &Document) -> Option<i64> {
    match figures.get("total")? {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        _ => None,
    }
}

impl StoreLoad {
    /// The load between two readings.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let each = |now: &BTreeMap<String, i64>, then: &BTreeMap<String, i64>| {
            let more = |(name, total): (&String, &i64)| (name.clone(), total - then.get(name).copied().unwrap_or(0));
            now.iter().map(more).filter(|(_, count)| *count > 0).collect()
        };
        Self {
            platform: self.platform.since(before.platform),
            tenants: self.tenants.since(before.tenants),
            mongo: each(&self.mongo, &before.mongo),
            redis: each(&self.redis, &before.redis),
            s3: self.s3 - before.s3,
        }
    }
}

impl PostgresLoad {
    fn since(self, before: Self) -> Self {
        Self {
            connections: self.connections - before.connections,
            transactions: self.transactions - before.transactions,
        }
    }
}

/// A count per thing with two decimal places, such as `2.00`.
pub(crate) fn per(count: i64, things: usize) -> String {
    let hundredths = count * 100 / i64::try_from(things.max(1)).unwrap_or(i64::MAX);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Counts per thing, the highest first. Counts below one per 20 things are left out.
pub(crate) fn per_each(counts: &BTreeMap<String, i64>, things: usize) -> String {
    let mut counts: Vec<_> =
        counts.iter().filter(|(_, count)| **count * 20 >= i64::try_from(things).unwrap_or(i64::MAX)).collect();
    counts.sort_by_key(|(_, count)| -**count);
    let words: Vec<_> = counts.into_iter().map(|(name, count)| format!("{name} {}", per(*count, things))).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_shown_per_thing_without_rare_ones() {
        assert_eq!((per(5, 2), per(1, 3), per(0, 0)), ("2.50".into(), "0.33".into(), "0.00".into()));
        let counts = [("count", 200), ("dbStats", 100), ("saslStart", 1)];
        let counts = counts.map(|(name, count)| (name.to_owned(), count)).into();
        assert_eq!(per_each(&counts, 100), "count 2.00, dbStats 1.00");
        assert_eq!(per_each(&BTreeMap::new(), 100), "none");
    }
}
