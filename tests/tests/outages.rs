//! When a store is down or hangs, requests return a clear error in time, and nothing is written partially.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;
use shared::{
    clients::postgres::Postgres,
    config::{PostgresConfig, RedisConfig},
    error::Error,
    http::document,
    tenants,
};
use tests::{
    Api, World,
    api::{Parts, answer, routes, tenant_request},
    manifests::{declarations, function_of},
    own_servers::OwnRedis,
    proxy::{Mode, Proxy},
    queues,
    requests::{ExampleRequest, of_examples},
    variable,
};

/// Reports that the platform database is down, instead of failing with it.
const HEALTH: &str = "check_health";

/// A request of every route that needs the platform database: the function has the secret with its URL.
fn requests(parts: &Parts) -> Vec<ExampleRequest> {
    let document = serde_json::to_value(document(routes(parts).describe())).unwrap();
    let declarations = declarations();
    let needs_database = |request: &ExampleRequest| {
        let declaration = &declarations[&function_of(&request.operation)];
        declaration.secrets.contains("api") && request.operation != HEALTH
    };
    let mut requests: Vec<ExampleRequest> = of_examples(&document).into_iter().filter(needs_database).collect();
    for body in requests.iter_mut().filter_map(|request| request.body.as_mut()) {
        // Attempts to sign in are counted by address, also those of earlier runs.
        if let Some(email) = body.get_mut("email") {
            *email = json!(format!("{}@landlord.example", uuid::Uuid::now_v7().simple()));
        }
    }
    requests
}

#[tokio::test]
async fn without_postgresql_every_route_that_needs_it_returns_503_in_time_and_recovers() {
    let world = World::new().await;
    let mut config = world.api();
    let (proxy, url) = Proxy::before(&config.url).await;
    config.url = url;
    let parts = Parts { platform: Postgres::connect(&config).unwrap(), ..Parts::of(&world) };
    let api = Api::with(&parts).await;
    let id = api.create_tenant("before").await["id"].as_str().unwrap().to_owned();
    for mode in [Mode::Cut, Mode::Hang] {
        proxy.set(mode);
        let requests = requests(&parts);
        assert!(requests.len() > 20, "{requests:?}");
        join_all(requests.into_iter().map(|request| expect_unavailable(&api, mode, request))).await;
        proxy.set(Mode::Pass);
        let recovered = api.get(&format!("/tenants/{id}")).await;
        assert_eq!(recovered.status, StatusCode::OK, "{mode:?}: {}", recovered.text);
    }
    assert_eq!(world.count("SELECT FROM tenants").await, 1);
}

/// Sends a request, and expects a 503 in time that contains no internal detail.
async fn expect_unavailable(api: &Api, mode: Mode, request: ExampleRequest) {
    let ExampleRequest { operation, method, path, body } = request;
    let mut request = api.anonymous_root(method, &path).bearer_auth(&api.token);
    if let Some(body) = &body {
        request = request.json(body);
    }
    let started = Instant::now();
    let answer = answer(request).await;
    let duration = started.elapsed();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{mode:?} {operation}: {}", answer.text);
    assert!(!answer.header("retry-after").is_empty(), "{mode:?} {operation}");
    assert!(duration < Duration::from_secs(9), "{mode:?} {operation} took {duration:?}");
    for internal in ["127.0.0.1", "landlord_", "SELECT", "connection"] {
        assert!(!answer.text.contains(internal), "{mode:?} {operation}: {}", answer.text);
    }
}

#[tokio::test]
async fn without_redis_signing_in_returns_503_and_other_routes_work() {
    let world = World::new().await;
    let (proxy, url) = Proxy::before(&variable("REDIS_URL").into()).await;
    let redis = RedisConfig { url, ca_file: None, timeout: Duration::from_millis(500) };
    let api = Api::with(&Parts { redis, ..Parts::of(&world) }).await;
    let sign_in = async || {
        let body = json!({"email": "unknown@landlord.example", "password": uuid::Uuid::now_v7().to_string()});
        let started = Instant::now();
        let answer = answer(api.anonymous(Method::POST, "/auth/login").json(&body)).await;
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        answer
    };
    for mode in [Mode::Cut, Mode::Hang] {
        proxy.set(mode);
        let answer = sign_in().await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{mode:?}: {}", answer.text);
        assert!(!answer.header("retry-after").is_empty());
        // The token that was not refreshed is still valid.
        assert_eq!(api.post("/auth/refresh", &json!({})).await.status, StatusCode::SERVICE_UNAVAILABLE, "{mode:?}");
        assert_eq!(api.get("/tenants").await.status, StatusCode::OK);
        proxy.set(Mode::Pass);
        let back = sign_in().await.status;
        assert!([StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&back), "{mode:?}: {back}");
    }
    // Connections that a restart of Redis has cut are replaced without an error.
    proxy.set(Mode::Cut);
    tokio::time::sleep(Duration::from_millis(100)).await;
    proxy.set(Mode::Pass);
    let restarted = sign_in().await.status;
    assert!([StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&restarted), "{restarted}");
}

#[tokio::test]
async fn while_redis_is_suspended_signing_in_returns_503_and_other_routes_work() {
    let world = World::new().await;
    let server = OwnRedis::start().await;
    let redis = RedisConfig { url: server.url().into(), ca_file: None, timeout: Duration::from_millis(500) };
    let api = Api::with(&Parts { redis, ..Parts::of(&world) }).await;
    let sign_in = async || {
        let body = json!({"email": "unknown@landlord.example", "password": uuid::Uuid::now_v7().to_string()});
        answer(api.anonymous(Method::POST, "/auth/login").json(&body)).await
    };
    // A connection exists.
    assert_eq!(sign_in().await.status, StatusCode::UNAUTHORIZED);
    server.freeze();
    let started = Instant::now();
    let refused = sign_in().await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text);
    assert!(!refused.header("retry-after").is_empty() && started.elapsed() < Duration::from_secs(3), "{refused:?}");
    assert_eq!(api.get("/tenants").await.status, StatusCode::OK);
    server.thaw();
    assert_eq!(sign_in().await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_sqs_a_tenant_is_accepted_and_its_message_stays_in_the_outbox() {
    let world = World::new().await;
    let mut parts = Parts::of(&world);
    parts.queues.provision = Some("http://127.0.0.1:9/queue/gone".to_owned());
    let api = Api::with(&parts).await;
    let started = Instant::now();
    let created = api.post("/tenants", &tenant_request("kopi-kenangan")).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!(world.count("SELECT FROM outbox WHERE destination = 'provision'").await, 1);
    assert!(queues::drain(&world.provision_queue_url).await.is_empty());
}

#[tokio::test]
async fn a_function_that_froze_in_a_transaction_loses_its_locks_before_waiting_functions_time_out() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let id = api.create_tenant("frozen").await["id"].as_str().unwrap().to_owned();
    // A frozen process: the transaction is not polled again, and its connection stays open.
    let config = PostgresConfig { statement_timeout: Duration::from_secs(2), ..world.api() };
    let platform = Postgres::connect(&config).unwrap();
    let mut frozen = platform.get().await.unwrap();
    let transaction = frozen.transaction().await.unwrap();
    let lock = transaction.query("SELECT FROM tenants FOR UPDATE", &[]).await.unwrap();
    assert_eq!(lock.len(), 1);
    let begun = Instant::now();
    let mut other = platform.get().await.unwrap();
    let waiting = other.transaction().await.unwrap();
    let found = tenants::store::find_for_update(&waiting, id.parse().unwrap()).await.unwrap();
    assert_eq!(found.slug, "frozen");
    let waited = begun.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(2)).contains(&waited), "{waited:?}");
    let late = Error::from(transaction.query("SELECT 1", &[]).await.unwrap_err());
    assert!(matches!(late, Error::Unavailable { .. }), "{late:?}");
}
