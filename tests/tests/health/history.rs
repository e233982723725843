//! `GET /health/history`: states, changes, uptime, and the samples of one component.

use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::health::Component;
use tests::{Api, World};

/// Ten hours of samples of one component: of each ten, one is down, one degraded, and the others up.
async fn fill(world: &World) {
    world
        .client()
        .await
        .batch_execute(
            "INSERT INTO health_samples (component, at, up, degraded, down, latency_ms)
             SELECT 'redis', now() - n * interval '1 minute', (n % 10 > 1)::integer, (n % 10 = 1)::integer,
                    (n % 10 = 0)::integer, CASE WHEN n % 10 > 0 THEN 1.5 END
             FROM generate_series(1, 600) AS n;
             INSERT INTO health_states (component, state, since, recent, sampled_at)
             VALUES ('redis', 'up', now() - interval '3 hours', '{up,up,down}', now()),
                    ('mysql', 'up', now(), '{up}', now());
             INSERT INTO health_changes (component, at, from_state, to_state, error)
             VALUES ('redis', now() - interval '4 hours', 'up', 'down', 'no response within 1000 ms'),
                    ('redis', now() - interval '3 hours', 'down', 'up', NULL),
                    ('redis', now() - interval '30 hours', 'up', 'down', NULL),
                    ('mysql', now() - interval '1 hour', 'up', 'down', NULL)",
        )
        .await
        .unwrap();
}

fn component<'a>(history: &'a Value, name: &str) -> &'a Value {
    let all = history["components"].as_array().unwrap();
    all.iter().find(|entry| entry["component"] == name).unwrap()
}

#[tokio::test]
async fn the_history_contains_the_state_changes_and_uptime_of_every_component() {
    let world = World::new().await;
    fill(&world).await;
    let api = Api::of(&world).await;
    let history = api.get("/health/history").await;
    assert_eq!(history.status, StatusCode::OK, "{}", history.text);
    let names: Vec<_> = history.json["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["component"].as_str().unwrap())
        .collect();
    assert_eq!(names, Component::ALL.map(Component::as_str));
    let redis = component(&history.json, "redis");
    assert_eq!((&redis["state"], &redis["samples_total"], &redis["uptime"]), (&json!("up"), &json!(600), &json!(0.9)));
    let changes = redis["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert_eq!((&changes[0]["from"], &changes[0]["to"]), (&json!("down"), &json!("up")));
    assert_eq!(changes[1]["error"], "no response within 1000 ms");
    assert_eq!(changes[0]["at"].as_str().unwrap()[..16], redis["since"].as_str().unwrap()[..16]);
    assert!(redis.get("samples").is_none());
    // A component that was never sampled has no state.
    let unsampled = json!({
        "component": "kafka", "state": null, "since": null, "uptime": null, "samples_total": 0, "changes": [],
    });
    assert_eq!(component(&history.json, "kafka"), &unsampled);
}

#[tokio::test]
async fn one_component_has_its_samples_over_the_requested_hours() {
    let world = World::new().await;
    fill(&world).await;
    let api = Api::of(&world).await;
    let history = api.get("/health/history?component=redis&hours=1").await;
    assert_eq!(history.status, StatusCode::OK, "{}", history.text);
    assert_eq!(history.json["components"].as_array().unwrap().len(), 1);
    let redis = component(&history.json, "redis");
    let samples = redis["samples"].as_array().unwrap();
    assert!((59..=60).contains(&samples.len()), "{}", samples.len());
    assert_eq!(redis["samples_total"], json!(samples.len()));
    assert!(samples.windows(2).all(|pair| pair[0]["at"].as_str() < pair[1]["at"].as_str()));
    let last = &samples[samples.len() - 1];
    assert_eq!((&last["degraded"], &last["latency_ms"], &last["span_seconds"]), (&json!(1), &json!(1.5), &json!(0)));
    assert_eq!(redis["changes"], json!([]));
    assert_eq!(redis["state"], "up");
    let month = api.get("/health/history?component=redis&hours=720").await;
    assert_eq!(component(&month.json, "redis")["changes"].as_array().unwrap().len(), 3);
    assert_eq!(component(&month.json, "redis")["samples_total"], 600);
}
