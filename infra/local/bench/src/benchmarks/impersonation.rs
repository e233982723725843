//! POST of an impersonation; and the time from DELETE to the event that makes other services refuse the token, through the
//! outbox, the relay and Kafka.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    admin::{AdminOptions, NewTopic, TopicReplication},
    consumer::Consumer as _,
};
use serde_json::{Value, json};
use shared::{
    clients::{
        kafka::{self, Isolation},
        postgres::connect_once,
    },
    config::{FromEnv, KafkaConfig},
    types::TenantId,
};
use tokio::time::sleep;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{
    benchmarks::table::{head, heading, row},
    error::Result,
    measure::{
        queue_mapping::QueueMapping,
        request::{body, event},
        runtime::{Function, InvocationResult},
        samples::{Samples, ms},
    },
    platform::{filled_tenants::fill_users, instance::BenchPlatform},
    report::BenchReport,
};

/// Users of the tenant.
const USERS: usize = 40;
/// The rate limit of starts per super-admin and minute. Each super-admin starts as many, so that none is refused.
const STARTS_PER_SUPER_ADMIN: usize = 10;
const SUPER_ADMINS: usize = 53;
const WARM_UP: usize = 3 * STARTS_PER_SUPER_ADMIN;
const ENDS: usize = 100;
/// The relay delivers the events of all starts before it delivers the first ends.
const END_WARM_UP: usize = 5;
const PARTITIONS: i32 = 6;
const RELAY_PROCESSES: usize = 2;
const RELAY_BATCH_SIZE: usize = 10;
/// p99 of a start.
const START_GOAL: Duration = Duration::from_millis(20);
/// The longest time from DELETE to the event.
const END_GOAL: Duration = Duration::from_secs(1);
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn measure(platform: &BenchPlatform, report: &mut BenchReport) -> Result<()> {
    heading("POST of an impersonation, and DELETE to the event");
    let setup = ImpersonationSetup::create(platform).await?;
    let mut program = platform.program("impersonate-user");
    // It pokes the relay, as deployed.
    program.variables.push(("RELAY_QUEUE_URL", platform.relay_queue_url.clone()));
    let function = Function::start(&program, 1).await?;
    let (mut commits, mut started) = (Samples::default(), Samples::default());
    let mut active = Vec::new();
    for round in 0..SUPER_ADMINS * STARTS_PER_SUPER_ADMIN {
        let token = &setup.tokens[round / STARTS_PER_SUPER_ADMIN];
        let floor = setup.commit().await?;
        let (id, result) = setup.start(&function, token, setup.users[round % STARTS_PER_SUPER_ADMIN]).await?;
        if round >= WARM_UP {
            commits.push(floor);
            started.push(result.took);
            active.push((token, id));
        }
    }
    let ends = measure_ends(platform, &active[..ENDS.min(active.len())]).await?;
    head();
    row("three bare commits", &commits);
    row("impersonate-user", &started);
    row("DELETE to the event", &ends);
    report.without_goal("POST of an impersonation, p50", &ms(commits.p50()), &ms(started.p50()));
    report.at_most("POST of an impersonation, p99", Some(commits.p99()), started.p99(), START_GOAL);
    report.without_goal("DELETE of an impersonation to event, p50", "", &ms(ends.p50()));
    report.at_most("DELETE of an impersonation to event, max", None, ends.max(), END_GOAL);
    Ok(())
}

/// A tenant with users, and super-admins who impersonate them.
struct ImpersonationSetup {
    tenant: Uuid,
    users: Vec<Uuid>,
    tokens: Vec<String>,
    platform_database: Client,
    tenant_database: Client,
}

impl ImpersonationSetup {
    async fn create(platform: &BenchPlatform) -> Result<Self> {
        let provisioning = platform.provisioning().await?;
        let tenant = provisioning.request("impersonated").await?;
        provisioning.wait_until_active(&[tenant]).await?;
        fill_users(platform, TenantId(tenant), USERS).await?;
        let platform_database = platform.stores.connect_owner().await?;
        let name = "SELECT database_name FROM tenants WHERE id = $1";
        let name: String = platform_database.query_one(name, &[&tenant]).await?.try_get(0)?;
        let tenant_database = connect_once(&platform.stores.owner, Some(&name)).await.map_err(|error| error.chain())?;
        let users = "SELECT id FROM users WHERE status = 'active' ORDER BY id LIMIT 10";
        let users = tenant_database.query(users, &[]).await?;
        let users = users.iter().map(|row| row.try_get(0)).collect::<Result<Vec<_>, _>>()?;
        if users.len() < STARTS_PER_SUPER_ADMIN {
            return Err(format!("only {} users are active", users.len()).into());
        }
        let mut tokens = Vec::new();
        for _ in 0..SUPER_ADMINS {
            tokens.push(platform.another_owner().await?);
        }
        Ok(Self { tenant, users, tokens, platform_database, tenant_database })
    }

    /// Duration of the three commits of a start, each with one row.
    async fn commit(&self) -> Result<Duration> {
        let audit = "INSERT INTO audit (id, actor, action) VALUES (gen_random_uuid(), 'bench', 'bench')";
        let user = "UPDATE users SET updated_at = now() WHERE id = $1";
        let begun = Instant::now();
        self.platform_database.execute(audit, &[]).await?;
        self.tenant_database.execute(user, &[&self.users[0]]).await?;
        self.platform_database.execute(audit, &[]).await?;
        Ok(begun.elapsed())
    }

    async fn start(&self, function: &Function, token: &str, user: Uuid) -> Result<(String, InvocationResult)> {
        let request = json!({
            "tenant_id": self.tenant, "user_id": user, "reason": "Looks at why the inbox stays empty", "ticket": "HELP-1",
        });
        let result = function.invoke(event(token, "POST", "/impersonations", "", Some(&request))).await?;
        let started: Value = serde_json::from_str(&body(&result, 201)?)?;
        let id = started["id"].as_str().ok_or("the impersonation has no id")?.to_owned();
        Ok((id, result))
    }
}

/// Measures the time from each DELETE to its event, on a topic of its own.
async fn measure_ends(platform: &BenchPlatform, active: &[(&String, String)]) -> Result<Samples> {
    let topic = format!("bench-impersonation-{}", Uuid::now_v7().simple());
    let kafka = KafkaConfig { topic, ..KafkaConfig::from_env()? };
    let admin = kafka::admin(&kafka).map_err(|error| error.chain())?;
    let topic = NewTopic::new(&kafka.topic, PARTITIONS, TopicReplication::Fixed(-1));
    admin.create_topics([&topic], &AdminOptions::new()).await?;
    let measured = end_all(platform, &kafka, active).await;
    admin.delete_topics(&[&kafka.topic], &AdminOptions::new()).await?;
    measured
}

async fn end_all(platform: &BenchPlatform, kafka: &KafkaConfig, active: &[(&String, String)]) -> Result<Samples> {
    let mut program = platform.program("relay-events");
    program.variables.push(("KAFKA_TOPIC", kafka.topic.clone()));
    let relay = Arc::new(Function::start(&program, RELAY_PROCESSES).await?);
    let queue_url = &platform.relay_queue_url;
    let _mapping = QueueMapping::start(&platform.stores.sqs, queue_url, relay, RELAY_BATCH_SIZE, RELAY_PROCESSES);
    let consumer = EndConsumer::start(kafka.clone());
    let mut program = platform.program("end-impersonation");
    program.variables.push(("RELAY_QUEUE_URL", queue_url.clone()));
    let function = Function::start(&program, 1).await?;
    let mut samples = Samples::default();
    for (number, (token, id)) in active.iter().enumerate() {
        let begun = Instant::now();
        let result = function.invoke(event(token, "DELETE", &format!("/impersonations/{id}"), "", None)).await?;
        body(&result, 204)?;
        let received = consumer.wait_for(id, begun).await?;
        if number >= END_WARM_UP {
            samples.push(received.saturating_duration_since(begun));
        }
    }
    Ok(samples)
}

/// A service that consumes the events of ended impersonations.
struct EndConsumer {
    /// When the event of each impersonation was received.
    received: Arc<Mutex<HashMap<String, Instant>>>,
    stop: Arc<AtomicBool>,
}

impl EndConsumer {
    fn start(kafka: KafkaConfig) -> Self {
        let consumer = Self { received: Arc::default(), stop: Arc::default() };
        let (received, stop) = (Arc::clone(&consumer.received), Arc::clone(&consumer.stop));
        thread::spawn(move || {
            if let Err(error) = consume(&kafka, &received, &stop) {
                eprintln!("consuming the events failed: {error}");
            }
        });
        consumer
    }

    async fn wait_for(&self, id: &str, begun: Instant) -> Result<Instant> {
        while begun.elapsed() < DELIVERY_TIMEOUT {
            if let Some(at) = self.received.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
                return Ok(*at);
            }
            sleep(Duration::from_millis(1)).await;
        }
        Err(format!("the end of impersonation {id} was not delivered: see .local/log/bench-relay-events.log").into())
    }
}

impl Drop for EndConsumer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn consume(kafka: &KafkaConfig, received: &Mutex<HashMap<String, Instant>>, stop: &AtomicBool) -> Result<()> {
    let consumer = kafka::consumer(kafka, Isolation::Committed).map_err(|error| error.chain())?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset(&kafka.topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    while !stop.load(Ordering::Relaxed) {
        // librdkafka reports the end of a partition as an error.
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        let event: Value = serde_json::from_slice(message.payload().unwrap_or_default())?;
        if event["type"] == "impersonation.ended" {
            let id = event["data"]["id"].as_str().unwrap_or_default().to_owned();
            received.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Instant::now());
        }
    }
    Ok(())
}
