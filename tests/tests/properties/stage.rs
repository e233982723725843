//! What the properties need of a world: a relay, and looks into the platform database.

use std::pin::pin;

use lambda_runtime::{Context, LambdaEvent};
use relay_events::{App, handle};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use shared::{
    clients::{postgres::Postgres, sqs::Sqs},
    config::KafkaConfig,
    revocations::live_list::LiveList,
    types::TenantId,
    worker::invoke,
};
use tests::{
    Answer, World,
    api::answer,
    proxy::{Held, Mode, Proxy},
};
use tokio_postgres::Client;

/// A relay of a world, as a process of its own has it.
pub(crate) fn relay(world: &World, kafka: &KafkaConfig, live_list: LiveList) -> App {
    App::new(
        Postgres::connect(&world.api()).unwrap(),
        world.tenant_databases(),
        kafka.clone(),
        Sqs::new(),
        live_list,
        world.provision_queue_url.clone(),
    )
}

/// Runs the relay once, as its schedule does, with all open changes due.
pub(crate) async fn settle(owner: &Client, relay: &App) -> Value {
    owner.batch_execute("UPDATE tenant_changes SET due_at = now()").await.unwrap();
    let tick = LambdaEvent::new(json!({ "source": "aws.scheduler" }), Context::default());
    invoke(relay, handle, tick).await.unwrap()
}

/// Sends a request during which the server behind the proxy executes what a client sends with `text`, and the connection breaks before
/// the answer arrives. If nothing sends the text, the request is not disturbed.
pub(crate) async fn lose_answer(proxy: &Proxy, text: &'static str, request: RequestBuilder) -> Answer {
    proxy.hang_at(text, Held::Answer);
    let mut received = pin!(answer(request));
    let received = tokio::select! {
        received = &mut received => received,
        () = proxy.hung() => {
            proxy.set(Mode::Cut);
            received.await
        }
    };
    proxy.disarm();
    proxy.set(Mode::Pass);
    received
}

/// Sends a request while the server behind the proxy cannot be reached.
pub(crate) async fn without(proxy: &Proxy, request: RequestBuilder) -> Answer {
    proxy.set(Mode::Cut);
    let received = answer(request).await;
    proxy.set(Mode::Pass);
    received
}

/// Every intent of the tenant has one outcome, and no change is open.
pub(crate) async fn assert_settled(owner: &Client, tenant: TenantId) {
    let sql = "SELECT action, intent.id::text, (SELECT count(*) FROM audit WHERE audit.intent_id = intent.id)
               FROM audit intent WHERE tenant_id = $1 AND outcome = 'intended'
               AND (SELECT count(*) FROM audit WHERE audit.intent_id = intent.id) <> 1";
    let unsettled = owner.query(sql, &[&tenant.0]).await.unwrap();
    let unsettled: Vec<(String, String, i64)> =
        unsettled.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert_eq!(unsettled, [], "every intent has one outcome");
    let open = owner.query("SELECT kind FROM tenant_changes WHERE tenant_id = $1", &[&tenant.0]).await.unwrap();
    let open: Vec<String> = open.iter().map(|row| row.get(0)).collect();
    assert_eq!(open, Vec::<String>::new(), "no change is open");
}

/// The last part of the type of a problem; empty for another response.
pub(crate) fn problem(answer: &Value) -> &str {
    answer["type"].as_str().and_then(|kind| kind.rsplit('/').next()).unwrap_or_default()
}
