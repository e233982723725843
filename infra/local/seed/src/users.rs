//! Users of one tenant, in its own database.

use rand::{RngExt, rngs::StdRng};
use secrecy::ExposeSecret;
use shared::{
    clients::postgres::connect_once,
    config::{Clusters, PostgresConfig},
    error::{Error, Result},
    tenants::TenantStatus,
    types::TenantId,
};
use slug::slugify;
use time::{Duration, OffsetDateTime};
use tokio_postgres::Client;

use crate::{
    places::Place,
    random::{chance, id_at, time_between, weighted},
    rows::{SeededUser, copy},
    unique::UniqueNames,
    written::WrittenRows,
};

/// Users per transaction.
const BATCH: usize = 2_000;
/// The age of the oldest user.
const MAX_AGE: Duration = Duration::days(500);

/// A tenant with a database of its own.
#[derive(Debug)]
pub struct TargetTenant {
    id: TenantId,
    slug: String,
    country: String,
    database: String,
    cluster: String,
    /// The limit of active users; `None` is unlimited.
    pub max_agents: Option<i64>,
}

impl TargetTenant {
    /// Finds a tenant, which must be active and provisioned.
    pub async fn find(platform: &Client, id: TenantId) -> Result<Self> {
        let query = "SELECT slug, country::text, database_name, postgres_cluster, max_agents, status
                     FROM tenants WHERE id = $1";
        let Some(row) = platform.query_opt(query, &[&id.0]).await? else {
            return Err(Error::Malformed(format!("The tenant {id} does not exist")));
        };
        let status: String = row.try_get(5)?;
        if status != TenantStatus::Active.as_str() {
            return Err(Error::Malformed(format!("The tenant {id} is {status}; only an active tenant can get users")));
        }
        let Some(cluster) = row.try_get(3)? else {
            let reason = "has no databases because it was generated; use a provisioned tenant";
            return Err(Error::Malformed(format!("The tenant {id} {reason}")));
        };
        Ok(Self {
            id,
            slug: row.try_get(0)?,
            country: row.try_get(1)?,
            database: row.try_get(2)?,
            cluster,
            max_agents: row.try_get(4)?,
        })
    }

    async fn connect(&self, clusters: &Clusters, config: &PostgresConfig) -> Result<Client> {
        let cluster = clusters.find(&self.cluster);
        let cluster = cluster.ok_or_else(|| {
            Error::Malformed(format!("The tenant is placed on the cluster `{}`, which is not configured", self.cluster))
        })?;
        let url = cluster.url.expose_secret();
        connect_once(&PostgresConfig { url: url.into(), ..config.clone() }, Some(&self.database)).await
    }
}

/// Adds users to a tenant and makes its next measurement due. Returns the written rows and the number of active users, which
/// count against the tenant's limit. Each batch is one transaction, after which `progress` is called with its size.
///
/// `config` is the configuration of the platform database's owner.
pub async fn fill(
    platform: &Client,
    target: &TargetTenant,
    (clusters, config): (&Clusters, &PostgresConfig),
    count: usize,
    mut progress: impl FnMut(usize),
) -> Result<(WrittenRows, i64)> {
    let mut tenant = target.connect(clusters, config).await?;
    let rows = tenant.query("SELECT email FROM users", &[]).await?;
    let mut emails = UniqueNames::new(rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?);
    let place = Place::of(&target.country);
    let now = OffsetDateTime::now_utc();
    let mut rng: StdRng = rand::make_rng();
    let mut written = WrittenRows::default();
    let mut left = count;
    while left > 0 {
        let size = left.min(BATCH);
        let users: Vec<_> = (0..size).map(|_| user(&mut rng, target, place, &mut emails, now)).collect();
        let transaction = tenant.transaction().await?;
        written.count("users", copy(&transaction, &users).await?);
        transaction.commit().await?;
        follow(platform, target.id, &users).await?;
        left -= size;
        progress(size);
    }
    tenant.batch_execute("VACUUM (ANALYZE) users").await?;
    let soon = "UPDATE tenant_usage SET due_at = least(due_at, now()) WHERE tenant_id = $1";
    platform.execute(soon, &[&target.id.0]).await?;
    let active = tenant.query_one("SELECT count(*) FROM users WHERE status = 'active'", &[]).await?.try_get(0)?;
    Ok((written, active))
}

/// Adds users to the user directory, as the settlement of a change does.
async fn follow(platform: &Client, tenant_id: TenantId, users: &[SeededUser]) -> Result<()> {
    fn all<'a, T>(users: &'a [SeededUser], field: impl Fn(&'a SeededUser) -> T) -> Vec<T> {
        users.iter().map(field).collect()
    }
    let insert = "INSERT INTO user_directory (tenant_id, revision, user_id, email, full_name, role, status, created_at, updated_at)
                  SELECT $1::uuid, 1, * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                                                    $8::timestamptz[])
                  ON CONFLICT DO NOTHING";
    platform
        .execute(
            insert,
            &[
                &tenant_id.0,
                &all(users, |user| user.id),
                &all(users, |user| &*user.email),
                &all(users, |user| &*user.full_name),
                &all(users, |user| user.role),
                &all(users, |user| user.status),
                &all(users, |user| user.created_at),
                &all(users, |user| user.updated_at),
            ],
        )
        .await?;
    Ok(())
}

fn user(
    rng: &mut StdRng,
    target: &TargetTenant,
    place: Place,
    emails: &mut UniqueNames,
    now: OffsetDateTime,
) -> SeededUser {
    let (first, last) = place.person(rng);
    let local = format!("{}.{}", slugify(&first), slugify(&last));
    let email = emails.take(format!("{local}@{}.example", target.slug), |_, number| {
        format!("{local}{number}@{}.example", target.slug)
    });
    let created_at = time_between(rng, now - MAX_AGE, now - Duration::hours(1));
    let active = chance(rng, 92);
    let online = active && chance(rng, 20);
    let last_seen_at = match () {
        () if online => Some(time_between(rng, now - Duration::minutes(2), now)),
        () if chance(rng, 6) => None,
        () => Some(time_between(rng, created_at.max(now - Duration::days(60)), now - Duration::minutes(5))),
    };
    SeededUser {
        id: id_at(rng, created_at),
        email,
        full_name: format!("{first} {last}"),
        role: weighted(rng, &[(2, "admin"), (10, "supervisor"), (88, "agent")]),
        status: if active { "active" } else { "deactivated" },
        last_seen_at,
        // No client extends it, so it lasts for hours instead of the usual minutes.
        online_until: online.then(|| now + Duration::minutes(rng.random_range(10..480))),
        created_at,
        updated_at: created_at,
    }
}
