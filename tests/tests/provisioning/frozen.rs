//! Workers that freeze at any point and continue after other workers have finished their work.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shared::{
    clients::postgres::connect_once,
    config::PostgresConfig,
    operations::{OperationStatus, StepName},
    provisioning::{Moment, OperationOutcome},
};
use tests::{
    platform::config,
    proxy::{Action, At, Held, Mode, Proxy},
};

use crate::{
    boundaries::{apply_moments, rollback_moments},
    outages::ProxiedStores,
    saboteur::{Sabotage, Saboteur},
    stage::{ProvisioningStage, Requested, each, minute, start},
};

/// Moments at which a worker freezes, before or after the effect of a step.
async fn freezes(stage: &ProvisioningStage) -> Vec<Moment> {
    let is_freeze = |moment: &Moment| {
        matches!(
            moment,
            Moment::Leased | Moment::Applying(_) | Moment::Applied(_) | Moment::Recorded(StepName::Placement)
        )
    };
    apply_moments(stage).await.into_iter().filter(is_freeze).collect()
}

/// Result of the operation while the worker was frozen.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    Active,
    Failed,
    FailedAndRetried,
}

/// Another worker finishes the operation in one delivery.
async fn take_over(stage: &ProvisioningStage, requested: Requested, meanwhile: Meanwhile) {
    stage.expire(requested.operation).await;
    let status = if matches!(meanwhile, Meanwhile::Active) {
        OperationStatus::Succeeded
    } else {
        stage.begin_rollback(requested.operation).await;
        OperationStatus::Failed
    };
    let outcome = stage.worker().run(requested.operation, minute()).await.unwrap();
    assert_eq!(outcome, OperationOutcome::Finished { status, now: true }, "{requested:?} {meanwhile:?}");
    if matches!(meanwhile, Meanwhile::FailedAndRetried) {
        let retried = stage.request_retry(requested.tenant).await;
        assert_eq!(stage.finish(retried).await, OperationStatus::Succeeded);
    }
}

/// Checks that the tenant still has the result. `database` is the first name of its databases.
async fn assert_unchanged(stage: &ProvisioningStage, requested: Requested, database: &str, meanwhile: Meanwhile) {
    match meanwhile {
        Meanwhile::Active => stage.assert_active(requested.tenant).await,
        Meanwhile::Failed => stage.assert_failed(requested.tenant, database).await,
        Meanwhile::FailedAndRetried => {
            stage.assert_active(requested.tenant).await;
            assert_ne!(stage.database(requested.tenant).await, database);
            stage.assert_no_database(database).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_wakes_up_after_others_have_finished_its_work_changes_nothing() {
    let stage = ProvisioningStage::new().await;
    // `Failed` is not tested separately: every effect on a failed tenant also shows after a retry.
    let cases = freezes(&stage)
        .await
        .into_iter()
        .flat_map(|moment| [Meanwhile::Active, Meanwhile::FailedAndRetried].map(|meanwhile| (moment, meanwhile)));
    each(cases, |(moment, meanwhile)| {
        let stage = stage.clone();
        async move {
            let requested = stage.request().await;
            let database = stage.database(requested.tenant).await;
            let saboteur = Saboteur::new([(moment, Sabotage::Freeze)]);
            let sleeper = start(stage.watched(saboteur.clone()), requested.operation);
            saboteur.frozen().await;
            take_over(&stage, requested, meanwhile).await;
            saboteur.thaw();
            let outcome = sleeper.await.unwrap().unwrap();
            assert!(matches!(outcome, OperationOutcome::Open { .. }), "{moment:?} {meanwhile:?} {outcome:?}");
            assert_unchanged(&stage, requested, &database, meanwhile).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_wakes_up_during_its_rollback_does_not_affect_a_later_retry() {
    let stage = ProvisioningStage::new().await;
    let moments = rollback_moments(&stage).await.into_iter().filter(|moment| *moment != Moment::Ended);
    each(moments, |moment| {
        let stage = stage.clone();
        async move {
            let requested = stage.request().await;
            let saboteur = Saboteur::new([
                (Moment::Applying(StepName::Activation), Sabotage::Permanent),
                (moment, Sabotage::Freeze),
            ]);
            let sleeper = start(stage.watched(saboteur.clone()), requested.operation);
            saboteur.frozen().await;
            stage.expire(requested.operation).await;
            // At `BeginningRollback` the error is not recorded yet, so the next worker makes the tenant active.
            let rolled_back = moment != Moment::BeginningRollback;
            let status = if rolled_back { OperationStatus::Failed } else { OperationStatus::Succeeded };
            let outcome = stage.worker().run(requested.operation, minute()).await.unwrap();
            assert_eq!(outcome, OperationOutcome::Finished { status, now: true }, "{moment:?}");
            if rolled_back {
                stage.assert_retry_works(requested.tenant).await;
            }
            saboteur.thaw();
            let outcome = sleeper.await.unwrap().unwrap();
            assert!(matches!(outcome, OperationOutcome::Open { .. }), "{moment:?} {outcome:?}");
            stage.assert_active(requested.tenant).await;
        }
    })
    .await;
}

/// Text in the requests of a worker to a store, and the step that sends it.
const REQUESTS: [(StepName, &str); 8] = [
    (StepName::PostgresqlDatabase, "SET application_name"),
    (StepName::PostgresqlDatabase, "CREATE DATABASE"),
    (StepName::PostgresqlDatabase, "REVOKE ALL ON DATABASE"),
    (StepName::AdminUser, "ada@example.com"),
    (StepName::MongodbDatabase, "provisioning_fences"),
    (StepName::MongodbDatabase, "startTransaction"),
    (StepName::MongodbDatabase, "automations"),
    (StepName::MongodbDatabase, "commitTransaction"),
];

/// The connection of a worker with a store hangs in the middle of a request, until another worker has finished the operation. The
/// other worker finishes at once, whatever the store still holds for the first worker.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_request_to_a_store_blocks_no_other_worker_and_has_no_effect() {
    let stage = ProvisioningStage::new().await;
    let cases = REQUESTS.into_iter().flat_map(|request| {
        [Held::Request, Held::Answer]
            .into_iter()
            .flat_map(move |held| [Meanwhile::Active, Meanwhile::Failed].map(|meanwhile| (request, held, meanwhile)))
    });
    each(cases, |((step, text), held, meanwhile)| {
        let stage = stage.clone();
        async move {
            let proxied = ProxiedStores::new(&stage).await;
            let requested = stage.request().await;
            let database = stage.database(requested.tenant).await;
            let proxy = proxied.before(step);
            proxy.hang_at(text, held);
            let sleeper = start(stage.worker_on(Arc::clone(&proxied.stores)), requested.operation);
            proxy.hung().await;
            take_over(&stage, requested, meanwhile).await;
            proxy.set(Mode::Pass);
            let outcome = sleeper.await.unwrap().unwrap();
            assert!(matches!(outcome, OperationOutcome::Open { .. }), "{text} {held:?} {meanwhile:?} {outcome:?}");
            assert_unchanged(&stage, requested, &database, meanwhile).await;
        }
    })
    .await;
}

/// `DROP DATABASE` waits until every session of the server has closed the files of the database. One that waits for its client's password
/// does not until `authentication_timeout`, which `cargo dev up` and infra/production.md shorten.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_freezes_while_it_signs_in_hardly_delays_a_rollback() {
    let stage = ProvisioningStage::new().await;
    let requested = stage.request().await;
    let database = stage.database(requested.tenant).await;
    let saboteur = Saboteur::new([(Moment::Applying(StepName::Activation), Sabotage::Permanent)]);
    let config = config("POSTGRES_URL", "postgres");
    let (proxy, url) = Proxy::before(&config.url).await;
    proxy.plan(At::Labelled("password".to_owned(), 1), Action::Hang(Held::Request));
    let config = PostgresConfig { url, connect_timeout: Duration::from_mins(2), ..config };
    let client = tokio::spawn(async move { connect_once(&config, None).await.map(drop) });
    proxy.hung().await;
    let begun = Instant::now();
    assert_eq!(stage.finish_with(&stage.watched(saboteur), requested).await, OperationStatus::Failed);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    stage.assert_failed(requested.tenant, &database).await;
    client.abort();
}
