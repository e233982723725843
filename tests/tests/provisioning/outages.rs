//! Stores that are down or hang while a worker provisions a tenant.

use std::sync::Arc;

use secrecy::ExposeSecret;
use shared::{
    config::Clusters,
    operations::{OperationStatus, StepName},
    provisioning::{Moment, OperationOutcome, Stores},
};
use tests::{
    proxy::{Mode, Proxy},
    variable,
};

use crate::{
    saboteur::{Sabotage, Saboteur},
    stage::{ProvisioningStage, Requested, each, minute, stores},
};

/// A super-admin reads the error of the step to find the store that is down.
#[tokio::test(flavor = "multi_thread")]
async fn the_error_of_a_step_names_the_store_that_does_not_answer() {
    let stage = ProvisioningStage::new().await;
    each([Mode::Cut, Mode::Hang], |mode| {
        let stage = stage.clone();
        async move {
            let proxied = ProxiedStores::new(&stage).await;
            let worker = stage.worker_on(Arc::clone(&proxied.stores));
            // A worker that has been used before has open connections.
            let earlier = stage.request().await;
            let outcome = worker.run(earlier.operation, minute()).await.unwrap();
            assert_eq!(outcome, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });

            let requested = stage.request().await;
            proxied.mongo.set(mode);
            let outcome = worker.run(requested.operation, minute()).await.unwrap();
            assert!(matches!(outcome, OperationOutcome::Open { .. }), "{mode:?} {outcome:?}");
            let error = stage.step_error(requested.operation, StepName::MongodbDatabase).await;
            assert_eq!(error, DOWN, "{mode:?}");

            proxied.mongo.set(Mode::Pass);
            assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded, "{mode:?}");
            stage.assert_active(requested.tenant).await;
        }
    })
    .await;
}

/// An outage that lasts longer than the time of an operation is no reason to give up.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_is_out_of_time_waits_for_a_store_that_is_unavailable() {
    let stage = ProvisioningStage::new().await;
    let requested = stage.request().await;
    stage.spend_budget(requested.operation).await;
    let saboteur = Saboteur::new([(Moment::Applying(StepName::MongodbDatabase), Sabotage::Unavailable)]);
    let outcome = stage.watched(saboteur).run(requested.operation, minute()).await.unwrap();
    assert!(matches!(outcome, OperationOutcome::Open { .. }), "{outcome:?}");
    let begun_anew = format!(
        "SELECT FROM operations WHERE id = '{}' AND fault = 'unavailable' AND gives_up_at > now() + interval '29 minutes'",
        requested.operation
    );
    assert_eq!(stage.count(&begun_anew).await, 1);
    assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
    stage.assert_active(requested.tenant).await;
}

/// While a cluster is down, operations do not wait for its timeouts one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn after_three_faults_of_a_cluster_only_one_operation_tries_it_until_it_works() {
    let stage = ProvisioningStage::new().await;
    stage.use_breakers().await;
    let proxied = ProxiedStores::new(&stage).await;
    let worker = stage.worker_on(Arc::clone(&proxied.stores));
    proxied.mongo.set(Mode::Cut);
    let run = async |requested: Requested| worker.run(requested.operation, minute()).await.unwrap();
    let down = |outcome: &OperationOutcome| matches!(outcome, OperationOutcome::Open { reason, .. } if reason == DOWN);
    let refused =
        |outcome: &OperationOutcome| matches!(outcome, OperationOutcome::Open { reason, .. } if reason == REFUSED);
    let mut waiting = Vec::new();
    for fault in 1..=3 {
        let requested = stage.request().await;
        let outcome = run(requested).await;
        assert!(down(&outcome), "{fault}: {outcome:?}");
        waiting.push(requested);
    }

    let [first, second] = [stage.request().await, stage.request().await];
    let outcome = run(first).await;
    assert!(refused(&outcome), "{outcome:?}");
    let begun =
        format!("SELECT FROM operation_steps WHERE operation_id = '{}' AND status = 'running'", first.operation);
    assert_eq!(stage.count(&begun).await, 0, "no step was begun");

    // The time of the breaker is over: one operation tries the cluster, which is still down.
    let over = "UPDATE store_breakers SET open_until = now() - interval '1 ms'";
    let platform = stage.owner.get().await.unwrap();
    platform.batch_execute(over).await.unwrap();
    let outcome = run(second).await;
    assert!(down(&outcome), "{outcome:?}");
    stage.end_wait(first.operation).await;
    let outcome = run(first).await;
    assert!(refused(&outcome), "{outcome:?}");

    // It works again: the one that tries it closes the breaker for all.
    proxied.mongo.set(Mode::Pass);
    platform.batch_execute(over).await.unwrap();
    waiting.extend([first, second]);
    for requested in waiting {
        stage.end_wait(requested.operation).await;
        assert_eq!(run(requested).await, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });
        assert_eq!(stage.count("SELECT FROM store_breakers").await, 0);
        stage.assert_active(requested.tenant).await;
    }
}

/// The cause may be the operation's own database.
#[tokio::test(flavor = "multi_thread")]
async fn the_faults_of_one_operation_keep_no_other_from_the_cluster() {
    let stage = ProvisioningStage::new().await;
    stage.use_breakers().await;
    let proxied = ProxiedStores::new(&stage).await;
    let worker = stage.worker_on(Arc::clone(&proxied.stores));
    proxied.mongo.set(Mode::Cut);
    let poor = stage.request().await;
    for attempt in 1..=4 {
        stage.end_wait(poor.operation).await;
        let outcome = worker.run(poor.operation, minute()).await.unwrap();
        assert!(matches!(&outcome, OperationOutcome::Open { reason, .. } if reason == DOWN), "{attempt}: {outcome:?}");
    }
    proxied.mongo.set(Mode::Pass);
    let other = stage.request().await;
    let outcome = worker.run(other.operation, minute()).await.unwrap();
    assert_eq!(outcome, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });
    assert_eq!(stage.finish(poor).await, OperationStatus::Succeeded);
}

/// The first user is removed with the database, so undoing that step asks no store.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_does_not_reach_the_cluster_leaves_its_breaker_open() {
    let stage = ProvisioningStage::new().await;
    stage.use_breakers().await;
    let proxied = ProxiedStores::new(&stage).await;
    let worker = stage.worker_on(Arc::clone(&proxied.stores));
    proxied.postgres.set(Mode::Cut);
    let mut last = None;
    for _ in 1..=3 {
        let requested = stage.request().await;
        worker.run(requested.operation, minute()).await.unwrap();
        last = Some(requested);
    }
    let open = "SELECT FROM store_breakers WHERE store = 'postgresql' AND open_until > now()";
    assert_eq!(stage.count(open).await, 1);

    let over = "UPDATE store_breakers SET open_until = now() - interval '1 ms'";
    stage.owner.get().await.unwrap().batch_execute(over).await.unwrap();
    let undone = last.unwrap();
    stage.begin_rollback(undone.operation).await;
    stage.end_wait(undone.operation).await;
    let outcome = worker.run(undone.operation, minute()).await.unwrap();
    assert!(matches!(outcome, OperationOutcome::Open { .. }), "{outcome:?}");
    assert_eq!(stage.count(open).await, 1);
    proxied.postgres.set(Mode::Pass);
}

const DOWN: &str = "MongoDB could not be reached, or did not answer in time";
const REFUSED: &str = "The MongoDB cluster `main` fails for every operation, and is tried again later";

/// Stores behind proxies.
pub(crate) struct ProxiedStores {
    pub(crate) stores: Arc<Stores>,
    postgres: Proxy,
    pub(crate) mongo: Proxy,
}

impl ProxiedStores {
    pub(crate) async fn new(stage: &ProvisioningStage) -> Self {
        let config = stage.world.provisioner();
        let (postgres, postgres_url) = Proxy::before(&config.url).await;
        // The members of a replica set announce their own addresses. Without a direct connection, the driver would bypass the
        // proxy.
        let (mongo, mongo_url) = Proxy::before(&variable("MONGODB_URL").into()).await;
        let mongo_url = mongo_url.expose_secret().replace("replicaSet=rs0", "directConnection=true");
        let stores = stores(&config, Clusters::single(postgres_url), Clusters::single(mongo_url));
        Self { stores, postgres, mongo }
    }

    /// The proxy in front of the store of a step.
    pub(crate) fn before(&self, step: StepName) -> &Proxy {
        if step == StepName::MongodbDatabase { &self.mongo } else { &self.postgres }
    }
}
