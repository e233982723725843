//! Deletion: a tenant comes back whole within its window, and is gone from every store after it.

mod faults;
mod requests;

use std::{
    path::Path,
    process::{Command, Output},
};

use mongodb::bson::{Document, doc};
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::{
    clients::redis::Redis,
    config::{FromEnv, RedisConfig},
    operations::{OperationStatus, StepName},
    provisioning::{Moment, OperationOutcome},
    tenants::TenantStatus,
    types::TenantId,
};
use tests::{Api, api::tenant_request, variable};

use crate::{
    access::Service,
    saboteur::{Sabotage, Saboteur},
    stage::{Found, ProvisioningStage, Requested, each, minute, start},
};

/// Documents that a tenant has in MongoDB.
const DOCUMENTS: u32 = 7;

/// An active tenant with data in every store.
pub(super) struct Filled {
    pub(super) tenant: TenantId,
    pub(super) database: String,
    /// Versions and delete markers of its objects.
    pub(super) objects: (usize, usize),
}

impl Filled {
    pub(super) async fn new(stage: &ProvisioningStage) -> Self {
        let tenant = stage.active().await.tenant;
        let database = stage.database(tenant).await;
        let contacts = stage.mongo.database(&database).collection::<Document>("scratch");
        let documents = (0..DOCUMENTS).map(|n| doc! { "name": format!("Sari {n}") });
        contacts.insert_many(documents).await.unwrap();
        let key = format!("{}media/1", tenant.object_prefix());
        for body in [&b"one"[..], b"two"] {
            let put = stage.s3.put_object().bucket(&stage.bucket).key(&key).body(body.to_vec().into());
            put.send().await.unwrap();
        }
        // In a bucket with versions, this leaves a delete marker.
        stage.s3.delete_object().bucket(&stage.bucket).key(&key).send().await.unwrap();
        let key = format!("{}media/2", tenant.object_prefix());
        stage.s3.put_object().bucket(&stage.bucket).key(&key).send().await.unwrap();
        redis().query::<()>(redis::cmd("SET").arg(counter(tenant)).arg(7)).await.unwrap();
        let listed = stage.s3.list_object_versions().bucket(&stage.bucket).prefix(tenant.object_prefix());
        let listed = listed.send().await.unwrap();
        let objects = (listed.versions().len(), listed.delete_markers().len());
        Self { tenant, database, objects }
    }

    /// Checks that everything is there.
    pub(super) async fn assert_whole(&self, stage: &ProvisioningStage) {
        let (versions, markers) = self.objects;
        let everything = Found { postgres: true, mongo: true, objects: versions + markers };
        assert_eq!(stage.found(self.tenant, &self.database).await, everything);
        assert_eq!(stage.inside(&self.database).await.query("SELECT FROM users", &[]).await.unwrap().len(), 1);
        let contacts = stage.mongo.database(&self.database).collection::<Document>("scratch");
        assert_eq!(contacts.count_documents(doc! {}).await.unwrap(), u64::from(DOCUMENTS));
        assert_eq!(redis().query::<String>(redis::cmd("GET").arg(counter(self.tenant))).await.unwrap(), "7");
    }
}

fn counter(tenant: TenantId) -> String {
    format!("usage:{tenant}:202601:messages")
}

fn redis() -> Redis {
    Redis::connect(&RedisConfig::from_env().unwrap()).unwrap()
}

/// Checks with the stores' own clients that nothing of a tenant is left.
pub(super) async fn assert_gone(stage: &ProvisioningStage, tenant: TenantId) {
    assert_eq!(stage.status(tenant).await, TenantStatus::Deleted);
    let names = format!("SELECT FROM tenant_databases WHERE tenant_id = '{tenant}' AND state <> 'dropped'");
    assert_eq!(stage.count(&names).await, 0, "the ledger");
    let client = stage.owner.get().await.unwrap();
    let names = client.query("SELECT name FROM tenant_databases WHERE tenant_id = $1", &[&tenant.0]).await.unwrap();
    drop(client);
    for row in &names {
        let name: String = row.get(0);
        assert_eq!(stage.found(tenant, &name).await, Found::default(), "{name}");
        assert_eq!(stage.services_login(&name).await, (0, 0), "{name}");
        let roles = stage.mongo.database(&name).run_command(doc! { "rolesInfo": 1 }).await.unwrap();
        assert!(roles.get_array("roles").unwrap().is_empty(), "{roles}");
    }
    let mut scan = redis::cmd("KEYS");
    scan.arg(format!("*{tenant}*"));
    assert_eq!(redis().query::<Vec<String>>(&scan).await.unwrap(), Vec::<String>::new());
    assert_eq!(stage.count(&format!("SELECT FROM pending_admins WHERE tenant_id = '{tenant}'")).await, 0);
    assert_eq!(stage.events(tenant, "tenant.deleted").await, 1);
}

/// What a receipt counts in a store.
pub(super) async fn existed(stage: &ProvisioningStage, tenant: TenantId, store: &str, figure: &str) -> i64 {
    let sql = "SELECT (s -> 'existed' ->> $3)::bigint
               FROM tenant_receipts, jsonb_array_elements(content -> 'stores') AS s
               WHERE tenant_id = $1 AND s ->> 'store' = $2";
    let client = stage.owner.get().await.unwrap();
    client.query_one(sql, &[&tenant.0, &store, &figure]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_tenant_is_shut_at_once_and_comes_back_whole() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    for suspended in [false, true] {
        let filled = Filled::new(&stage).await;
        let tenant = filled.tenant;
        let service = Service::of(&stage, tenant).await;
        if suspended {
            let operation = stage.request_status(tenant, TenantStatus::Suspended).await;
            assert_eq!(stage.finish(operation).await, OperationStatus::Succeeded);
        }
        let deletion = stage.request_deletion(tenant, 7).await;
        let outcome = stage.worker().run(deletion.operation, minute()).await.unwrap();
        // No message can be delayed by a week: the relay wakes the operation.
        assert!(matches!(outcome, OperationOutcome::Open { wake_in: None, .. }), "{outcome:?}");
        service.assert_shut_out().await;
        let shown = api.get(&format!("/tenants/{tenant}")).await.json;
        assert_eq!(shown["status"], "deleting");
        assert_eq!(shown["deletion"]["reason"], "The customer has cancelled the contract");
        let slug = shown["slug"].as_str().unwrap();
        assert_eq!(api.post("/tenants", &tenant_request(slug)).await.json["type"], problem("slug-taken"));
        // Nothing is due, and nothing is stuck.
        stage.end_wait(deletion.operation).await;
        let outcome = stage.worker().run(deletion.operation, minute()).await.unwrap();
        assert!(matches!(outcome, OperationOutcome::Open { .. }), "{outcome:?}");
        assert_eq!(api.get("/operations?stuck=true").await.json, json!([]));

        let restored = stage.restore(tenant).await.unwrap();
        assert_eq!(stage.finish(restored).await, OperationStatus::Succeeded);
        filled.assert_whole(&stage).await;
        let status = if suspended { TenantStatus::Suspended } else { TenantStatus::Active };
        assert_eq!(stage.status(tenant).await, status);
        assert_eq!(service.works().await, !suspended);
        let shown = api.get(&format!("/tenants/{tenant}")).await.json;
        assert_eq!(shown["deletion"], Value::Null);
        assert_eq!(shown["suspension"].is_object(), suspended);
        let ended = stage.worker().run(deletion.operation, minute()).await.unwrap();
        assert_eq!(ended, OperationOutcome::Finished { status: OperationStatus::Superseded, now: false });
        service.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_leaves_nothing_in_any_store_and_a_receipt_that_another_language_verifies() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let filled = Filled::new(&stage).await;
    let tenant = filled.tenant;
    let slug = api.get(&format!("/tenants/{tenant}")).await.json["slug"].as_str().unwrap().to_owned();
    let early = api.get(&format!("/tenants/{tenant}/receipt")).await;
    assert_eq!(early.json["type"], problem("receipt-not-ready"));
    let deletion = stage.request_deletion(tenant, 0).await;
    assert_eq!(stage.finish(deletion).await, OperationStatus::Succeeded);
    assert_gone(&stage, tenant).await;
    assert!(existed(&stage, tenant, "postgresql", "rows").await > 10);
    assert_eq!(existed(&stage, tenant, "mongodb", "documents").await, i64::from(DOCUMENTS));
    assert_eq!(existed(&stage, tenant, "object_storage", "objects").await, count(filled.objects.0));
    assert_eq!(existed(&stage, tenant, "object_storage", "delete_markers").await, count(filled.objects.1));
    assert_eq!(existed(&stage, tenant, "redis", "keys").await, 1);

    let receipt = api.get(&format!("/tenants/{tenant}/receipt")).await;
    assert_eq!(receipt.status, StatusCode::OK, "{}", receipt.text);
    let again = api.get(&format!("/tenants/{tenant}/receipt")).await;
    assert_eq!(again.json, receipt.json, "the receipt never changes");
    let jws = receipt.json["receipt"].as_str().unwrap();
    let verified = verify(&api, jws);
    assert!(verified.status.success(), "{verified:?}");
    let verified: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verified["header"]["typ"], "tenant-receipt+jwt");
    assert_eq!(verified["claims"], receipt.json["content"]);
    assert_eq!(verified["claims"]["sub"], tenant.to_string());
    assert_eq!(verified["claims"]["search"]["found"], 0);
    let remains = verified["claims"]["remains"].as_array().unwrap();
    assert!(remains.iter().any(|one| one["what"] == "entries of the audit log" && one["until"].is_string()));
    // A receipt with another content does not verify.
    let (head, signature) = (jws.split('.').next().unwrap(), jws.split('.').nth(2).unwrap());
    let forged = verify(&api, &format!("{head}.eyJzdWIiOiJ4In0.{signature}"));
    assert!(!forged.status.success() && String::from_utf8_lossy(&forged.stderr).contains("Signature"), "{forged:?}");
    // The slug is free again.
    assert_eq!(api.post("/tenants", &tenant_request(&slug)).await.status, StatusCode::CREATED);
}

/// Verifies a receipt with `PyJWT` and the published keys.
fn verify(api: &Api, jws: &str) -> Output {
    let packages = Path::new(&variable("PYJWT")).ancestors().nth(2).unwrap().to_owned();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/provisioning/deletion/verify.py");
    let keys = api.base.replace("/api/super-admin", "/.well-known/jwks.json");
    let mut python = Command::new("python3");
    python.arg(script).args([&*keys, jws]).env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    tokio::task::block_in_place(|| python.output().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_can_be_deleted_in_the_middle_of_its_provisioning_and_after_its_failure() {
    let stage = ProvisioningStage::new().await;
    let moments = [
        None,
        Some(Moment::Leased),
        Some(Moment::Applying(StepName::PostgresqlDatabase)),
        Some(Moment::Applied(StepName::PostgresqlDatabase)),
        Some(Moment::Applying(StepName::MongodbDatabase)),
        Some(Moment::Applied(StepName::MongodbDatabase)),
        Some(Moment::Applied(StepName::ObjectPrefix)),
        Some(Moment::Applying(StepName::Activation)),
    ];
    let cases = moments.into_iter().flat_map(|moment| [false, true].map(|late| (moment, late)));
    each(cases, |(moment, wakes_late)| {
        let stage = stage.clone();
        async move {
            let requested = stage.request().await;
            let saboteur = Saboteur::new(moment.map(|moment| (moment, Sabotage::Freeze)));
            let sleeper = match moment {
                Some(_) => {
                    let sleeper = start(stage.watched(saboteur.clone()), requested.operation);
                    saboteur.frozen().await;
                    Some(sleeper)
                }
                None => None,
            };
            // A window would be of no use: nobody has used the tenant.
            let deletion = stage.request_deletion(requested.tenant, 30).await;
            if !wakes_late {
                saboteur.thaw();
            }
            assert_eq!(stage.finish(deletion).await, OperationStatus::Succeeded, "{moment:?}");
            saboteur.thaw();
            if let Some(sleeper) = sleeper {
                let outcome = sleeper.await.unwrap().unwrap();
                assert!(matches!(outcome, OperationOutcome::Open { wake_in: None, .. }), "{moment:?} {outcome:?}");
            }
            assert_gone(&stage, requested.tenant).await;
        }
    })
    .await;
    let failed = stage.request().await;
    let saboteur = Saboteur::new([(Moment::Applying(StepName::Activation), Sabotage::Permanent)]);
    assert_eq!(stage.finish_with(&stage.watched(saboteur), failed).await, OperationStatus::Failed);
    let deletion = stage.request_deletion(failed.tenant, 7).await;
    assert_eq!(stage.finish(deletion).await, OperationStatus::Succeeded);
    assert_gone(&stage, failed.tenant).await;
}

fn count(objects: usize) -> i64 {
    i64::try_from(objects).unwrap()
}

fn problem(name: &str) -> String {
    format!("/api/super-admin/problems/{name}")
}

/// A deletion whose window is over.
pub(super) async fn end_window(stage: &ProvisioningStage, deletion: Requested) {
    let sql = "UPDATE operations SET not_before = now(), next_attempt_at = now() WHERE id = $1";
    let client = stage.owner.get().await.unwrap();
    client.execute(sql, &[&deletion.operation.0]).await.unwrap();
    let sql =
        r#"UPDATE tenants SET deletion = jsonb_set(deletion, '{purge_after}', '"2026-01-01T00:00:00Z"') WHERE id = $1"#;
    client.execute(sql, &[&deletion.tenant.0]).await.unwrap();
}
