//! Requests for a restore that are refused: each changes nothing.

use reqwest::StatusCode;
use serde_json::json;
use shared::{
    operations::OperationStatus,
    types::{ExportId, TenantId},
};
use tests::Api;

use super::{Exported, REASON, export, objects, problem, request_export};
use crate::stage::{Found, ProvisioningStage};

/// The key of a file of an export.
async fn file_of(stage: &ProvisioningStage, exported: &Exported, part: &str) -> String {
    let prefix = format!("exports/{}/{}/", exported.tenant, exported.export);
    let listed = stage.s3.list_objects_v2().bucket(&stage.bucket).prefix(&prefix).send().await.unwrap();
    let keys: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
    (*keys.iter().find(|key| key.contains(part)).unwrap_or_else(|| panic!("no {part} in {keys:?}"))).to_owned()
}

/// Changes one byte of an object.
async fn change_byte(stage: &ProvisioningStage, key: &str, at: usize) {
    let read = stage.s3.get_object().bucket(&stage.bucket).key(key).send().await.unwrap();
    let mut bytes = read.body.collect().await.unwrap().to_vec();
    let at = at.min(bytes.len() - 1);
    bytes[at] ^= 1;
    stage.s3.put_object().bucket(&stage.bucket).key(key).body(bytes.into()).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_refused_changes_nothing() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let exported = Exported::new(&stage, 10).await;
    let other = stage.active().await.tenant;
    let slug = api.get(&format!("/tenants/{other}")).await.json["slug"].clone();
    let tenants = stage.count("SELECT FROM tenants").await;
    let body = json!({ "reason": REASON });
    let restore = async |tenant: TenantId, export: ExportId, body: &serde_json::Value| {
        api.post(&format!("/tenants/{tenant}/exports/{export}/restore"), body).await
    };
    let (tenant, id) = (exported.tenant, exported.export);
    for (tenant, id) in [(tenant, ExportId::generate()), (other, id), (TenantId::generate(), id)] {
        assert_eq!(restore(tenant, id, &body).await.status, StatusCode::NOT_FOUND);
    }
    for body in [
        json!({}),
        json!({ "reason": "short" }),
        json!({ "reason": REASON, "slug": "-" }),
        json!({ "reason": REASON, "to": 1 }),
    ] {
        assert_eq!(restore(tenant, id, &body).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    let taken = restore(tenant, id, &json!({ "reason": REASON, "slug": slug })).await;
    assert_eq!(taken.json["type"], problem("slug-taken"), "{}", taken.text);
    // An export that has not begun, and one that is over.
    let (_, pending) = request_export(&stage, tenant).await;
    let refused = restore(tenant, pending, &body).await;
    assert_eq!((refused.status, &refused.json["type"]), (StatusCode::CONFLICT, &json!(problem("export-not-complete"))));
    let expire = format!("UPDATE exports SET expires_at = now() - interval '1 s' WHERE id = '{id}'");
    let owner = stage.owner.get().await.unwrap();
    owner.batch_execute(&expire).await.unwrap();
    let refused = restore(tenant, id, &body).await;
    assert_eq!((refused.status, &refused.json["type"]), (StatusCode::CONFLICT, &json!(problem("export-not-complete"))));
    owner.batch_execute(&expire.replace("- interval '1 s'", "+ interval '1 h'")).await.unwrap();
    // One whose manifest was changed by one byte, which may be a digit of a hash.
    let manifest = file_of(&stage, &exported, "manifest").await;
    change_byte(&stage, &manifest, 1000).await;
    let refused = restore(tenant, id, &body).await;
    assert_eq!((refused.status, &refused.json["type"]), (StatusCode::CONFLICT, &json!(problem("export-damaged"))));
    assert_eq!(stage.count("SELECT FROM tenants").await, tenants, "nothing was inserted");
    assert_eq!(stage.count("SELECT FROM operations WHERE kind = 'restore'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_with_a_changed_or_missing_file_leaves_no_databases() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let exported = Exported::new(&stage, 500).await;
    for part in ["users", "contacts", "objects"] {
        for is_missing in [false, true] {
            let export = export(&stage, exported.tenant).await;
            let exported = Exported { export, database: exported.database.clone(), tenant: exported.tenant };
            let file = file_of(&stage, &exported, part).await;
            let requested = exported.request(&api).await;
            if is_missing {
                stage.s3.delete_object().bucket(&stage.bucket).key(&file).send().await.unwrap();
            } else {
                change_byte(&stage, &file, 40).await;
            }
            let database = stage.database(requested.tenant).await;
            assert_eq!(stage.finish(requested).await, OperationStatus::Failed, "{part}");
            let reason = stage.reason(requested.operation).await.unwrap();
            assert!(reason.contains(&*file), "{reason}");
            let shown = api.get(&format!("/tenants/{}", requested.tenant)).await.json;
            assert_eq!((&shown["status"], &shown["restored_from"]["export_id"]), (&json!("failed"), &json!(export)));
            assert_eq!(stage.found(requested.tenant, &database).await, Found::default());
            assert!(objects(&stage.s3, &stage.bucket, requested.tenant).await.is_empty());
            // A failed copy is not provisioned without data.
            let retried = api.post(&format!("/tenants/{}/retry", requested.tenant), &json!({})).await;
            assert_eq!(retried.json["type"], problem("restore-not-retried"), "{}", retried.text);
        }
    }
}
