//! Produces a problem of every type, through the API and on real stores.

use std::{collections::BTreeMap, time::Duration};

use axum::{Router, routing::get};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use shared::{
    clients::postgres::Postgres,
    config::PostgresConfig,
    http::{Routes, default_deadline, finish},
    types::SuperAdminRole,
};
use tokio_postgres::Client;
use utoipa::openapi::OpenApi;

use crate::{
    Answer, Api, TestTenant, World,
    api::{Parts, answer, tenant_request},
    examples,
    proxy::{Mode, Proxy},
    tokens,
};

/// A problem of every type by its name, with the operation that produced it.
pub type Produced = BTreeMap<String, Answer>;

/// What the requests need.
struct ProblemStage {
    world: World,
    api: Api,
    owner: Client,
    produced: Produced,
}

/// Sends a request for each type of problem.
pub async fn produce_all() -> Produced {
    let world = World::new().await;
    let (api, owner) = (Api::of(&world).await, world.client().await);
    let mut stage = ProblemStage { world, api, owner, produced: Produced::new() };
    stage.produce_faulty_requests().await;
    stage.produce_refusals().await;
    stage.produce_conflicts_of_tenants().await;
    stage.produce_conflicts_of_deletions().await;
    stage.produce_conflicts_of_exports().await;
    stage.produce_conflicts_of_restores().await;
    stage.produce_conflicts_of_users().await;
    stage.produce_conflicts_of_impersonations().await;
    stage.produce_conflicts_of_super_admins().await;
    stage.produce_conflicts_of_keys().await;
    stage.produce_failures().await;
    stage.produced
}

impl ProblemStage {
    /// Sends a request and keeps the answer.
    async fn produce(&mut self, name: &str, status: StatusCode, request: RequestBuilder) {
        let answer = answer(request).await;
        self.keep(name, status, answer);
    }

    fn keep(&mut self, name: &str, status: StatusCode, answer: Answer) {
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
        assert_eq!(answer.json["type"], format!("/api/super-admin/problems/{name}"), "{}", answer.text);
        assert_eq!(answer.json["status"], status.as_u16(), "{name}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{name}");
        self.produced.insert(name.to_owned(), answer);
    }

    fn request(&self, method: Method, path: &str, body: &Value) -> RequestBuilder {
        self.api.request(method, path).json(body)
    }

    async fn set(&self, tenant: &TestTenant, assignment: &str) {
        self.world.leaves_contradictions("tenants are changed as no use case does");
        let update = format!("UPDATE tenants SET {assignment} WHERE id = $1");
        self.owner.execute(&update, &[&tenant.id.0]).await.unwrap();
    }

    async fn tenant(&self, max_agents: Option<i64>) -> TestTenant {
        TestTenant::new(&self.world, &self.owner, max_agents).await
    }

    async fn produce_faulty_requests(&mut self) {
        let json = |request: RequestBuilder| request.header("content-type", "application/json");
        let post = |body: String| json(self.api.request(Method::POST, "/tenants")).body(body);
        let (broken, large) = (post("{".to_owned()), post(format!("\"{}\"", "a".repeat(70_000))));
        self.produce("malformed-request", StatusCode::BAD_REQUEST, broken).await;
        self.produce("body-too-large", StatusCode::PAYLOAD_TOO_LARGE, large).await;
        let request = self.request(Method::POST, "/tenants", &json!({ "name": "", "slug": "admin", "colour": 1 }));
        self.produce("invalid-input", StatusCode::UNPROCESSABLE_ENTITY, request).await;
        let request = self.api.request(Method::POST, "/tenants").body("name=Kopi");
        self.produce("unsupported-media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, request).await;
        let request = self.api.request(Method::GET, "/nothing");
        self.produce("unknown-path", StatusCode::NOT_FOUND, request).await;
        let unknown = format!("/tenants/{}", tokens::UNKNOWN);
        let request = self.api.request(Method::GET, &unknown);
        self.produce("not-found", StatusCode::NOT_FOUND, request).await;
        // API Gateway and the local router send it to the function of the route `$default`.
        let rejecting = Api::serve(finish(reject_request::routes())).await;
        self.produce("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, rejecting.request(Method::PUT, "/tenants"))
            .await;
    }

    async fn produce_refusals(&mut self) {
        let request = self.api.anonymous(Method::GET, "/tenants");
        self.produce("unauthenticated", StatusCode::UNAUTHORIZED, request).await;
        let viewer = self.world.operator(SuperAdminRole::Viewer).await;
        let token = tokens::sign(&tokens::claims(&viewer.to_string()));
        let request = self.api.anonymous(Method::POST, "/tenants").bearer_auth(token).json(&tenant_request("kopi"));
        self.produce("forbidden", StatusCode::FORBIDDEN, request).await;
        let operator = self.world.operator(SuperAdminRole::Operator).await;
        let temporary = "UPDATE super_admins SET must_change_password = true WHERE id = $1";
        self.owner.execute(temporary, &[&operator.0]).await.unwrap();
        let token = tokens::sign(&tokens::claims(&operator.to_string()));
        let request = self.api.anonymous(Method::GET, "/tenants").bearer_auth(token);
        self.produce("password-change-required", StatusCode::FORBIDDEN, request).await;
    }

    async fn produce_conflicts_of_tenants(&mut self) {
        let created = self.api.create_tenant("kopi-kenangan").await;
        let retry = format!("/tenants/{}/retry", created["id"].as_str().unwrap());
        let request = self.request(Method::POST, "/tenants", &tenant_request("kopi-kenangan"));
        self.produce("slug-taken", StatusCode::CONFLICT, request).await;
        // No worker runs, so that the operation that provisions the tenant stays open.
        let request = self.api.request(Method::POST, &retry);
        self.produce("operation-running", StatusCode::CONFLICT, request).await;
        let operation = created["operation_id"].as_str().unwrap();
        let end = "UPDATE operations SET status = 'failed', finished_at = now(), next_attempt_at = NULL";
        self.world.client().await.batch_execute(&format!("{end} WHERE id = '{operation}'")).await.unwrap();
        let request = self.api.request(Method::POST, &format!("/operations/{operation}/abandon"));
        self.produce("operation-ended", StatusCode::CONFLICT, request).await;
        let tenant = self.tenant(None).await;
        let request = self.api.request(Method::POST, &format!("/tenants/{}/retry", tenant.id));
        self.produce("tenant-not-failed", StatusCode::CONFLICT, request).await;
        self.set(&tenant, "status = 'failed'").await;
        let erased = "INSERT INTO pending_admins (tenant_id, user_id, email, erased_at)
                      VALUES ($1, gen_random_uuid(), 'sari@kopi.example', now())";
        self.owner.execute(erased, &[&tenant.id.0]).await.unwrap();
        let request = self.api.request(Method::POST, &format!("/tenants/{}/retry", tenant.id));
        self.produce("first-password-erased", StatusCode::CONFLICT, request).await;
        let change = json!({ "status": "active" });
        let request = self.request(Method::PATCH, &format!("/tenants/{}", tenant.id), &change);
        self.produce("tenant-status-not-settable", StatusCode::CONFLICT, request).await;
        let request = self.request(Method::PATCH, &format!("/tenants/{}", tenant.id), &json!({ "name": "Kopi" }));
        self.produce("precondition-failed", StatusCode::PRECONDITION_FAILED, request.header("if-match", "\"99\""))
            .await;
    }

    async fn produce_conflicts_of_deletions(&mut self) {
        let tenant = self.tenant(None).await;
        let path = format!("/tenants/{}", tenant.id);
        let restore = || self.api.request(Method::POST, &format!("{path}/restore"));
        let (early, late) = (restore(), restore());
        self.produce("tenant-not-restorable", StatusCode::CONFLICT, early).await;
        let request = self.api.request(Method::GET, &format!("{path}/receipt"));
        self.produce("receipt-not-ready", StatusCode::CONFLICT, request).await;
        let body = json!({ "reason": "The customer has cancelled the contract", "recovery_days": 0 });
        let confirmed = format!("{path}?confirm=t{}", tenant.id.0.simple());
        let delete = || self.request(Method::DELETE, &confirmed, &body);
        let (first, second) = (delete(), delete());
        let deleted = answer(first).await;
        assert_eq!(deleted.status, StatusCode::ACCEPTED, "{}", deleted.text);
        self.produce("tenant-deletion-begun", StatusCode::CONFLICT, second).await;
        self.produce("recovery-ended", StatusCode::CONFLICT, late).await;
    }

    async fn produce_conflicts_of_exports(&mut self) {
        let tenant = self.tenant(None).await;
        let path = format!("/tenants/{}/exports", tenant.id);
        let export = self.api.post(&path, &json!({ "reason": "The customer has asked for a copy" })).await;
        assert_eq!(export.status, StatusCode::ACCEPTED, "{}", export.text);
        let id = export.json["id"].as_str().unwrap();
        let links = || self.request(Method::POST, &format!("{path}/{id}/links"), &json!({}));
        let (early, late) = (links(), links());
        self.produce("export-not-complete", StatusCode::CONFLICT, early).await;
        self.world.leaves_contradictions("an export is complete without files");
        let complete = "UPDATE exports
                        SET finished_at = now(), expires_at = now() + interval '1 day', manifest_key = 'exports/none',
                            manifest_sha256 = 'x', summary = $2
                        WHERE id::text = $1";
        self.owner.execute(complete, &[&id, &examples::export_summary()]).await.unwrap();
        self.produce("export-damaged", StatusCode::CONFLICT, late).await;
    }

    async fn produce_conflicts_of_restores(&mut self) {
        let (original, copy) = (self.tenant(None).await, self.tenant(None).await);
        let path = format!("/tenants/{}/promote?confirm=t{}", copy.id, original.id.0.simple());
        let body = json!({ "reason": "Contacts were deleted by mistake" });
        let promote = || self.request(Method::POST, &path, &body);
        let requests = [promote(), promote(), promote()];
        let [first, second, third] = requests;
        self.produce("not-a-restored-copy", StatusCode::CONFLICT, first).await;
        let export = tokens::UNKNOWN;
        let source = format!(r#"restored_from = '{{"tenant_id": "{}", "export_id": "{export}"}}'"#, original.id);
        self.set(&copy, &source).await;
        self.produce("tenant-not-suspended", StatusCode::CONFLICT, second).await;
        let suspended = "status = 'suspended', suspension = jsonb_build_object('id', gen_random_uuid(), 'reason', 'unpaid',
            'requested_at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), 'acknowledged_by', '[]'::jsonb)";
        self.set(&copy, suspended).await;
        self.set(&original, suspended).await;
        self.produce("changes-unsettled", StatusCode::CONFLICT, third).await;
        self.set(&copy, "status = 'failed'").await;
        let request = self.api.request(Method::POST, &format!("/tenants/{}/retry", copy.id));
        self.produce("restore-not-retried", StatusCode::CONFLICT, request).await;
    }

    async fn produce_conflicts_of_users(&mut self) {
        let tenant = self.tenant(Some(1)).await;
        let user = |email: &str| {
            json!({ "tenant_id": tenant.id, "email": email, "full_name": "Budi Santoso", "role": "agent",
                    "password": "quiet-lemon-harbor-17" })
        };
        let add = |email: &str| self.request(Method::POST, "/users", &user(email));
        let (sari, budi) = (add("Sari@kopi.example"), add("budi@kopi.example"));
        let again = budi.try_clone().unwrap();
        let third = budi.try_clone().unwrap();
        let fourth = budi.try_clone().unwrap();
        self.produce("seats-exhausted", StatusCode::CONFLICT, budi).await;
        self.set(&tenant, "max_agents = NULL").await;
        self.produce("email-taken", StatusCode::CONFLICT, sari).await;
        let path = format!("/users/{}?tenant_id={}", tenant.admin, tenant.id);
        let request = self.request(Method::PATCH, &path, &json!({ "role": "agent" }));
        self.produce("last-admin", StatusCode::CONFLICT, request).await;
        let created = self.api.post("/users", &user("siti@kopi.example")).await;
        let erased = format!("/tenants/{}/users/{}", tenant.id, created.json["id"].as_str().unwrap());
        let erasure = json!({ "reason": "Request 2026-114 of the person" });
        assert_eq!(self.api.post(&format!("{erased}/erase"), &erasure).await.status, StatusCode::OK);
        let request = self.request(Method::PATCH, &erased, &json!({ "status": "active" }));
        self.produce("user-erased", StatusCode::CONFLICT, request).await;
        self.set(&tenant, "status = 'suspended'").await;
        self.produce("tenant-not-active", StatusCode::CONFLICT, again).await;
        self.set(&tenant, "status = 'active', schema_version = 0").await;
        self.produce("tenant-schema-outdated", StatusCode::CONFLICT, third).await;
        self.set(&tenant, "schema_version = 1000, postgres_cluster = NULL").await;
        self.produce("tenant-not-placed", StatusCode::CONFLICT, fourth).await;
        self.set(&tenant, "postgres_cluster = 'main'").await;
    }

    async fn produce_conflicts_of_impersonations(&mut self) {
        let tenant = self.tenant(None).await;
        let body = json!({ "tenant_id": tenant.id, "user_id": tenant.admin, "reason": "Looks into an empty inbox" });
        let start = |api: &Api| api.request(Method::POST, "/impersonations").json(&body);
        let first = start(&self.api).header("idempotency-key", "problems");
        let again = first.try_clone().unwrap();
        let live = answer(first).await;
        assert_eq!(live.status, StatusCode::CREATED, "{}", live.text);
        self.produce("impersonation-live", StatusCode::CONFLICT, start(&self.api)).await;
        let path = format!("/impersonations/{}", live.json["id"].as_str().unwrap());
        let ended = answer(self.api.request(Method::DELETE, &path)).await;
        assert!(ended.status.is_success(), "{}", ended.text);
        self.produce("impersonation-not-live", StatusCode::CONFLICT, again).await;
        // Ten starts a minute are allowed.
        for _ in 1..10 {
            let started = answer(start(&self.api)).await;
            assert_eq!(started.status, StatusCode::CREATED, "{}", started.text);
            let path = format!("/impersonations/{}", started.json["id"].as_str().unwrap());
            answer(self.api.request(Method::DELETE, &path)).await;
        }
        self.produce("too-many-requests", StatusCode::TOO_MANY_REQUESTS, start(&self.api)).await;
        let deactivate = format!("UPDATE users SET status = 'deactivated' WHERE id = '{}'", tenant.admin);
        tenant.inside(&self.world).await.batch_execute(&deactivate).await.unwrap();
        self.produce("user-deactivated", StatusCode::CONFLICT, start(&self.api)).await;
    }

    async fn produce_conflicts_of_super_admins(&mut self) {
        let path = format!("/admins/{}", tokens::OWNER);
        let request = self.request(Method::PATCH, &path, &json!({ "role": "viewer" }));
        self.produce("last-owner", StatusCode::CONFLICT, request).await;
        let admin = |email: &str| json!({ "email": email, "role": "viewer", "subject": "idp|ada" });
        let created = self.api.post("/admins", &admin("ada@landlord.example")).await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
        let request = self.request(Method::POST, "/admins", &admin("grace@landlord.example"));
        self.produce("subject-taken", StatusCode::CONFLICT, request).await;
        let path = format!("/admins/{}", created.json["id"].as_str().unwrap());
        let request = self.request(Method::PATCH, &path, &json!({ "password": "quiet-lemon-harbor-17" }));
        self.produce("no-password", StatusCode::CONFLICT, request).await;
        let code = json!({ "code": "c", "code_verifier": "v".repeat(43), "redirect_uri": "https://landlord.example/console/signed-in" });
        let request = self.request(Method::POST, "/auth/exchange", &code);
        self.produce("no-identity-provider", StatusCode::CONFLICT, request).await;
    }

    async fn produce_conflicts_of_keys(&mut self) {
        let create = |slug: &str| {
            let request = self.api.request(Method::POST, "/tenants").header("idempotency-key", "k-1");
            request.json(&tenant_request(slug))
        };
        let (first, again, other) = (create("teh-botol"), create("teh-botol"), create("teh-kotak"));
        // The first request waits for this lock, and the second one finds it waiting.
        let lock = "BEGIN; LOCK TABLE tenants IN SHARE MODE";
        self.owner.batch_execute(lock).await.unwrap();
        let first = tokio::spawn(answer(first));
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.produce("request-in-progress", StatusCode::CONFLICT, again).await;
        self.owner.batch_execute("ROLLBACK").await.unwrap();
        let first = first.await.unwrap();
        assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
        self.produce("idempotency-key-reused", StatusCode::UNPROCESSABLE_ENTITY, other).await;
    }

    async fn produce_failures(&mut self) {
        let config = self.world.api();
        let (proxy, url) = Proxy::before(&config.url).await;
        proxy.set(Mode::Cut);
        let platform = Postgres::connect(&PostgresConfig { url, ..config }).unwrap();
        let without_database = Api::with(&Parts { platform, ..Parts::of(&self.world) }).await;
        self.produce("unavailable", StatusCode::SERVICE_UNAVAILABLE, without_database.request(Method::GET, "/tenants"))
            .await;
        // The envelope of every function ends a request after 8 s.
        let slow = Router::new().route("/api/super-admin/slow", get(async || tokio::time::sleep(Duration::MAX).await));
        let slow = Api::serve(finish(Routes::new(slow, default_deadline, OpenApi::default))).await;
        self.produce("deadline-exceeded", StatusCode::SERVICE_UNAVAILABLE, slow.request(Method::GET, "/slow")).await;
        self.owner.batch_execute("ALTER TABLE tenants RENAME COLUMN country TO land").await.unwrap();
        let request = self.api.request(Method::GET, "/tenants");
        self.produce("internal", StatusCode::INTERNAL_SERVER_ERROR, request).await;
        self.owner.batch_execute("ALTER TABLE tenants RENAME COLUMN land TO country").await.unwrap();
    }
}
