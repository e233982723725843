//! Agents: the users of one tenant, in its own database.

use rand::{RngExt, rngs::StdRng};
use secrecy::ExposeSecret;
use shared::{
    clients::postgres::connect_once,
    config::{Clusters, PostgresConfig},
    domain::{TenantId, TenantStatus},
    error::{Error, Result},
};
use slug::slugify;
use time::{Duration, OffsetDateTime};
use tokio_postgres::Client;

use crate::{
    Written,
    chance::{id_at, moment, percent, pick},
    places::Place,
    rows::{Agent, copy},
    unique::Taken,
};

/// How many agents are committed together.
const BATCH: usize = 2_000;
/// How far back the oldest agent goes.
const AGE: Duration = Duration::days(500);

/// A tenant that has a database to put agents into.
#[derive(Debug)]
pub struct Home {
    id: TenantId,
    slug: String,
    country: String,
    database: String,
    cluster: String,
    /// How many agents it may have; `None` is unlimited.
    pub max_agents: Option<i64>,
}

impl Home {
    /// The tenant of that id, which has to be active.
    pub async fn find(platform: &Client, id: TenantId) -> Result<Self> {
        let query = "SELECT slug, country::text, database_name, postgres_cluster, max_agents, status
                     FROM organizations WHERE id = $1";
        let Some(row) = platform.query_opt(query, &[&id.0]).await? else {
            return Err(Error::Conflict(format!("There is no tenant {id}")));
        };
        let status: String = row.try_get(5)?;
        if status != TenantStatus::Active.as_str() {
            return Err(Error::Conflict(format!("The tenant {id} is {status}; only an active one is given users")));
        }
        let Some(cluster) = row.try_get(3)? else {
            let why = "has no databases, for it was generated; take one that was provisioned";
            return Err(Error::Conflict(format!("The tenant {id} {why}")));
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
            Error::Conflict(format!("The cluster `{}`, where the tenant is placed, is not configured", self.cluster))
        })?;
        let url = cluster.url.expose_secret();
        connect_once(&PostgresConfig { url: url.into(), ..config.clone() }, Some(&self.database)).await
    }
}

/// Adds agents to those that a tenant has, and has it measured soon; says how many there are then that count against its
/// limit. Each batch is one transaction; `progress` is told of each. `config` is of the platform database's owner.
pub async fn fill(
    platform: &Client,
    home: &Home,
    (clusters, config): (&Clusters, &PostgresConfig),
    count: usize,
    mut progress: impl FnMut(usize),
) -> Result<(Written, i64)> {
    let mut tenant = home.connect(clusters, config).await?;
    let rows = tenant.query("SELECT lower(email) FROM agents", &[]).await?;
    let mut emails = Taken::new(rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?);
    let place = Place::of(&home.country);
    let now = OffsetDateTime::now_utc();
    let mut rng: StdRng = rand::make_rng();
    let mut written = Written::default();
    let mut left = count;
    while left > 0 {
        let size = left.min(BATCH);
        let agents: Vec<_> = (0..size).map(|_| agent(&mut rng, home, place, &mut emails, now)).collect();
        let transaction = tenant.transaction().await?;
        written.count("agents", copy(&transaction, &agents).await?);
        transaction.commit().await?;
        left -= size;
        progress(size);
    }
    tenant.batch_execute("VACUUM (ANALYZE) agents").await?;
    let soon = "UPDATE tenant_usage SET due_at = least(due_at, now()) WHERE organization_id = $1";
    platform.execute(soon, &[&home.id.0]).await?;
    let counted = tenant.query_one("SELECT count(*) FROM agents WHERE status = 'active'", &[]).await?.try_get(0)?;
    Ok((written, counted))
}

fn agent(rng: &mut StdRng, home: &Home, place: Place, emails: &mut Taken, now: OffsetDateTime) -> Agent {
    let (first, last) = place.person(rng);
    let local = format!("{}.{}", slugify(&first), slugify(&last));
    let email = emails
        .take(format!("{local}@{}.example", home.slug), |_, number| format!("{local}{number}@{}.example", home.slug));
    let created_at = moment(rng, now - AGE, now - Duration::hours(1));
    let active = percent(rng, 92);
    let online = active && percent(rng, 20);
    let last_seen_at = match () {
        () if online => Some(moment(rng, now - Duration::minutes(2), now)),
        () if percent(rng, 6) => None,
        () => Some(moment(rng, created_at.max(now - Duration::days(60)), now - Duration::minutes(5))),
    };
    Agent {
        id: id_at(rng, created_at),
        email,
        full_name: format!("{first} {last}"),
        role: pick(rng, &[(2, "admin"), (10, "supervisor"), (88, "agent")]),
        status: if active { "active" } else { "deactivated" },
        last_seen_at,
        // No client moves it on, so it has to last until somebody looks.
        online_until: online.then(|| now + Duration::minutes(rng.random_range(10..480))),
        created_at,
        updated_at: created_at,
    }
}
