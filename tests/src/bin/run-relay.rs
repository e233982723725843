//! Runs the relay once, as its schedule does, in a process that the test can kill at a boundary.
//!
//! The arguments are the fields of the test's `World`, the topic, and the name of the boundary. At the boundary it prints
//! `stopped` and goes no further. It ends when its standard input ends, which happens when the test ends.

use std::{future::pending, sync::Arc};

use futures::FutureExt;
use lambda_runtime::{Context, LambdaEvent};
use relay_events::{App, handle};
use serde_json::json;
use shared::{
    clients::sqs::Sqs,
    config::{FromEnv, KafkaConfig},
    worker::invoke,
};
use tests::{World, live_list, process::until_test_ends};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, provision_queue_url, relay_queue_url, topic, stop_at] = arguments
        .try_into()
        .unwrap_or_else(|_| panic!("usage: run-relay DATABASE PROVISION_QUEUE_URL RELAY_QUEUE_URL TOPIC BOUNDARY"));
    let world = World::of_another_process(database, provision_queue_url, relay_queue_url);
    let kafka = match KafkaConfig::from_env() {
        Ok(kafka) => KafkaConfig { topic, ..kafka },
        Err(error) => panic!("{error}"),
    };
    let queue = world.provision_queue_url.clone();
    let app = App::new(world.api_pool(), world.tenant_databases(), kafka, Sqs::new(), live_list(), queue).observed_by(
        Arc::new(move |boundary| {
            let stops = format!("{boundary:?}") == stop_at;
            async move {
                if stops {
                    println!("stopped");
                    pending::<()>().await;
                }
            }
            .boxed()
        }),
    );
    let tick = LambdaEvent::new(json!({ "source": "aws.scheduler" }), Context::default());
    tokio::select! {
        result = invoke(&app, handle, tick) => panic!("the relay did not reach the boundary: {result:?}"),
        () = until_test_ends() => {}
    }
}
