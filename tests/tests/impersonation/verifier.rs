//! A service of the platform that receives tokens of impersonations. It verifies them with the published keys, follows the
//! events, or asks Redis whether the impersonation is live.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use jsonwebtoken::jwk::JwkSet;
use lambda_runtime::{Context, LambdaEvent};
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    admin::{AdminOptions, NewTopic, TopicReplication},
    consumer::Consumer as _,
};
use relay_events::{App, handle};
use serde_json::{Value, json};
use shared::{
    clients::{
        kafka::{self, Isolation},
        postgres::Postgres,
        redis::Redis,
        sqs::Sqs,
    },
    config::{FromEnv, KafkaConfig, RedisConfig},
    revocations::live_list::LiveList,
    worker::invoke,
};
pub(crate) use tests::verifier::{accepts, verified};
use tests::{Api, World, queues, verifier::published_keys};

const PARTITIONS: i32 = 6;

/// Follows the events of a topic.
pub(crate) struct Verifier {
    keys: JwkSet,
    ended: Arc<Mutex<HashSet<String>>>,
    started: Arc<Mutex<HashSet<String>>>,
    stop: Arc<AtomicBool>,
}

impl Verifier {
    /// Creates the topic and follows it. The keys are those that the API publishes.
    pub(crate) async fn follow(api: &Api, kafka: &KafkaConfig) -> Self {
        let keys = published_keys(api).await;
        let topic = NewTopic::new(&kafka.topic, PARTITIONS, TopicReplication::Fixed(-1));
        let made = kafka::admin(kafka).unwrap().create_topics([&topic], &AdminOptions::new()).await.unwrap();
        made[0].as_ref().unwrap();
        let verifier =
            Self { keys, ended: Arc::default(), started: Arc::default(), stop: Arc::new(AtomicBool::new(false)) };
        let (ended, started, stop) =
            (Arc::clone(&verifier.ended), Arc::clone(&verifier.started), Arc::clone(&verifier.stop));
        let kafka = kafka.clone();
        thread::spawn(move || read(&kafka, &ended, &started, &stop));
        verifier
    }

    /// Whether a service that follows the events accepts a token.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        verified(&self.keys, token).is_some_and(|claims| {
            let sid = claims["sid"].as_str().unwrap();
            !self.ended.lock().unwrap().contains(sid)
        })
    }

    /// Whether a service that asks Redis accepts it.
    pub(crate) async fn accepts_by_redis(&self, token: &str) -> bool {
        let Some(claims) = verified(&self.keys, token) else { return false };
        accepts(&Redis::connect(&RedisConfig::from_env().unwrap()).unwrap(), &claims).await
    }

    /// Whether the event of an impersonation's start has arrived.
    pub(crate) fn has_started(&self, sid: &str) -> bool {
        self.started.lock().unwrap().contains(sid)
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn read(kafka: &KafkaConfig, ended: &Mutex<HashSet<String>>, started: &Mutex<HashSet<String>>, stop: &AtomicBool) {
    let consumer = kafka::consumer(kafka, Isolation::Committed).unwrap();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset(&kafka.topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    while !stop.load(Ordering::Relaxed) {
        // Ends of partitions, and errors while the topic is being created, are no messages.
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        let event: Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        let sid = || event["data"]["id"].as_str().unwrap().to_owned();
        match event["type"].as_str().unwrap() {
            "impersonation.started" => drop(started.lock().unwrap().insert(sid())),
            "impersonation.ended" => drop(ended.lock().unwrap().insert(sid())),
            _ => {}
        }
    }
}

/// The relay of a world.
pub(crate) fn relay(world: &World, kafka: &KafkaConfig) -> App {
    relay_at(world, kafka, &RedisConfig::from_env().unwrap())
}

/// The relay of a world, with another Redis.
pub(crate) fn relay_at(world: &World, kafka: &KafkaConfig, redis: &RedisConfig) -> App {
    App::new(
        Postgres::connect(&world.api()).unwrap(),
        world.tenant_databases(),
        kafka.clone(),
        Sqs::new(),
        LiveList::new(Redis::connect(redis).unwrap()),
        world.provision_queue_url.clone(),
    )
}

/// Runs the relay for every poke, as AWS does, until it is dropped.
pub(crate) struct Relaying(Arc<AtomicBool>);

impl Relaying {
    pub(crate) fn start(world: &World, app: App) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (url, stopped) = (world.relay_queue_url.clone(), Arc::clone(&stop));
        // A thread with its own runtime, in place of a process.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(relay_until(&stopped, &url, &app));
        });
        Self(stop)
    }
}

impl Drop for Relaying {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn relay_until(stopped: &AtomicBool, url: &str, app: &App) {
    let client = queues::client().await;
    while !stopped.load(Ordering::Relaxed) {
        let request = client.receive_message().queue_url(url).max_number_of_messages(10).wait_time_seconds(1);
        let messages = request.send().await.unwrap().messages.unwrap_or_default();
        for message in &messages {
            let handle = message.receipt_handle.as_deref().unwrap();
            client.delete_message().queue_url(url).receipt_handle(handle).send().await.unwrap();
        }
        if !messages.is_empty() {
            invoke(app, handle, poke()).await.unwrap();
        }
    }
}

/// A message of the relay's queue.
pub(crate) fn poke() -> LambdaEvent<Value> {
    let record = json!({ "messageId": "1", "receiptHandle": "r", "body": "{}", "eventSource": "aws:sqs" });
    LambdaEvent::new(json!({ "Records": [record] }), Context::default())
}

/// An invocation by the relay's schedule.
pub(crate) fn tick() -> LambdaEvent<Value> {
    LambdaEvent::new(json!({ "source": "aws.scheduler" }), Context::default())
}
