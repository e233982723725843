//! The routers of all HTTP functions, mounted on a socket in this process.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use shared::{
    auth::{TokenSigner, TokenVerifier},
    clients::{
        clusters::{MongoClusters, PostgresClusters},
        postgres::Postgres,
        redis::Redis,
        s3::Bucket,
        sqs::Sqs,
        tenant_databases::TenantDatabases,
    },
    config::{
        Clusters, DefaultLimits, FromEnv, IdempotencyConfig, ImpersonationSigningConfig, KeptConfig, MongoSettings,
        PostgresConfig, QueueConfig, ReconciliationConfig, RedisConfig, S3Config, SigningConfig, TokenConfig,
    },
    dead_letters::{DeadLetterContext, DeadLetters},
    events::dispatch::Dispatcher,
    health::checks::HealthTargets,
    http::{Fingerprints, Routes, finish},
    impersonations::ImpersonationSigner,
    operations::WaitSlots,
    reconciliation::{ObservedStores, Reconciler},
    revocations::live_list::LiveList,
    super_admins::{AuthContext, SignInRateLimiter},
    tenants::{ReceiptSigner, TENANT_SCHEMA_VERSION},
    usage::live_counters::LiveCounters,
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

/// The routes of all HTTP functions.
pub fn routes(parts: &Parts) -> Routes {
    let gate = || parts.gate();
    let fingerprints = Fingerprints::new(&IdempotencyConfig::from_env().unwrap());
    let dispatcher = Arc::new(Dispatcher::new(parts.queues.clone()));
    let signer = Arc::new(TokenSigner::new(&SigningConfig::from_env().unwrap(), &parts.tokens).unwrap());
    let live_list = || Arc::new(LiveList::new(Redis::connect(&parts.redis).unwrap()));
    let rate_limiter = Arc::new(SignInRateLimiter::new(Redis::connect(&parts.redis).unwrap()));
    login::routes(login::App {
        platform: parts.platform.clone(),
        rate_limiter: Arc::clone(&rate_limiter),
        signer: Arc::clone(&signer),
    })
    .merge(get_openapi::routes(get_openapi::App::new()))
    .merge(get_asyncapi::routes(get_asyncapi::App::new()))
    .merge(get_console::routes(get_console::App::new()))
    .merge(get_docs::routes(get_docs::App::new()))
    .merge(get_problem_type::routes())
    .merge(reject_request::routes())
    .merge(change_password::routes(change_password::App { auth: gate(), rate_limiter, signer }))
    .merge(list_admins::routes(gate()))
    .merge(get_admin::routes(gate()))
    .merge(create_admin::routes(create_admin::App { auth: gate(), fingerprints: fingerprints.clone() }))
    .merge(update_admin::routes(update_admin::App {
        auth: gate(),
        live_list: live_list(),
        dispatcher: Arc::clone(&dispatcher),
    }))
    .merge(list_audit::routes(gate()))
    .merge(list_tenants::routes(gate()))
    .merge(list_tenant_usage::routes(list_tenant_usage::App {
        auth: gate(),
        counters: Arc::new(LiveCounters::new(Redis::connect(&parts.redis).unwrap())),
    }))
    .merge(get_tenant::routes(gate()))
    .merge(list_tenant_operations::routes(gate()))
    .merge(list_operations::routes(gate()))
    .merge(get_operation::routes(get_operation::App { auth: gate(), slots: Arc::new(parts.wait_slots()) }))
    .merge(retry_operation::routes(retry_operation::App { auth: gate(), dispatcher: Arc::clone(&dispatcher) }))
    .merge(abandon_operation::routes(abandon_operation::App { auth: gate(), dispatcher: Arc::clone(&dispatcher) }))
    .merge(reconciliation_routes(parts, &gate()))
    .merge(update_tenant::routes(update_tenant::App {
        gate: gate(),
        dispatcher: Arc::clone(&dispatcher),
        live_list: live_list(),
    }))
    .merge(create_tenant::routes(create_tenant::App {
        gate: gate(),
        fingerprints: fingerprints.clone(),
        dispatcher: Arc::clone(&dispatcher),
        default_limits: DefaultLimits::from_env().unwrap(),
    }))
    .merge(retry_tenant::routes(retry_tenant::App {
        gate: gate(),
        fingerprints: fingerprints.clone(),
        dispatcher: Arc::clone(&dispatcher),
    }))
    .merge(delete_tenant::routes(delete_tenant::App {
        auth: gate(),
        dispatcher: Arc::clone(&dispatcher),
        live_list: live_list(),
    }))
    .merge(restore_tenant::routes(restore_tenant::App { auth: gate(), dispatcher: Arc::clone(&dispatcher) }))
    .merge(receipt_routes(parts, gate()))
    .merge(export_routes(&gate(), fingerprints.clone(), Arc::clone(&dispatcher)))
    .merge(list_users::routes(list_users::App { auth: gate(), databases: parts.databases.clone() }))
    .merge(search_users::routes(gate()))
    .merge(get_user::routes(get_user::App { auth: gate(), databases: parts.databases.clone() }))
    .merge(create_user::routes(create_user::App {
        auth: gate(),
        databases: parts.databases.clone(),

        fingerprints: fingerprints.clone(),
        dispatcher: Arc::clone(&dispatcher),
    }))
    .merge(update_user::routes(update_user::App {
        auth: gate(),
        databases: parts.databases.clone(),

        dispatcher: Arc::clone(&dispatcher),
        live_list: live_list(),
    }))
    .merge(erase_user::routes(erase_user::App {
        auth: gate(),
        databases: parts.databases.clone(),
        dispatcher: Arc::clone(&dispatcher),
        live_list: live_list(),
    }))
    .merge(impersonation_routes(parts, &gate(), fingerprints, dispatcher))
    .merge(list_health_history::routes(gate()))
    .merge(check_health::routes(check_health::App::new(&parts.health, gate()).unwrap()))
}

fn receipt_routes(parts: &Parts, auth: AuthContext) -> Routes {
    let signer = ReceiptSigner::new(&parts.impersonation, KeptConfig::from_env().unwrap()).unwrap();
    get_tenant_receipt::routes(get_tenant_receipt::App { auth, signer: Arc::new(signer) })
}

fn export_routes(gate: &AuthContext, fingerprints: Fingerprints, dispatcher: Arc<Dispatcher>) -> Routes {
    let bucket = Arc::new(Bucket::connect(&S3Config::from_env().unwrap()).unwrap());
    create_export::routes(create_export::App { auth: gate.clone(), fingerprints, dispatcher })
        .merge(list_exports::routes(gate.clone()))
        .merge(get_export::routes(gate.clone()))
        .merge(create_export_links::routes(create_export_links::App { auth: gate.clone(), bucket }))
}

fn reconciliation_routes(parts: &Parts, gate: &AuthContext) -> Routes {
    let dead_letters = Arc::new(DeadLetters::new(Sqs::new(), parts.queues.clone()));
    let dead_letters = DeadLetterContext { auth: gate.clone(), dead_letters };
    reconcile_tenants::routes(parts.reconciliation())
        .merge(get_reconciliation::routes(gate.clone()))
        .merge(list_reconciliations::routes(gate.clone()))
        .merge(list_dead_letters::routes(dead_letters.clone()))
        .merge(redrive_dead_letters::routes(dead_letters))
}

fn impersonation_routes(
    parts: &Parts,
    gate: &AuthContext,
    fingerprints: Fingerprints,
    dispatcher: Arc<Dispatcher>,
) -> Routes {
    let gate = || gate.clone();
    let live_list = || Arc::new(LiveList::new(Redis::connect(&parts.redis).unwrap()));
    impersonate_user::routes(impersonate_user::App {
        auth: gate(),
        fingerprints,
        databases: parts.databases.clone(),
        live_list: live_list(),
        signer: Arc::new(ImpersonationSigner::new(&parts.impersonation).unwrap()),
        dispatcher: Arc::clone(&dispatcher),
    })
    .merge(end_impersonation::routes(end_impersonation::App {
        auth: gate(),
        databases: parts.databases.clone(),
        live_list: live_list(),
        dispatcher,
    }))
    .merge(list_impersonations::routes(gate()))
    .merge(get_impersonation::routes(gate()))
    .merge(list_signing_keys::routes(list_signing_keys::App::new(&parts.impersonation.published).unwrap()))
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
pub const OPEN: [(&str, &str); 6] = [
    ("POST", "/api/super-admin/auth/login"),
    ("GET", "/api/super-admin/openapi.json"),
    ("GET", "/api/super-admin/asyncapi.json"),
    ("GET", "/api/super-admin/docs"),
    ("GET", "/api/super-admin/problems/{name}"),
    ("GET", "/.well-known/jwks.json"),
];
