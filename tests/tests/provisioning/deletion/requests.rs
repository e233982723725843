//! Requests that a deletion refuses: each changes nothing.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{operations::OperationStatus, tenants::TenantStatus, types::TenantId};
use tests::{Api, api::answer};

use super::{Filled, end_window, problem};
use crate::stage::ProvisioningStage;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_refused_changes_nothing() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let filled = Filled::new(&stage).await;
    let path = format!("/tenants/{}", filled.tenant);
    let before = api.get(&path).await;
    let (slug, tag) = (before.json["slug"].as_str().unwrap().to_owned(), before.header("etag").to_owned());
    let delete = |query: String, body: Value| api.request(Method::DELETE, &format!("{path}{query}")).json(&body);
    let confirmed = || format!("?confirm={slug}");
    let reason = json!({ "reason": "The customer has cancelled the contract" });

    let refused = [
        (delete(String::new(), reason.clone()), StatusCode::BAD_REQUEST, "invalid-input"),
        (delete("?confirm=kopi".to_owned(), reason.clone()), StatusCode::BAD_REQUEST, "invalid-input"),
        (
            delete("?confirm=kopi".to_owned(), reason.clone()).header("if-match", &*tag),
            StatusCode::BAD_REQUEST,
            "invalid-input",
        ),
        (delete(String::new(), reason.clone()).header("if-match", "*"), StatusCode::BAD_REQUEST, "invalid-input"),
        (
            delete(confirmed(), reason.clone()).header("if-match", "\"999\""),
            StatusCode::PRECONDITION_FAILED,
            "precondition-failed",
        ),
        (delete(confirmed(), json!({})), StatusCode::UNPROCESSABLE_ENTITY, "invalid-input"),
        (delete(confirmed(), json!({ "reason": "short" })), StatusCode::UNPROCESSABLE_ENTITY, "invalid-input"),
        (
            delete(confirmed(), json!({ "reason": reason["reason"], "recovery_days": 31 })),
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-input",
        ),
        (
            delete(confirmed(), json!({ "reason": reason["reason"], "export": "yes" })),
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-input",
        ),
        (api.request(Method::POST, &format!("{path}/restore")), StatusCode::CONFLICT, "tenant-not-restorable"),
        (api.request(Method::GET, &format!("{path}/receipt")), StatusCode::CONFLICT, "receipt-not-ready"),
    ];
    for (request, status, name) in refused {
        let answer = answer(request).await;
        assert_eq!((answer.status, &answer.json["type"]), (status, &json!(problem(name))), "{}", answer.text);
    }
    assert_eq!(api.get(&path).await.json, before.json);
    filled.assert_whole(&stage).await;

    // Two at once: one of them deletes.
    let (one, other) =
        tokio::join!(answer(delete(confirmed(), reason.clone())), answer(delete(confirmed(), reason.clone())));
    let mut statuses = [one.status, other.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::ACCEPTED, StatusCode::CONFLICT], "{} {}", one.text, other.text);
    let refused = if one.status == StatusCode::CONFLICT { one } else { other };
    assert_eq!(refused.json["type"], problem("tenant-deletion-begun"));
    assert_eq!(stage.events(filled.tenant, "tenant.deletion_requested").await, 1);
    assert_unchangeable(&api, filled.tenant).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_window_a_tenant_cannot_be_restored() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let filled = Filled::new(&stage).await;
    let restore = || api.request(Method::POST, &format!("/tenants/{}/restore", filled.tenant));
    let deletion = stage.request_deletion(filled.tenant, 7).await;
    end_window(&stage, deletion).await;
    let refused = answer(restore()).await;
    assert_eq!((refused.status, &refused.json["type"]), (StatusCode::CONFLICT, &json!(problem("recovery-ended"))));
    assert_eq!(stage.status(filled.tenant).await, TenantStatus::Deleting);
    assert_eq!(stage.finish(deletion).await, OperationStatus::Succeeded);
    let refused = answer(restore()).await;
    assert_eq!(refused.json["type"], problem("tenant-not-restorable"), "{}", refused.text);
    assert_unchangeable(&api, filled.tenant).await;
}

/// Services forget a tenant at the event `tenant.deleted`, and no event may follow it.
async fn assert_unchangeable(api: &Api, tenant: TenantId) {
    let path = format!("/tenants/{tenant}");
    let change = |body: Value| api.request(Method::PATCH, &path).json(&body);
    let requests = [
        change(json!({ "name": "Kopi" })),
        change(json!({ "limits": { "max_agents": 3 } })),
        change(json!({ "status": "active" })),
        api.request(Method::POST, &format!("{path}/retry")),
    ];
    for request in requests {
        let refused = answer(request).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
        assert_eq!(refused.json["type"], problem("tenant-deletion-begun"), "{}", refused.text);
    }
}

/// The revision confirms as well as the slug.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_can_be_confirmed_by_the_revision() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let tenant = stage.active().await.tenant;
    let path = format!("/tenants/{tenant}");
    let tag = api.get(&path).await.header("etag").to_owned();
    let body = json!({ "reason": "The customer has cancelled the contract", "recovery_days": 0, "export": false });
    let deleted = answer(api.request(Method::DELETE, &path).header("if-match", tag).json(&body)).await;
    assert_eq!(deleted.status, StatusCode::ACCEPTED, "{}", deleted.text);
    assert_eq!(deleted.json["status"], "deleting");
    let operation = deleted.json["operation_id"].as_str().unwrap();
    assert_eq!(deleted.header("operation-location"), format!("/api/super-admin/operations/{operation}"));
}
