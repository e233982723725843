//! A deletion that exports the tenant first.

use reqwest::StatusCode;
use serde_json::json;
use shared::{
    operations::{OperationStatus, StepName},
    provisioning::{Moment, OperationOutcome},
    tenants::TenantStatus,
};
use tests::Api;

use super::{Downloaded, download, list, status};
use crate::{
    deletion::{Filled, assert_gone, end_window},
    saboteur::{Sabotage, Saboteur},
    stage::{ProvisioningStage, Requested, minute},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_tenants_export_can_be_read_when_nothing_else_is_left() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let filled = Filled::new(&stage).await;
    let tenant = filled.tenant;
    let earlier = stage.request_export(tenant).await;
    assert_eq!(stage.finish(earlier).await, OperationStatus::Succeeded);
    let path = format!("/tenants/{tenant}/exports");
    let earlier = api.get(&path).await.json[0].clone();
    assert_eq!(earlier["status"], "complete");

    let deletion = stage.request_removal(tenant, 0, true).await;
    assert_eq!(stage.finish(deletion).await, OperationStatus::Succeeded);
    assert_gone(&stage, tenant).await;
    let exported = Downloaded::of(&stage, deletion.operation).await;
    assert_eq!(exported.collection("scratch").len(), 7);
    assert_eq!(exported.table("users").len(), 1);

    let exports = api.get(&path).await.json;
    assert_eq!(exports[0]["operation_id"], json!(deletion.operation));
    assert_eq!((&exports[0]["status"], &exports[1]["status"]), (&json!("complete"), &json!("expired")));
    assert_eq!(exports[1]["id"], earlier["id"]);
    let links = api.post(&format!("{path}/{}/links", exports[0]["id"].as_str().unwrap()), &json!({})).await;
    assert_eq!(links.status, StatusCode::OK, "{}", links.text);
    let manifest = download(links.json["manifest"]["url"].as_str().unwrap()).await.unwrap();
    assert_eq!(manifest.status(), StatusCode::OK);
    let refused = api.post(&format!("{path}/{}/links", earlier["id"].as_str().unwrap()), &json!({})).await;
    assert_eq!(refused.json["type"], "/api/super-admin/problems/export-not-complete", "{}", refused.text);
    assert_eq!(refused.json["export_status"], "expired");

    let receipt = api.get(&format!("/tenants/{tenant}/receipt")).await.json;
    let content = &receipt["content"];
    assert_eq!(content["export"]["id"], exports[0]["id"]);
    assert_eq!(content["export"]["manifest_sha256"], exports[0]["manifest_sha256"]);
    let what = format!("the files of the export {}", exports[0]["id"].as_str().unwrap());
    assert_eq!(content["remains"][0]["what"], json!(what));
    assert_eq!(content["remains"][0]["until"], content["export"]["expires_at"]);
    assert!(crate::deletion::existed(&stage, tenant, "object_storage", "export_files").await > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_export_of_a_deletion_begins_with_the_removal_and_is_kept_for_the_whole_retention() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let filled = Filled::new(&stage).await;
    let tenant = filled.tenant;
    let deletion = stage.request_removal(tenant, 7, true).await;
    let outcome = stage.worker().run(deletion.operation, minute()).await.unwrap();
    assert!(matches!(outcome, OperationOutcome::Open { wake_in: None, .. }), "{outcome:?}");
    // An export of now would expire in the window if that were long.
    assert_eq!(list(&stage, tenant).await, Vec::<String>::new());
    assert_eq!(status(&api, tenant).await, "pending");
    filled.assert_whole(&stage).await;
    let restored = stage.restore(tenant).await.unwrap();
    assert_eq!(stage.finish(restored).await, OperationStatus::Succeeded);
    assert_eq!(status(&api, tenant).await, "superseded");

    let deletion = stage.request_removal(tenant, 7, true).await;
    let outcome = stage.worker().run(deletion.operation, minute()).await.unwrap();
    assert!(matches!(outcome, OperationOutcome::Open { wake_in: None, .. }), "{outcome:?}");
    end_window(&stage, deletion).await;
    assert_eq!(stage.finish(deletion).await, OperationStatus::Succeeded);
    assert_gone(&stage, tenant).await;
    let exported = Downloaded::of(&stage, deletion.operation).await;
    assert_eq!(exported.collection("scratch").len(), 7);
    assert_eq!(status(&api, tenant).await, "complete");
    assert_eq!(stage.count(&kept_for_weeks(deletion)).await, 1);
}

/// The export of an operation if it is kept for almost the whole retention.
fn kept_for_weeks(requested: Requested) -> String {
    let operation = requested.operation;
    format!("SELECT FROM exports WHERE operation_id = '{operation}' AND expires_at > now() + interval '29 days'")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_would_soon_be_removed_is_copied_again() {
    let stage = ProvisioningStage::new().await;
    let tenant = Filled::new(&stage).await.tenant;
    let requested = stage.request_export(tenant).await;
    let saboteur = Saboteur::new([(Moment::Applying(StepName::ExportManifest), Sabotage::Unavailable)]);
    let outcome = stage.watched(saboteur).run(requested.operation, minute()).await.unwrap();
    assert!(matches!(outcome, OperationOutcome::Open { .. }), "{outcome:?}");
    let copied = list(&stage, tenant).await;
    // As if the store had been down for weeks.
    let sql = r#"UPDATE operation_steps
                 SET progress = jsonb_set(progress, '{done,snapshot_at}',
                     to_jsonb(to_char((now() - interval '20 days') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
                 WHERE operation_id = $1 AND name = 'postgresql_export'"#;
    assert_eq!(stage.owner.get().await.unwrap().execute(sql, &[&requested.operation.0]).await.unwrap(), 1);
    assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
    let exported = Downloaded::of(&stage, requested.operation).await;
    assert_eq!(exported.collection("scratch").len(), 7);
    assert!(list(&stage, tenant).await.iter().all(|key| !copied.contains(key)), "every file is a new one");
    assert_eq!(stage.count(&kept_for_weeks(requested)).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_before_the_export_is_complete() {
    let stage = ProvisioningStage::new().await;
    let filled = Filled::new(&stage).await;
    let tenant = filled.tenant;
    let deletion = stage.request_removal(tenant, 0, true).await;
    for sabotage in [Sabotage::Unavailable, Sabotage::Transient, Sabotage::Permanent] {
        let saboteur = Saboteur::new([(Moment::Applying(StepName::MongodbExport), sabotage)]);
        stage.expire(deletion.operation).await;
        let outcome = stage.watched(saboteur).run(deletion.operation, minute()).await.unwrap();
        assert!(matches!(outcome, OperationOutcome::Open { .. }), "{outcome:?}");
        filled.assert_whole(&stage).await;
    }
    // Although the window is over, the tenant comes back: nothing was removed.
    let restored = stage.restore(tenant).await.unwrap();
    assert_eq!(stage.finish(restored).await, OperationStatus::Succeeded);
    filled.assert_whole(&stage).await;
    assert_eq!(stage.status(tenant).await, TenantStatus::Active);

    let again = stage.request_removal(tenant, 0, true).await;
    assert_eq!(stage.finish(again).await, OperationStatus::Succeeded);
    assert_gone(&stage, tenant).await;
    let exported = Downloaded::of(&stage, again.operation).await;
    assert_eq!(exported.collection("scratch").len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_without_an_export_removes_all_exports() {
    let stage = ProvisioningStage::new().await;
    let tenant = stage.active().await.tenant;
    for _ in 0..2 {
        let requested = stage.request_export(tenant).await;
        assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
    }
    assert!(list(&stage, tenant).await.len() > 20);
    let deletion = stage.request_deletion(tenant, 0).await;
    assert_eq!(stage.finish(deletion).await, OperationStatus::Succeeded);
    assert_gone(&stage, tenant).await;
    assert_eq!(list(&stage, tenant).await, Vec::<String>::new());
    let readable = format!("SELECT FROM exports WHERE tenant_id = '{tenant}' AND expires_at > now()");
    assert_eq!(stage.count(&readable).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_are_expired_while_a_purge_waits_for_a_store() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let tenant = stage.active().await.tenant;
    let requested = stage.request_export(tenant).await;
    assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
    let deletion = stage.request_deletion(tenant, 7).await;
    let outcome = stage.worker().run(deletion.operation, minute()).await.unwrap();
    assert!(matches!(outcome, OperationOutcome::Open { .. }), "{outcome:?}");
    assert_eq!(status(&api, tenant).await, "complete", "the tenant can still be restored");
    end_window(&stage, deletion).await;
    let saboteur = Saboteur::new([(Moment::Applying(StepName::MongodbRemoval), Sabotage::Unavailable)]);
    let outcome = stage.watched(saboteur).run(deletion.operation, minute()).await.unwrap();
    assert!(matches!(outcome, OperationOutcome::Open { wake_in: Some(_), .. }), "{outcome:?}");
    assert_eq!(stage.status(tenant).await, TenantStatus::Deleting);
    assert_eq!(list(&stage, tenant).await, Vec::<String>::new(), "the files are removed meanwhile");
    assert_eq!(status(&api, tenant).await, "expired");
    assert_eq!(stage.finish(deletion).await, OperationStatus::Succeeded);
    assert_gone(&stage, tenant).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_was_never_active_has_nothing_to_export() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let tenant = stage.request().await.tenant;
    let slug = api.get(&format!("/tenants/{tenant}")).await.json["slug"].as_str().unwrap().to_owned();
    let body = json!({ "reason": "The customer has cancelled the contract", "export": true });
    let request = api.request(reqwest::Method::DELETE, &format!("/tenants/{tenant}?confirm={slug}")).json(&body);
    let refused = tests::api::answer(request).await;
    assert_eq!(refused.json["type"], "/api/super-admin/problems/tenant-not-active", "{}", refused.text);
    assert_eq!(stage.status(tenant).await, TenantStatus::Provisioning);
}
