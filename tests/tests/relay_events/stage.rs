//! A platform database, a queue and a topic for one test, and relays that use them.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures::FutureExt;
use rdkafka::{
    admin::{AdminOptions, NewTopic, TopicReplication},
    producer::{FutureProducer, FutureRecord, Producer},
};
use relay_events::{App, BatchObserver, Boundary};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::{
    clients::{kafka, postgres::Postgres, sqs::Sqs},
    config::KafkaConfig,
    events::{self, Event},
    types::{OperationId, TenantId},
};
use tests::{
    World, live_list,
    process::TestProcess,
    proxy::Proxy,
    topic::{self, ReceivedMessage},
};
use tokio::{sync::watch, time::timeout};
use uuid::Uuid;

const TIMEOUT: Duration = Duration::from_secs(20);

/// The servers of one test.
pub(crate) struct RelayStage {
    pub(crate) world: World,
    platform: Postgres,
    pub(crate) kafka: KafkaConfig,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EnqueuedEvent {
    pub(crate) id: Uuid,
    pub(crate) tenant: TenantId,
}

/// Stops a relay at a boundary.
#[derive(Clone)]
pub(crate) struct StopPoint {
    at: Arc<watch::Sender<Option<Boundary>>>,
    reached: Arc<watch::Sender<bool>>,
}

impl StopPoint {
    pub(crate) fn at(&self, boundary: Boundary) {
        self.at.send_replace(Some(boundary));
    }

    /// Lets the relay continue.
    pub(crate) fn resume(&self) {
        self.at.send_replace(None);
    }

    /// Waits until the relay has stopped.
    pub(crate) async fn reached(&self) {
        let wait = async { self.reached.subscribe().wait_for(|reached| *reached).await.map(drop) };
        timeout(TIMEOUT, wait).await.expect("the relay reaches the boundary").unwrap();
    }

    fn observer(&self) -> BatchObserver {
        let stop = self.clone();
        Arc::new(move |boundary| {
            let stop = stop.clone();
            async move {
                if *stop.at.borrow() == Some(boundary) {
                    stop.reached.send_replace(true);
                    let mut at = stop.at.subscribe();
                    let _closed = at.wait_for(|at| *at != Some(boundary)).await;
                }
            }
            .boxed()
        })
    }
}

/// Repeats `condition` until it is true.
pub(crate) async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    tests::until(what, TIMEOUT, condition).await;
}

impl RelayStage {
    pub(crate) async fn new() -> Self {
        shared::telemetry::init();
        let world = Box::pin(World::new()).await;
        Self { platform: world.api_pool(), kafka: world.topic(), world }
    }

    /// A relay that shares nothing with others, as in its own process.
    pub(crate) fn relay(&self) -> App {
        self.relay_to(self.kafka.clone())
    }

    pub(crate) fn relay_to(&self, kafka: KafkaConfig) -> App {
        app(&self.world, self.world.api_pool(), kafka, self.world.provision_queue_url.clone())
    }

    pub(crate) fn relay_with_queue(&self, queue_url: &str) -> App {
        app(&self.world, self.world.api_pool(), self.kafka.clone(), queue_url.to_owned())
    }

    /// A relay that connects to PostgreSQL, at `server`, through a proxy.
    pub(crate) fn relay_through(&self, proxy: &Proxy, server: &str) -> App {
        let mut config = self.world.api();
        config.url = SecretString::from(config.url.expose_secret().replace(server, &proxy.address));
        let platform = Postgres::connect(&config).unwrap();
        app(&self.world, platform, self.kafka.clone(), self.world.provision_queue_url.clone())
    }

    pub(crate) fn stopping_relay(&self) -> (App, StopPoint) {
        let stop = StopPoint { at: Arc::new(watch::channel(None).0), reached: Arc::new(watch::channel(false).0) };
        (self.relay().observed_by(stop.observer()), stop)
    }

    /// Runs a relay in a process of its own up to a boundary, and kills it there (`SIGKILL`).
    pub(crate) async fn kill_relay_at(&self, boundary: Boundary) {
        let (world, boundary) = (&self.world, format!("{boundary:?}"));
        let arguments =
            [&*world.database, &world.provision_queue_url, &world.relay_queue_url, &self.kafka.topic, &boundary];
        let start = TestProcess::start(env!("CARGO_BIN_EXE_run-relay"), &arguments, "stopped");
        let (process, _) = timeout(TIMEOUT, start).await.expect("the relay reaches the boundary");
        process.kill();
    }

    /// Commits one event per tenant.
    pub(crate) async fn enqueue(&self, tenants: &[TenantId], round: usize) -> Vec<EnqueuedEvent> {
        let mut enqueued = Vec::new();
        for tenant in tenants {
            enqueued.push(self.enqueue_event(*tenant, json!({ "round": round })).await);
        }
        enqueued
    }

    /// Commits an event with `bytes` bytes of data.
    pub(crate) async fn enqueue_large(&self, tenant: TenantId, bytes: usize) -> EnqueuedEvent {
        self.enqueue_event(tenant, json!({ "text": "x".repeat(bytes) })).await
    }

    async fn enqueue_event(&self, tenant: TenantId, data: Value) -> EnqueuedEvent {
        let event = Event::of_recorded_type("test.happened", tenant, data);
        let mut connection = self.platform.get().await.unwrap();
        let transaction = connection.transaction().await.unwrap();
        events::store::enqueue_event(&transaction, &event).await.unwrap();
        transaction.commit().await.unwrap();
        EnqueuedEvent { id: event.id, tenant }
    }

    /// Commits a message to the queue of `provision-tenant`, which is due after the head start.
    pub(crate) async fn enqueue_provision(&self) -> OperationId {
        let id = OperationId::generate();
        let mut connection = self.platform.get().await.unwrap();
        let transaction = connection.transaction().await.unwrap();
        events::store::enqueue_provision(&transaction, TenantId::generate(), id).await.unwrap();
        transaction.commit().await.unwrap();
        id
    }

    /// Makes all messages due.
    pub(crate) async fn make_due(&self) {
        self.sql("UPDATE outbox SET available_at = now()").await;
    }

    /// Removes the data of an event, and makes it due.
    pub(crate) async fn shrink(&self, id: Uuid) {
        self.sql(&format!(
            "UPDATE outbox SET payload = payload - 'data', available_at = now() WHERE message_id = '{id}'"
        ))
        .await;
    }

    /// An operation that has been due for this long, and that no worker has taken.
    pub(crate) async fn overdue_operation(&self, overdue: Duration) -> OperationId {
        let (tenant, id) = (TenantId::generate(), OperationId::generate());
        let (database, overdue) = (format!("tenant_{}", tenant.0.simple()), overdue.as_secs());
        self.sql(&format!(
            "INSERT INTO tenants (id, name, slug, status, database_name, country, created_at, updated_at)
             VALUES ('{tenant}', 'Kopi', '{database}', 'provisioning', '{database}', 'ID', now(), now());
             INSERT INTO operations (id, tenant_id, database_name, kind, status, requested_by, created_at, updated_at,
                                     next_attempt_at)
             VALUES ('{id}', '{tenant}', '{database}', 'provision', 'pending', 'test', now(), now(), now() - interval '{overdue} seconds')"
        ))
        .await;
        id
    }

    pub(crate) async fn stored_response(&self, age: &str) {
        self.sql(&format!(
            "INSERT INTO idempotency_keys (admin_id, route, key, fingerprint, status_code, headers, body, created_at)
             VALUES ('admin', 'POST /tenants', '{age}', '', 201, '{{}}', '', now() - interval '{age}')"
        ))
        .await;
    }

    /// Ends the session that holds the lock on sending events.
    pub(crate) async fn end_session_with_lock(&self) {
        let ended = self
            .platform
            .get()
            .await
            .unwrap()
            .query(
                "SELECT pg_terminate_backend(pid) FROM pg_locks
                 WHERE locktype = 'advisory' AND granted
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                &[],
            )
            .await
            .unwrap();
        assert_eq!(ended.len(), 1);
    }

    async fn sql(&self, sql: &str) {
        self.world.client().await.batch_execute(sql).await.unwrap();
    }

    /// Number of pending messages.
    pub(crate) async fn pending(&self) -> i64 {
        self.world.count("SELECT FROM outbox").await
    }

    /// Number of recorded batches that are not closed.
    pub(crate) async fn open_batches(&self) -> i64 {
        self.world.count("SELECT FROM outbox_checkpoints WHERE message_ids IS NOT NULL").await
    }

    /// The topic contains these events and no others, each once, and those of a tenant in this order.
    pub(crate) fn assert_topic_has_exactly(&self, enqueued: &[EnqueuedEvent]) {
        let messages = self.read();
        let ids: Vec<Uuid> = messages.iter().map(|message| message.headers["ce_id"].parse().unwrap()).collect();
        let unique: HashSet<Uuid> = ids.iter().copied().collect();
        assert_eq!(unique.len(), ids.len(), "no event is on the topic twice");
        assert_eq!(
            unique,
            enqueued.iter().map(|event| event.id).collect(),
            "the topic contains all events and no others"
        );
        for tenant in enqueued.iter().map(|event| event.tenant).collect::<HashSet<_>>() {
            let key = tenant.to_string();
            let found: Vec<Uuid> = messages.iter().zip(&ids).filter(|(m, _)| m.key == key).map(|(_, id)| *id).collect();
            let expected: Vec<Uuid> =
                enqueued.iter().filter(|event| event.tenant == tenant).map(|event| event.id).collect();
            assert_eq!(found, expected, "a tenant's events are in order");
        }
    }

    /// All messages of the topic, as another service reads them: with a separate consumer, committed messages only.
    pub(crate) fn read(&self) -> Vec<ReceivedMessage> {
        topic::read(&self.kafka)
    }

    pub(crate) fn partitions(&self) -> usize {
        topic::partitions(&self.kafka)
    }

    /// Creates the topic with these settings.
    pub(crate) async fn create_topic(&self, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(&self.kafka.topic, 3, TopicReplication::Fixed(-1));
        for (name, value) in settings {
            topic = topic.set(name, value);
        }
        let created = kafka::admin(&self.kafka).unwrap().create_topics([&topic], &AdminOptions::new()).await.unwrap();
        created[0].as_ref().unwrap();
    }

    pub(crate) async fn delete_topic(&self) {
        let admin = kafka::admin(&self.kafka).unwrap();
        let deleted = admin.delete_topics(&[&self.kafka.topic], &AdminOptions::new()).await.unwrap();
        deleted[0].as_ref().unwrap();
    }

    /// Sends a message to every partition, as another service, in a transaction that stays open.
    pub(crate) async fn open_foreign_transaction(&self) -> ForeignTransaction {
        let partitions = i32::try_from(self.partitions()).unwrap();
        let mut config = self.kafka.clone();
        config.timeout = Duration::from_mins(1);
        let producer = kafka::producer(&config, &format!("foreign-{}", self.kafka.topic)).unwrap();
        producer.init_transactions(TIMEOUT).unwrap();
        producer.begin_transaction().unwrap();
        for partition in 0..partitions {
            let record: FutureRecord<'_, str, str> =
                FutureRecord::to(&self.kafka.topic).partition(partition).key("foreign").payload("{}");
            producer.send_result(record).map_err(|(error, _)| error).unwrap().await.unwrap().unwrap();
        }
        ForeignTransaction(producer)
    }
}

/// An open transaction of another service.
pub(crate) struct ForeignTransaction(FutureProducer<kafka::Log>);

impl ForeignTransaction {
    pub(crate) async fn abort(self) {
        tokio::task::spawn_blocking(move || self.0.abort_transaction(TIMEOUT)).await.unwrap().unwrap();
    }
}

fn app(world: &World, platform: Postgres, kafka: KafkaConfig, queue_url: String) -> App {
    App::new(platform, world.tenant_databases(), kafka, Sqs::new(), live_list(), queue_url)
}
