//! Tenants: each an organization with its usage and, if wanted, what was done to it.

mod batch;
mod history;
mod usage;

use rand::{Rng, rngs::StdRng};
use shared::{
    clients::redis::Redis,
    error::{Error, Result},
    passwords,
    tenants::{TENANT_SCHEMA_VERSION, TenantStatus, new_database_name},
    types::{Limits, Slug},
};
use slug::slugify;
use time::{Duration, OffsetDateTime};
use tokio_postgres::{Client, error::SqlState};

use self::batch::Batch;
use crate::{
    Written,
    chance::{id_at, moment, pick},
    places::Place,
    rows::Organization,
    unique::Taken,
};

/// How many tenants are committed together.
const BATCH: usize = 500;
/// How often a batch is made anew because somebody took one of its slugs meanwhile.
const TRIES: usize = 3;
/// How far back the oldest tenant goes.
const AGE: Duration = Duration::days(730);
/// How old the youngest is at least, so that all that happened to it is past.
const YOUTH: Duration = Duration::hours(3);

/// Which tenants are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Tenants {
    /// How many.
    pub count: usize,
    /// Whether with their operations and audit entries.
    pub history: bool,
}

/// What is the same for all tenants of a run.
struct Run {
    now: OffsetDateTime,
    /// The super-admin who asked for all of them.
    admin: String,
    /// The hash of a password that nobody knows.
    password_hash: String,
    history: bool,
    slugs: Taken,
    rng: StdRng,
}

/// Adds tenants to those that are there. Each batch is one transaction, so whatever ends this leaves whole tenants only;
/// `progress` is told of each. The live counters of messages go to Redis, if one is given.
///
/// The connection is one of the platform database's owner.
pub async fn fill(
    client: &mut Client,
    redis: Option<&Redis>,
    wanted: Tenants,
    mut progress: impl FnMut(usize),
) -> Result<Written> {
    alone(client).await?;
    batch::prepare(client).await?;
    let mut run = Run {
        now: OffsetDateTime::now_utc(),
        admin: admin(client).await?,
        password_hash: passwords::hash(&new_database_name()).await?,
        history: wanted.history,
        slugs: living_slugs(client).await?,
        rng: rand::make_rng(),
    };
    let mut written = Written::default();
    let mut left = wanted.count;
    while left > 0 {
        let count = left.min(BATCH);
        written.add(run.commit(client, redis, count).await?);
        left -= count;
        progress(count);
    }
    batch::settle(client).await?;
    Ok(written)
}

impl Run {
    /// Makes so many tenants and commits them together.
    async fn commit(&mut self, client: &mut Client, redis: Option<&Redis>, count: usize) -> Result<Written> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut batch = Batch::default();
            for _ in 0..count {
                self.tenant(&mut batch);
            }
            match batch.commit(client, redis).await {
                Err(error) if is_taken(&error) && tries < TRIES => self.slugs = living_slugs(client).await?,
                outcome => return outcome,
            }
        }
    }

    fn tenant(&mut self, batch: &mut Batch) {
        let rng = &mut self.rng;
        let place = Place::draw(rng);
        let status = pick(rng, &[(92, TenantStatus::Active), (5, TenantStatus::Suspended), (3, TenantStatus::Failed)]);
        let created_at = self.now - YOUTH - age(rng);
        let name = place.company(rng);
        let slug = self.slugs.take(slug(&name), |slug, number| format!("{slug}-{number}"));
        let limits = limits(rng);
        let mut organization = Organization {
            id: id_at(rng, created_at),
            name,
            slug,
            status: status.as_str(),
            database_name: new_database_name(),
            schema_version: if status == TenantStatus::Failed { 0 } else { TENANT_SCHEMA_VERSION },
            country: place.country(),
            max_agents: limits.max_agents,
            max_contacts: limits.max_contacts,
            max_messages_month: limits.max_messages_month,
            revision: 1,
            created_at,
            updated_at: created_at,
        };
        if self.history {
            history::write(self, batch, &mut organization, place);
        }
        usage::write(self, batch, &organization);
        batch.tenants.push(organization);
    }
}

/// The platform has grown: there are more young tenants than old ones.
fn age(rng: &mut impl Rng) -> Duration {
    let day = |rng: &mut _| moment(rng, OffsetDateTime::UNIX_EPOCH, OffsetDateTime::UNIX_EPOCH + AGE - YOUTH);
    day(rng).min(day(rng)) - OffsetDateTime::UNIX_EPOCH
}

/// The limits of a plan; the greatest has none of some kind.
fn limits(rng: &mut impl Rng) -> Limits {
    let plan = |agents, contacts, messages| Limits {
        max_agents: agents,
        max_contacts: contacts,
        max_messages_month: messages,
    };
    pick(
        rng,
        &[
            (40, plan(Some(5), Some(1_000), Some(5_000))),
            (30, plan(Some(10), Some(10_000), Some(50_000))),
            (17, plan(Some(50), Some(100_000), Some(500_000))),
            (8, plan(Some(200), None, Some(2_000_000))),
            (4, plan(Some(500), None, None)),
            (1, plan(None, None, None)),
        ],
    )
}

/// The slug that a name suggests, with room for a number behind it.
fn slug(name: &str) -> String {
    let slug: String = slugify(name).chars().take(40).collect();
    let slug = slug.trim_end_matches('-');
    if Slug::parse(slug).is_ok() { slug.to_owned() } else { format!("{slug}-1") }
}

/// Keeps others from filling the same database until the connection ends: they would take each other's slugs.
async fn alone(client: &Client) -> Result<()> {
    let lock = "SELECT pg_try_advisory_lock(hashtextextended('landlord seed', 0))";
    if client.query_one(lock, &[]).await?.try_get(0)? {
        return Ok(());
    }
    Err(Error::Conflict("Another `cargo dev seed` is at work on this database; wait until it has ended".to_owned()))
}

async fn living_slugs(client: &Client) -> Result<Taken> {
    let rows = client.query("SELECT slug FROM tenants WHERE status <> 'deleted'", &[]).await?;
    Ok(Taken::new(rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?))
}

/// The first super-admin; one who is gone, where there is none.
async fn admin(client: &Client) -> Result<String> {
    let first = client.query_opt("SELECT id FROM super_admins ORDER BY created_at, id LIMIT 1", &[]).await?;
    let id = first.map(|row| row.try_get(0)).transpose()?;
    Ok(id.unwrap_or_else(uuid::Uuid::now_v7).to_string())
}

fn is_taken(error: &Error) -> bool {
    let (Error::Internal(source) | Error::Unavailable { source: Some(source), .. }) = error else { return false };
    let source = source.downcast_ref::<tokio_postgres::Error>();
    source.is_some_and(|error| error.code() == Some(&SqlState::UNIQUE_VIOLATION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_slug_even_with_a_number() {
        let mut rng = rand::rng();
        for _ in 0..3_000 {
            let name = Place::draw(&mut rng).company(&mut rng);
            let slug = slug(&name);
            assert!(Slug::parse(&slug).is_ok(), "{name}: {slug}");
            assert!(Slug::parse(&format!("{slug}-1000000")).is_ok(), "{name}: {slug}");
        }
        assert_eq!(slug("Admin"), "admin-1");
    }

    #[test]
    fn no_tenant_is_older_or_younger_than_it_may_be() {
        let mut rng = rand::rng();
        let ages: Vec<_> = (0..3_000).map(|_| age(&mut rng)).collect();
        assert!(ages.iter().all(|age| *age >= Duration::ZERO && *age <= AGE - YOUTH));
        let young = ages.iter().filter(|age| **age < AGE / 2).count();
        assert!(young > 1_800, "{young} of 3,000");
    }
}
