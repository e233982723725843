//! The state of a run of the seeder.

use rand::rngs::StdRng;
use shared::{error::Result, passwords, tenants::new_database_name};
use time::OffsetDateTime;
use tokio_postgres::Client;

use crate::unique::UniqueNames;

/// Tenants of a run that get the usage of their last days. Those of 100,000 would be more rows than everything else.
const TENANTS_WITH_DAYS: usize = 1_000;

pub(super) struct SeedRun {
    pub(super) now: OffsetDateTime,
    /// The super-admin who requested all tenants.
    pub(super) super_admin: String,
    /// The hash of a random password that is stored nowhere.
    pub(super) password_hash: String,
    /// Whether tenants get operations and audit entries.
    pub(super) history: bool,
    with_days: usize,
    pub(super) slugs: UniqueNames,
    pub(super) rng: StdRng,
}

impl SeedRun {
    pub(super) async fn start(client: &Client, history: bool) -> Result<Self> {
        Ok(Self {
            now: OffsetDateTime::now_utc(),
            super_admin: super_admin(client).await?,
            password_hash: passwords::hash(&new_database_name()).await?,
            history,
            with_days: if history { TENANTS_WITH_DAYS } else { 0 },
            slugs: taken_slugs(client).await?,
            rng: rand::make_rng(),
        })
    }

    /// Whether the next tenant gets the usage of its last days.
    pub(super) fn takes_days(&mut self) -> bool {
        let takes = self.with_days > 0;
        self.with_days = self.with_days.saturating_sub(1);
        takes
    }

    /// Reads the taken slugs again.
    pub(super) async fn refresh_slugs(&mut self, client: &Client) -> Result<()> {
        self.slugs = taken_slugs(client).await?;
        Ok(())
    }
}

async fn taken_slugs(client: &Client) -> Result<UniqueNames> {
    let rows = client.query("SELECT slug FROM tenants WHERE status <> 'deleted'", &[]).await?;
    Ok(UniqueNames::new(rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?))
}

/// The id of the first super-admin; a new id, as of a removed super-admin, if none exists.
async fn super_admin(client: &Client) -> Result<String> {
    let first = client.query_opt("SELECT id FROM super_admins ORDER BY created_at, id LIMIT 1", &[]).await?;
    let id = first.map(|row| row.try_get(0)).transpose()?;
    Ok(id.unwrap_or_else(uuid::Uuid::now_v7).to_string())
}
