//! The routers of all HTTP functions, mounted on a socket in this process.

mod routes;

pub use routes::routes;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use shared::{
    auth::TokenVerifier,
    clients::{
        clusters::{MongoClusters, PostgresClusters},
        postgres::Postgres,
        redis::Redis,
        s3::Bucket,
        sqs::Sqs,
        tenant_databases::TenantDatabases,
    },
    config::{
        Clusters, CodeExchangeConfig, FromEnv, ImpersonationSigningConfig, MongoSettings, PostgresConfig, QueueConfig,
        ReconciliationConfig, RedisConfig, S3Config, SessionConfig, TokenConfig,
    },
    dead_letters::DeadLetters,
    events::dispatch::Dispatcher,
    health::checks::HealthTargets,
    http::finish,
    operations::WaitSlots,
    reconciliation::{ObservedStores, Reconciler},
    super_admins::AuthContext,
    tenants::TENANT_SCHEMA_VERSION,
};
use tokio::net::TcpListener;

use crate::{World, tokens};

/// The API of a world, with a token.
pub struct Api {
    /// `http://127.0.0.1:PORT/api/super-admin`
    pub base: String,
    /// The bearer token of requests.
    pub token: String,
    client: Client,
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The body; `null` if it is not JSON.
    pub json: Value,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// The pointers and parameters in the errors of a problem, sorted.
    pub fn faults(&self) -> Vec<String> {
        let mut places: Vec<String> = self.json["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|error| error["pointer"].as_str().or(error["parameter"].as_str()).unwrap_or("?").to_owned())
            .collect();
        places.sort();
        places
    }

    /// A header as text; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The dependencies of a world's functions, which a test may replace.
pub struct Parts {
    pub platform: Postgres,
    pub databases: TenantDatabases,
    pub redis: RedisConfig,
    pub tokens: TokenConfig,
    pub impersonation: ImpersonationSigningConfig,
    pub queues: QueueConfig,
    /// The targets of the health probes.
    pub health: HealthTargets,
    /// The beginning of the names of this world's keys in Redis, for keys that concern no tenant.
    pub redis_prefix: String,
    /// The number of requests that may wait for an operation at the same time.
    pub max_waiting: usize,
    /// How long a request works on a reconciliation.
    pub reconciling_time: Duration,
    /// How long after the sign-in a session ends.
    pub session_max_age: Duration,
    /// Where codes of the identity provider are exchanged, if anywhere.
    pub code_exchange: Option<CodeExchangeConfig>,
}

impl Parts {
    /// From the environment, with the world's own database and queues, and with the privileges of the HTTP functions.
    pub fn of(world: &World) -> Self {
        Self {
            platform: world.api_pool(),
            databases: world.tenant_databases(),
            redis: RedisConfig::from_env().unwrap(),
            tokens: TokenConfig::from_env().unwrap(),
            impersonation: ImpersonationSigningConfig::from_env().unwrap(),
            queues: QueueConfig {
                provision: Some(world.provision_queue_url.clone()),
                relay: Some(world.relay_queue_url.clone()),
                ..QueueConfig::default()
            },
            health: world.health(),
            redis_prefix: format!("{}:", world.database),
            max_waiting: 100,
            reconciling_time: Duration::ZERO,
            session_max_age: SessionConfig::from_env().unwrap().max_age,
            code_exchange: None,
        }
    }

    /// The stores that are reconciled: those of the environment.
    pub fn observed_stores(&self) -> ObservedStores {
        let (postgres_clusters, mongo_clusters) =
            (Clusters::postgres_from_env().unwrap(), Clusters::mongo_from_env().unwrap());
        let (postgres, mongo) = (PostgresConfig::from_env().unwrap(), MongoSettings::from_env().unwrap());
        ObservedStores {
            postgres: PostgresClusters::connect(&postgres_clusters, &postgres).unwrap(),
            mongo: MongoClusters::connect(&mongo_clusters, &mongo).unwrap(),
            postgres_clusters,
            mongo_clusters,
            bucket: Bucket::connect(&S3Config::from_env().unwrap()).unwrap(),
            redis: Redis::connect(&self.redis).unwrap(),
        }
    }

    fn gate(&self) -> AuthContext {
        AuthContext { platform: self.platform.clone(), verifier: TokenVerifier::new(&self.tokens).unwrap() }
    }

    /// The function `reconcile-tenants`.
    pub fn reconciliation(&self) -> reconcile_tenants::App {
        let reconciler = Reconciler {
            platform: self.platform.clone(),
            stores: self.observed_stores(),
            dead_letters: DeadLetters::new(Sqs::new(), self.queues.clone()),
            dispatcher: Arc::new(Dispatcher::new(self.queues.clone())),
            newest_schema: TENANT_SCHEMA_VERSION,
        };
        reconcile_tenants::App {
            auth: self.gate(),
            reconciler: Arc::new(reconciler),
            request_time: self.reconciling_time,
            config: ReconciliationConfig { interval: Duration::from_hours(1) },
        }
    }

    fn wait_slots(&self) -> WaitSlots {
        WaitSlots::new(Redis::connect(&self.redis).unwrap(), self.max_waiting).with_prefix(&self.redis_prefix)
    }
}

/// Method and path of every route in the code.
pub fn all_routes(parts: &Parts) -> Vec<(Method, String)> {
    let document = serde_json::to_value(routes(parts).describe()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            if let Ok(method) = method.to_uppercase().parse::<Method>() {
                found.push((method, path.clone()));
            }
        }
    }
    found
}

impl Api {
    pub async fn of(world: &World) -> Self {
        Self::with(&Parts::of(world)).await
    }

    pub async fn with(parts: &Parts) -> Self {
        Self::serve(finish(routes(parts))).await
    }

    /// Serves a router on a socket.
    pub async fn serve(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self::at(format!("http://{address}/api/super-admin"))
    }

    /// The API that another process serves.
    pub fn at(base: String) -> Self {
        Self { base, token: tokens::good(), client: Client::new() }
    }

    /// A request with the bearer token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// A request without a token.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// A request without a token, for a path outside the API's base path.
    pub fn anonymous_root(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base.trim_end_matches("/api/super-admin")))
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path).json(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::PATCH, path).json(body)).await
    }

    /// Creates a tenant with `slug`, which must succeed.
    pub async fn create_tenant(&self, slug: &str) -> Value {
        let answer = self.post("/tenants", &tenant_request(slug)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json
    }
}

/// Sends a request.
pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status, headers, json, text }
}

/// A valid request to create a tenant.
pub fn tenant_request(slug: &str) -> Value {
    json!({
        "name": "Kopi Kenangan", "slug": slug, "country": "ID",
        "admin_email": "sari@kopikenangan.example", "admin_password": "tidal-mango-orbit-42",
    })
}

/// The public routes.
pub const OPEN: [(&str, &str); 7] = [
    ("POST", "/api/super-admin/auth/exchange"),
    ("POST", "/api/super-admin/auth/login"),
    ("GET", "/api/super-admin/openapi.json"),
    ("GET", "/api/super-admin/asyncapi.json"),
    ("GET", "/api/super-admin/docs"),
    ("GET", "/api/super-admin/problems/{name}"),
    ("GET", "/.well-known/jwks.json"),
];
