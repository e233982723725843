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
