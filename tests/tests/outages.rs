//! If a store is down or hangs, requests get a clear response within the deadline, and nothing is written in part.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    clients::postgres::Postgres,
    config::{PostgresConfig, RedisConfig},
    error::Error,
    tenants,
};
use tests::{
    Api, World,
    api::{Parts, answer, tenant_request},
    proxy::{Mode, Proxy},
    queues, variable,
};

fn user_request(tenant_id: &str) -> Value {
    json!({
        "tenant_id": tenant_id, "email": "budi@kopi.example", "full_name": "Budi", "role": "agent",
        "password": "tidal-mango-orbit-42",
    })
}

#[tokio::test]
async fn without_postgresql_routes_return_503_in_time_and_work_again_after_it_is_back() {
    let world = World::new().await;
    let mut config = world.api();
    let (proxy, url) = Proxy::before(&config.url).await;
    config.url = url;
    let parts = Parts { platform: Postgres::connect(&config).unwrap(), ..Parts::of(&world) };
    let api = Api::with(&parts).await;
    let id = api.create_tenant("before").await["id"].as_str().unwrap().to_owned();
    for mode in [Mode::Cut, Mode::Hang] {
        proxy.set(mode);
        let requests = [
            (Method::POST, "/auth/login".to_owned(), Some(json!({"email": format!("{mode:?}@x"), "password": "x"}))),
            (Method::GET, "/tenants".to_owned(), None),
            (Method::GET, "/tenants/usage".to_owned(), None),
            (Method::POST, "/tenants".to_owned(), Some(tenant_request("during"))),
            (Method::GET, format!("/tenants/{id}"), None),
            (Method::PATCH, format!("/tenants/{id}"), Some(json!({"name": "x"}))),
            (Method::GET, format!("/tenants/{id}/operations"), None),
            (Method::POST, format!("/tenants/{id}/retry"), None),
            (Method::GET, "/impersonations".to_owned(), None),
            (
                Method::POST,
                "/impersonations".to_owned(),
                Some(json!({"tenant_id": id, "user_id": id, "reason": "Looks at the inbox"})),
            ),
            (Method::GET, format!("/impersonations/{id}"), None),
            (Method::DELETE, format!("/impersonations/{id}"), None),
            (Method::GET, "/health/history".to_owned(), None),
            (Method::GET, format!("/users?tenant_id={id}"), None),
            (Method::POST, "/users".to_owned(), Some(user_request(&id))),
            (Method::PATCH, format!("/users/{id}?tenant_id={id}"), Some(json!({"full_name": "x"}))),
        ];
        join_all(requests.into_iter().map(|(method, path, body)| assert_unavailable(&api, mode, method, path, body)))
            .await;
        proxy.set(Mode::Pass);
        let back = api.get(&format!("/tenants/{id}")).await;
        assert_eq!(back.status, StatusCode::OK, "{mode:?}: {}", back.text);
    }
    assert_eq!(world.count("SELECT FROM tenants").await, 1);
}

/// Sends a request that must fail with 503, in time, with a response that contains no internal details.
async fn assert_unavailable(api: &Api, mode: Mode, method: Method, path: String, body: Option<Value>) {
    let mut request = api.request(method.clone(), &path);
    if let Some(body) = &body {
        request = request.json(body);
    }
    let started = Instant::now();
    let response = answer(request).await;
    let took = started.elapsed();
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE, "{mode:?} {method} {path}: {}", response.text);
    assert!(!response.header("retry-after").is_empty(), "{mode:?} {method} {path}");
    assert!(took < Duration::from_secs(9), "{mode:?} {method} {path} took {took:?}");
    for internal in ["127.0.0.1", "landlord_", "SELECT", "connection"] {
        assert!(!response.text.contains(internal), "{mode:?} {method} {path}: {}", response.text);
    }
}

#[tokio::test]
async fn without_redis_sign_in_fails_and_other_requests_work() {
    let world = World::new().await;
    let (proxy, url) = Proxy::before(&variable("REDIS_URL").into()).await;
    let redis = RedisConfig { url, timeout: Duration::from_millis(500) };
    let api = Api::with(&Parts { redis, ..Parts::of(&world) }).await;
    let sign_in = async || {
        let body = json!({"email": "nobody@landlord.example", "password": uuid::Uuid::now_v7().to_string()});
        let started = Instant::now();
        let answer = answer(api.anonymous(Method::POST, "/auth/login").json(&body)).await;
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        answer
    };
    for mode in [Mode::Cut, Mode::Hang] {
        proxy.set(mode);
        let response = sign_in().await;
        assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE, "{mode:?}: {}", response.text);
        assert!(!response.header("retry-after").is_empty());
        assert_eq!(api.get("/tenants").await.status, StatusCode::OK);
        proxy.set(Mode::Pass);
        let back = sign_in().await.status;
        assert!([StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&back), "{mode:?}: {back}");
    }
    // A restart between two requests has no effect.
    proxy.set(Mode::Cut);
    tokio::time::sleep(Duration::from_millis(100)).await;
    proxy.set(Mode::Pass);
    let after_restart = sign_in().await.status;
    assert!([StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&after_restart), "{after_restart}");
}

#[tokio::test]
async fn without_sqs_a_tenant_is_created_and_its_message_stays_in_the_outbox() {
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
async fn a_function_that_froze_in_a_transaction_loses_its_locks_before_other_requests_time_out() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let id = api.create_tenant("frozen").await["id"].as_str().unwrap().to_owned();
    // Like a frozen process: nothing polls this transaction until the end of the test, and its connection stays open.
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
