//! The fixture of these tests: tenants with databases of their own, an API in a process that can be killed, and relays.

use std::time::Duration;

use lambda_runtime::{Context, LambdaEvent};
use relay_events::{App, handle};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    clients::{postgres::Postgres, redis::Redis, sqs::Sqs, tenant_databases::TenantDatabases},
    config::{FromEnv, KafkaConfig, RedisConfig},
    revocations::live_list,
    worker::invoke,
};
use tests::{
    Answer, Api, TestTenant, World,
    api::{Parts, answer},
    process::TestProcess,
    topic, until,
};
use tokio_postgres::Client;
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Stage {
    pub(crate) world: World,
    /// In this process.
    pub(crate) api: Api,
    pub(crate) owner: Client,
    pub(crate) kafka: KafkaConfig,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|_, parts| parts).await
    }

    /// With some parts of the API in this process replaced.
    pub(crate) async fn with(change: impl FnOnce(&World, Parts) -> Parts) -> Self {
        shared::telemetry::init();
        let world = Box::pin(World::new()).await;
        let parts = change(&world, Parts::of(&world));
        Self { api: Api::with(&parts).await, owner: world.client().await, kafka: world.topic(), world }
    }

    /// An active tenant with two active users; returns the id of the second.
    pub(crate) async fn tenant(&self) -> (TestTenant, Uuid) {
        let (tenant, user) = (TestTenant::new(&self.world, &self.owner, None).await, Uuid::now_v7());
        let row = "INSERT INTO users (id, email, full_name, role) VALUES ($1, 'budi@kopi.example', 'Budi', 'agent')";
        self.inside(&tenant).await.execute(row, &[&user]).await.unwrap();
        (tenant, user)
    }

    /// A connection to a tenant's database with all privileges.
    pub(crate) async fn inside(&self, tenant: &TestTenant) -> Client {
        tenant.inside(&self.world).await
    }

    /// Starts an impersonation, and returns its id.
    pub(crate) async fn impersonation(&self, tenant: &TestTenant, user: Uuid) -> String {
        let started = self.api.post("/impersonations", &impersonation_request(tenant, user)).await;
        assert_eq!(started.status, StatusCode::CREATED, "{}", started.text);
        started.json["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn is_live(&self, impersonation: &str) -> bool {
        self.api.get(&format!("/impersonations/{impersonation}")).await.json["live"].as_bool().unwrap()
    }

    /// Whether Redis denies the token of an impersonation.
    pub(crate) async fn is_denied(&self, impersonation: &str) -> bool {
        let redis = Redis::connect(&RedisConfig::from_env().unwrap()).unwrap();
        redis.query::<bool>(redis::cmd("EXISTS").arg(live_list::denial_key(impersonation))).await.unwrap()
    }

    /// The number of outcomes of an action with the actor, the request and the address of their intent.
    pub(crate) async fn same_requests(&self, action: &str) -> i64 {
        self.world
            .count(&format!(
                "SELECT FROM audit outcome JOIN audit intent ON intent.id = outcome.intent_id
                 WHERE outcome.action = '{action}' AND intent.action = outcome.action
                 AND intent.actor = outcome.actor AND intent.request_id = outcome.request_id
                 AND intent.source_address IS NOT DISTINCT FROM outcome.source_address"
            ))
            .await
    }

    /// A relay, as a process of its own has it.
    pub(crate) fn relay(&self) -> App {
        self.relay_with(self.world.tenant_databases())
    }

    pub(crate) fn relay_with(&self, databases: TenantDatabases) -> App {
        App::new(
            Postgres::connect(&self.world.api()).unwrap(),
            databases,
            self.kafka.clone(),
            Sqs::new(),
            tests::live_list(),
            self.world.provision_queue_url.clone(),
        )
    }

    /// The types of a tenant's events on the topic, in their order.
    pub(crate) fn event_types(&self, tenant: &TestTenant) -> Vec<String> {
        let key = tenant.id.to_string();
        topic::read(&self.kafka)
            .into_iter()
            .filter(|message| message.key == key)
            .map(|message| message.payload["type"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The audit entries of a tenant about an action, oldest first: the outcome and the details.
    pub(crate) async fn audit(&self, tenant: &TestTenant, action: &str) -> Vec<(String, Value)> {
        let sql = "SELECT outcome, details FROM audit WHERE tenant_id = $1 AND action = $2 ORDER BY id";
        let rows = self.owner.query(sql, &[&tenant.id.0, &action]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    pub(crate) async fn outcomes(&self, tenant: &TestTenant, action: &str) -> Vec<String> {
        self.audit(tenant, action).await.into_iter().map(|(outcome, _)| outcome).collect()
    }

    /// Makes all open changes due.
    pub(crate) async fn make_due(&self) {
        self.owner.batch_execute("UPDATE tenant_changes SET due_at = now()").await.unwrap();
    }

    /// Settles all open changes now, as one run of a relay does, and sends their events.
    pub(crate) async fn settle(&self) -> Value {
        self.make_due().await;
        tick(&self.relay()).await
    }

    /// The number of open changes.
    pub(crate) async fn open_changes(&self) -> i64 {
        self.world.count("SELECT FROM tenant_changes").await
    }

    /// Deactivates a user in a process that is killed after the commit in the tenant's database, and before the next one.
    pub(crate) async fn cut_off_deactivation(&self, tenant: &TestTenant, user: Uuid) {
        self.cut_off_change(tenant, user, &json!({ "status": "deactivated" }), "status = 'deactivated'").await;
    }

    /// Changes a user in a process that is killed after the commit in the tenant's database, and before the next one. Afterwards the
    /// user's row fulfils `condition`.
    pub(crate) async fn cut_off_change(&self, tenant: &TestTenant, user: Uuid, change: &Value, condition: &str) {
        let process = self.process().await;
        let lock = HeldLock::on_tenant(self, tenant).await;
        send(process.api.request(Method::PATCH, &user_path(tenant, user)).json(change));
        let committed = format!("SELECT FROM users WHERE id = '{user}' AND {condition}");
        until_row(&self.inside(tenant).await, &committed).await;
        process.kill();
        lock.release().await;
    }

    /// Starts a process that serves the API of this world.
    pub(crate) async fn process(&self) -> ApiProcess {
        let world = &self.world;
        let arguments = [&*world.database, &world.provision_queue_url, &world.relay_queue_url];
        let (process, base) = TestProcess::start(env!("CARGO_BIN_EXE_serve-api"), &arguments, "serving ").await;
        ApiProcess { api: Api::at(base), process }
    }
}

/// The API in a process of its own.
pub(crate) struct ApiProcess {
    pub(crate) api: Api,
    process: TestProcess,
}

impl ApiProcess {
    /// Ends the process with `SIGKILL`.
    pub(crate) fn kill(self) {
        self.process.kill();
    }
}

/// A row or an advisory lock that another session holds.
pub(crate) struct HeldLock(Client);

impl HeldLock {
    /// Runs `sql`, which takes a lock, in a transaction.
    pub(crate) async fn take(session: Client, sql: &str) -> Self {
        session.batch_execute("SET idle_in_transaction_session_timeout = 0; BEGIN").await.unwrap();
        session.batch_execute(sql).await.unwrap();
        Self(session)
    }

    /// Locks the tenant's row in the platform database, for which every outcome waits.
    pub(crate) async fn on_tenant(stage: &Stage, tenant: &TestTenant) -> Self {
        let sql = format!("SELECT FROM tenants WHERE id = '{}' FOR UPDATE", tenant.id);
        Self::take(stage.world.client().await, &sql).await
    }

    /// Locks a user in the tenant's database, for which the record of an impersonation waits.
    pub(crate) async fn on_user(stage: &Stage, tenant: &TestTenant, user: Uuid) -> Self {
        Self::take(stage.inside(tenant).await, &format!("SELECT FROM users WHERE id = '{user}' FOR UPDATE")).await
    }

    /// Locks the users of a tenant in its own database, for which every change of them waits.
    pub(crate) async fn on_users(stage: &Stage, tenant: &TestTenant) -> Self {
        let sql = "SELECT pg_advisory_xact_lock(hashtext('landlord users'))";
        Self::take(stage.inside(tenant).await, sql).await
    }

    pub(crate) async fn release(self) {
        self.0.batch_execute("ROLLBACK").await.unwrap();
    }
}

/// Runs the relay once, as its schedule does.
pub(crate) async fn tick(app: &App) -> Value {
    let event = json!({ "source": "aws.scheduler" });
    invoke(app, handle, LambdaEvent::new(event, Context::default())).await.unwrap()
}

/// Waits until a query of `client` returns a row.
pub(crate) async fn until_row(client: &Client, sql: &str) {
    until(sql, SOON, async || client.query_opt(sql, &[]).await.unwrap().is_some()).await;
}

/// Sends a request, whose answer is of no interest.
pub(crate) fn send(request: reqwest::RequestBuilder) {
    tokio::spawn(request.send());
}

pub(crate) fn user_path(tenant: &TestTenant, user: Uuid) -> String {
    format!("/users/{user}?tenant_id={}", tenant.id)
}

/// Sends a request, and waits for its answer elsewhere.
pub(crate) fn ask(request: reqwest::RequestBuilder) -> tokio::task::JoinHandle<Answer> {
    tokio::spawn(answer(request))
}

pub(crate) fn impersonation_request(tenant: &TestTenant, user: Uuid) -> Value {
    json!({ "tenant_id": tenant.id, "user_id": user, "reason": "Looks at why the inbox stays empty" })
}
