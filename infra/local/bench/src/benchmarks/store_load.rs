//! What stores are asked: counted by themselves, or, of object storage, by a socket in front of it.

use std::collections::BTreeMap;

use bson::{Bson, Document, doc};
use shared::clients::postgres::connect_once;
use tokio_postgres::Client;

use crate::{Result, socket::Counting, world::World};

/// What every client of MongoDB asks by the clock, whatever it is used for.
const HOUSEKEEPING: [&str; 5] = ["hello", "isMaster", "ping", "replSetHeartbeat", "serverStatus"];
/// What a connection to Redis begins with, and this.
const GREETINGS: [&str; 5] = ["auth", "client", "hello", "info", "select"];

/// Asks the stores what they were asked.
pub(super) struct Meter<'a> {
    world: &'a World,
    /// Connected to another database than those that are counted.
    postgres: Client,
    platform: String,
    tenants: Vec<String>,
    s3: &'a Counting,
}

/// What the stores were asked since they were started.
#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    /// Connections and transactions of the platform database.
    pub(super) platform: (i64, i64),
    /// The same of the tenants' databases.
    pub(super) tenants: (i64, i64),
    /// Commands by name.
    pub(super) mongo: BTreeMap<String, i64>,
    /// Commands by name.
    pub(super) redis: BTreeMap<String, i64>,
    /// Requests.
    pub(super) s3: i64,
}

impl<'a> Meter<'a> {
    /// Of a world, in which tenants have databases of these names.
    pub(super) async fn of(world: &'a World, tenants: Vec<String>, s3: &'a Counting) -> Result<Self> {
        let platform = world.owner().await?.query_one("SELECT current_database()::text", &[]).await?.try_get(0)?;
        let postgres = connect_once(&world.owner, Some("postgres")).await.map_err(|error| error.chain())?;
        Ok(Self { world, postgres, platform, tenants, s3 })
    }

    pub(super) async fn read(&self) -> Result<Load> {
        Ok(Load {
            platform: self.postgres(std::slice::from_ref(&self.platform)).await?,
            tenants: self.postgres(&self.tenants).await?,
            mongo: self.mongo().await?,
            redis: self.redis().await?,
            s3: i64::try_from(self.s3.requests())?,
        })
    }

    async fn postgres(&self, databases: &[String]) -> Result<(i64, i64)> {
        let asked = "SELECT sum(sessions)::bigint, sum(xact_commit + xact_rollback)::bigint
                     FROM pg_stat_database WHERE datname = ANY($1)";
        let row = self.postgres.query_one(asked, &[&databases]).await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    async fn mongo(&self) -> Result<BTreeMap<String, i64>> {
        let status = self.world.mongo.database("admin").run_command(doc! { "serverStatus": 1 }).await?;
        let commands = status.get_document("metrics")?.get_document("commands")?;
        let asked = commands.iter().filter_map(|(name, figures)| {
            let total = total(figures.as_document()?)?;
            (!HOUSEKEEPING.contains(&name.as_str())).then(|| (name.clone(), total))
        });
        Ok(asked.collect())
    }

    async fn redis(&self) -> Result<BTreeMap<String, i64>> {
        let mut info = redis::cmd("INFO");
        info.arg("commandstats");
        let text: String = self.world.redis.query(&info).await.map_err(|error| error.chain())?;
        let asked = text.lines().filter_map(|line| {
            let (name, figures) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((name.to_owned(), figures.split(',').next()?.parse().ok()?))
        });
        Ok(asked.filter(|(name, _)| !GREETINGS.contains(&name.split('|').next().unwrap_or_default())).collect())
    }
}

fn total(figures: &Document) -> Option<i64> {
    match figures.get("total")? {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        _ => None,
    }
}

impl Load {
    /// What came after `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        let pair = |now: (i64, i64), then: (i64, i64)| (now.0 - then.0, now.1 - then.1);
        let each = |now: &BTreeMap<String, i64>, then: &BTreeMap<String, i64>| {
            let more = |(name, total): (&String, &i64)| (name.clone(), total - then.get(name).copied().unwrap_or(0));
            now.iter().map(more).filter(|(_, count)| *count > 0).collect()
        };
        Self {
            platform: pair(self.platform, before.platform),
            tenants: pair(self.tenants, before.tenants),
            mongo: each(&self.mongo, &before.mongo),
            redis: each(&self.redis, &before.redis),
            s3: self.s3 - before.s3,
        }
    }
}

/// So many a thing, as `2.00`.
pub(super) fn per(count: i64, things: usize) -> String {
    let hundredths = count * 100 / i64::try_from(things.max(1)).unwrap_or(i64::MAX);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Commands a thing, the most frequent first, without those that hardly ever come.
pub(super) fn per_each(counts: &BTreeMap<String, i64>, things: usize) -> String {
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
    fn counts_are_told_a_thing_and_rare_ones_are_not() {
        assert_eq!((per(5, 2), per(1, 3), per(0, 0)), ("2.50".into(), "0.33".into(), "0.00".into()));
        let counts = [("count", 200), ("dbStats", 100), ("saslStart", 1)];
        let counts = counts.map(|(name, count)| (name.to_owned(), count)).into();
        assert_eq!(per_each(&counts, 100), "count 2.00, dbStats 1.00");
        assert_eq!(per_each(&BTreeMap::new(), 100), "none");
    }
}
