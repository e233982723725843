//! Tenants, each with its usage and, on request, its history.

mod batch;
mod history;
mod run;
mod usage;

use rand::Rng;
use shared::{
    clients::redis::Redis,
    error::{Error, Result},
    tenants::{TENANT_SCHEMA_VERSION, TenantStatus, new_database_name},
    types::{Limits, Slug},
};
use slug::slugify;
use time::{Duration, OffsetDateTime};
use tokio_postgres::{Client, error::SqlState};

use self::{batch::TenantBatch, run::SeedRun};
use crate::{
    places::Place,
    random::{chance, id_at, time_between, weighted},
    rows::{SeededDirectoryEntry, SeededTenant},
    unique::UniqueNames,
    written::WrittenRows,
};

/// Tenants per transaction.
const BATCH: usize = 500;
/// Attempts to commit a batch: another session may take one of its slugs.
const ATTEMPTS: usize = 3;
/// The age of the oldest tenant.
const MAX_AGE: Duration = Duration::days(730);
/// The age of the youngest tenant, which leaves time for its history.
const MIN_AGE: Duration = Duration::hours(3);

/// Which tenants to add.
#[derive(Clone, Copy, Debug)]
pub struct TenantOptions {
    pub count: usize,
    /// Whether to add their operations and audit entries, and of the first 1,000 the usage of the last days.
    pub history: bool,
    /// The number of users that each has in the user directory. They have no databases, so nobody else reads these users.
    pub users: usize,
}

/// Adds tenants. Each batch is one transaction, so an interrupted run leaves only complete tenants; `progress` is called with
/// the size of each batch. If `redis` is given, the live message counters are written to it.
///
/// The connection must be of the platform database's owner.
pub async fn fill(
    client: &mut Client,
    redis: Option<&Redis>,
    options: TenantOptions,
    mut progress: impl FnMut(usize),
) -> Result<WrittenRows> {
    lock(client).await?;
    batch::prepare(client).await?;
    let mut run = SeedRun::start(client, options.history).await?;
    let mut written = WrittenRows::default();
    let mut left = options.count;
    while left > 0 {
        let count = left.min(BATCH);
        written.add(commit(&mut run, client, redis, (count, options.users)).await?);
        left -= count;
        progress(count);
    }
    batch::finish(client).await?;
    Ok(written)
}

/// Commits some tenants, each with some users.
async fn commit(
    run: &mut SeedRun,
    client: &mut Client,
    redis: Option<&Redis>,
    (count, users): (usize, usize),
) -> Result<WrittenRows> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let mut batch = TenantBatch::default();
        for _ in 0..count {
            add_tenant(run, &mut batch, users);
        }
        match batch.commit(client, redis).await {
            Err(error) if is_conflict(&error) && attempts < ATTEMPTS => run.refresh_slugs(client).await?,
            outcome => return outcome,
        }
    }
}

fn add_tenant(run: &mut SeedRun, batch: &mut TenantBatch, users: usize) {
    let rng = &mut run.rng;
    let place = Place::draw(rng);
    let status = weighted(rng, &[(92, TenantStatus::Active), (5, TenantStatus::Suspended), (3, TenantStatus::Failed)]);
    let created_at = run.now - MIN_AGE - age(rng);
    let name = place.company(rng);
    let slug = run.slugs.take(slug(&name), |slug, number| format!("{slug}-{number}"));
    let limits = limits(rng);
    let mut tenant = SeededTenant {
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
    if run.history {
        history::write(run, batch, &mut tenant, place);
    }
    usage::write(run, batch, &tenant);
    if status != TenantStatus::Failed {
        batch.directory.extend(directory(&mut run.rng, &tenant, (place, users), run.now));
    }
    batch.tenants.push(tenant);
}

/// A tenant's users in the user directory, the first of whom came with the tenant.
fn directory(
    rng: &mut impl Rng,
    tenant: &SeededTenant,
    (place, count): (Place, usize),
    now: OffsetDateTime,
) -> Vec<SeededDirectoryEntry> {
    let mut emails = UniqueNames::new([]);
    let mut entries = Vec::with_capacity(count);
    for number in 0..count {
        let created_at = if number == 0 { tenant.created_at } else { time_between(rng, tenant.created_at, now) };
        let (first, last) = place.person(rng);
        let local = format!("{}.{}", slugify(&first), slugify(&last));
        entries.push(SeededDirectoryEntry {
            tenant_id: tenant.id,
            user_id: id_at(rng, created_at),
            email: emails.take(format!("{local}@{}.example", tenant.slug), |_, number| {
                format!("{local}{number}@{}.example", tenant.slug)
            }),
            full_name: format!("{first} {last}"),
            role: if number == 0 { "admin" } else { weighted(rng, &[(2, "admin"), (10, "supervisor"), (88, "agent")]) },
            status: if number == 0 || chance(rng, 92) { "active" } else { "deactivated" },
            revision: 1,
            created_at,
            updated_at: created_at,
        });
    }
    entries
}

/// The age of a tenant beyond the minimum. A growing platform has more young tenants than old ones.
fn age(rng: &mut impl Rng) -> Duration {
    let range = MAX_AGE - MIN_AGE;
    let any = |rng: &mut _| time_between(rng, OffsetDateTime::UNIX_EPOCH, OffsetDateTime::UNIX_EPOCH + range);
    any(rng).min(any(rng)) - OffsetDateTime::UNIX_EPOCH
}

/// The limits of a plan. The largest plans are unlimited in some figures.
fn limits(rng: &mut impl Rng) -> Limits {
    let plan = |agents, contacts, messages| Limits {
        max_agents: agents,
        max_contacts: contacts,
        max_messages_month: messages,
    };
    weighted(
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

/// A valid slug for a name, with room for a number after it.
fn slug(name: &str) -> String {
    let slug: String = slugify(name).chars().take(40).collect();
    let slug = slug.trim_end_matches('-');
    if Slug::parse(slug).is_ok() { slug.to_owned() } else { format!("{slug}-1") }
}

/// Takes a lock until the connection ends, because two runs on one database would generate the same slugs.
async fn lock(client: &Client) -> Result<()> {
    let lock = "SELECT pg_try_advisory_lock(hashtextextended('landlord seed', 0))";
    if client.query_one(lock, &[]).await?.try_get(0)? {
        return Ok(());
    }
    Err(Error::Malformed("Another `cargo dev seed` is running on this database; wait until it has ended".to_owned()))
}

fn is_conflict(error: &Error) -> bool {
    let (Error::Internal(source) | Error::Unavailable { source: Some(source), .. }) = error else { return false };
    let source = source.downcast_ref::<tokio_postgres::Error>();
    source.is_some_and(|error| error.code() == Some(&SqlState::UNIQUE_VIOLATION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_valid_slug_with_and_without_a_number() {
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
    fn ages_are_within_the_limits_and_most_tenants_are_young() {
        let mut rng = rand::rng();
        let ages: Vec<_> = (0..3_000).map(|_| age(&mut rng)).collect();
        assert!(ages.iter().all(|age| *age >= Duration::ZERO && *age <= MAX_AGE - MIN_AGE));
        let young = ages.iter().filter(|age| **age < MAX_AGE / 2).count();
        assert!(young > 1_800, "{young} of 3,000");
    }
}
