//! Purges that meet a cluster which is down, or whose worker is killed.

use std::sync::Arc;

use futures::{StreamExt, stream};
use mongodb::bson::doc;
use shared::{
    operations::{OperationStatus, StepName, store::breakers::StoreKind},
    provisioning::{Moment, OperationOutcome},
};
use tests::{
    process::TestProcess,
    proxy::{Action, At, Held, Mode},
    worker::{WorkerProxies, WorkerStore},
};

use super::{Filled, assert_gone, existed};
use crate::{
    outages::ProxiedStores,
    saboteur::{Sabotage, Saboteur},
    stage::{ProvisioningStage, Requested, each, minute, start},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_waits_for_a_cluster_that_is_down_and_says_why() {
    let stage = ProvisioningStage::new().await;
    let filled = Filled::new(&stage).await;
    let deletion = stage.request_deletion(filled.tenant, 0).await;
    let proxied = ProxiedStores::new(&stage).await;
    let worker = stage.worker_on(Arc::clone(&proxied.stores));
    proxied.mongo.set(Mode::Cut);
    for _ in 0..3 {
        stage.expire(deletion.operation).await;
        let outcome = worker.run(deletion.operation, minute()).await.unwrap();
        let OperationOutcome::Open { reason, wake_in: Some(_) } = outcome else { panic!("{outcome:?}") };
        assert!(reason.contains("MongoDB"), "{reason}");
    }
    let waits = format!(
        "SELECT FROM operations WHERE id = '{}' AND fault = 'unavailable' AND reason LIKE '%MongoDB%'
             AND gives_up_at IS NULL",
        deletion.operation
    );
    assert_eq!(stage.count(&waits).await, 1);
    // Other tenants do not notice.
    stage.active().await;
    proxied.mongo.set(Mode::Pass);
    assert_eq!(stage.finish_with(&worker, deletion).await, OperationStatus::Succeeded);
    assert_gone(&stage, filled.tenant).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_comes_after_the_purge_leaves_nothing_even_if_a_request_fails() {
    let stage = ProvisioningStage::new().await;
    let proxied = ProxiedStores::new(&stage).await;
    let requested = stage.request().await;
    proxied.mongo.hang_at("createRole", Held::Request);
    let late = start(stage.worker_on(Arc::clone(&proxied.stores)), requested.operation);
    proxied.mongo.hung().await;
    let deletion = stage.request_deletion(requested.tenant, 30).await;
    assert_eq!(stage.finish(deletion).await, OperationStatus::Succeeded);
    // It creates a role now, finds that it is late, and fails once to remove what it has created.
    proxied.mongo.plan(At::Text("dropAllRolesFromDatabase"), Action::CloseBefore);
    proxied.mongo.set(Mode::Pass);
    let outcome = late.await.unwrap().unwrap();
    assert!(matches!(outcome, OperationOutcome::Open { wake_in: None, .. }), "{outcome:?}");
    assert!(!proxied.mongo.disarm(), "the request was made");
    assert_gone(&stage, requested.tenant).await;
}

/// A late worker may still create a role when the removal of the databases has ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_appears_after_the_removal_is_removed_before_the_receipt() {
    let stage = ProvisioningStage::new().await;
    let filled = Filled::new(&stage).await;
    let database = stage.database(filled.tenant).await;
    let deletion = stage.request_deletion(filled.tenant, 0).await;
    let saboteur = Saboteur::new([(Moment::Applying(StepName::Verification), Sabotage::Freeze)]);
    let purge = start(stage.watched(saboteur.clone()), deletion.operation);
    saboteur.frozen().await;
    let create = doc! { "createRole": "service_1", "privileges": [], "roles": [] };
    stage.mongo.database(&database).run_command(create).await.unwrap();
    saboteur.thaw();
    let outcome = purge.await.unwrap().unwrap();
    assert_eq!(outcome, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });
    assert_gone(&stage, filled.tenant).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_whose_worker_is_killed_goes_on_and_counts_once() {
    let stage = ProvisioningStage::new().await;
    let steps =
        [StepName::PostgresqlRemoval, StepName::MongodbRemoval, StepName::ObjectRemoval, StepName::RedisRemoval];
    let moments = steps.into_iter().flat_map(|step| [Moment::Applying(step), Moment::Applied(step)]);
    each(moments.chain([Moment::Applied(StepName::Verification), Moment::Ending]), |moment| {
        let stage = stage.clone();
        async move {
            let filled = Filled::new(&stage).await;
            let deletion = stage.request_deletion(filled.tenant, 0).await;
            let proxies = WorkerProxies::new(&stage.world).await;
            let process = process(&stage, &proxies, deletion, &format!("{moment:?}")).await;
            process.next("reached ").await.expect("the purge reaches the moment");
            process.kill();
            assert_eq!(stage.finish(deletion).await, OperationStatus::Succeeded, "{moment:?}");
            assert_gone(&stage, filled.tenant).await;
            let counted = [("mongodb", "documents", 7), ("redis", "keys", 1)];
            for (store, figure, count) in counted {
                assert_eq!(existed(&stage, filled.tenant, store, figure).await, count, "{moment:?} {figure}");
            }
            let objects = existed(&stage, filled.tenant, "object_storage", "objects").await;
            assert_eq!(objects, i64::try_from(filled.objects.0).unwrap(), "{moment:?}");
        }
    })
    .await;
}

/// More objects than one page contains, and a worker that dies after the store has removed the first page.
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_of_many_objects_goes_on_where_it_was_killed() {
    const OBJECTS: usize = 1200;
    let stage = ProvisioningStage::new().await;
    let tenant = stage.active().await.tenant;
    let put = |n: usize| {
        let key = format!("{}media/{n:05}", tenant.object_prefix());
        stage.s3.put_object().bucket(&stage.bucket).key(key).body(b"abc".to_vec().into()).send()
    };
    let stored = stream::iter(0..OBJECTS).map(put).buffer_unordered(16);
    stored.for_each(|result| async { drop(result.unwrap()) }).await;
    let deletion = stage.request_deletion(tenant, 0).await;
    let proxies = WorkerProxies::new(&stage.world).await;
    let proxy = proxies.of(WorkerStore::Tenants(StoreKind::ObjectStorage));
    proxy.hang_at("?delete", Held::Answer);
    let process = process(&stage, &proxies, deletion, "-").await;
    proxy.hung().await;
    process.kill();
    proxy.close_all();
    proxy.set(Mode::Pass);
    assert_eq!(stage.finish(deletion).await, OperationStatus::Succeeded);
    assert_gone(&stage, tenant).await;
    // One more is the marker that the provisioning has written.
    let counted = existed(&stage, tenant, "object_storage", "objects").await;
    assert_eq!(counted, i64::try_from(OBJECTS).unwrap() + 1);
    assert_eq!(existed(&stage, tenant, "object_storage", "bytes").await, 3 * i64::try_from(OBJECTS).unwrap());
}

/// A worker in a process of its own, which stops at a moment.
async fn process(
    stage: &ProvisioningStage,
    proxies: &WorkerProxies,
    deletion: Requested,
    stops_at: &str,
) -> TestProcess {
    let ports = proxies.ports().iter().map(u16::to_string).collect::<Vec<_>>().join(",");
    let operation = deletion.operation.to_string();
    let arguments = [&*stage.world.database, &ports, &operation, "-", stops_at];
    TestProcess::start(env!("CARGO_BIN_EXE_run-operation"), &arguments, "started").await.0
}
