//! Reports are shared by concurrent requests, and for as long as they are fresh.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, routing::get};
use futures::future::join_all;
use redis::aio::MultiplexedConnection;
use reqwest::{Method, StatusCode};
use shared::{health::Component, types::Microservice};
use tests::{Api, api::answer, proxy::Mode};

use crate::stage::{HealthStage, LIMIT, MARGIN};

/// A service that counts its requests and responds after `time`.
async fn counted(time: Duration) -> (String, Arc<AtomicUsize>) {
    let probed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&probed);
    let service = Api::serve(Router::new().route(
        "/health",
        get(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            async move { tokio::time::sleep(time).await }
        }),
    ))
    .await;
    (service.base.replace("/api/super-admin", "/health"), probed)
}

/// A stage with a service that responds at once, to count how often everything was probed.
async fn stage() -> (HealthStage, Arc<AtomicUsize>) {
    let (url, probed) = counted(Duration::ZERO).await;
    let stage = HealthStage::with(|targets| targets.health.services = vec![(Microservice::AiAgent, url)]).await;
    (stage, probed)
}

/// A stage whose probes take a second, and whose timeouts are long: on a busy machine, all requests of a test arrive within one
/// round, and Redis answers in the tenth of the timeout that it is given.
async fn unhurried_stage() -> (HealthStage, Arc<AtomicUsize>) {
    let (url, probed) = counted(Duration::from_secs(1)).await;
    let stage = HealthStage::with(|targets| {
        targets.health.services = vec![(Microservice::AiAgent, url)];
        targets.health.probe_timeout = Duration::from_secs(20);
    });
    (stage.await, probed)
}

async fn redis() -> MultiplexedConnection {
    tests::redis_client().get_multiplexed_async_connection().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_concurrent_requests_cause_one_round_of_probes() {
    let (stage, probed) = unhurried_stage().await;
    let paths = ["/health?live=true", "/health", "/health?max_age=0"];
    let answers = join_all((0..20).map(|number| stage.api.get(paths[number % 3]))).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.json), (StatusCode::OK, &answers[0].json));
    }
    assert_eq!(probed.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_concurrent_requests_to_several_processes_cause_one_round_of_probes() {
    let (stage, probed) = unhurried_stage().await;
    let others = [stage.another().await, stage.another().await];
    // Opens the connections of each process, because the first ones are slow in a debug build.
    join_all([&stage.api, &others[0], &others[1]].map(|api| api.get("/health?live=true"))).await;
    probed.store(0, Ordering::SeqCst);
    let requests = (0..20).map(|number| {
        let api = [&stage.api, &others[0], &others[1]][number % 3];
        api.get("/health?live=true")
    });
    let answers = join_all(requests).await;
    assert!(answers.iter().all(|answer| answer.json == answers[0].json), "{answers:?}");
    assert_eq!(probed.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_reused_while_it_is_fresh() {
    let (stage, probed) = stage().await;
    let first = stage.api.get("/health").await;
    let seen = |count: usize| assert_eq!(probed.load(Ordering::SeqCst), count);
    seen(1);
    // By every caller, in any process.
    let other = stage.another().await;
    for path in ["/health", "/health?max_age=3600", "/health?live=false", "/health?max_age=5"] {
        assert_eq!(other.get(path).await.json, first.json, "{path}");
    }
    assert_eq!(answer(stage.api.anonymous(Method::GET, "/health")).await.json["status"], "healthy");
    seen(1);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let second = stage.api.get("/health?max_age=1").await;
    assert_ne!(second.json["checked_at"], first.json["checked_at"]);
    seen(2);
    let third = stage.api.get("/health?live=true").await;
    assert_ne!(third.json["checked_at"], second.json["checked_at"]);
    seen(3);
    assert_eq!(other.get("/health").await.json, third.json);
    seen(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_every_request_probes_and_the_response_is_in_time() {
    let (stage, probed) = stage().await;
    stage.api.get("/health").await;
    for mode in [Mode::Cut, Mode::Hang] {
        stage.set(Component::Redis, mode);
        let before = probed.load(Ordering::SeqCst);
        for round in 1..=2 {
            let begun = Instant::now();
            let report = stage.api.get("/health").await;
            let took = begun.elapsed();
            assert_eq!(report.status, StatusCode::SERVICE_UNAVAILABLE, "{mode:?}: {}", report.text);
            assert_eq!(report.json["infrastructure"]["redis"]["status"], "down", "{mode:?}");
            assert_eq!(report.json["infrastructure"]["postgresql"]["status"], "up", "{mode:?}");
            assert!(took < LIMIT + MARGIN, "{mode:?}: {took:?}");
            assert_eq!(probed.load(Ordering::SeqCst), before + round, "{mode:?}");
        }
        stage.set(Component::Redis, Mode::Pass);
        stage.assert_healthy().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_claim_of_a_dead_process_delays_no_request() {
    let (stage, probed) = stage().await;
    stage.api.get("/health").await;
    let key = format!("{}health:probing", stage.targets.redis_prefix);
    redis::cmd("SET").arg(key).arg("dead").arg("PX").arg(60_000).query_async::<()>(&mut redis().await).await.unwrap();
    let (report, took) = stage.live().await;
    assert_eq!(report.status, StatusCode::OK, "{}", report.text);
    assert!(took < LIMIT, "{took:?}");
    assert_eq!(probed.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_report_of_another_form_is_ignored() {
    let (stage, probed) = stage().await;
    let key = format!("{}health:latest", stage.targets.redis_prefix);
    for text in ["", "{}", "nonsense", r#"{"status":"healthy"}"#] {
        redis::cmd("SET").arg(&key).arg(text).arg("EX").arg(60).query_async::<()>(&mut redis().await).await.unwrap();
        let before = probed.load(Ordering::SeqCst);
        let report = stage.api.get("/health").await;
        assert_eq!((report.status, probed.load(Ordering::SeqCst)), (StatusCode::OK, before + 1), "{text}");
    }
}
