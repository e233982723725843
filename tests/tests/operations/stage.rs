//! The fixture of these tests: an API, and a worker that changes operations through the journal.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::Value;
use shared::{
    clients::{postgres::Postgres, redis::Redis},
    config::{FromEnv, RedisConfig},
    operations::{Lease, StepChange, StepName, store::journal},
    types::OperationId,
};
use tests::{
    Answer, Api, World,
    api::{Parts, answer},
    until,
};

pub(crate) struct OperationsStage {
    pub(crate) world: World,
    pub(crate) api: Api,
    /// The connections of workers.
    pub(crate) workers: Postgres,
}

impl OperationsStage {
    pub(crate) async fn new() -> Self {
        Self::with(|parts| parts).await
    }

    /// With some parts replaced.
    pub(crate) async fn with(change: impl FnOnce(Parts) -> Parts) -> Self {
        shared::telemetry::init();
        let world = Box::pin(World::new()).await;
        let api = Api::with(&change(Parts::of(&world))).await;
        Self { api, workers: Postgres::connect(&world.provisioner()).unwrap(), world }
    }

    /// The operation of a new tenant.
    pub(crate) async fn operation(&self, slug: &str) -> OperationId {
        self.api.create_tenant(slug).await["operation_id"].as_str().unwrap().parse().unwrap()
    }

    /// Begins to work on an operation, which becomes `running`.
    pub(crate) async fn take(&self, id: OperationId) -> Lease {
        let client = self.workers.get().await.unwrap();
        journal::take(&client, id, Duration::from_mins(1)).await.unwrap().unwrap().lease
    }

    /// Whether a worker could take the operation now.
    pub(crate) async fn is_due(&self, id: OperationId) -> bool {
        let sql = format!("SELECT FROM operations WHERE id = '{id}' AND next_attempt_at <= now()");
        self.world.count(&sql).await == 1
    }

    /// Changes a step.
    pub(crate) async fn record(&self, lease: Lease, step: StepName, change: StepChange<'_>) {
        journal::record(&self.workers.get().await.unwrap(), lease, step, change).await.unwrap();
    }

    /// Ends an operation as failed.
    pub(crate) async fn fail(&self, lease: Lease) {
        self.world.leaves_contradictions("an operation has failed, and its steps and its tenant do not show it");
        let mut client = self.workers.get().await.unwrap();
        let lease = journal::begin_rollback(&client, lease, "as the test wants").await.unwrap();
        let transaction = client.transaction().await.unwrap();
        journal::fail(&transaction, lease).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Gets an operation, with the entity tag that the client has. Returns the time that the response took, too.
    pub(crate) async fn get(&self, id: OperationId, query: &str, etag: Option<&str>) -> (Answer, Duration) {
        let mut request = self.api.request(Method::GET, &format!("/operations/{id}?{query}"));
        if let Some(etag) = etag {
            request = request.header("if-none-match", etag);
        }
        let begun = Instant::now();
        (answer(request).await, begun.elapsed())
    }

    /// Gets the state of an operation at once.
    pub(crate) async fn state(&self, id: OperationId) -> (Value, String) {
        let (now, _) = self.get(id, "", None).await;
        assert_eq!(now.status, StatusCode::OK, "{}", now.text);
        (now.json.clone(), now.header("etag").to_owned())
    }

    /// The number of requests that wait.
    pub(crate) async fn waiting(&self) -> usize {
        let redis = Redis::connect(&RedisConfig::from_env().unwrap()).unwrap();
        let key = format!("{}:operations:waiting", self.world.database);
        redis.query(redis::cmd("ZCARD").arg(key)).await.unwrap()
    }

    /// Waits until so many requests wait.
    pub(crate) async fn until_waiting(&self, count: usize) {
        until("requests wait", Duration::from_secs(15), async || self.waiting().await == count).await;
    }
}
