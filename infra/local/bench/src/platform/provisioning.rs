//! Tenants with databases of their own, made as the platform makes them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use emulator::event_source::{self, EventSource};
use serde_json::Value;
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use tokio_postgres::Client;
use uuid::Uuid;

use super::create::tenant;
use crate::{
    Result,
    request::{body, event},
    runtime::Function,
    world::World,
};

/// Processes of each function, as `cargo dev up` has.
const PROCESSES: usize = 4;
/// When a tenant that is not active yet is given up.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often it is asked whether a tenant is active.
const POLL: Duration = Duration::from_millis(2);

/// The functions that accept and make tenants, and what AWS does between them.
pub(crate) struct Provisioning {
    token: String,
    create: Arc<Function>,
    watcher: Client,
    mapping: JoinHandle<()>,
    /// Ends the mapping when it is dropped.
    _end: oneshot::Sender<()>,
}

impl Provisioning {
    /// There is one of a world, which has it: see [`World::provisioning`]. A queue that is asked by two gives a message to the
    /// one that has just gone, and hides it for two minutes.
    pub(crate) async fn start(world: &World) -> Result<Self> {
        let create = Arc::new(Function::start(&world.program("create-tenant"), PROCESSES).await?);
        let provision = Arc::new(Function::start(&world.program("provision-tenant"), PROCESSES).await?);
        let source = EventSource {
            queue_url: world.queue_url.clone(),
            function: "provision-tenant".to_owned(),
            batch_size: 10,
            max_concurrency: PROCESSES,
            batching_window: Duration::ZERO,
            function_timeout: Duration::from_mins(1),
        };
        let (end, ended) = oneshot::channel::<()>();
        let shutdown = async {
            let _ = ended.await;
        };
        let mapping = tokio::spawn(event_source::run(source, world.sqs.clone(), provision, shutdown));
        Ok(Self { token: world.token.clone(), create, watcher: world.owner().await?, mapping, _end: end })
    }

    /// Asks for a tenant.
    pub(super) async fn ask_for(&self, slug: &str) -> Result<Uuid> {
        ask_for(&self.create, &self.token, slug).await
    }

    /// Asks for many at once, `slug` and a number each.
    pub(super) async fn ask_for_many(&self, slug: &str, count: usize) -> Result<Vec<Uuid>> {
        let mut requests = JoinSet::new();
        for number in 0..count {
            let (create, token, slug) = (Arc::clone(&self.create), self.token.clone(), format!("{slug}-{number}"));
            requests.spawn(async move { ask_for(&create, &token, &slug).await });
        }
        let mut ids = Vec::new();
        while let Some(id) = requests.join_next().await {
            ids.push(id??);
        }
        Ok(ids)
    }

    /// Waits until all are active.
    pub(super) async fn wait_for(&self, ids: &[Uuid]) -> Result<()> {
        let waiting = "SELECT count(*) FILTER (WHERE status = 'provisioning'),
                              min(id::text) FILTER (WHERE status = 'failed')
                       FROM organizations WHERE id = ANY($1)";
        let statement = self.watcher.prepare(waiting).await?;
        let begun = Instant::now();
        loop {
            let row = self.watcher.query_one(&statement, &[&ids]).await?;
            let (waiting, failed): (i64, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
            if let Some(id) = failed {
                return Err(format!("the tenant {id} failed: see .local/log/bench-provision-tenant.log").into());
            }
            if waiting == 0 {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{waiting} of {} tenants are not active after {PATIENCE:?}", ids.len()).into());
            }
            sleep(POLL).await;
        }
    }

    /// How many of them are active.
    pub(super) async fn active_among(&self, ids: &[Uuid]) -> Result<usize> {
        let count = "SELECT count(*) FROM organizations WHERE id = ANY($1) AND status = 'active'";
        Ok(usize::try_from(self.watcher.query_one(count, &[&ids]).await?.try_get::<_, i64>(0)?)?)
    }
}

impl Drop for Provisioning {
    fn drop(&mut self) {
        // Nobody is waited for: the queue is about to go.
        self.mapping.abort();
    }
}

async fn ask_for(create: &Function, token: &str, slug: &str) -> Result<Uuid> {
    let answer = create.invoke(event(token, "POST", "/tenants", "", Some(&tenant(slug)))).await?;
    let tenant: Value = serde_json::from_str(&body(&answer, 201)?)?;
    Ok(tenant["id"].as_str().ok_or("a tenant without an id")?.parse()?)
}
