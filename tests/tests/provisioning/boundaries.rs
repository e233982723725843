//! Every boundary between two writes of the saga, and everything that can happen to a worker there.

use shared::{
    operations::{OperationStatus, StepName},
    provisioning::{Moment, Outcome},
};

use crate::stage::{Fault, Saboteur, Stage, each, minute, start};

const EFFECTS: [StepName; 4] =
    [StepName::PostgresqlDatabase, StepName::MongodbDatabase, StepName::ObjectPrefix, StepName::AdminUser];

fn forward() -> Vec<Moment> {
    let mut moments =
        vec![Moment::Leased, Moment::Applying(StepName::Placement), Moment::Recorded(StepName::Placement)];
    for step in EFFECTS {
        moments.extend([Moment::Applying(step), Moment::Applied(step), Moment::Recorded(step)]);
    }
    moments.extend([Moment::Applying(StepName::Activation), Moment::Ended]);
    moments
}

fn backward() -> Vec<Moment> {
    let mut moments = vec![Moment::BeginningRollback, Moment::RollbackBegun];
    for step in EFFECTS {
        moments.extend([Moment::Undoing(step), Moment::Undone(step)]);
    }
    moments.extend([Moment::Failing, Moment::Ended]);
    moments
}

#[tokio::test]
async fn an_undisturbed_tenant_becomes_active() {
    let stage = Stage::new().await;
    let asked = stage.ask().await;
    let outcome = stage.worker().run(asked.operation, minute()).await.unwrap();
    assert_eq!(outcome, Outcome::Finished { status: OperationStatus::Succeeded, now: true });
    stage.assert_active(asked.tenant).await;
    let outcome = stage.worker().run(asked.operation, minute()).await.unwrap();
    assert_eq!(outcome, Outcome::Finished { status: OperationStatus::Succeeded, now: false });
    stage.assert_active(asked.tenant).await;
    stage.world.drop_tenants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_at_any_boundary_is_followed_by_one_that_makes_the_tenant_active() {
    let stage = Stage::new().await;
    each(&stage, forward(), |moment| {
        let stage = stage.clone();
        async move {
            let asked = stage.ask().await;
            let saboteur = Saboteur::new([(moment, Fault::Freeze)]);
            let worker = start(stage.watched(saboteur.clone()), asked.operation);
            saboteur.frozen().await;
            worker.abort();
            assert!(worker.await.unwrap_err().is_cancelled());
            assert_eq!(stage.finish(asked).await, OperationStatus::Succeeded, "{moment:?}");
            stage.assert_active(asked.tenant).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_fault_at_any_boundary_leaves_the_rest_to_the_next_delivery() {
    let stage = Stage::new().await;
    each(&stage, forward(), |moment| {
        let stage = stage.clone();
        async move {
            let asked = stage.ask().await;
            let worker = stage.watched(Saboteur::new([(moment, Fault::Transient)]));
            let outcome = worker.run(asked.operation, minute()).await.unwrap();
            assert!(matches!(outcome, Outcome::Retry(_)), "{moment:?} {outcome:?}");
            // The lease was given back, but at the moments that are outside of the steps.
            if !matches!(moment, Moment::Leased | Moment::Ended) {
                let outcome = worker.run(asked.operation, minute()).await.unwrap();
                assert_eq!(outcome, Outcome::Finished { status: OperationStatus::Succeeded, now: true }, "{moment:?}");
            }
            assert_eq!(stage.finish(asked).await, OperationStatus::Succeeded);
            stage.assert_active(asked.tenant).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lasting_fault_at_any_boundary_leaves_nothing_behind_and_can_be_retried() {
    let stage = Stage::new().await;
    let moments = forward().into_iter().filter(|moment| !matches!(moment, Moment::Leased | Moment::Ended));
    each(&stage, moments, |moment| {
        let stage = stage.clone();
        async move {
            let asked = stage.ask().await;
            let database = stage.database(asked.tenant).await;
            let worker = stage.watched(Saboteur::new([(moment, Fault::Permanent)]));
            let outcome = worker.run(asked.operation, minute()).await.unwrap();
            assert_eq!(outcome, Outcome::Finished { status: OperationStatus::Failed, now: true }, "{moment:?}");
            stage.assert_failed(asked.tenant, &database).await;
            stage.assert_retry_works(asked.tenant).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_while_it_undoes_is_followed_by_one_that_ends_it() {
    let stage = Stage::new().await;
    each(&stage, backward(), |moment| {
        let stage = stage.clone();
        async move {
            let asked = stage.ask().await;
            let database = stage.database(asked.tenant).await;
            let saboteur =
                Saboteur::new([(Moment::Applying(StepName::Activation), Fault::Permanent), (moment, Fault::Freeze)]);
            let worker = start(stage.watched(saboteur.clone()), asked.operation);
            saboteur.frozen().await;
            worker.abort();
            assert!(worker.await.unwrap_err().is_cancelled());
            let status = stage.finish(asked).await;
            if moment == Moment::BeginningRollback {
                // Nothing was written of the fault, and it was not there the next time.
                assert_eq!(status, OperationStatus::Succeeded);
                return stage.assert_active(asked.tenant).await;
            }
            assert_eq!(status, OperationStatus::Failed, "{moment:?}");
            stage.assert_failed(asked.tenant, &database).await;
            stage.assert_retry_works(asked.tenant).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undoing_that_fails_is_kept_and_tried_again_and_frees_nothing_before() {
    let stage = Stage::new().await;
    let moments =
        backward().into_iter().filter(|moment| !matches!(moment, Moment::BeginningRollback | Moment::RollbackBegun));
    let cases: Vec<_> = moments.flat_map(|moment| [(moment, Fault::Transient), (moment, Fault::Permanent)]).collect();
    each(&stage, cases, |(moment, fault)| {
        let stage = stage.clone();
        async move {
            let asked = stage.ask().await;
            let database = stage.database(asked.tenant).await;
            let saboteur = Saboteur::new([(Moment::Applying(StepName::Activation), Fault::Permanent), (moment, fault)]);
            let worker = stage.watched(saboteur);
            let outcome = worker.run(asked.operation, minute()).await.unwrap();
            assert!(matches!(outcome, Outcome::Retry(_)), "{moment:?} {outcome:?}");
            if moment != Moment::Ended {
                let kept = "status = 'provisioning' AND postgres_cluster = 'main' AND mongo_cluster = 'main'";
                let sql = format!("SELECT FROM tenants WHERE id = '{}' AND {kept}", asked.tenant);
                assert_eq!(stage.count(&sql).await, 1);
                let outcome = worker.run(asked.operation, minute()).await.unwrap();
                assert_eq!(outcome, Outcome::Finished { status: OperationStatus::Failed, now: true }, "{moment:?}");
            }
            // What this leaves is what every other failure leaves, of which it is shown that it can be retried.
            stage.assert_failed(asked.tenant, &database).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_applied_and_undone_twice_is_once() {
    let stage = Stage::new().await;
    let asked = stage.ask().await;
    let client = stage.owner.get().await.unwrap();
    let forget = "UPDATE operation_steps SET status = 'pending' WHERE operation_id = $1";
    let saboteur = Saboteur::new([(Moment::Applying(StepName::Activation), Fault::Transient)]);
    let worker = stage.watched(saboteur);
    assert!(matches!(worker.run(asked.operation, minute()).await.unwrap(), Outcome::Retry(_)));
    client.execute(forget, &[&asked.operation.0]).await.unwrap();
    assert_eq!(stage.finish(asked).await, OperationStatus::Succeeded);
    // The steps of another tenant, undone twice, and once more after nothing was ever applied.
    let asked = stage.ask().await;
    let database = stage.database(asked.tenant).await;
    let saboteur = Saboteur::new([
        (Moment::Applying(StepName::Activation), Fault::Permanent),
        (Moment::Failing, Fault::Transient),
    ]);
    let worker = stage.watched(saboteur);
    assert!(matches!(worker.run(asked.operation, minute()).await.unwrap(), Outcome::Retry(_)));
    client.execute(forget, &[&asked.operation.0]).await.unwrap();
    assert_eq!(stage.finish(asked).await, OperationStatus::Failed);
    stage.assert_failed(asked.tenant, &database).await;
    stage.assert_retry_works(asked.tenant).await;
    stage.world.drop_tenants().await;
}
