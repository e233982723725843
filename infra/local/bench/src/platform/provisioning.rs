//! Creation of tenants with databases of their own, by the functions that the platform uses for it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{
    error::Result,
    measure::{
        queue_mapping::QueueMapping,
        request::{body, event},
        runtime::{Function, Program},
    },
};

/// Processes of each function; `cargo dev up` runs as many.
const PROCESSES: usize = 4;
/// How long a tenant may take to become active.
const ACTIVATION_TIMEOUT: Duration = Duration::from_mins(2);
const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// The most messages in an invocation, as deployed.
const BATCH_SIZE: usize = 10;

/// The queue of `provision-tenant`.
pub(crate) struct ProvisionQueue {
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) url: String,
}

pub(crate) struct Provisioning {
    token: String,
    create: Arc<Function>,
    workers: Arc<Function>,
    database: Client,
    _mapping: QueueMapping,
}

impl Provisioning {
    /// Starts `create-tenant` and `provision-tenant`, and the mapping between them.
    pub(crate) async fn start(
        create: &Program,
        provision: &Program,
        queue: ProvisionQueue,
        token: String,
        database: Client,
    ) -> Result<Self> {
        let create = Arc::new(Function::start(create, PROCESSES).await?);
        let workers = Arc::new(Function::start(provision, PROCESSES).await?);
        let mapping = QueueMapping::start(&queue.sqs, &queue.url, Arc::clone(&workers), BATCH_SIZE, PROCESSES);
        Ok(Self { token, create, workers, database, _mapping: mapping })
    }

    /// Requests a tenant and returns its id.
    pub(crate) async fn request(&self, slug: &str) -> Result<Uuid> {
        request(&self.create, &self.token, slug).await
    }

    /// Requests `count` tenants at once. Their slugs are `slug` with a number.
    pub(crate) async fn request_many(&self, slug: &str, count: usize) -> Result<Vec<Uuid>> {
        let mut requests = JoinSet::new();
        for number in 0..count {
            let (create, token, slug) = (Arc::clone(&self.create), self.token.clone(), format!("{slug}-{number}"));
            requests.spawn(async move { request(&create, &token, &slug).await });
        }
        let mut ids = Vec::new();
        while let Some(id) = requests.join_next().await {
            ids.push(id??);
        }
        Ok(ids)
    }

    /// Waits until all of these tenants are active.
    pub(crate) async fn wait_until_active(&self, ids: &[Uuid]) -> Result<()> {
        let counts = "SELECT count(*) FILTER (WHERE status = 'provisioning'),
                             min(id::text) FILTER (WHERE status = 'failed')
                      FROM tenants WHERE id = ANY($1)";
        let statement = self.database.prepare(counts).await?;
        let begun = Instant::now();
        loop {
            let row = self.database.query_one(&statement, &[&ids]).await?;
            let (waiting, failed): (i64, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
            if let Some(id) = failed {
                return Err(format!("the tenant {id} failed: see .local/log/bench-provision-tenant.log").into());
            }
            if waiting == 0 {
                return Ok(());
            }
            if begun.elapsed() > ACTIVATION_TIMEOUT {
                let total = ids.len();
                return Err(format!("{waiting} of {total} tenants are not active after {ACTIVATION_TIMEOUT:?}").into());
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// The most resident memory that one of the workers has ever had, in KiB.
    pub(crate) fn peak_resident_kib(&self) -> Result<u64> {
        self.workers.peak_resident_kib()
    }

    pub(crate) async fn count_active(&self, ids: &[Uuid]) -> Result<usize> {
        let count = "SELECT count(*) FROM tenants WHERE id = ANY($1) AND status = 'active'";
        Ok(usize::try_from(self.database.query_one(count, &[&ids]).await?.try_get::<_, i64>(0)?)?)
    }
}

/// The body of a request for a tenant.
pub(crate) fn tenant_request(slug: &str) -> Value {
    json!({
        "name": "Kopi Kenangan", "slug": slug, "country": "ID",
        "admin_email": "sari@kopikenangan.example", "admin_password": "tidal-mango-orbit-42",
    })
}

async fn request(create: &Function, token: &str, slug: &str) -> Result<Uuid> {
    let result = create.invoke(event(token, "POST", "/tenants", "", Some(&tenant_request(slug)))).await?;
    let tenant: Value = serde_json::from_str(&body(&result, 201)?)?;
    Ok(tenant["id"].as_str().ok_or("the tenant has no id")?.parse()?)
}
