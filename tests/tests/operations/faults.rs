//! Waiting while a store is down or hangs.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use shared::{clients::postgres::Postgres, config::RedisConfig};
use tests::{
    Api, World,
    api::Parts,
    proxy::{Mode, Proxy},
    variable,
};

use crate::stage::OperationsStage;

#[tokio::test]
async fn without_redis_a_request_that_wants_to_wait_is_answered_at_once() {
    let (proxy, url) = Proxy::before(&variable("REDIS_URL").into()).await;
    let redis = RedisConfig { url, ca_file: None, timeout: Duration::from_millis(500) };
    let stage = OperationsStage::with(|parts| Parts { redis, ..parts }).await;
    let id = stage.operation("kopi-kenangan").await;
    for mode in [Mode::Cut, Mode::Hang] {
        proxy.set(mode);
        let (answer, elapsed) = stage.get(id, "wait=20", None).await;
        assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::OK, "5"), "{mode:?}: {}", answer.text);
        assert_eq!(answer.json["status"], "pending");
        assert!(elapsed < Duration::from_secs(5), "{mode:?}: {elapsed:?}");
    }
}

/// An API whose connections to PostgreSQL go through the proxy.
async fn behind_proxy(world: &World) -> (Proxy, Api) {
    let mut config = world.api();
    let (proxy, url) = Proxy::before(&config.url).await;
    config.url = url;
    config.connect_timeout = Duration::from_secs(2);
    let parts = Parts { platform: Postgres::connect(&config).unwrap(), ..Parts::of(world) };
    (proxy, Api::with(&parts).await)
}

#[tokio::test]
async fn a_wait_outlives_a_restart_of_postgresql() {
    let stage = OperationsStage::new().await;
    let (proxy, api) = behind_proxy(&stage.world).await;
    let id = stage.operation("kopi-kenangan").await;
    let path = format!("/operations/{id}?wait=20");
    let (waited, ()) = tokio::join!(api.get(&path), async {
        stage.until_waiting(1).await;
        proxy.set(Mode::Cut);
        tokio::time::sleep(Duration::from_secs(1)).await;
        stage.take(id).await;
        proxy.set(Mode::Pass);
    });
    assert_eq!((waited.status, waited.json["status"].as_str()), (StatusCode::OK, Some("running")), "{}", waited.text);
}

#[tokio::test]
async fn a_wait_that_ends_while_postgresql_is_down_or_hangs_is_a_503_in_time() {
    let stage = OperationsStage::new().await;
    let (proxy, api) = behind_proxy(&stage.world).await;
    let id = stage.operation("kopi-kenangan").await;
    for mode in [Mode::Cut, Mode::Hang] {
        let path = format!("/operations/{id}?wait=2");
        let begun = Instant::now();
        let (waited, ()) = tokio::join!(api.get(&path), async {
            stage.until_waiting(1).await;
            proxy.set(mode);
        });
        assert_eq!(waited.status, StatusCode::SERVICE_UNAVAILABLE, "{mode:?}: {}", waited.text);
        assert!(!waited.header("retry-after").is_empty(), "{mode:?}");
        assert!(begun.elapsed() < Duration::from_secs(9), "{mode:?}: {:?}", begun.elapsed());
        proxy.set(Mode::Pass);
        assert_eq!(api.get(&format!("/operations/{id}")).await.status, StatusCode::OK, "{mode:?}");
        assert_eq!(stage.waiting().await, 0);
    }
}
