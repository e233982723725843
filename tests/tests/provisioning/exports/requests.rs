//! Requests for exports and for links.

use std::{collections::HashSet, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Digest;
use shared::{
    operations::OperationStatus,
    tenants::TenantStatus,
    types::{ExportId, OperationId, SuperAdminRole},
};
use tests::{Api, api::answer, tokens};
use tokio::time::sleep;

use super::{download, list, open, read};
use crate::stage::{ProvisioningStage, Requested};

fn problem(name: &str) -> Value {
    json!(format!("/api/super-admin/problems/{name}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn links_download_every_file_and_stop_working() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let tenant = stage.active().await.tenant;
    let path = format!("/tenants/{tenant}/exports");
    let request = || {
        let request = api.request(Method::POST, &path).header("idempotency-key", "once");
        request.json(&json!({ "reason": "The customer has asked for a copy" }))
    };
    let created = answer(request()).await;
    assert_eq!(created.status, StatusCode::ACCEPTED, "{}", created.text);
    let (id, operation) = (created.json["id"].as_str().unwrap(), created.json["operation_id"].as_str().unwrap());
    assert_eq!(created.header("location"), format!("/api/super-admin{path}/{id}"));
    assert_eq!(created.header("operation-location"), format!("/api/super-admin/operations/{operation}"));
    assert_eq!(created.json["status"], "pending");
    let again = answer(request()).await;
    assert_eq!((&again.json, again.header("idempotent-replayed")), (&created.json, "true"));

    let links_path = format!("{path}/{id}/links");
    let early = api.post(&links_path, &json!({})).await;
    assert_eq!((early.status, &early.json["type"]), (StatusCode::CONFLICT, &problem("export-not-complete")));
    let second = api.post(&path, &json!({ "reason": "The customer has asked for a copy" })).await;
    assert_eq!((second.status, &second.json["type"]), (StatusCode::CONFLICT, &problem("operation-running")));
    let first = api.get(&format!("{path}/{id}")).await;
    assert_eq!(first.header("retry-after"), "2");
    let known = |tag: &str| {
        let request = api.request(Method::GET, &format!("{path}/{id}")).header("if-none-match", tag.to_owned());
        answer(request)
    };
    let same = known(first.header("etag")).await;
    assert_eq!((same.status, same.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    let requested = Requested { tenant, operation: operation.parse::<OperationId>().unwrap() };
    assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
    let shown = api.get(&format!("{path}/{id}")).await;
    assert_eq!(shown.json["status"], "complete", "{}", shown.text);
    assert!(shown.json["summary"]["rows"].as_i64().unwrap() > 10);
    assert_ne!(shown.header("etag"), first.header("etag"));
    let changed = known(first.header("etag")).await;
    assert_eq!((changed.status, &changed.json), (StatusCode::OK, &shown.json));
    assert!(!changed.headers.contains_key("retry-after"), "it has ended");
    assert!(!shown.text.contains("http"), "no link is shown: {}", shown.text);
    assert_eq!(api.get(&path).await.json, json!([shown.json]));

    for minutes in [json!(0), json!(61), json!("5"), json!(null)] {
        let refused = api.post(&links_path, &json!({ "valid_minutes": minutes })).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    }
    let links = api.post(&links_path, &json!({ "valid_minutes": 1 })).await;
    assert_eq!(links.status, StatusCode::OK, "{}", links.text);
    let files = links.json["files"].as_array().unwrap();
    let manifest = download(links.json["manifest"]["url"].as_str().unwrap()).await.unwrap();
    let manifest: shared::exports::Manifest = manifest.json().await.unwrap();
    assert_eq!(files.len(), manifest.files().count());
    assert_eq!(files.len() + 1, list(&stage, tenant).await.len());
    for (link, file) in files.iter().zip(manifest.files()) {
        assert_eq!(link["key"], file.key.as_str());
        let response = download(link["url"].as_str().unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-disposition"], "attachment");
        open(&response.bytes().await.unwrap(), file);
    }
    assert_eq!(links.json["next_offset"], Value::Null);
    for bad in [json!(-1), json!(1_000_001), json!("1")] {
        let refused = api.post(&links_path, &json!({ "offset": bad })).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    }
    for (offset, left) in [(1, files.len() - 1), (files.len(), 0), (1_000_000, 0)] {
        let rest = api.post(&links_path, &json!({ "offset": offset })).await;
        assert_eq!(rest.json["files"].as_array().map(Vec::len), Some(left), "{}", rest.text);
    }
    let audited = format!("SELECT FROM audit WHERE tenant_id = '{tenant}' AND action = 'tenant.export_links'");
    assert_eq!(stage.count(&audited).await, 4);
    assert_eq!(stage.count(&format!("{audited} AND details::text LIKE '%http%'")).await, 0);

    // The links end with the export.
    let soon = "UPDATE exports SET expires_at = now() + interval '3 seconds' WHERE tenant_id = $1";
    stage.owner.get().await.unwrap().execute(soon, &[&tenant.0]).await.unwrap();
    let links = api.post(&links_path, &json!({})).await;
    let url = links.json["manifest"]["url"].as_str().unwrap().to_owned();
    assert_eq!(download(&url).await.unwrap().status(), StatusCode::OK);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(download(&url).await.unwrap().status(), StatusCode::FORBIDDEN);
    let late = api.post(&links_path, &json!({})).await;
    assert_eq!((late.status, &late.json["export_status"]), (StatusCode::CONFLICT, &json!("expired")));
    assert_eq!(api.get(&format!("{path}/{id}")).await.json["status"], "expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_to_many_files_come_in_pages() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let tenant = stage.active().await.tenant;
    let requested = stage.request_export(tenant).await;
    assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
    let client = stage.owner.get().await.unwrap();
    let row = "SELECT id::text, manifest_key FROM exports WHERE operation_id = $1";
    let row = client.query_one(row, &[&requested.operation.0]).await.unwrap();
    let (id, key): (String, String) = (row.get(0), row.get(1));
    // A manifest as of a large tenant. The links are signed without looking at the files.
    let mut manifest: Value = serde_json::from_slice(&read(&stage, &key).await).unwrap();
    let file = manifest["postgresql"]["tables"][0]["files"][0].clone();
    let of_tables = manifest["postgresql"]["tables"].as_array().unwrap().len();
    let files = (of_tables..2001).map(|n| {
        let mut file = file.clone();
        file["key"] = json!(format!("exports/{tenant}/{id}/objects/1/{n}"));
        file
    });
    manifest["mongodb"]["collections"] = json!([]);
    manifest["objects"]["files"] = files.collect();
    let content = manifest.to_string().into_bytes();
    let sha256 = format!("{:x}", sha2::Sha256::digest(&content));
    stage.s3.put_object().bucket(&stage.bucket).key(&key).body(content.into()).send().await.unwrap();
    client.execute("UPDATE exports SET manifest_sha256 = $1 WHERE id = $2::text::uuid", &[&sha256, &id]).await.unwrap();

    let path = format!("/tenants/{tenant}/exports/{id}/links");
    let (mut keys, mut offset) = (HashSet::new(), json!(0));
    for (files, next) in [(1000, json!(1000)), (1000, json!(2000)), (1, json!(null))] {
        let page = api.post(&path, &json!({ "offset": offset })).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let links = page.json["files"].as_array().unwrap();
        assert_eq!((links.len(), &page.json["next_offset"]), (files, &next));
        keys.extend(links.iter().map(|link| link["key"].as_str().unwrap().to_owned()));
        offset = next;
    }
    assert_eq!(keys.len(), 2001, "no file is repeated or lacking");
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_bytes_are_noticed() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let tenant = stage.active().await.tenant;
    let requested = stage.request_export(tenant).await;
    assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded);
    let path = format!("/tenants/{tenant}/exports");
    let id = api.get(&path).await.json[0]["id"].as_str().unwrap().to_owned();
    let key = "SELECT manifest_key FROM exports WHERE operation_id = $1";
    let key = stage.owner.get().await.unwrap().query_one(key, &[&requested.operation.0]).await.unwrap();
    let put = stage.s3.put_object().bucket(&stage.bucket).key(key.get::<_, String>(0)).body(b"{}".to_vec().into());
    put.send().await.unwrap();
    let refused = api.post(&format!("{path}/{id}/links"), &json!({})).await;
    assert_eq!((refused.status, &refused.json["type"]), (StatusCode::CONFLICT, &problem("export-damaged")));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_owners_may_export_and_only_active_tenants() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let tenant = stage.active().await.tenant;
    let path = format!("/tenants/{tenant}/exports");
    let body = json!({ "reason": "The customer has asked for a copy" });
    for role in [SuperAdminRole::Viewer, SuperAdminRole::Operator] {
        let admin = stage.world.operator(role).await;
        let token = tokens::sign(&tokens::claims(&admin.to_string()));
        for url in [path.clone(), format!("{path}/{}/links", ExportId::EXAMPLE)] {
            let refused = answer(api.anonymous(Method::POST, &url).bearer_auth(&token).json(&body)).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{role:?} {url}: {}", refused.text);
        }
        let listed = answer(api.anonymous(Method::GET, &path).bearer_auth(&token)).await;
        assert_eq!((listed.status, &listed.json), (StatusCode::OK, &json!([])));
    }
    let unknown = api.post(&format!("/tenants/{}/exports", tokens::UNKNOWN), &body).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{}", unknown.text);
    let unknown = api.get(&format!("{path}/{}", ExportId::EXAMPLE)).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{}", unknown.text);
    let suspension = stage.request_status(tenant, TenantStatus::Suspended).await;
    let refused = api.post(&path, &body).await;
    assert_eq!((refused.status, &refused.json["type"]), (StatusCode::CONFLICT, &problem("tenant-not-active")));
    assert_eq!(stage.finish(suspension).await, OperationStatus::Succeeded);
    // While the access is being given back, another operation works on the databases.
    let resume = stage.request_status(tenant, TenantStatus::Active).await;
    let refused = api.post(&path, &body).await;
    assert_eq!((refused.status, &refused.json["type"]), (StatusCode::CONFLICT, &problem("operation-running")));
    assert_eq!(stage.finish(resume).await, OperationStatus::Succeeded);
    assert_eq!(api.post(&path, &body).await.status, StatusCode::ACCEPTED);
    // An export does not keep a super-admin from changing the tenant.
    let changed =
        answer(api.request(Method::PATCH, &format!("/tenants/{tenant}")).json(&json!({ "name": "Kopi" }))).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
}
