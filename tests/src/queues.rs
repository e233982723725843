//! Queues of a test's own.

use aws_sdk_sqs::{Client, types::QueueAttributeName};
use tokio::sync::OnceCell;

static CLIENT: OnceCell<aws_config::SdkConfig> = OnceCell::const_new();

/// A client of the SQS that the environment names.
pub async fn client() -> Client {
    let config = CLIENT.get_or_init(|| async { aws_config::load_from_env().await }).await;
    Client::new(config)
}

/// Makes a queue and gives its URL.
pub async fn create(world: &str, kind: &str) -> String {
    let created = client().await.create_queue().queue_name(format!("{world}-{kind}")).send().await.unwrap();
    created.queue_url.unwrap()
}

/// How many messages wait in a queue.
pub async fn depth(queue_url: &str) -> usize {
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let attributes =
        client().await.get_queue_attributes().queue_url(queue_url).attribute_names(name.clone()).send().await.unwrap();
    attributes.attributes.unwrap()[&name].parse().unwrap()
}

/// Takes all messages that wait in a queue, and gives their bodies.
pub async fn drain(queue_url: &str) -> Vec<String> {
    let client = client().await;
    let mut bodies = Vec::new();
    loop {
        let received = client.receive_message().queue_url(queue_url).max_number_of_messages(10).send().await.unwrap();
        let messages = received.messages.unwrap_or_default();
        if messages.is_empty() {
            return bodies;
        }
        for message in messages {
            client
                .delete_message()
                .queue_url(queue_url)
                .receipt_handle(message.receipt_handle.unwrap())
                .send()
                .await
                .unwrap();
            bodies.push(message.body.unwrap());
        }
    }
}
