//! The fixture of these tests: tenants with PostgreSQL databases, cloned as for a provisioned tenant.

use std::time::Duration;

use reqwest::{StatusCode, Url};
use serde_json::{Value, json};
use shared::{clients::postgres::connect_once, config::PostgresConfig};
use tests::{Answer, Api, TestTenant, World, api::Parts};
use tokio_postgres::Client;

/// A password that passes the strength check.
pub(crate) const PASSWORD: &str = "tidal-mango-orbit-42";

/// A reason for what needs one.
pub(crate) const REASON: &str = "The only admin has left the company";

/// The servers, API and database connection of one test.
pub(crate) struct UsersStage {
    pub(crate) world: World,
    pub(crate) api: Api,
    pub(crate) owner: Client,
}

impl UsersStage {
    pub(crate) async fn new() -> Self {
        Self::with(|parts| parts).await
    }

    /// With some parts replaced.
    pub(crate) async fn with(change: impl FnOnce(Parts) -> Parts) -> Self {
        shared::telemetry::init();
        let world = Box::pin(World::new()).await;
        let api = Api::with(&change(Parts::of(&world))).await;
        // Creating or dropping a database takes long on a busy machine.
        let patient = PostgresConfig { statement_timeout: Duration::from_mins(5), ..world.owner() };
        Self { api, owner: connect_once(&patient, None).await.unwrap(), world }
    }

    /// Creates an active tenant with one user, an admin.
    pub(crate) async fn tenant(&self, max_agents: Option<i64>) -> TestTenant {
        TestTenant::new(&self.world, &self.owner, max_agents).await
    }

    /// Drops a tenant's database, after ending all connections to it.
    pub(crate) async fn drop_database(&self, tenant: &TestTenant) {
        let sessions = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
        let functions = connect_once(&self.world.api(), None).await.unwrap();
        functions.query(sessions, &[&tenant.database]).await.unwrap();
        self.sql(&format!("DROP DATABASE IF EXISTS {}", tenant.database)).await;
    }

    /// A connection to a tenant's database with all privileges.
    pub(crate) async fn inside(&self, tenant: &TestTenant) -> Client {
        tenant.inside(&self.world).await
    }

    /// The number of rows that a query returns in a tenant's database.
    pub(crate) async fn count(&self, tenant: &TestTenant, sql: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM ({sql}) AS rows");
        self.inside(tenant).await.query_one(&sql, &[]).await.unwrap().get(0)
    }

    /// Runs SQL as the owner of the platform database.
    pub(crate) async fn sql(&self, sql: &str) {
        self.world.leaves_contradictions("a test writes rows as no use case does");
        self.owner.batch_execute(sql).await.unwrap();
    }

    /// Lists a tenant's users.
    pub(crate) async fn ask(&self, tenant: &TestTenant, query: &[(&str, &str)]) -> Answer {
        let mut url = Url::parse("http://landlord.example/users").unwrap();
        url.query_pairs_mut().append_pair("tenant_id", &tenant.id.to_string()).extend_pairs(query);
        self.api.get(&format!("/users?{}", url.query().unwrap())).await
    }

    /// Lists a tenant's users, and expects success.
    pub(crate) async fn list(&self, tenant: &TestTenant, query: &[(&str, &str)]) -> Vec<Value> {
        let answer = self.ask(tenant, query).await;
        assert_eq!(answer.status, StatusCode::OK, "{query:?}: {}", answer.text);
        answer.json.as_array().unwrap().clone()
    }

    /// Creates a user.
    pub(crate) async fn add(&self, tenant: &TestTenant, email: &str) -> Answer {
        self.api.post("/users", &request(tenant, email)).await
    }

    /// Creates a user, and expects success.
    pub(crate) async fn added(&self, tenant: &TestTenant, email: &str, role: &str) -> Value {
        let mut body = request(tenant, email);
        body["role"] = json!(role);
        body["reason"] = json!(REASON);
        let answer = self.api.post("/users", &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{email}: {}", answer.text);
        answer.json
    }

    /// Updates a user.
    pub(crate) async fn change(&self, tenant: &TestTenant, user: impl std::fmt::Display, patch: &Value) -> Answer {
        self.api.patch(&format!("/users/{user}?tenant_id={}", tenant.id), patch).await
    }

    /// The audit entries of changes in a tenant, oldest first: action, outcome, whether it refers to the intent before it, details.
    pub(crate) async fn audit(&self, tenant: &TestTenant) -> Vec<(String, String, bool, Value)> {
        let sql = "SELECT action, outcome, intent_id IS NOT NULL AND intent_id = lag(id) OVER (ORDER BY id), details
                   FROM audit WHERE tenant_id = $1 AND action <> 'user.list' ORDER BY id";
        let rows = self.owner.query(sql, &[&tenant.id.0]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
    }

    /// The outcomes of changes in the audit log of a tenant, oldest first.
    pub(crate) async fn outcomes(&self, tenant: &TestTenant) -> Vec<String> {
        self.audit(tenant).await.into_iter().map(|(_, outcome, _, _)| outcome).collect()
    }

    /// The pending events of a tenant in the outbox: type and data.
    pub(crate) async fn events(&self, tenant: &TestTenant) -> Vec<(String, Value)> {
        let sql = "SELECT payload ->> 'type', payload -> 'data' FROM outbox
                   WHERE destination = 'event' AND key = $1 ORDER BY id";
        let rows = self.owner.query(sql, &[&tenant.id.to_string()]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// The types of these events.
    pub(crate) async fn event_types(&self, tenant: &TestTenant) -> Vec<String> {
        self.events(tenant).await.into_iter().map(|(kind, _)| kind).collect()
    }
}

/// A valid request for a user.
pub(crate) fn request(tenant: &TestTenant, email: &str) -> Value {
    json!({
        "tenant_id": tenant.id, "email": email, "full_name": "Budi Santoso", "role": "agent", "password": PASSWORD,
    })
}

/// The e-mail addresses of users.
pub(crate) fn emails(users: &[Value]) -> Vec<&str> {
    users.iter().map(|user| user["email"].as_str().unwrap()).collect()
}

/// Expects 503 with Retry-After, and no internal details in the text.
pub(crate) fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text);
    assert!(!answer.header("retry-after").is_empty(), "{:?}", answer.headers);
    for inside in ["127.0.0.1", "tenant_", "SELECT", "timeout"] {
        assert!(!answer.text.contains(inside), "{}", answer.text);
    }
}
