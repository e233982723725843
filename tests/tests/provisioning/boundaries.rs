//! Errors and deaths of a worker at every boundary between two writes of the saga.

use shared::{
    operations::{OperationStatus, StepName},
    provisioning::{Moment, OperationOutcome},
};

use crate::{
    saboteur::{Sabotage, Saboteur},
    stage::{ProvisioningStage, each, minute, start},
};

/// The moments of an undisturbed worker.
pub(crate) async fn apply_moments(stage: &ProvisioningStage) -> Vec<Moment> {
    let saboteur = Saboteur::new([]);
    let requested = stage.request().await;
    assert_eq!(stage.finish_with(&stage.watched(saboteur.clone()), requested).await, OperationStatus::Succeeded);
    saboteur.seen()
}

/// The moments of a worker after a permanent error, before it applies the last step.
pub(crate) async fn rollback_moments(stage: &ProvisioningStage) -> Vec<Moment> {
    let error = Moment::Applying(StepName::Activation);
    let saboteur = Saboteur::new([(error, Sabotage::Permanent)]);
    let requested = stage.request().await;
    assert_eq!(stage.finish_with(&stage.watched(saboteur.clone()), requested).await, OperationStatus::Failed);
    let mut seen = saboteur.seen();
    seen.split_off(seen.iter().position(|moment| *moment == error).unwrap() + 1)
}

#[tokio::test]
async fn an_undisturbed_tenant_becomes_active() {
    let stage = ProvisioningStage::new().await;
    let requested = stage.request().await;
    let outcome = stage.worker().run(requested.operation, minute()).await.unwrap();
    assert_eq!(outcome, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });
    stage.assert_active(requested.tenant).await;
    let outcome = stage.worker().run(requested.operation, minute()).await.unwrap();
    assert_eq!(outcome, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: false });
    stage.assert_active(requested.tenant).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_worker_died_at_any_boundary_the_next_worker_makes_the_tenant_active() {
    let stage = ProvisioningStage::new().await;
    each(apply_moments(&stage).await, |moment| {
        let stage = stage.clone();
        async move {
            let requested = stage.request().await;
            let saboteur = Saboteur::new([(moment, Sabotage::Freeze)]);
            let worker = start(stage.watched(saboteur.clone()), requested.operation);
            saboteur.frozen().await;
            worker.abort();
            assert!(worker.await.unwrap_err().is_cancelled());
            assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded, "{moment:?}");
            stage.assert_active(requested.tenant).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_transient_error_at_any_boundary_the_next_delivery_continues() {
    let stage = ProvisioningStage::new().await;
    each(apply_moments(&stage).await, |moment| {
        let stage = stage.clone();
        async move {
            let requested = stage.request().await;
            let worker = stage.watched(Saboteur::new([(moment, Sabotage::Transient)]));
            let outcome = worker.run(requested.operation, minute()).await.unwrap();
            assert!(matches!(outcome, OperationOutcome::Open { .. }), "{moment:?} {outcome:?}");
            // The lease was released, except at the moments outside the steps.
            if !matches!(moment, Moment::Leased | Moment::Ended) {
                stage.end_wait(requested.operation).await;
                let outcome = worker.run(requested.operation, minute()).await.unwrap();
                assert_eq!(
                    outcome,
                    OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true },
                    "{moment:?}"
                );
            }
            assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
            stage.assert_active(requested.tenant).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_permanent_error_at_any_boundary_nothing_remains_and_the_tenant_can_be_retried() {
    let stage = ProvisioningStage::new().await;
    let moments =
        apply_moments(&stage).await.into_iter().filter(|moment| !matches!(moment, Moment::Leased | Moment::Ended));
    each(moments, |moment| {
        let stage = stage.clone();
        async move {
            let requested = stage.request().await;
            let database = stage.database(requested.tenant).await;
            let worker = stage.watched(Saboteur::new([(moment, Sabotage::Permanent)]));
            let outcome = worker.run(requested.operation, minute()).await.unwrap();
            assert_eq!(
                outcome,
                OperationOutcome::Finished { status: OperationStatus::Failed, now: true },
                "{moment:?}"
            );
            stage.assert_failed(requested.tenant, &database).await;
            stage.assert_retry_works(requested.tenant).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_worker_died_during_the_rollback_the_next_worker_completes_it() {
    let stage = ProvisioningStage::new().await;
    each(rollback_moments(&stage).await, |moment| {
        let stage = stage.clone();
        async move {
            let requested = stage.request().await;
            let database = stage.database(requested.tenant).await;
            let saboteur = Saboteur::new([
                (Moment::Applying(StepName::Activation), Sabotage::Permanent),
                (moment, Sabotage::Freeze),
            ]);
            let worker = start(stage.watched(saboteur.clone()), requested.operation);
            saboteur.frozen().await;
            worker.abort();
            assert!(worker.await.unwrap_err().is_cancelled());
            let status = stage.finish(requested).await;
            if moment == Moment::BeginningRollback {
                // The error was not recorded, and it did not occur again.
                assert_eq!(status, OperationStatus::Succeeded);
                return stage.assert_active(requested.tenant).await;
            }
            assert_eq!(status, OperationStatus::Failed, "{moment:?}");
            stage.assert_failed(requested.tenant, &database).await;
            stage.assert_retry_works(requested.tenant).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_undo_is_retried_and_the_places_on_the_clusters_are_kept_until_it_succeeds() {
    let stage = ProvisioningStage::new().await;
    let moments = rollback_moments(&stage)
        .await
        .into_iter()
        .filter(|moment| !matches!(moment, Moment::BeginningRollback | Moment::RollbackBegun));
    let cases: Vec<_> =
        moments.flat_map(|moment| [(moment, Sabotage::Transient), (moment, Sabotage::Permanent)]).collect();
    each(cases, |(moment, fault)| {
        let stage = stage.clone();
        async move {
            let requested = stage.request().await;
            let database = stage.database(requested.tenant).await;
            let saboteur =
                Saboteur::new([(Moment::Applying(StepName::Activation), Sabotage::Permanent), (moment, fault)]);
            let worker = stage.watched(saboteur);
            let outcome = worker.run(requested.operation, minute()).await.unwrap();
            assert!(matches!(outcome, OperationOutcome::Open { .. }), "{moment:?} {outcome:?}");
            if moment != Moment::Ended {
                let kept = "status = 'provisioning' AND postgres_cluster = 'main' AND mongo_cluster = 'main'";
                let sql = format!("SELECT FROM tenants WHERE id = '{}' AND {kept}", requested.tenant);
                assert_eq!(stage.count(&sql).await, 1);
                stage.end_wait(requested.operation).await;
                let outcome = worker.run(requested.operation, minute()).await.unwrap();
                assert_eq!(
                    outcome,
                    OperationOutcome::Finished { status: OperationStatus::Failed, now: true },
                    "{moment:?}"
                );
            }
            // The final state is the same as in the other tests, which show that the tenant can be retried.
            stage.assert_failed(requested.tenant, &database).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn applying_or_undoing_every_step_twice_has_the_same_effect_as_once() {
    let stage = ProvisioningStage::new().await;
    let requested = stage.request().await;
    let client = stage.owner.get().await.unwrap();
    // The placement is chosen and recorded in one transaction.
    let forget = "UPDATE operation_steps SET status = 'pending' WHERE operation_id = $1 AND name <> 'placement'";
    let saboteur = Saboteur::new([(Moment::Applying(StepName::Activation), Sabotage::Transient)]);
    let worker = stage.watched(saboteur);
    assert!(matches!(worker.run(requested.operation, minute()).await.unwrap(), OperationOutcome::Open { .. }));
    client.execute(forget, &[&requested.operation.0]).await.unwrap();
    assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
    // Another tenant, whose steps are undone twice.
    let requested = stage.request().await;
    let database = stage.database(requested.tenant).await;
    let saboteur = Saboteur::new([
        (Moment::Applying(StepName::Activation), Sabotage::Permanent),
        (Moment::Failing, Sabotage::Transient),
    ]);
    let worker = stage.watched(saboteur);
    assert!(matches!(worker.run(requested.operation, minute()).await.unwrap(), OperationOutcome::Open { .. }));
    client.execute(forget, &[&requested.operation.0]).await.unwrap();
    assert_eq!(stage.finish(requested).await, OperationStatus::Failed);
    stage.assert_failed(requested.tenant, &database).await;
    stage.assert_retry_works(requested.tenant).await;
}
