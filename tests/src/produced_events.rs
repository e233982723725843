//! An event of every type: produced by the API and by workers on real servers, relayed, and read from a topic.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use jsonschema::Validator;
use lambda_http::{Context, LambdaEvent};
use serde_json::{Value, json};
use shared::{
    clients::{postgres::Postgres, redis::Redis, s3::Bucket, sqs::Sqs},
    config::{
        Clusters, FromEnv, KafkaConfig, MongoSettings, ProvisioningConfig, RedisConfig, S3Config, ServiceLoginConfig,
    },
    error::{Error, Result},
    event_catalog,
    health::{Component, ComponentSample, ComponentStatus, MinuteSamples, record_samples},
    http::document,
    operations::StepName,
    provisioning::{Moment, OperationOutcome, Provisioner, SagaObserver, Stores},
    tenants::TENANT_SCHEMA_VERSION,
    types::{OperationId, TraceId},
    usage::{
        MeasuredPart, Measurement, MeasurementIntervals, RecordMeasurement, Threshold, UserFigures, record_measurement,
        store::claim_measurement,
    },
    worker::invoke,
};
use time::OffsetDateTime;
use tokio::time::Instant;
use utoipa::openapi::OpenApi;

use crate::{
    Answer, Api, TestTenant, World,
    api::{answer, tenant_request},
    topic::{self, ReceivedMessage},
    variable,
};

/// The types that only tests send.
const OF_TESTS: &str = "test.";

/// A validator for each type of event, from the schemas in the code. Objects have only the described fields, so that none is
/// left out of the description.
static VALIDATORS: LazyLock<BTreeMap<String, Validator>> = LazyLock::new(|| {
    let mut api = OpenApi::default();
    event_catalog::add_to(&mut api);
    let mut api = serde_json::to_value(document(api)).unwrap();
    api["components"]["schemas"].as_object_mut().unwrap().values_mut().for_each(close);
    let mut validators = BTreeMap::new();
    for (kind, webhook) in api["webhooks"].as_object().unwrap() {
        let content = &webhook["post"]["requestBody"]["content"]["application/cloudevents+json"];
        let schema = json!({ "$ref": content["schema"]["$ref"], "components": api["components"] });
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        validators.insert(kind.clone(), validator);
    }
    validators
});

fn close(schema: &mut Value) {
    if schema["properties"].is_object() {
        schema["additionalProperties"] = json!(false);
    }
}

/// Checks a message of the topic against the description of the events.
pub fn check(message: &ReceivedMessage) {
    let event = &message.payload;
    let kind = event["type"].as_str().unwrap();
    if kind.starts_with(OF_TESTS) {
        return;
    }
    let validator = VALIDATORS.get(kind).unwrap_or_else(|| panic!("the catalog does not contain the event {kind}"));
    let errors: Vec<_> =
        validator.iter_errors(event).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{event:#} does not match its schema: {errors:#?}");
    assert_eq!(event["subject"], message.key, "the key is the subject");
    assert_eq!(event["id"], message.headers["ce_id"]);
    assert_eq!(message.headers["content-type"], "application/cloudevents+json");
    assert!(TraceId::from_traceparent(&message.headers["traceparent"]).is_some(), "{:?}", message.headers);
}

/// Produces events of every type, and returns one of each.
pub async fn produce_events() -> BTreeMap<String, ReceivedMessage> {
    let world = World::new().await;
    let api = Api::of(&world).await;
    produce_events_of_provisioning(&world, &api).await;
    let kafka = world.topic();
    produce_events_of_a_tenant(&world, &api, &kafka).await;
    produce_events_of_health(&world).await;
    relay(&world, kafka.clone()).await;
    let mut messages = topic::read(&kafka);
    // Partitions are read in any order. Ids are in the order in which the events happened; of several of one type, the first stays.
    messages.sort_by_key(|message| std::cmp::Reverse(message.headers["ce_id"].clone()));
    messages.into_iter().map(|message| (message.payload["type"].as_str().unwrap().to_owned(), message)).collect()
}

async fn relay(world: &World, kafka: KafkaConfig) {
    let app = relay_events::App::new(
        world.api_pool(),
        world.tenant_databases(),
        kafka,
        Sqs::new(),
        crate::live_list(),
        world.provision_queue_url.clone(),
    );
    let event = LambdaEvent::new(json!({ "source": "aws.scheduler" }), Context::default());
    invoke(&app, relay_events::handle, event).await.unwrap();
}

const PROVISIONING: ProvisioningConfig = ProvisioningConfig::new(Duration::from_mins(1));

/// Fails a step for good.
struct Saboteur;

impl SagaObserver for Saboteur {
    fn observe(&self, moment: Moment) -> BoxFuture<'_, Result<()>> {
        let fails = moment == Moment::Applying(StepName::ObjectPrefix);
        async move { if fails { Err(Error::internal("no object can be written")) } else { Ok(()) } }.boxed()
    }
}

async fn produce_events_of_provisioning(world: &World, api: &Api) {
    let platform = world.provisioner();
    let bucket = Bucket::connect(&S3Config::from_env().unwrap()).unwrap();
    let mongo = Clusters::single(variable("MONGODB_URL"));
    let settings = MongoSettings { timeout: Duration::from_secs(10), ..MongoSettings::from_env().unwrap() };
    let (redis, logins) =
        (Redis::connect(&RedisConfig::from_env().unwrap()).unwrap(), ServiceLoginConfig::from_env().unwrap());
    let stores =
        Stores::connect(world.postgres_clusters(), &platform, mongo, &settings, bucket, redis, &logins).unwrap();
    let stores = Arc::new(stores);
    for (slug, observer) in [("kopi-kenangan", None), ("teh-botol", Some(Arc::new(Saboteur) as Arc<dyn SagaObserver>))]
    {
        let created = api.post("/tenants", &tenant_request(slug)).await;
        let operation: OperationId = created.json["operation_id"].as_str().unwrap().parse().unwrap();
        let platform = Postgres::connect(&platform).unwrap();
        let worker = Provisioner {
            platform,
            stores: Arc::clone(&stores),
            config: PROVISIONING,
            tenant_schema_version: TENANT_SCHEMA_VERSION,
            observer,
        };
        worker.run(operation, Instant::now() + PROVISIONING.function_timeout).await.unwrap();
        if slug == "kopi-kenangan" {
            produce_events_of_deletion(api, &worker, created.json["id"].as_str().unwrap()).await;
        }
    }
}

async fn produce_events_of_deletion(api: &Api, worker: &Provisioner, tenant: &str) {
    let path = format!("/tenants/{tenant}");
    let delete = async |days: u8| {
        let body = json!({ "reason": "The customer has cancelled the contract", "recovery_days": days });
        let request = api.request(reqwest::Method::DELETE, &format!("{path}?confirm=kopi-kenangan"));
        succeed(request.json(&body)).await.json
    };
    let export = json!({ "reason": "The customer has asked for a copy" });
    let export = succeed(api.request(reqwest::Method::POST, &format!("{path}/exports")).json(&export)).await.json;
    finish(worker, &export).await;
    delete(7).await;
    succeed(api.request(reqwest::Method::POST, &format!("{path}/restore"))).await;
    finish(worker, &delete(0).await).await;
}

/// Runs the operation that a response names, until it ends.
async fn finish(worker: &Provisioner, started: &Value) {
    let operation: OperationId = started["operation_id"].as_str().unwrap().parse().unwrap();
    // A store of a busy machine may be late.
    for _ in 0..20 {
        let outcome = worker.run(operation, Instant::now() + PROVISIONING.function_timeout).await.unwrap();
        match outcome {
            OperationOutcome::Finished { .. } => return,
            OperationOutcome::Open { reason, wake_in } => {
                println!("the operation waits: {reason}");
                tokio::time::sleep(wake_in.unwrap_or_default().min(Duration::from_secs(30))).await;
            }
        }
    }
    panic!("the operation does not end");
}

async fn succeed(request: reqwest::RequestBuilder) -> Answer {
    let answer = answer(request).await;
    assert!(answer.status.is_success(), "{}", answer.text);
    answer
}

async fn produce_events_of_a_tenant(world: &World, api: &Api, kafka: &KafkaConfig) {
    let tenant = TestTenant::new(world, &world.client().await, Some(25)).await;
    let path = format!("/tenants/{}", tenant.id);
    let user = json!({ "email": "budi@kopi.example", "full_name": "Budi Santoso", "role": "agent",
                       "password": "quiet-lemon-harbor-17" });
    let user = succeed(api.request(reqwest::Method::POST, &format!("{path}/users")).json(&user)).await.json;
    let change = async |path: &str, body: Value| succeed(api.request(reqwest::Method::PATCH, path).json(&body)).await;
    let user_path = format!("{path}/users/{}", user["id"].as_str().unwrap());
    change(&user_path, json!({ "full_name": "Budi S." })).await;
    change(&user_path, json!({ "password": "velvet-otter-basin-93", "reason": "They cannot reset it by mail" })).await;
    change(&user_path, json!({ "status": "deactivated" })).await;
    change(&user_path, json!({ "status": "active" })).await;
    // An erasure also changes the events that are not relayed yet.
    relay(world, kafka.clone()).await;
    let erasure = json!({ "reason": "Request 2026-114 of the person" });
    succeed(api.request(reqwest::Method::POST, &format!("{user_path}/erase")).json(&erasure)).await;
    let start = json!({ "tenant_id": tenant.id, "user_id": tenant.admin, "reason": "Looks into an empty inbox" });
    let started = succeed(api.request(reqwest::Method::POST, "/impersonations").json(&start)).await;
    let impersonation = format!("/impersonations/{}", started.json["id"].as_str().unwrap());
    succeed(api.request(reqwest::Method::DELETE, &impersonation)).await;
    change(&path, json!({ "limits": { "max_agents": 10 } })).await;
    change(&path, json!({ "status": "suspended" })).await;
    change(&path, json!({ "status": "active" })).await;
    for (active, percent) in [(8, 80), (10, 100)] {
        let reached = measure(world, &tenant, active).await;
        assert_eq!(reached.iter().map(|threshold| threshold.percent).collect::<Vec<_>>(), [percent]);
    }
    change(&path, json!({ "limits": { "max_agents": 25 } })).await;
}

/// Records a number of active users, and returns the thresholds that are new.
async fn measure(world: &World, tenant: &TestTenant, active: i64) -> Vec<Threshold> {
    let mut platform = Postgres::connect(&world.owner()).unwrap().get().await.unwrap();
    let claim = claim_measurement(&platform, tenant.id).await.unwrap().unwrap();
    let users = MeasuredPart::Measured(UserFigures { active, online: 1, database_bytes: 1 });
    let (collections, objects) = (MeasuredPart::Skipped, MeasuredPart::Skipped);
    let measurement = Measurement { at: claim.at, users, collections, objects };
    let day = Duration::from_hours(24);
    let intervals = MeasurementIntervals { active: day, suspended: day, retry: day, objects: day };
    let command = RecordMeasurement { claim: &claim, measurement: &measurement, intervals };
    record_measurement(&mut platform, &command).await.unwrap().unwrap()
}

async fn produce_events_of_health(world: &World) {
    let now = OffsetDateTime::now_utc();
    let minute = |age: u64, status: ComponentStatus| {
        let error = (status == ComponentStatus::Down).then(|| "connection refused".to_owned());
        let sample = ComponentSample { component: Component::Kafka, status, latency_ms: None, error };
        MinuteSamples::of(now - Duration::from_mins(age), vec![sample])
    };
    let minutes = [minute(3, ComponentStatus::Up), minute(2, ComponentStatus::Down), minute(1, ComponentStatus::Down)];
    let mut platform = Postgres::connect(&world.owner()).unwrap().get().await.unwrap();
    assert_eq!(record_samples(&mut platform, &minutes).await.unwrap().changes, 1);
}
