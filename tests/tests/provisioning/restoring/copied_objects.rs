//! Objects that are copied in parts, and objects that object storage refuses to copy.

use std::time::Duration;

use shared::{
    config::ProvisioningConfig, operations::OperationStatus, provisioning::Provisioner, tenants::TenantStatus,
    types::TenantId,
};
use tests::Api;

use super::{Exported, Pair, export, objects, put};
use crate::stage::{Found, ProvisioningStage};

/// 32 bytes, in base64.
const KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";
const MD5_OF_KEY: &str = "mT2HRsMGJ5IX5C+0rreZ8Q==";

/// Stores an object that is encrypted with a key of the caller's own. S3 answers `InvalidRequest` to everybody who does not send it.
async fn put_encrypted(stage: &ProvisioningStage, tenant: TenantId, key: &str) {
    let put = stage.s3.put_object().bucket(&stage.bucket).key(format!("{}{key}", tenant.object_prefix()));
    let put = put.body(b"secret".to_vec().into()).sse_customer_algorithm("AES256");
    put.sse_customer_key(KEY).sse_customer_key_md5(MD5_OF_KEY).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_copied_does_not_keep_a_promotion_from_its_end() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let pair = Pair::new(&stage, &api, 10).await;
    put_encrypted(&stage, pair.copy, "media/encrypted").await;
    put(&stage.s3, &stage.bucket, pair.copy, "media/later", "after it").await;
    let promoted = pair.request(&api).await;
    assert_eq!(stage.finish(promoted).await, OperationStatus::Succeeded);
    let shown = api.get(&format!("/operations/{}", promoted.operation)).await.json;
    let reason = shown["reason"].as_str().unwrap();
    assert!(reason.contains("refuses to copy 1 objects"), "{reason}");
    let copied = objects(&stage.s3, &stage.bucket, pair.original).await;
    assert_eq!(copied["media/later"].0, b"after it");
    assert!(!copied.contains_key("media/encrypted"));
    let resumed = stage.request_status(pair.original, TenantStatus::Active).await;
    assert_eq!(stage.finish(resumed).await, OperationStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_fails_if_an_object_cannot_be_copied_and_leaves_nothing() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let exported = Exported::new(&stage, 10).await;
    put_encrypted(&stage, exported.tenant, "media/encrypted").await;
    let exported = Exported { export: export(&stage, exported.tenant).await, ..exported };
    let requested = exported.request(&api).await;
    let database = stage.database(requested.tenant).await;
    assert_eq!(stage.finish(requested).await, OperationStatus::Failed);
    let reason = stage.reason(requested.operation).await.unwrap();
    assert!(reason.contains("refuses to copy") && reason.contains("InvalidRequest"), "{reason}");
    assert_eq!(stage.found(requested.tenant, &database).await, Found::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_is_copied_in_parts_with_its_type_its_metadata_and_its_tags() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let pair = Pair::new(&stage, &api, 10).await;
    let body: Vec<u8> = (0..11_u32 << 20).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let key = |tenant: TenantId| format!("{}media/video", tenant.object_prefix());
    let put = stage.s3.put_object().bucket(&stage.bucket).key(key(pair.copy)).body(body.clone().into());
    let put = put.content_type("video/x-test").metadata("origin", "camera").tagging("kind=video&note=a%20b");
    put.send().await.unwrap();
    let promoted = pair.request(&api).await;
    // An earlier worker has begun an upload, which the bucket has removed since.
    let sql = r#"UPDATE operation_steps
                 SET progress = '{"done": 0, "copied": 0, "missing": 0, "upload": {
                     "key": "media/video", "id": "gone", "bytes": 11534336, "part_bytes": 5242880, "source": "x", "parts": []}}'
                 WHERE operation_id = $1 AND name = 'object_import'"#;
    assert_eq!(stage.owner.get().await.unwrap().execute(sql, &[&promoted.operation.0]).await.unwrap(), 1);
    let config = ProvisioningConfig { copy_part_bytes: 5 << 20, ..ProvisioningConfig::new(Duration::from_mins(1)) };
    let worker = Provisioner { config, ..stage.worker() };
    assert_eq!(stage.finish_with(&worker, promoted).await, OperationStatus::Succeeded);
    assert_eq!(stage.reason(promoted.operation).await, None);

    let copied = stage.s3.get_object().bucket(&stage.bucket).key(key(pair.original)).send().await.unwrap();
    assert_eq!(copied.content_type(), Some("video/x-test"));
    assert_eq!(copied.metadata().and_then(|all| all.get("origin")).map(String::as_str), Some("camera"));
    let tag = copied.e_tag().unwrap_or_default().to_owned();
    assert!(tag.trim_matches('"').ends_with("-3"), "three parts: {tag}");
    let content = copied.body.collect().await.unwrap().into_bytes();
    assert!(content[..] == body[..], "{} bytes", content.len());
    let tags = stage.s3.get_object_tagging().bucket(&stage.bucket).key(key(pair.original)).send().await.unwrap();
    let mut tags: Vec<_> = tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
    tags.sort_unstable();
    assert_eq!(tags, [("kind", "video"), ("note", "a b")]);
    // The other objects are copied as well.
    assert_eq!(objects(&stage.s3, &stage.bucket, pair.original).await["media/1"].0, b"one");
}
