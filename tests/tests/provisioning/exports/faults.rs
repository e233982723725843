//! Workers that die or lose their tenant in the middle of an export, and stores that refuse.

use std::time::Duration;

use shared::{
    config::Clusters,
    operations::{OperationStatus, StepName},
    provisioning::{Moment, OperationOutcome},
    tenants::TenantStatus,
};
use tests::{
    Api,
    own_servers::{OwnMongo, OwnObjectStorage},
    process::TestProcess,
    worker::WorkerProxies,
};
use tokio::time::{Instant, sleep};

use super::{Downloaded, fill_mongodb, fill_postgresql, list, status};
use crate::{
    broken_stores::{Servers, Trial},
    saboteur::{Sabotage, Saboteur},
    stage::{ProvisioningStage, Requested, minute, start},
};

/// How many documents [`fill_mongodb`] inserts for each megabyte.
const DOCUMENTS: usize = 16;

/// The number of files that the journal has recorded for MongoDB, and how often the copy was begun.
async fn progress(stage: &ProvisioningStage, requested: Requested) -> (usize, i64) {
    let sql = "SELECT progress FROM operation_steps WHERE operation_id = $1 AND name = 'mongodb_export'";
    let row = stage.owner.get().await.unwrap().query_one(sql, &[&requested.operation.0]).await.unwrap();
    let progress: Option<serde_json::Value> = row.get(0);
    let Some(progress) = progress else { return (0, 0) };
    let contents = progress["contents"].as_object().unwrap().values();
    let files = contents.map(|content| content["files"].as_array().unwrap().len()).sum();
    (files, progress["begun"].as_i64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_on_in_the_next_invocation_at_the_same_cluster_time() {
    let stage = ProvisioningStage::new().await;
    let tenant = stage.active().await.tenant;
    let database = stage.database(tenant).await;
    fill_mongodb(&stage, &database, 160).await;
    let requested = stage.request_export(tenant).await;
    let of_operation = format!("id = '{}'", requested.operation);
    let (mut invocations, mut seen) = (0, 0);
    loop {
        invocations += 1;
        assert!(invocations < 60, "the export does not come to an end");
        stage.expire(requested.operation).await;
        // Invocations that end without a result would be a reason to give up.
        let soon = format!("UPDATE operations SET gives_up_at = now() + interval '1 minute' WHERE {of_operation}");
        stage.owner.get().await.unwrap().batch_execute(&soon).await.unwrap();
        let outcome = stage.worker().run(requested.operation, Instant::now() + Duration::from_secs(6)).await.unwrap();
        println!("{outcome:?} {:?}", progress(&stage, requested).await);
        if matches!(outcome, OperationOutcome::Finished { .. }) {
            break;
        }
        let (files, begun) = progress(&stage, requested).await;
        assert!(files >= seen && begun <= 1, "{files} files after {seen}, begun {begun} times");
        if files > seen {
            let later =
                format!("SELECT FROM operations WHERE {of_operation} AND gives_up_at > now() + interval '23 hours'");
            assert_eq!(stage.count(&later).await, 1, "the operation has advanced");
        }
        seen = files;
    }
    assert!(invocations > 1, "one invocation was enough");
    assert!(seen > 0, "no invocation went on where another one had stopped");
    let exported = Downloaded::of(&stage, requested.operation).await;
    let documents = exported.collection("blobs");
    assert_eq!(documents.len(), 160 * DOCUMENTS);
    let ids: Vec<i64> = documents.iter().map(|document| document.get_i64("_id").unwrap()).collect();
    assert!(ids.is_sorted_by(|one, next| one < next), "no document is there twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_whose_workers_are_killed_is_whole() {
    let stage = ProvisioningStage::new().await;
    let tenant = stage.active().await.tenant;
    let database = stage.database(tenant).await;
    fill_mongodb(&stage, &database, 64).await;
    fill_postgresql(&stage, &database, 32).await;
    let requested = stage.request_export(tenant).await;
    let proxies = WorkerProxies::new(&stage.world).await;
    let ports = proxies.ports().iter().map(u16::to_string).collect::<Vec<_>>().join(",");
    let mut kills = 0;
    for round in 0..8_u64 {
        stage.expire(requested.operation).await;
        let arguments = [&*stage.world.database, &ports, &requested.operation.to_string(), "-", "-"];
        let (process, _) = TestProcess::start(env!("CARGO_BIN_EXE_run-operation"), &arguments, "started").await;
        sleep(Duration::from_millis(500 + 400 * round)).await;
        process.kill();
        if stage.open_operation_count(tenant).await == 0 {
            break;
        }
        kills += 1;
        println!("killed {kills} times, {:?}", progress(&stage, requested).await);
    }
    assert!(kills >= 3, "the export ended after {kills} kills");
    assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
    assert_eq!(stage.status(tenant).await, TenantStatus::Active);
    let exported = Downloaded::of(&stage, requested.operation).await;
    assert_eq!(exported.collection("blobs").len(), 64 * DOCUMENTS);
    assert_eq!(exported.table("divisions").len(), 32 * 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_supersedes_an_export_at_once_and_its_files_are_removed() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let tenant = stage.active().await.tenant;
    let database = stage.database(tenant).await;
    fill_mongodb(&stage, &database, 64).await;
    fill_postgresql(&stage, &database, 16).await;
    let requested = stage.request_export(tenant).await;
    let worker = start(stage.worker(), requested.operation);
    // In the middle: some tables are copied.
    tests::until("files are written", Duration::from_secs(20), async || !list(&stage, tenant).await.is_empty()).await;
    let begun = Instant::now();
    let suspension = stage.request_status(tenant, TenantStatus::Suspended).await;
    let outcome = stage.worker().run(suspension.operation, minute()).await.unwrap();
    let took = begun.elapsed();
    println!("suspended in {took:?}: {outcome:?}");
    assert!(matches!(outcome, OperationOutcome::Finished { status: OperationStatus::Succeeded, .. }), "{outcome:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    println!("the worker of the export: {:?}", worker.await.unwrap());
    assert_eq!(status(&api, tenant).await, "superseded");
    assert_eq!(stage.status(tenant).await, TenantStatus::Suspended);
    assert_eq!(list(&stage, tenant).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_cannot_succeed_leaves_the_tenant_as_it_is_and_no_files() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let tenant = stage.active().await.tenant;
    let requested = stage.request_export(tenant).await;
    let saboteur = Saboteur::new([(Moment::Applying(StepName::ExportManifest), Sabotage::Permanent)]);
    let outcome = stage.watched(saboteur).run(requested.operation, minute()).await.unwrap();
    assert!(matches!(outcome, OperationOutcome::Finished { status: OperationStatus::Failed, .. }), "{outcome:?}");
    assert_eq!(status(&api, tenant).await, "failed");
    assert_eq!(list(&stage, tenant).await, Vec::<String>::new());
    stage.assert_active(tenant).await;
    let audited = format!("SELECT FROM audit WHERE tenant_id = '{tenant}' AND action = 'tenant.export_failed'");
    assert_eq!(stage.count(&audited).await, 1);

    // A super-admin can abandon one too.
    let requested = stage.request_export(tenant).await;
    let saboteur = Saboteur::new([(Moment::Applying(StepName::ExportManifest), Sabotage::Unavailable)]);
    let outcome = stage.watched(saboteur).run(requested.operation, minute()).await.unwrap();
    assert!(matches!(outcome, OperationOutcome::Open { .. }), "{outcome:?}");
    let path = format!("/operations/{}/abandon", requested.operation);
    let abandoned = tests::api::answer(api.request(reqwest::Method::POST, &path)).await;
    assert!(abandoned.status.is_success(), "{}", abandoned.text);
    assert_eq!(stage.finish(requested).await, OperationStatus::Failed);
    assert_eq!(list(&stage, tenant).await, Vec::<String>::new());
    stage.assert_active(tenant).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_worker_of_a_purge_removes_no_file_of_its_complete_export() {
    let stage = ProvisioningStage::new().await;
    let tenant = stage.active().await.tenant;
    let database = stage.database(tenant).await;
    fill_mongodb(&stage, &database, 1).await;
    let deletion = stage.request_removal(tenant, 0, true).await;
    let saboteur = Saboteur::new([(Moment::Applied(StepName::MongodbExport), Sabotage::Freeze)]);
    let sleeper = start(stage.watched(saboteur.clone()), deletion.operation);
    saboteur.frozen().await;
    let others = [StepName::PostgresqlExport, StepName::ObjectExport].map(Moment::Recorded);
    tests::until("the other parts are copied", Duration::from_secs(20), async || {
        others.iter().all(|moment| saboteur.seen().contains(moment))
    })
    .await;
    // Another worker completes the export with these files, and begins the removal.
    stage.expire(deletion.operation).await;
    let waits = Saboteur::new([(Moment::Applying(StepName::MongodbRemoval), Sabotage::Unavailable)]);
    let outcome = stage.watched(waits).run(deletion.operation, minute()).await.unwrap();
    assert!(matches!(outcome, OperationOutcome::Open { .. }), "{outcome:?}");
    let manifest = Downloaded::of(&stage, deletion.operation).await.manifest;
    // A restore would supersede the purge, and the late worker would take the files for those of an export without an end.
    let refused = stage.restore(tenant).await.unwrap_err().to_string();
    assert!(refused.contains("is over"), "{refused}");
    saboteur.thaw();
    let outcome = sleeper.await.unwrap().unwrap();
    assert!(matches!(outcome, OperationOutcome::Open { wake_in: None, .. }), "{outcome:?}");
    assert_eq!(Downloaded::of(&stage, deletion.operation).await.manifest, manifest);
    assert_eq!(stage.finish(deletion).await, OperationStatus::Succeeded);
    assert_eq!(Downloaded::of(&stage, deletion.operation).await.collection("blobs").len(), DOCUMENTS);
}

/// An export is postponed while a store does not work, names it, and is complete by itself afterwards.
async fn waits_and_completes(trial: &Trial, fails: impl AsyncFnOnce(), store: &str, works: impl AsyncFnOnce()) {
    let created = trial.stage.request().await;
    trial.ends_by_itself(created).await;
    let requested = trial.stage.request_export(created.tenant).await;
    fails().await;
    let outcome = trial.worker.run(requested.operation, minute()).await.unwrap();
    match outcome {
        OperationOutcome::Open { reason, wake_in: Some(_) } => {
            println!("the export waits: {reason}");
            assert!(reason.contains(store), "{reason}");
        }
        // The driver itself has waited for the next primary.
        OperationOutcome::Finished { status: OperationStatus::Succeeded, .. } if store == "MongoDB" => {}
        other => panic!("{other:?}"),
    }
    works().await;
    tests::until("the export is complete", Duration::from_secs(90), async || {
        let outcome = trial.worker.run(requested.operation, minute()).await;
        let ended = matches!(outcome, Ok(OperationOutcome::Finished { status: OperationStatus::Succeeded, .. }));
        if !ended {
            sleep(Duration::from_millis(200)).await;
        }
        ended
    })
    .await;
    let complete =
        format!("SELECT FROM exports WHERE operation_id = '{}' AND finished_at IS NOT NULL", requested.operation);
    assert_eq!(trial.stage.count(&complete).await, 1);
    assert_eq!(trial.stage.status(created.tenant).await, TenantStatus::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_waits_while_the_bucket_denies() {
    let server = OwnObjectStorage::start().await;
    let trial = Trial::with_own(|servers| Servers { objects: server.endpoint(), ..servers }).await;
    let server = tokio::sync::Mutex::new(server);
    let (deny, allow) = (async || server.lock().await.deny().await, async || server.lock().await.allow().await);
    waits_and_completes(&trial, deny, "object storage", allow).await;
    let opened = "SELECT FROM store_breakers WHERE store <> 'object_storage'";
    assert_eq!(trial.stage.count(opened).await, 0, "no other store is blamed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_waits_while_the_primary_of_mongodb_has_stepped_down() {
    let server = OwnMongo::start().await;
    let trial = Trial::with_own(|servers| Servers { mongo: Clusters::single(server.url()), ..servers }).await;
    // For longer than a worker waits for a primary.
    let (down, up) = (async || server.step_down(Duration::from_secs(20)).await, async || server.until_primary().await);
    waits_and_completes(&trial, down, "MongoDB", up).await;
}
