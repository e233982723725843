//! Objects that were overwritten or deleted since the export, in a bucket that keeps versions.

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use serde_json::json;
use shared::{
    operations::OperationStatus,
    restores::{self, RestoreExport},
    types::Reason,
};
use tests::{Api, own_servers};

use super::{REASON, put};
use crate::stage::{ACTOR, ProvisioningStage, Requested, stores_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_gets_the_versions_of_the_export_and_shows_how_many_are_gone() {
    let server = own_servers::OwnObjectStorage::start().await;
    let bucket = || own_servers::bucket(&server.endpoint());
    let name = bucket().name;
    let versioned = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    server.client.put_bucket_versioning().bucket(&name).versioning_configuration(versioned).send().await.unwrap();
    let mut stage = ProvisioningStage::new().await;
    let postgres = stage.world.provisioner();
    let mongo = shared::config::Clusters::single(tests::variable("MONGODB_URL"));
    stage.stores = stores_with(&postgres, stage.world.postgres_clusters(), mongo, bucket());
    stage.s3 = server.client.clone();
    // The check after the test looks into the bucket of the environment.
    stage.world.leaves_contradictions("the objects are in another object storage");
    let tenant = stage.active().await.tenant;
    let keys: Vec<String> = (0..1203).map(|n| format!("media/{n:05}")).collect();
    for key in &keys {
        put(&stage.s3, &name, tenant, key, key).await;
    }
    let api = Api::of(&stage.world).await;
    let export = super::export(&stage, tenant).await;
    let exported = objects_all(&stage, &name, tenant).await;
    assert_eq!(exported, keys);
    let key = |key: &str| format!("{}{key}", tenant.object_prefix());
    put(&stage.s3, &name, tenant, &keys[3], "overwritten since").await;
    put(&stage.s3, &name, tenant, "new", "written since").await;
    stage.s3.delete_object().bucket(&name).key(key(&keys[700])).send().await.unwrap();
    // All versions of two objects are gone.
    for gone in [&keys[5], &keys[1202]] {
        let versions = stage.s3.list_object_versions().bucket(&name).prefix(key(gone)).send().await.unwrap();
        for version in versions.versions() {
            let remove = stage.s3.delete_object().bucket(&name).key(version.key().unwrap());
            remove.set_version_id(version.version_id().map(ToOwned::to_owned)).send().await.unwrap();
        }
    }
    let command = RestoreExport {
        actor: ACTOR,
        tenant_id: tenant,
        export_id: export,
        slug: None,
        name: None,
        reason: &Reason::parse(REASON).unwrap(),
    };
    let mut client = stage.api.get().await.unwrap();
    let transaction = client.transaction().await.unwrap();
    let restored = restores::restore(&transaction, &bucket(), &command).await.unwrap();
    transaction.commit().await.unwrap();
    drop(client);
    let copy = Requested { tenant: restored.tenant.id, operation: restored.operation_id };
    assert_eq!(stage.finish(copy).await, OperationStatus::Succeeded);
    let mut expected = keys.clone();
    expected.retain(|key| *key != keys[5] && *key != keys[1202]);
    assert_eq!(objects_all(&stage, &name, copy.tenant).await, expected);
    let overwritten = stage.s3.get_object().bucket(&name).key(format!("{}{}", copy.tenant.object_prefix(), keys[3]));
    let body = overwritten.send().await.unwrap().body.collect().await.unwrap().to_vec();
    assert_eq!(String::from_utf8(body).unwrap(), keys[3], "the version of the export");
    let shown = api.get(&format!("/tenants/{}", copy.tenant)).await.json;
    assert_eq!(shown["suspension"]["comment"], json!("2 objects of the export do not exist any more"));
    let details =
        "SELECT details ->> 'missing_objects' FROM audit WHERE action = 'tenant.restored_copy' AND tenant_id = $1";
    let owner = stage.owner.get().await.unwrap();
    assert_eq!(owner.query_one(details, &[&copy.tenant.0]).await.unwrap().get::<_, String>(0), "2");
}

/// The keys of all objects, without the markers of operations.
async fn objects_all(stage: &ProvisioningStage, bucket: &str, tenant: shared::types::TenantId) -> Vec<String> {
    let prefix = tenant.object_prefix();
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let list = stage.s3.list_objects_v2().bucket(bucket).prefix(&prefix).set_start_after(after.take());
        let page = list.send().await.unwrap();
        after = page.contents().last().and_then(|object| object.key().map(ToOwned::to_owned));
        if after.is_none() {
            break;
        }
        keys.extend(
            page.contents().iter().map(|object| object.key().unwrap().strip_prefix(&prefix).unwrap().to_owned()),
        );
    }
    keys.retain(|key| !key.starts_with(".landlord/"));
    keys
}
