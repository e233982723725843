//! The fixture of these tests: tenants with databases of their own, super-admins, and access to all that is stored.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    clients::redis::Redis,
    config::{FromEnv, RedisConfig},
    revocations::live_list,
    types::{SuperAdminId, SuperAdminRole},
};
use tests::{
    Answer, Api, TestTenant, World,
    api::{Parts, answer},
    tokens,
};
use tokio_postgres::Client;
use uuid::Uuid;

pub(crate) const REASON: &str = "Looks at why the inbox of sari stays empty";

/// The servers, API and database connection of one test.
pub(crate) struct ImpersonationStage {
    pub(crate) world: World,
    pub(crate) api: Api,
    pub(crate) owner: Client,
}

impl ImpersonationStage {
    pub(crate) async fn new() -> Self {
        Self::with(|_, parts| parts).await
    }

    /// With some parts replaced.
    pub(crate) async fn with(change: impl FnOnce(&World, Parts) -> Parts) -> Self {
        shared::telemetry::init();
        let world = Box::pin(World::new()).await;
        let parts = Parts::of(&world);
        let api = Api::with(&change(&world, parts)).await;
        Self { api, owner: world.client().await, world }
    }

    /// An active tenant with one user, an admin: `sari@kopi.example`.
    pub(crate) async fn tenant(&self) -> TestTenant {
        TestTenant::new(&self.world, &self.owner, None).await
    }

    /// Adds a user to a tenant.
    pub(crate) async fn add_user(&self, tenant: &TestTenant, id: Uuid, email: &str) {
        let row = "INSERT INTO users (id, email, full_name, role) VALUES ($1, $2, 'Sari Wulandari', 'admin')";
        self.inside(tenant).await.execute(row, &[&id, &email]).await.unwrap();
    }

    /// A connection to a tenant's database with all privileges.
    pub(crate) async fn inside(&self, tenant: &TestTenant) -> Client {
        tenant.inside(&self.world).await
    }

    /// Creates a super-admin. Returns their id and a bearer token.
    pub(crate) async fn super_admin(&self, role: SuperAdminRole) -> (SuperAdminId, String) {
        let id = self.world.operator(role).await;
        (id, tokens::sign(&tokens::claims(&id.to_string())))
    }

    /// Disables a super-admin, as the owner.
    pub(crate) async fn disable(&self, super_admin: SuperAdminId) -> Answer {
        self.api.patch(&format!("/admins/{super_admin}"), &json!({ "status": "disabled" })).await
    }

    /// Requests an impersonation as the owner.
    pub(crate) async fn ask(&self, body: &Value) -> Answer {
        self.api.post("/impersonations", body).await
    }

    /// Requests an impersonation as the super-admin of a token.
    pub(crate) async fn ask_as(&self, token: &str, body: &Value) -> Answer {
        answer(self.api.anonymous(Method::POST, "/impersonations").bearer_auth(token).json(body)).await
    }

    /// Starts an impersonation of the tenant's user as the owner, and expects success.
    pub(crate) async fn start(&self, tenant: &TestTenant) -> Value {
        let started = self.ask(&request(tenant)).await;
        assert_eq!(started.status, StatusCode::CREATED, "{}", started.text);
        started.json
    }

    /// Ends an impersonation.
    pub(crate) async fn end(&self, id: &str) -> Answer {
        answer(self.api.request(Method::DELETE, &format!("/impersonations/{id}"))).await
    }

    /// Gets an impersonation, and expects success.
    pub(crate) async fn get(&self, id: &str) -> Value {
        let found = self.api.get(&format!("/impersonations/{id}")).await;
        assert_eq!(found.status, StatusCode::OK, "{}", found.text);
        found.json
    }

    pub(crate) async fn sql(&self, sql: &str) {
        self.world.leaves_contradictions("a test writes rows as no use case does");
        self.owner.batch_execute(sql).await.unwrap();
    }

    /// The audit entries of an action, oldest first: outcome, whether it refers to the intent before it, details.
    pub(crate) async fn audit(&self, action: &str) -> Vec<(String, bool, Value)> {
        let sql = "SELECT outcome, intent_id IS NOT NULL AND intent_id = lag(id) OVER (ORDER BY id), details
                   FROM audit WHERE action = $1 ORDER BY id";
        let rows = self.owner.query(sql, &[&action]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get::<_, Option<bool>>(1).unwrap_or(false), row.get(2))).collect()
    }

    /// The outcomes of the audit entries of an action, oldest first.
    pub(crate) async fn outcomes(&self, action: &str) -> Vec<String> {
        self.audit(action).await.into_iter().map(|(outcome, _, _)| outcome).collect()
    }

    /// The pending events about impersonations in the outbox: type and data.
    pub(crate) async fn events(&self) -> Vec<(String, Value)> {
        let sql = "SELECT payload ->> 'type', payload -> 'data' FROM outbox
                   WHERE destination = 'event' AND payload ->> 'type' LIKE 'impersonation.%' ORDER BY id";
        let rows = self.owner.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// The number of pending denials in the outbox.
    pub(crate) async fn pending_denials(&self) -> i64 {
        self.world.count("SELECT FROM outbox WHERE destination = 'denial'").await
    }

    /// The tenant's own record: super-admin, reason, ticket, access, and whether it has ended.
    pub(crate) async fn record(
        &self,
        tenant: &TestTenant,
        id: &str,
    ) -> Option<(String, String, Option<String>, String, bool)> {
        let sql = "SELECT super_admin, reason, ticket, access, ended_at IS NOT NULL FROM impersonations WHERE id = $1";
        let row = self.inside(tenant).await.query_opt(sql, &[&id.parse::<Uuid>().unwrap()]).await.unwrap();
        row.map(|row| (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4)))
    }
}

/// A valid request.
pub(crate) fn request(tenant: &TestTenant) -> Value {
    json!({ "tenant_id": tenant.id, "user_id": tenant.admin, "reason": REASON })
}

/// A valid request, modified by `change`.
pub(crate) fn request_with(tenant: &TestTenant, change: impl FnOnce(&mut Value)) -> Value {
    let mut body = request(tenant);
    change(&mut body);
    body
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap().claims
}

/// The id of an answer.
pub(crate) fn id(answer: &Value) -> String {
    answer["id"].as_str().unwrap().to_owned()
}

/// How long Redis will deny the token of an impersonation, in seconds; `None` when it does not.
pub(crate) async fn denied(sid: &str) -> Option<i64> {
    let redis = Redis::connect(&RedisConfig::from_env().unwrap()).unwrap();
    let mut command = redis::cmd("TTL");
    command.arg(live_list::denial_key(sid));
    Some(redis.query::<i64>(&command).await.unwrap()).filter(|seconds| *seconds > 0)
}
