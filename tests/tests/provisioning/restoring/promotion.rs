//! Promotions: a tenant has either its own databases or those of its copy, and nothing is left behind.

use std::sync::Arc;

use futures::future::join_all;
use mongodb::bson::{Document, doc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    clients::postgres::connect_once,
    operations::{OperationStatus, StepName},
    provisioning::Moment,
    tenants::TenantStatus,
    types::{OperationId, TenantId},
};
use tests::{Answer, Api, api::answer, process::TestProcess, worker::WorkerProxies};

use super::{Contents, Exported, REASON, problem, put, requested};
use crate::{
    access::Service,
    deletion::assert_gone,
    stage::{ProvisioningStage, Requested},
};

/// A tenant and its restored copy, both suspended. The tenant has lost users, contacts and an object since its export, and has got others.
pub(crate) struct Pair {
    pub(crate) original: TenantId,
    pub(crate) copy: TenantId,
    slug: String,
}

impl Pair {
    pub(crate) async fn new(stage: &ProvisioningStage, api: &Api, size: i32) -> Self {
        let exported = Exported::new(stage, size).await;
        let copy = exported.restored(stage, api).await;
        let inside = connect_once(&stage.world.owner(), Some(&exported.database)).await.unwrap();
        inside
            .batch_execute(
                "TRUNCATE user_divisions; DELETE FROM users WHERE email LIKE 'user%' AND NOT EXISTS (
                    SELECT FROM impersonations i WHERE i.user_id = users.id) AND NOT EXISTS (
                    SELECT FROM platform_actions p WHERE p.user_id = users.id)",
            )
            .await
            .unwrap();
        let contacts = stage.mongo.database(&exported.database).collection::<Document>("contacts");
        contacts.delete_many(doc! {}).await.unwrap();
        let lost = format!("{}media/1", exported.tenant.object_prefix());
        stage.s3.delete_object().bucket(&stage.bucket).key(lost).send().await.unwrap();
        put(&stage.s3, &stage.bucket, exported.tenant, "media/new", "written since").await;
        let suspended = stage.request_status(exported.tenant, TenantStatus::Suspended).await;
        assert_eq!(stage.finish(suspended).await, OperationStatus::Succeeded);
        let pair = Self {
            original: exported.tenant,
            copy,
            slug: api.get(&format!("/tenants/{}", exported.tenant)).await.json["slug"].as_str().unwrap().to_owned(),
        };
        pair.settle(stage).await;
        pair
    }

    /// Lets the seconds pass in which a request could still change a user.
    pub(crate) async fn settle(&self, stage: &ProvisioningStage) {
        let sql = format!(
            r#"UPDATE tenants SET suspension = jsonb_set(suspension, '{{requested_at}}', '"2026-01-01T00:00:00Z"')
               WHERE id IN ('{}', '{}')"#,
            self.original, self.copy
        );
        stage.owner.get().await.unwrap().batch_execute(&sql).await.unwrap();
    }

    pub(crate) async fn request(&self, api: &Api) -> Requested {
        let answer = self.promote(api).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        requested(&answer.json)
    }

    async fn promote(&self, api: &Api) -> Answer {
        promote(api, self.copy, &self.slug).await
    }

    /// The operation on the copy, which keeps services out of its new databases.
    async fn operation_of_copy(&self, stage: &ProvisioningStage) -> Requested {
        Requested { tenant: self.copy, operation: stage.open_operation(self.copy).await }
    }
}

async fn promote(api: &Api, copy: TenantId, slug: &str) -> Answer {
    let request = api.request(Method::POST, &format!("/tenants/{copy}/promote?confirm={slug}"));
    answer(request.json(&json!({ "reason": REASON }))).await
}

/// Checks that the comments of the databases name the tenants that have them.
async fn assert_described(stage: &ProvisioningStage, tenants: [TenantId; 2]) {
    for tenant in tenants {
        let sql = format!(
            "SELECT FROM tenants t JOIN tenant_databases d ON d.name = t.database_name AND d.tenant_id = t.id
                 JOIN pg_database p ON p.datname = d.name
             WHERE t.id = '{tenant}' AND d.state = 'live'
                 AND shobj_description(p.oid, 'pg_database') = format('Tenant %s, created by operation %s', t.id, d.operation_id)"
        );
        assert_eq!(stage.count(&sql).await, 1, "{tenant}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_gives_a_tenant_the_databases_of_its_copy_and_can_be_taken_back() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let pair = Pair::new(&stage, &api, 300).await;
    let (original, copy) = (pair.original, pair.copy);
    let (of_original, of_copy) = (Contents::of(&stage, original).await, Contents::of(&stage, copy).await);
    assert_eq!((of_original.documents["contacts"].len(), of_copy.documents["contacts"].len()), (0, 300));
    let databases = [stage.database(original).await, stage.database(copy).await];
    let before = api.get(&format!("/tenants/{original}")).await.json;

    let promoted = pair.request(&api).await;
    assert_eq!(promoted.tenant, original);
    assert_eq!([stage.database(copy).await, stage.database(original).await], databases);
    let of_replaced = pair.operation_of_copy(&stage).await;
    // Nothing else may begin meanwhile.
    let status = api.request(Method::PATCH, &format!("/tenants/{original}")).json(&json!({ "status": "active" }));
    assert_eq!(answer(status).await.json["type"], problem("operation-running"));
    // The copy's objects are still needed, and a later operation would not copy them to a restored original.
    for tenant in [copy, original] {
        let delete = api.request(Method::DELETE, &format!("/tenants/{tenant}?confirm={}", slug(&api, tenant).await));
        let delete = answer(delete.json(&json!({ "reason": "The tenant is not needed any more" }))).await;
        assert_eq!(delete.json["type"], problem("operation-running"), "{}", delete.text);
        assert_eq!(delete.json["operation_id"], json!(promoted.operation), "{}", delete.text);
    }
    for operation in [promoted, of_replaced] {
        assert_eq!(stage.finish(operation).await, OperationStatus::Succeeded);
    }
    assert_described(&stage, [original, copy]).await;
    let after = api.get(&format!("/tenants/{original}")).await.json;
    assert_eq!(after["mongo_database"], databases[1]);
    assert_eq!(after["status"], "suspended");
    assert_eq!((&after["slug"], &after["name"]), (&before["slug"], &before["name"]));
    assert_eq!(stage.events(original, "tenant.updated").await, 1);
    assert_eq!(stage.events(copy, "tenant.updated").await, 1);
    // The rows and documents of the copy; the objects of both.
    let now = Contents::of(&stage, original).await;
    assert_eq!((&now.rows, &now.documents), (&of_copy.rows, &of_copy.documents));
    let keys: Vec<_> = now.objects.keys().map(String::as_str).collect();
    assert_eq!(keys, ["media/1", "media/new", "media/ä +%&?=.png", "z/empty"]);
    assert_eq!(now.objects["media/1"].0, b"one");

    // Services reach the new databases of the original only, after its reactivation.
    let (service, of_old) = (Service::of(&stage, original).await, Service::of(&stage, copy).await);
    assert!(!service.may_connect().await && !of_old.may_connect().await);
    let resumed = stage.request_status(original, TenantStatus::Active).await;
    assert_eq!(stage.finish(resumed).await, OperationStatus::Succeeded);
    assert!(service.may_connect().await && !of_old.may_connect().await);
    let users = api.get(&format!("/tenants/{original}/users?search=user299")).await;
    assert_eq!(users.json.as_array().unwrap().len(), 1, "{}", users.text);
    service.end().await;
    of_old.end().await;

    // Back again: the original has its own databases.
    let suspended = stage.request_status(original, TenantStatus::Suspended).await;
    assert_eq!(stage.finish(suspended).await, OperationStatus::Succeeded);
    let too_soon = pair.promote(&api).await;
    assert_eq!(too_soon.json["type"], problem("changes-unsettled"), "{}", too_soon.text);
    pair.settle(&stage).await;
    let promoted = pair.request(&api).await;
    for operation in [promoted, pair.operation_of_copy(&stage).await] {
        assert_eq!(stage.finish(operation).await, OperationStatus::Succeeded);
    }
    assert_eq!([stage.database(original).await, stage.database(copy).await], databases);
    assert_described(&stage, [original, copy]).await;
    let now = Contents::of(&stage, original).await;
    assert_eq!((&now.rows, &now.documents), (&of_original.rows, &of_original.documents));
}

async fn slug(api: &Api, tenant: TenantId) -> String {
    api.get(&format!("/tenants/{tenant}")).await.json["slug"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_promotion_the_copy_is_purged_without_a_trace_and_the_original_stays_whole() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let pair = Pair::new(&stage, &api, 50).await;
    let promoted = pair.request(&api).await;
    for operation in [promoted, pair.operation_of_copy(&stage).await] {
        assert_eq!(stage.finish(operation).await, OperationStatus::Succeeded);
    }
    let before = Contents::of(&stage, pair.original).await;
    let old = stage.database(pair.copy).await;
    let deletion = stage.request_deletion(pair.copy, 0).await;
    assert_eq!(stage.finish(deletion).await, OperationStatus::Succeeded);
    assert_gone(&stage, pair.copy).await;
    stage.assert_no_database(&old).await;
    Contents::of(&stage, pair.original).await.assert_equal(&before);
    let resumed = stage.request_status(pair.original, TenantStatus::Active).await;
    assert_eq!(stage.finish(resumed).await, OperationStatus::Succeeded);
    let again = promote(&api, pair.copy, &pair.slug).await;
    assert_eq!(again.json["type"], problem("tenant-not-suspended"), "{}", again.text);
    // The original can be deleted as well, and leaves nothing either.
    let deletion = stage.request_deletion(pair.original, 0).await;
    assert_eq!(stage.finish(deletion).await, OperationStatus::Succeeded);
    assert_gone(&stage, pair.original).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_that_is_refused_changes_nothing() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let pair = Pair::new(&stage, &api, 10).await;
    let other = stage.active().await.tenant;
    let (original, copy) = (pair.original, pair.copy);
    let sql = "SELECT id, database_name, revision FROM tenants ORDER BY id";
    let shown = async || {
        let owner = stage.owner.get().await.unwrap();
        let rows = owner.query(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| format!("{row:?} {} {}", row.get::<_, String>(1), row.get::<_, i64>(2)))
            .collect::<Vec<_>>()
    };
    let before = shown().await;
    let refuse = async |copy: TenantId, slug: &str, status: StatusCode, name: &str| {
        let refused = promote(&api, copy, slug).await;
        assert_eq!((refused.status, &refused.json["type"]), (status, &json!(problem(name))), "{}", refused.text);
        refused.json
    };
    let conflict = StatusCode::CONFLICT;
    refuse(other, &pair.slug, conflict, "not-a-restored-copy").await;
    refuse(original, &pair.slug, conflict, "not-a-restored-copy").await;
    refuse(TenantId::generate(), &pair.slug, StatusCode::NOT_FOUND, "not-found").await;
    refuse(copy, &slug(&api, copy).await, StatusCode::BAD_REQUEST, "invalid-input").await;
    refuse(copy, &slug(&api, other).await, StatusCode::BAD_REQUEST, "invalid-input").await;
    let unconfirmed = api.post(&format!("/tenants/{copy}/promote"), &json!({ "reason": REASON })).await;
    assert_eq!(unconfirmed.status, StatusCode::BAD_REQUEST, "{}", unconfirmed.text);
    let path = format!("/tenants/{copy}/promote?confirm={}", pair.slug);
    let outdated = api.request(Method::POST, &path).header("if-match", "\"999\"").json(&json!({ "reason": REASON }));
    assert_eq!(answer(outdated).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(api.post(&path, &json!({})).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(shown().await, before);

    // A change of a user that is not settled, of either tenant.
    let owner = stage.owner.get().await.unwrap();
    for tenant in [original, copy] {
        let open = format!(
            "INSERT INTO tenant_changes (id, tenant_id, kind, intent_id, due_at)
             VALUES (gen_random_uuid(), '{tenant}', 'user.update', gen_random_uuid(), now())"
        );
        owner.batch_execute(&open).await.unwrap();
        let refused = refuse(copy, &pair.slug, conflict, "changes-unsettled").await;
        assert_eq!(refused["tenant_id"], json!(tenant));
        owner.batch_execute("DELETE FROM tenant_changes").await.unwrap();
    }
    // Another version of the schema.
    let version = |tenant: TenantId, by: &str| {
        format!("UPDATE tenants SET schema_version = schema_version {by} WHERE id = '{tenant}'")
    };
    owner.batch_execute(&version(copy, "+ 1")).await.unwrap();
    refuse(copy, &pair.slug, conflict, "tenant-schema-outdated").await;
    owner.batch_execute(&version(copy, "- 1")).await.unwrap();
    assert_eq!(shown().await, before);
    // One of them is active, or being deleted.
    for tenant in [copy, original] {
        let resumed = stage.request_status(tenant, TenantStatus::Active).await;
        let refused = refuse(copy, &pair.slug, conflict, "tenant-not-suspended").await;
        assert_eq!((&refused["tenant_id"], &refused["tenant_status"]), (&json!(tenant), &json!("active")));
        assert_eq!(stage.finish(resumed).await, OperationStatus::Succeeded);
        // Until the suspension has reached the stores, services can still write.
        let suspended = stage.request_status(tenant, TenantStatus::Suspended).await;
        pair.settle(&stage).await;
        let refused = refuse(copy, &pair.slug, conflict, "operation-running").await;
        assert_eq!(refused["operation_id"], json!(suspended.operation));
        assert_eq!(stage.finish(suspended).await, OperationStatus::Succeeded);
    }
    let deletion = stage.request_deletion(original, 7).await;
    let refused = refuse(copy, &pair.slug, conflict, "tenant-not-suspended").await;
    assert_eq!(refused["tenant_status"], json!("deleting"));
    stage.worker().run(deletion.operation, crate::stage::minute()).await.unwrap();
    let restored = stage.restore(original).await.unwrap();
    assert_eq!(stage.finish(restored).await, OperationStatus::Succeeded);
    pair.settle(&stage).await;
    pair.request(&api).await;
    refuse(copy, &pair.slug, conflict, "operation-running").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_promotions_at_once_one_happens_and_a_repeated_request_is_one() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let exported = Exported::new(&stage, 10).await;
    let copies = [exported.restored(&stage, &api).await, exported.restored(&stage, &api).await];
    let suspended = stage.request_status(exported.tenant, TenantStatus::Suspended).await;
    assert_eq!(stage.finish(suspended).await, OperationStatus::Succeeded);
    let slug = slug(&api, exported.tenant).await;
    for copy in copies {
        Pair { original: exported.tenant, copy, slug: slug.clone() }.settle(&stage).await;
    }
    let requests = copies.into_iter().cycle().take(6).map(|copy| promote(&api, copy, &slug));
    let answers = join_all(requests).await;
    let accepted: Vec<_> = answers.iter().filter(|answer| answer.status == StatusCode::ACCEPTED).collect();
    assert_eq!(accepted.len(), 1, "{:?}", answers.iter().map(|answer| &answer.text).collect::<Vec<_>>());
    for refused in answers.iter().filter(|answer| answer.status != StatusCode::ACCEPTED) {
        assert_eq!(refused.json["type"], problem("operation-running"), "{}", refused.text);
    }
    let names = "SELECT FROM tenants t JOIN tenant_databases d ON d.name = t.database_name AND d.tenant_id = t.id AND d.state = 'live'";
    assert_eq!(stage.count(names).await, 3, "each tenant has its databases");
    assert_eq!(stage.finish(requested(&accepted[0].json)).await, OperationStatus::Succeeded);
    for copy in copies {
        let open = "SELECT id FROM operations WHERE tenant_id = $1 AND finished_at IS NULL";
        let owner = stage.owner.get().await.unwrap();
        let open = owner.query_opt(open, &[&copy.0]).await.unwrap();
        drop(owner);
        if let Some(row) = open {
            let operation = OperationId(row.get(0));
            assert_eq!(stage.finish(Requested { tenant: copy, operation }).await, OperationStatus::Succeeded);
        }
    }
    // With a key, a lost answer is no second swap.
    let path = format!("/tenants/{}/promote?confirm={slug}", copies[0]);
    let send = || {
        let request = api.request(Method::POST, &path).header("idempotency-key", "promote-1");
        answer(request.json(&json!({ "reason": REASON })))
    };
    let first = send().await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    let database = stage.database(exported.tenant).await;
    assert_eq!(send().await.json, first.json);
    assert_eq!(stage.database(exported.tenant).await, database);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_whose_workers_are_killed_leaves_each_tenant_with_whole_databases() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let pair = Pair::new(&stage, &api, 20).await;
    let of_copy = Contents::of(&stage, pair.copy).await;
    let promoted = pair.request(&api).await;
    let of_replaced = pair.operation_of_copy(&stage).await;
    let proxies = Arc::new(WorkerProxies::new(&stage.world).await);
    let ports = proxies.ports().iter().map(u16::to_string).collect::<Vec<_>>().join(",");
    let moments = [
        Moment::Leased,
        Moment::Applying(StepName::PostgresqlAccess),
        Moment::Applied(StepName::MongodbAccess),
        Moment::Applying(StepName::ObjectImport),
        Moment::Applied(StepName::ObjectImport),
        Moment::Ending,
    ];
    for moment in moments.map(|moment| format!("{moment:?}")) {
        stage.expire(promoted.operation).await;
        let arguments = [&*stage.world.database, &ports, &promoted.operation.to_string(), "-", &*moment];
        let (process, _) = TestProcess::start(env!("CARGO_BIN_EXE_run-operation"), &arguments, "started").await;
        assert_eq!(process.next("reached ").await.as_deref(), Some(&*moment));
        process.kill();
        let users: Value = api.get(&format!("/tenants/{}/users?limit=1", pair.original)).await.json;
        assert!(users.is_array(), "the new databases can be read at any moment: {users}");
    }
    for operation in [promoted, of_replaced] {
        assert_eq!(stage.finish(operation).await, OperationStatus::Succeeded);
    }
    assert_described(&stage, [pair.original, pair.copy]).await;
    let now = Contents::of(&stage, pair.original).await;
    assert_eq!((&now.rows, &now.documents), (&of_copy.rows, &of_copy.documents));
    assert_eq!(now.objects.len(), 4);
}
