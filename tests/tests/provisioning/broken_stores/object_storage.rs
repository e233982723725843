//! The bucket of tenants.

use tests::own_servers::OwnObjectStorage;

use super::{Servers, Trial};

async fn on(server: &OwnObjectStorage) -> Trial {
    Trial::with_own(|servers| Servers { objects: server.endpoint(), ..servers }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_waits_while_the_bucket_denies() {
    let mut server = OwnObjectStorage::start().await;
    let trial = on(&server).await;
    server.deny().await;
    let (requested, reason) = trial.waits_for("object storage").await;
    assert!(reason.contains("SignatureDoesNotMatch"), "{reason}");
    server.allow().await;
    trial.ends_by_itself(requested).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_waits_while_its_bucket_does_not_exist() {
    let server = OwnObjectStorage::start().await;
    let trial = on(&server).await;
    let bucket = tests::own_servers::bucket(&server.endpoint()).name;
    server.client.delete_bucket().bucket(&bucket).send().await.unwrap();
    let (requested, reason) = trial.waits_for("object storage").await;
    assert!(reason.contains("NoSuchBucket"), "{reason}");
    server.client.create_bucket().bucket(&bucket).send().await.unwrap();
    trial.ends_by_itself(requested).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_waits_while_object_storage_is_suspended() {
    let server = OwnObjectStorage::start().await;
    let trial = on(&server).await;
    let before = trial.stage.request().await;
    trial.ends_by_itself(before).await;
    server.freeze();
    let (requested, _) = trial.waits_for("Object storage").await;
    server.thaw();
    trial.ends_by_itself(requested).await;
}
