//! The fixture of these tests: tenants with databases, the API, and the function that measures tenants.

use std::{sync::Arc, time::Duration};

use lambda_runtime::{Context, LambdaEvent};
use measure_usage::{App, handle};
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};
use shared::{
    clients::{
        clusters::{MongoClusters, PostgresClusters},
        postgres::Postgres,
        redis::Redis,
        s3::Bucket,
        sqs::Sqs,
    },
    clusters::ClusterLists,
    config::{Clusters, FromEnv, MeasuringConfig, MongoSettings, RedisConfig, S3Config},
    types::TenantId,
    usage::{live_counters::LiveCounters, measuring::MeasuredStores},
    worker::invoke,
};
use tests::{Answer, Api, TestTenant, World, consistency, variable};
use tokio_postgres::Client;

/// A password that passes the strength check.
pub(crate) const PASSWORD: &str = "tidal-mango-orbit-42";

pub(crate) struct DirectoryStage {
    pub(crate) world: World,
    pub(crate) api: Api,
    pub(crate) owner: Client,
    measuring: Arc<App>,
}

impl DirectoryStage {
    pub(crate) async fn new() -> Self {
        shared::telemetry::init();
        let world = Box::pin(World::new()).await;
        let postgres = world.api();
        // The rights that the function has in a deployment; these tests do not look at other stores.
        let measuring = App {
            platform: Postgres::connect(&postgres).unwrap(),
            counters: LiveCounters::new(Redis::connect(&RedisConfig::from_env().unwrap()).unwrap()),
            sqs: Sqs::new(),
            queue_url: String::new(),
            stores: MeasuredStores {
                postgres: PostgresClusters::connect(&Clusters::single(postgres.url.clone()), &postgres).unwrap(),
                mongo: MongoClusters::connect(
                    &Clusters::single(variable("MONGODB_URL")),
                    &MongoSettings::from_env().unwrap(),
                )
                .unwrap(),
                bucket: Bucket::connect(&S3Config::from_env().unwrap()).unwrap(),
            },
            config: MeasuringConfig { tenant_timeout: Duration::from_secs(30), ..MeasuringConfig::default() },
            clusters: ClusterLists {
                postgres: Clusters::single(postgres.url.clone()),
                mongo: Clusters::single(variable("MONGODB_URL")),
            },
        };
        Self { api: Api::of(&world).await, owner: world.patient_client().await, world, measuring: Arc::new(measuring) }
    }

    /// An active tenant with a database and one user, whom the directory contains.
    pub(crate) async fn tenant(&self) -> TestTenant {
        let tenant = TestTenant::new(&self.world, &self.owner, None).await;
        self.measure(tenant.id).await;
        tenant
    }

    /// Measures a tenant as a message of the queue does.
    pub(crate) async fn measure(&self, tenant: TenantId) {
        let body = json!({ "tenant_ids": [tenant] }).to_string();
        let records = json!({ "Records": [{ "messageId": "1", "body": body, "eventSource": "aws:sqs" }] });
        let answer = invoke(&self.measuring, handle, LambdaEvent::new(records, Context::default())).await.unwrap();
        assert_eq!(answer["batchItemFailures"], json!([]));
    }

    /// Runs SQL as the owner of the platform database.
    pub(crate) async fn sql(&self, sql: &str) {
        self.world.leaves_contradictions("a test writes rows as no use case does");
        self.owner.batch_execute(sql).await.unwrap();
    }

    /// A request for users of all tenants.
    pub(crate) async fn ask(&self, query: &[(&str, &str)]) -> Answer {
        self.api.get(&search_path(query)).await
    }

    /// The users that a search finds.
    pub(crate) async fn search(&self, query: &[(&str, &str)]) -> Vec<Value> {
        let answer = self.ask(query).await;
        assert_eq!(answer.status, StatusCode::OK, "{query:?}: {}", answer.text);
        answer.json.as_array().unwrap().clone()
    }

    /// The e-mail addresses that a search for a text finds.
    pub(crate) async fn emails(&self, text: &str) -> Vec<String> {
        emails(&self.search(&[("search", text)]).await)
    }

    /// Adds a user, and returns the user.
    pub(crate) async fn add(&self, tenant: &TestTenant, email: &str, full_name: &str) -> Value {
        let user = json!({ "email": email, "full_name": full_name, "role": "agent", "password": PASSWORD });
        let answer = self.api.post(&format!("/tenants/{}/users", tenant.id), &user).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json
    }

    /// Changes a user.
    pub(crate) async fn change(&self, tenant: &TestTenant, user: &Value, patch: &Value) {
        let url = format!("/tenants/{}/users/{}", tenant.id, user["id"].as_str().unwrap());
        let answer = self.api.patch(&url, patch).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }

    /// Asserts that the directory contains exactly the tenant's users.
    pub(crate) async fn assert_equal(&self, tenant: &TestTenant) {
        let inside = tenant.inside(&self.world).await;
        let found = consistency::directory::of_tenant(&self.owner, tenant.id.0, &inside).await;
        assert!(found.is_empty(), "{found:#?}");
    }
}

pub(crate) fn search_path(query: &[(&str, &str)]) -> String {
    let mut url = Url::parse("http://landlord.example/users/search").unwrap();
    url.query_pairs_mut().extend_pairs(query);
    format!("/users/search?{}", url.query().unwrap())
}

/// The e-mail addresses of found users.
pub(crate) fn emails(found: &[Value]) -> Vec<String> {
    found.iter().map(|item| item["user"]["email"].as_str().unwrap().to_owned()).collect()
}
