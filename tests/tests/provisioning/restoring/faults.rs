//! Restores whose worker dies.

use std::{sync::Arc, time::Duration};

use mongodb::bson::Document;
use shared::{
    operations::{OperationStatus, StepName},
    provisioning::Moment,
};
use tests::{Api, process::TestProcess, worker::WorkerProxies};
use tokio::time::sleep;

use super::{Contents, Exported};
use crate::stage::ProvisioningStage;

/// The rows and the documents of a tenant whose import takes some seconds.
const LARGE: i32 = 60_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_whose_workers_are_killed_is_complete_and_equal() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let exported = Exported::new(&stage, LARGE).await;
    let wanted = Contents::of(&stage, exported.tenant).await;
    let requested = exported.request(&api).await;
    let database = stage.database(requested.tenant).await;
    let proxies = Arc::new(WorkerProxies::new(&stage.world).await);
    let ports = proxies.ports().iter().map(u16::to_string).collect::<Vec<_>>().join(",");
    let operation = requested.operation.to_string();
    let start = async |stops_at: &str| {
        stage.expire(requested.operation).await;
        let arguments = [&*stage.world.database, &ports, &operation, "-", stops_at];
        TestProcess::start(env!("CARGO_BIN_EXE_run-operation"), &arguments, "started").await.0
    };
    let moment = |moment: Moment| format!("{moment:?}");
    // Twice in the middle of the imports, when some rows and documents are there.
    for share in [3, 2] {
        let process = start("-").await;
        let collection = stage.mongo.database(&database).collection::<Document>("contacts");
        let wanted = u64::try_from(LARGE).unwrap() / share;
        while collection.estimated_document_count().await.unwrap_or(0) < wanted {
            sleep(Duration::from_millis(20)).await;
        }
        process.kill();
        let reached = collection.estimated_document_count().await.unwrap();
        println!("killed at {reached} documents");
        assert!(reached < u64::try_from(LARGE).unwrap(), "in the middle");
    }
    // And once after each import, between its effect and its record. That of PostgreSQL may be recorded already.
    let is_recorded = async |step: StepName| {
        let succeeded = "SELECT FROM operation_steps WHERE status = 'succeeded'";
        stage.count(&format!("{succeeded} AND operation_id = '{operation}' AND name = '{}'", step.as_str())).await == 1
    };
    let mut kills = 2;
    for step in [StepName::PostgresqlImport, StepName::MongodbImport, StepName::Comparison] {
        if step == StepName::PostgresqlImport && is_recorded(step).await {
            continue;
        }
        let at = moment(Moment::Applied(step));
        let process = start(&at).await;
        assert_eq!(process.next("reached ").await.as_deref(), Some(&*at));
        process.kill();
        kills += 1;
    }
    println!("killed {kills} times");
    assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
    Contents::of(&stage, requested.tenant).await.assert_equal(&wanted);
    let attempts = format!("SELECT FROM operations WHERE id = '{operation}' AND attempts > {kills}");
    assert_eq!(stage.count(&attempts).await, 1);
}
