//! A platform database that was restored from a backup, while the stores have gone on.

use std::sync::Arc;

use shared::{
    operations::{OperationStatus, StepName},
    provisioning::{Moment, OperationOutcome},
    reconciliation::{FindingKind, FindingStore},
    tenants::TenantStatus,
};
use tests::platform::{copy_database, replace_database};

use crate::{
    reconciling::{Reconciling, kinds},
    saboteur::{Sabotage, Saboteur},
    stage::{Found, ProvisioningStage, minute},
};

const EVERYTHING: Found = Found { postgres: true, mongo: true, objects: 1 };

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_the_reconciler_lists_what_differs_and_removes_nothing() {
    let stage = ProvisioningStage::new().await;
    let world = Arc::clone(&stage.world);
    let old = stage.request().await;
    assert_eq!(stage.finish(old).await, OperationStatus::Succeeded);
    // Its operation is open in the backup, and ends afterwards.
    let open = stage.request().await;
    let failed = stage.request().await;
    stage.begin_rollback(failed.operation).await;
    assert_eq!(stage.finish(failed).await, OperationStatus::Failed);
    drop(stage);
    let backup = format!("{}_backup", world.database);
    copy_database(&world.database, &backup).await;

    let stage = ProvisioningStage::of(Arc::clone(&world)).await;
    // More than one token was used in reality than the restored database knows of.
    for _ in 0..2 {
        stage.expire(open.operation).await;
        let interrupted = Saboteur::new([(Moment::Applied(StepName::MongodbDatabase), Sabotage::Transient)]);
        let outcome = stage.watched(interrupted).run(open.operation, minute()).await.unwrap();
        assert!(matches!(outcome, OperationOutcome::Open { .. }), "{outcome:?}");
    }
    let used = format!("SELECT FROM operations WHERE id = '{}' AND lease_token >= 2", open.operation);
    assert_eq!(stage.count(&used).await, 1);
    assert_eq!(stage.finish(open).await, OperationStatus::Succeeded);
    let new = stage.request().await;
    assert_eq!(stage.finish(new).await, OperationStatus::Succeeded);
    stage.assert_retry_works(failed.tenant).await;
    let (of_open, of_new) = (stage.database(open.tenant).await, stage.database(new.tenant).await);
    let of_retried = stage.database(failed.tenant).await;
    drop(stage);
    replace_database(&world.database, &backup).await;

    let stage = ProvisioningStage::of(world).await;
    let all = Reconciling::of(stage.clone()).await;
    for dry_run in [true, false] {
        let report = all.run(dry_run).await;
        // Tenants that the restored database does not know, or knows as failed.
        for unknown in [&of_new, &of_retried] {
            let findings = all.about(&report, unknown).await;
            let expected = [
                (FindingKind::Unknown, FindingStore::Mongodb, None),
                (FindingKind::Unknown, FindingStore::Postgresql, None),
            ];
            assert_eq!(kinds(&findings), expected, "{findings:?}");
            let is_described =
                findings.iter().any(|one| one.detail.as_ref().is_some_and(|text| text.starts_with("Tenant ")));
            assert!(is_described, "the comment names the tenant: {findings:?}");
        }
        let objects = all.about(&report, &new.tenant.object_prefix()).await;
        assert_eq!(kinds(&objects), [(FindingKind::Unknown, FindingStore::ObjectStorage, None)]);
        // Nothing differs for the others.
        let of_old = stage.database(old.tenant).await;
        assert!(all.about(&report, &of_old).await.is_empty() && all.about(&report, &of_open).await.is_empty());
        assert_eq!(stage.count("SELECT FROM operations WHERE kind = 'cleanup'").await, 0);
    }
    for (tenant, database) in [(new.tenant, &of_new), (failed.tenant, &of_retried), (open.tenant, &of_open)] {
        assert_eq!(stage.found(tenant, database).await, EVERYTHING, "nothing is removed");
    }

    // The operation that was open ends again, with what exists already.
    assert_eq!(stage.status(open.tenant).await, TenantStatus::Provisioning);
    assert_eq!(stage.finish(open).await, OperationStatus::Succeeded);
    stage.assert_active(open.tenant).await;
    let again = stage.worker().run(open.operation, minute()).await.unwrap();
    assert_eq!(again, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: false });
    stage.assert_active(old.tenant).await;
    // The restored database would not remove these.
    for (tenant, database) in [(new.tenant, &of_new), (failed.tenant, &of_retried)] {
        all.sql(&format!("DROP DATABASE {database} WITH (FORCE)")).await;
        stage.mongo.database(database).drop().await.unwrap();
        let prefix = tenant.object_prefix();
        let objects = stage.s3.list_objects_v2().bucket(&stage.bucket).prefix(prefix).send().await.unwrap();
        for object in objects.contents() {
            stage.s3.delete_object().bucket(&stage.bucket).key(object.key().unwrap()).send().await.unwrap();
        }
    }
}
