//! The API of reconciliations and dead letters, and the schedule.

use std::time::Duration;

use lambda_runtime::{Context, LambdaEvent};
use reconcile_tenants::continue_or_begin;
use reqwest::{Method, StatusCode};
use serde_json::json;
use shared::{config::ReconciliationConfig, tenants::TENANT_SCHEMA_VERSION, types::TenantId, worker::invoke};
use tests::{
    Api, TestTenant, World,
    api::{Parts, answer},
    captured_log::{CapturedLog, metric},
    queues, tokens,
};
use uuid::Uuid;

/// An API whose requests have time for a reconciliation.
async fn patient_api(world: &World) -> Api {
    Api::with(&Parts { reconciling_time: Duration::from_secs(20), ..Parts::of(world) }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_compares_everything_and_repairs_nothing_unless_asked() {
    let world = World::new().await;
    let api = patient_api(&world).await;

    let dry = answer(api.request(Method::POST, "/reconciliations")).await;

    assert_eq!(dry.status, StatusCode::CREATED, "{}", dry.text);
    assert_eq!((&dry.json["dry_run"], &dry.json["requested_by"]), (&json!(true), &json!(tokens::OWNER)));
    assert!(dry.json["finished_at"].is_string() && dry.json["findings"].is_array(), "{}", dry.text);
    assert_eq!(dry.json["unknown"], json!([]));
    let path = format!("/reconciliations/{}", dry.json["id"].as_str().unwrap());
    assert_eq!(dry.header("location"), format!("/api/super-admin{path}"));
    let read = api.get(&path).await;
    assert_eq!(
        (read.status, &read.json["id"], &read.json["counts"]),
        (StatusCode::OK, &dry.json["id"], &dry.json["counts"])
    );
    assert_eq!(world.count("SELECT FROM audit WHERE action = 'reconciliation.create'").await, 1);

    let repairing = api.post("/reconciliations", &json!({ "dry_run": false })).await;

    assert_eq!((repairing.status, &repairing.json["dry_run"]), (StatusCode::CREATED, &json!(false)));
    let list = api.get("/reconciliations?limit=1").await;
    assert_eq!(list.json[0]["id"], repairing.json["id"], "the newest comes first");
    assert!(list.header("link").contains("rel=\"next\""));
    assert_eq!(api.get("/reconciliations?dry_run=true").await.json.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_and_request_nothing() {
    let world = World::new().await;
    let api = Api::with(&Parts::of(&world)).await;
    for (body, pointer) in [(json!({ "dry_run": "no" }), "/dry_run"), (json!({ "dry": false }), "/dry")] {
        let refused = api.post("/reconciliations", &body).await;
        assert_eq!((refused.status, refused.faults()), (StatusCode::UNPROCESSABLE_ENTITY, vec![pointer.to_owned()]));
    }
    let text = answer(api.request(Method::POST, "/reconciliations").body("dry_run=false")).await;
    assert_eq!(text.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{}", text.text);
    assert_eq!(api.post("/dead-letters/redrive", &json!({ "remove_unknown": 1 })).await.faults(), ["/remove_unknown"]);
    assert_eq!(api.get(&format!("/reconciliations/{}", Uuid::now_v7())).await.status, StatusCode::NOT_FOUND);
    assert_eq!(api.get(&format!("/reconciliations/{}?kind=lost", Uuid::now_v7())).await.faults(), ["kind"]);
    assert_eq!(api.get("/reconciliations/7").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(api.get("/reconciliations?dry_run=perhaps").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.count("SELECT FROM reconciliations").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_time_leaves_the_work_to_the_schedule() {
    let world = World::new().await;
    let parts = Parts::of(&world);
    let api = Api::with(&parts).await;
    let begun = api.post("/reconciliations", &json!({})).await;
    assert!(begun.json["finished_at"].is_null(), "{}", begun.text);
    let app = parts.reconciliation();
    let tick = async |app: &reconcile_tenants::App| {
        let event = json!({ "source": "aws.scheduler" });
        json!(invoke(app, continue_or_begin, LambdaEvent::new(event, Context::default())).await.unwrap())
    };

    let continued = tick(&app).await;

    assert_eq!((&continued["reconciliation_id"], &continued["finished"]), (&begun.json["id"], &json!(true)));
    let path = format!("/reconciliations/{}", begun.json["id"].as_str().unwrap());
    assert!(api.get(&path).await.json["finished_at"].is_string());
    // Now the schedule begins its own, once per interval.
    let own = tick(&app).await;
    assert_eq!(own["finished"], true);
    let path = format!("/reconciliations/{}", own["reconciliation_id"].as_str().unwrap());
    let report = api.get(&path).await.json;
    assert_eq!((&report["dry_run"], &report["requested_by"]), (&json!(true), &json!("system")));
    assert!(tick(&app).await["reconciliation_id"].is_null());
    let eager = reconcile_tenants::App { config: ReconciliationConfig { interval: Duration::ZERO }, ..app };
    assert!(tick(&eager).await["reconciliation_id"].is_string());
}

#[tokio::test]
async fn a_report_can_be_limited_to_a_kind_and_the_schedule_reports_differences() {
    let world = World::new().await;
    let parts = Parts::of(&world);
    // Nothing of this tenant exists.
    TestTenant::of(TenantId::generate()).register(&world.client().await, TENANT_SCHEMA_VERSION, None).await;
    let log = CapturedLog::start();

    let event = LambdaEvent::new(json!({ "source": "aws.scheduler" }), Context::default());
    let run = json!(invoke(&parts.reconciliation(), continue_or_begin, event).await.unwrap());

    let lines = log.take();
    let [differences] = metric(&lines, "StoreDifferences")[..] else { panic!("{lines:#?}") };
    assert!(differences >= 3.0, "the tenant is missing in three stores: {differences}");
    let path = format!("/reconciliations/{}?kind=missing", run["reconciliation_id"].as_str().unwrap());
    let missing = Api::with(&parts).await.get(&path).await;
    let findings = missing.json["findings"].as_array().unwrap();
    assert!(findings.len() == 3 && findings.iter().all(|one| one["kind"] == "missing"), "{}", missing.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_removes_useless_dead_letters() {
    let world = World::new().await;
    let queue = queues::with_dead_letters(&world.database, 1).await;
    let mut parts = Parts::of(&world);
    parts.queues.relay = Some(queue.url.clone());
    let api = Api::with(&parts).await;
    queue.send_dead_letter(r#"{"poke":true}"#).await;
    queue.send_dead_letter("garbage").await;
    let listed = api.get("/dead-letters").await;
    let mut actions: Vec<_> =
        listed.json.as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
    actions.sort_unstable();
    assert_eq!((listed.status, actions), (StatusCode::OK, vec!["keep", "remove"]), "{}", listed.text);

    let event = LambdaEvent::new(json!({ "source": "aws.scheduler" }), Context::default());
    invoke(&parts.reconciliation(), continue_or_begin, event).await.unwrap();

    assert_eq!(queue.dead_letters().await, 1);
    let audited = "SELECT FROM audit WHERE action = 'dead_letters.redrive' AND actor = 'system'";
    assert_eq!(world.count(audited).await, 1);
    let redriven = answer(api.request(Method::POST, "/dead-letters/redrive")).await;
    assert_eq!((redriven.status, redriven.json), (StatusCode::OK, json!({ "removed": 0, "woken": 0, "kept": 1 })));
    let removed = api.post("/dead-letters/redrive", &json!({ "remove_unknown": true })).await;
    assert_eq!(removed.json, json!({ "removed": 1, "woken": 0, "kept": 0 }));
    assert_eq!(queue.dead_letters().await, 0);
}
