//! Queues for a single test.

use aws_sdk_sqs::{Client, types::QueueAttributeName};
use tokio::sync::OnceCell;

static CLIENT: OnceCell<aws_config::SdkConfig> = OnceCell::const_new();

/// A client of the environment's SQS.
pub async fn client() -> Client {
    let config = CLIENT.get_or_init(|| async { aws_config::load_from_env().await }).await;
    Client::new(config)
}

/// Creates a queue and returns its URL.
pub async fn create(world: &str, kind: &str) -> String {
    let created = client().await.create_queue().queue_name(format!("{world}-{kind}")).send().await.unwrap();
    created.queue_url.unwrap()
}

/// The number of waiting messages.
pub async fn depth(queue_url: &str) -> usize {
    attribute(queue_url, QueueAttributeName::ApproximateNumberOfMessages).await.parse().unwrap()
}

async fn attribute(queue_url: &str, name: QueueAttributeName) -> String {
    let [value] = attributes(queue_url, [name]).await;
    value
}

/// Several attributes of a queue, read at once.
async fn attributes<const N: usize>(queue_url: &str, names: [QueueAttributeName; N]) -> [String; N] {
    let request = client().await.get_queue_attributes().queue_url(queue_url);
    let found = request.set_attribute_names(Some(names.to_vec())).send().await.unwrap().attributes.unwrap();
    names.map(|name| found[&name].clone())
}

/// A queue that delivers a message again after one second, and finally moves it to the dead-letter queue.
pub struct Queue {
    pub url: String,
    dead_letters_url: String,
}

/// Creates a queue that delivers each message at most `deliveries` times.
pub async fn with_dead_letters(world: &str, deliveries: i32) -> Queue {
    let dead_letters_url = create(world, "dead-letters").await;
    let arn = attribute(&dead_letters_url, QueueAttributeName::QueueArn).await;
    let redrive = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"{deliveries}"}}"#);
    let created = client()
        .await
        .create_queue()
        .queue_name(format!("{world}-messages"))
        .attributes(QueueAttributeName::VisibilityTimeout, "1")
        .attributes(QueueAttributeName::RedrivePolicy, redrive)
        .send()
        .await
        .unwrap();
    Queue { url: created.queue_url.unwrap(), dead_letters_url }
}

impl Queue {
    /// Whether no message is waiting or being processed.
    pub async fn is_empty(&self) -> bool {
        let waiting = QueueAttributeName::ApproximateNumberOfMessages;
        let in_flight = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        attributes(&self.url, [waiting, in_flight]).await.iter().all(|count| count == "0")
    }

    /// Puts a message where the queue puts those that it gave up delivering.
    pub async fn send_dead_letter(&self, body: &str) {
        let request = client().await.send_message().queue_url(&self.dead_letters_url).message_body(body);
        request.send().await.unwrap();
    }

    /// The number of dead letters.
    pub async fn dead_letters(&self) -> usize {
        depth(&self.dead_letters_url).await
    }
}

/// Receives and deletes all waiting messages, and returns their bodies.
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
