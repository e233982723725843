//! A MongoDB cluster of tenants.

use std::time::Duration;

use mongodb::bson::{DateTime, doc};
use shared::{config::Clusters, operations::OperationStatus, provisioning::OperationOutcome};
use tests::own_servers::OwnMongo;

use super::{Servers, Trial};
use crate::stage::minute;

async fn on(server: &OwnMongo) -> Trial {
    Trial::with_own(|servers| Servers { mongo: Clusters::single(server.url()), ..servers }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_waits_while_the_primary_of_its_mongodb_cluster_has_stepped_down() {
    let server = OwnMongo::start().await;
    let trial = on(&server).await;
    server.step_down(Duration::from_secs(8)).await;
    let (requested, _) = trial.waits_for("MongoDB").await;
    server.until_primary().await;
    trial.ends_by_itself(requested).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_during_which_the_primary_steps_down_lose_nothing() {
    let server = OwnMongo::start().await;
    let trial = on(&server).await;
    trial
        .survives(async {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(300)).await;
                server.until_primary().await;
                server.step_down(Duration::from_secs(1)).await;
            }
            server.until_primary().await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_waits_while_its_mongodb_cluster_is_suspended() {
    let server = OwnMongo::start().await;
    let trial = on(&server).await;
    let before = trial.stage.request().await;
    trial.ends_by_itself(before).await;
    server.freeze();
    let (requested, _) = trial.waits_for("MongoDB").await;
    server.thaw();
    trial.ends_by_itself(requested).await;
}

/// The driver's pool gives the session of a transaction that was dropped to another operation of the process. The worker that takes over
/// the first operation ends that session, while the other operation waits until its write is confirmed. MongoDB then answers that the
/// write is done and could not be confirmed.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_whose_session_is_ended_before_its_write_is_confirmed_goes_on() {
    let server = OwnMongo::start().await;
    let trial = on(&server).await;
    let interrupted = doc! { "code": 11_601, "codeName": "Interrupted", "errmsg": "operation was interrupted" };
    let once = doc! {
        "configureFailPoint": "failCommand",
        "mode": { "times": 1 },
        "data": { "failCommands": ["findAndModify"], "writeConcernError": interrupted },
    };
    server.set_fail_point(once).await;
    let requested = trial.stage.request().await;
    trial.ends_by_itself(requested).await;
    let count = server.set_fail_point(doc! { "configureFailPoint": "failCommand", "mode": "off" }).await;
    assert_eq!(count, 1, "the write was not confirmed once");
}

/// The fence of an earlier worker appears between the moment at which a newer one looks for it and that at which it writes its own. MongoDB
/// then answers that the key exists, as it does when the other token is greater.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_fence_is_written_at_the_same_moment_as_an_older_one_is_not_fenced() {
    let server = OwnMongo::start().await;
    let trial = on(&server).await;
    let requested = trial.stage.request().await;
    let database = trial.stage.database(requested.tenant).await;
    let admin = server.client.database("admin");
    let hang = "hangBeforeUpsertPerformsInsert";
    let before = server.set_fail_point(doc! { "configureFailPoint": hang, "mode": "alwaysOn" }).await;
    let happens = async {
        let reached = doc! { "waitForFailPoint": hang, "timesEntered": before + 1, "maxTimeMS": 20_000 };
        admin.run_command(reached).await.unwrap();
        let older = doc! { "_id": &database, "token": 0_i64, "session": null, "raised_at": DateTime::now() };
        server.client.database("landlord").collection("provisioning_fences").insert_one(older).await.unwrap();
        server.set_fail_point(doc! { "configureFailPoint": hang, "mode": "off" }).await;
    };
    let (outcome, ()) = tokio::join!(trial.worker.run(requested.operation, minute()), happens);
    assert_eq!(outcome.unwrap(), OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });
    trial.assert_complete(requested).await;
}
