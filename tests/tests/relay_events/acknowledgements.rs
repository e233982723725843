//! Services confirm suspensions, and the tenant shows who has.

use rdkafka::{
    admin::{AdminOptions, NewTopic, TopicReplication},
    producer::{FutureProducer, FutureRecord},
};
use relay_events::handle;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{clients::kafka, worker::invoke};
use tests::{Api, TestTenant, api::answer};

use crate::{scheduled, stage::RelayStage};

/// Sends messages as services do.
async fn send(stage: &RelayStage, messages: &[String]) {
    let producer: FutureProducer = kafka::settings(&stage.kafka).create().unwrap();
    for message in messages {
        let record = FutureRecord::to(&stage.kafka.acknowledgements_topic).key("tenant").payload(message);
        producer.send(record, std::time::Duration::from_secs(10)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_tenant_shows_which_services_have_confirmed_it() {
    let stage = RelayStage::new().await;
    let api = Api::of(&stage.world).await;
    let tenant = TestTenant::new(&stage.world, &stage.world.client().await, None).await;
    let path = format!("/tenants/{}", tenant.id);
    let app = stage.relay();
    // No service has created the topic yet.
    assert_eq!(invoke(&app, handle, scheduled()).await.unwrap()["acknowledgements_recorded"], 0);
    let topic = NewTopic::new(&stage.kafka.acknowledgements_topic, 3, TopicReplication::Fixed(-1));
    let created = kafka::admin(&stage.kafka).unwrap().create_topics([&topic], &AdminOptions::new()).await.unwrap();
    created[0].as_ref().unwrap();

    let body = json!({ "status": "suspended", "reason": "abuse", "comment": "It sends spam" });
    let suspended = answer(api.request(Method::PATCH, &path).json(&body)).await;
    assert_eq!(suspended.status, StatusCode::OK, "{}", suspended.text);
    let suspension = &suspended.json["suspension"];
    assert_eq!([&suspension["reason"], &suspension["comment"]], ["abuse", "It sends spam"]);
    let message = |suspension: &Value, service: &str| {
        json!({ "tenant_id": tenant.id, "suspension_id": suspension, "service": service }).to_string()
    };
    let id = &suspension["id"];
    let other = json!(uuid::Uuid::now_v7());
    let messages = [
        message(id, "ws-server"),
        "no JSON".to_owned(),
        message(id, "stranger"),
        message(&other, "billing-service"),
        message(id, "ai-agent"),
        message(id, "ws-server"),
    ];
    send(&stage, &messages).await;
    assert_eq!(invoke(&app, handle, scheduled()).await.unwrap()["acknowledgements_recorded"], 2);
    let shown = api.get(&path).await.json["suspension"].clone();
    assert_eq!(shown["acknowledged_by"], json!(["ws-server", "ai-agent"]));
    assert_eq!(shown["pending"], json!(["webhook-ingestor", "billing-service"]));
    // What was read is not read again, not even by another relay.
    assert_eq!(invoke(&stage.relay(), handle, scheduled()).await.unwrap()["acknowledgements_recorded"], 0);
    send(&stage, &[message(id, "billing-service")]).await;
    assert_eq!(invoke(&stage.relay(), handle, scheduled()).await.unwrap()["acknowledgements_recorded"], 1);

    let resumed = answer(api.request(Method::PATCH, &path).json(&json!({ "status": "active" }))).await;
    assert_eq!(resumed.json["suspension"], Value::Null);
    // A reason without a suspension is an error.
    let refused = answer(api.request(Method::PATCH, &path).json(&json!({ "name": "Kopi", "reason": "abuse" }))).await;
    assert_eq!((refused.status, refused.faults()), (StatusCode::UNPROCESSABLE_ENTITY, vec!["/reason".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reached_limit_shows_which_services_act_on_it() {
    let stage = RelayStage::new().await;
    let api = Api::of(&stage.world).await;
    let owner = stage.world.client().await;
    let tenant = TestTenant::new(&stage.world, &owner, None).await;
    let path = format!("/tenants/{}", tenant.id);
    let topic = NewTopic::new(&stage.kafka.acknowledgements_topic, 1, TopicReplication::Fixed(-1));
    kafka::admin(&stage.kafka).unwrap().create_topics([&topic], &AdminOptions::new()).await.unwrap();
    let app = stage.relay();

    let measured = "UPDATE tenant_usage SET agents = 5 WHERE tenant_id = $1";
    assert_eq!(owner.execute(measured, &[&tenant.id]).await.unwrap(), 1);
    let limit = async |limit: i64| {
        let changed = api.patch(&path, &json!({ "limits": { "max_agents": limit }, "on_limit": "block_new" })).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    };
    limit(5).await;
    // Services learn the id by the event.
    let newest = "SELECT payload #>> '{data,limit_id}' FROM outbox
                  WHERE payload ->> 'type' = 'tenant.usage_threshold_reached' AND payload #>> '{data,percent}' = '100'
                  ORDER BY id DESC LIMIT 1";
    let id: String = owner.query_one(newest, &[]).await.unwrap().get(0);
    let message =
        |id: &str, service: &str| json!({ "tenant_id": tenant.id, "limit_id": id, "service": service }).to_string();
    let other = uuid::Uuid::now_v7().to_string();
    let messages = [
        message(&id, "webhook-ingestor"),
        message(&other, "ai-agent"),
        message(&id, "stranger"),
        message(&id, "webhook-ingestor"),
        json!({ "tenant_id": tenant.id, "service": "ai-agent" }).to_string(),
    ];
    send(&stage, &messages).await;
    assert_eq!(invoke(&app, handle, scheduled()).await.unwrap()["acknowledgements_recorded"], 1);
    let shown = async || api.get(&format!("{path}?include=limits_reached")).await.json["limits_reached"].clone();
    let reached = shown().await;
    assert_eq!([&reached[0]["id"], &reached[0]["figure"]], [&json!(id), &json!("agents")], "{reached}");
    assert_eq!(reached[0]["acknowledged_by"], json!(["webhook-ingestor"]));
    assert_eq!(reached[0]["pending"], json!(["ws-server", "ai-agent", "billing-service"]));
    assert_eq!(reached.as_array().unwrap().len(), 1);

    // A service that has confirmed that it blocks has not confirmed that it notifies.
    let changed = api.patch(&path, &json!({ "on_limit": "notify" })).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let (announced, setting) = {
        let newest = newest.replace("SELECT ", "SELECT payload #>> '{data,on_limit}', ");
        let row = owner.query_one(&newest, &[]).await.unwrap();
        (row.get::<_, String>(1), row.get::<_, String>(0))
    };
    assert_eq!(setting, "notify");
    let reached = shown().await;
    assert_eq!((&reached[0]["id"], &reached[0]["acknowledged_by"]), (&json!(announced), &json!([])), "{reached}");
    assert_ne!(announced, id);
    send(&stage, &[message(&id, "ai-agent"), message(&announced, "webhook-ingestor")]).await;
    assert_eq!(invoke(&app, handle, scheduled()).await.unwrap()["acknowledgements_recorded"], 1);
    assert_eq!(shown().await[0]["acknowledged_by"], json!(["webhook-ingestor"]));

    // What was confirmed ends with the limit.
    limit(6).await;
    assert_eq!(shown().await, json!([]));
    limit(4).await;
    let again = shown().await;
    assert_ne!(again[0]["id"], json!(id));
    assert_eq!(again[0]["acknowledged_by"], json!([]));
    send(&stage, &[message(&id, "ai-agent")]).await;
    assert_eq!(invoke(&app, handle, scheduled()).await.unwrap()["acknowledgements_recorded"], 0, "the earlier one");
    // In a new month, the same limit is announced again.
    owner.execute("UPDATE usage_thresholds SET month = month - interval '1 month'", &[]).await.unwrap();
    limit(3).await;
    let announced: String = owner.query_one(newest, &[]).await.unwrap().get(0);
    assert_eq!(json!(announced), again[0]["id"]);
}
