//! One trace id from the request through the queue and the worker to the topic, and the metrics on the way.

use std::{sync::Arc, time::Duration};

use lambda_runtime::{Context, LambdaEvent};
use relay_events::handle;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    clients::{postgres::Postgres, redis::Redis, s3::Bucket},
    config::{
        Cluster, Clusters, ConfigError, FromEnv, MongoSettings, PostgresConfig, ProvisioningConfig, QueueConfig,
        RedisConfig, S3Config, ServiceLoginConfig,
    },
    events::dispatch::Dispatcher,
    http::{Routes, serve},
    provisioning::{Provisioner, Stores},
    tenants::TENANT_SCHEMA_VERSION,
    types::{TenantId, TraceId},
    worker::invoke,
};
use tests::{
    Api,
    api::{answer, tenant_request},
    captured_log::{CapturedLog, metric},
    queues, variable,
};
use uuid::Uuid;

use crate::{scheduled, stage::RelayStage};

const TRACE: &str = "5759e988bd862e3fe1be46a994272793";
const X_RAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

/// The function `provision-tenant`, on clusters with room for this many tenants.
fn provisioner(stage: &RelayStage, max_tenants: i64) -> provision_tenant::App {
    let postgres = PostgresConfig { pool_size: 8, ..stage.world.provisioner() };
    let cluster = |url| Clusters(vec![Cluster { name: "main".to_owned(), url, max_tenants, open: true, variable: "" }]);
    let bucket = Bucket::connect(&S3Config::from_env().unwrap()).unwrap();
    let mongo = cluster(variable("MONGODB_URL").into());
    let settings = MongoSettings { timeout: Duration::from_secs(10), ..MongoSettings::from_env().unwrap() };
    let redis = Redis::connect(&RedisConfig::from_env().unwrap()).unwrap();
    let logins = ServiceLoginConfig::from_env().unwrap();
    let stores =
        Stores::connect(cluster(postgres.url.clone()), &postgres, mongo, &settings, bucket, redis, &logins).unwrap();
    let queues = QueueConfig { provision: None, relay: Some(stage.world.relay_queue_url.clone()), measure: None };
    provision_tenant::App {
        provisioner: Arc::new(Provisioner {
            platform: Postgres::connect(&postgres).unwrap(),
            stores: Arc::new(stores),
            config: ProvisioningConfig::new(Duration::from_mins(1)),
            tenant_schema_version: TENANT_SCHEMA_VERSION,
            observer: None,
        }),
        dispatcher: Arc::new(Dispatcher::new(queues)),
    }
}

/// Delivers the waiting messages of the queue to the function, and returns their bodies.
async fn deliver(stage: &RelayStage, app: &provision_tenant::App) -> Vec<Value> {
    let bodies = queues::drain(&stage.world.provision_queue_url).await;
    let record = |body: &String| json!({ "messageId": Uuid::now_v7(), "body": body });
    let batch = json!({ "Records": bodies.iter().map(record).collect::<Vec<_>>() });
    let response = invoke(app, provision_tenant::handle, LambdaEvent::new(batch, Context::default())).await.unwrap();
    assert_eq!(response["batchItemFailures"], json!([]), "{response}");
    bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
}

async fn create_tenant(api: &Api, header: (&str, &str)) {
    let slug = format!("t{}", Uuid::now_v7().simple());
    let request = api.request(Method::POST, "/tenants").header(header.0, header.1).json(&tenant_request(&slug));
    let created = answer(request).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
}

/// Every line has this trace id.
fn assert_traced(lines: &[Value], what: &str) {
    assert!(!lines.is_empty(), "{what} logs something");
    let others: Vec<_> = lines.iter().filter(|line| line["trace_id"] != TRACE).collect();
    assert!(others.is_empty(), "{what}: {others:#?}");
}

#[tokio::test]
async fn one_trace_id_is_in_the_log_of_the_function_and_the_worker_and_in_the_headers_of_both_events() {
    let stage = RelayStage::new().await;
    let (api, worker, relay) = (Api::of(&stage.world).await, provisioner(&stage, 10), stage.relay());
    let log = CapturedLog::start();
    create_tenant(&api, ("x-amzn-trace-id", X_RAY)).await;
    let of_function = log.take();
    assert_traced(&of_function, "create-tenant");
    assert!(of_function.iter().any(|line| line["message"] == "request" && line["span"]["http.method"] == "POST"));

    let bodies = deliver(&stage, &worker).await;
    assert_eq!(bodies[0]["trace_id"], TRACE, "the message to the worker");
    let of_worker = log.take();
    assert_traced(&of_worker, "provision-tenant");
    assert!(of_worker.iter().any(|line| line["message"] == "the tenant has its databases"), "{of_worker:#?}");
    assert_eq!(metric(&of_worker, "ProvisioningFailures"), [0.0]);
    assert!(metric(&of_worker, "ProvisioningDuration")[0] > 0.0);

    invoke(&relay, handle, scheduled()).await.unwrap();
    let messages = stage.read();
    let kinds: Vec<_> = messages.iter().map(|message| message.payload["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["tenant.requested", "tenant.provisioned"]);
    for message in messages {
        let header = &message.headers["traceparent"];
        assert_eq!(TraceId::from_traceparent(header).unwrap().to_string(), TRACE, "{header}");
    }
    let of_relay = log.take();
    assert!(metric(&of_relay, "RelayLag")[0] > 0.0, "{of_relay:#?}");
    for gauge in ["OldestOperationAge", "OutboxAge", "RefusedEvents", "DeferredChanges"] {
        assert_eq!(metric(&of_relay, gauge), [0.0], "{gauge}: {of_relay:#?}");
    }
}

#[tokio::test]
async fn the_trace_id_survives_a_lost_message_and_is_that_of_the_caller_outside_of_lambda() {
    let stage = RelayStage::new().await;
    let api = Api::of(&stage.world).await;
    create_tenant(&api, ("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01"))).await;
    assert_eq!(queues::drain(&stage.world.provision_queue_url).await.len(), 1, "the message that is lost");
    let aged =
        "UPDATE operations SET created_at = now() - interval '1 hour', next_attempt_at = now() - interval '1 hour'";
    stage.world.client().await.batch_execute(aged).await.unwrap();

    let log = CapturedLog::start();
    let relay = stage.relay();
    let report = invoke(&relay, handle, scheduled()).await.unwrap();
    assert_eq!(report["operations_woken"], 1, "{report}");
    let lines = log.take();
    let sent: Vec<_> = lines.iter().filter(|line| line["message"] == "sent to the queue").collect();
    assert_eq!(sent[0]["trace_id"], TRACE);
    assert!((3600.0..3700.0).contains(&metric(&lines, "OldestOperationAge")[0]), "{lines:#?}");
    let bodies = queues::drain(&stage.world.provision_queue_url).await;
    let body: Value = serde_json::from_str(&bodies[0]).unwrap();
    assert_eq!(body["trace_id"], TRACE);
}

#[tokio::test]
async fn a_provisioning_that_fails_reports_it_with_its_duration_and_the_full_clusters() {
    let stage = RelayStage::new().await;
    let (api, worker) = (Api::of(&stage.world).await, provisioner(&stage, 0));
    create_tenant(&api, ("x-amzn-trace-id", X_RAY)).await;
    let log = CapturedLog::start();
    deliver(&stage, &worker).await;
    let lines = log.take();
    assert_traced(&lines, "provision-tenant");
    assert_eq!(metric(&lines, "ProvisioningFailures"), [1.0], "{lines:#?}");
    assert_eq!(metric(&lines, "ProvisioningDuration").len(), 1);
    assert_eq!(metric(&lines, "NoClusterHasRoom"), [1.0]);
    for line in lines.iter().filter(|line| line["_aws"].is_object()) {
        println!("{line}");
    }
}

#[tokio::test]
async fn pending_messages_age_and_refused_events_are_counted() {
    let stage = RelayStage::new().await;
    stage.enqueue(&[TenantId::generate()], 0).await;
    let refused = "UPDATE outbox SET created_at = now() - interval '10 minutes', attempts = 1,
                                     available_at = now() + interval '1 hour'";
    stage.world.client().await.batch_execute(refused).await.unwrap();
    let log = CapturedLog::start();
    invoke(&stage.relay(), handle, scheduled()).await.unwrap();
    let lines = log.take();
    assert!((600.0..700.0).contains(&metric(&lines, "OutboxAge")[0]), "{lines:#?}");
    assert_eq!(metric(&lines, "RefusedEvents"), [1.0]);
}

#[tokio::test]
async fn failed_and_limited_sign_ins_and_failed_starts_are_counted() {
    let stage = RelayStage::new().await;
    let api = Api::of(&stage.world).await;
    let log = CapturedLog::start();
    // Unknown accounts and addresses are the same for all tests, so the account is new.
    let credentials = json!({ "email": format!("{}@example.com", Uuid::now_v7().simple()), "password": "wrong" });
    for _ in 0..11 {
        answer(api.anonymous(Method::POST, "/auth/login").json(&credentials)).await;
    }
    let lines = log.take();
    let failures: f64 = metric(&lines, "SignInFailures").iter().sum();
    assert!((failures - 10.0).abs() < 0.5, "{lines:#?}");
    assert_eq!(metric(&lines, "SignInsLimited"), [1.0]);
    assert!(metric(&lines, "ServerErrors").is_empty());

    let routes = |never: std::convert::Infallible| -> Routes { match never {} };
    serve(|| Err(ConfigError::Missing("POSTGRES_URL")), routes).await.unwrap_err();
    assert_eq!(metric(&log.take(), "FailedStarts"), [1.0]);
}
