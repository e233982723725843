//! POST of an impersonation; and from DELETE to its refusal by a service that follows the events, by way of the outbox, the
//! relay and Kafka.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use emulator::event_source::{self, EventSource};
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    admin::{AdminOptions, NewTopic, TopicReplication},
    consumer::Consumer as _,
};
use seed::agents::{self, Home};
use serde_json::{Value, json};
use shared::{
    clients::{
        kafka::{self, Isolation},
        postgres::connect_once,
    },
    config::{Clusters, FromEnv, KafkaConfig},
    domain::TenantId,
};
use tokio::{sync::oneshot, time::sleep};
use tokio_postgres::Client;
use uuid::Uuid;

use super::{head, heading, row};
use crate::{
    Result,
    report::Report,
    request::{body, event},
    runtime::{Answer, Function},
    samples::{Samples, ms},
    world::World,
};

/// Users of the tenant.
const USERS: usize = 40;
/// An operator may start so many a minute.
const EACH: usize = 10;
const OPERATORS: usize = 53;
const WARM_UP: usize = 3 * EACH;
const ENDS: usize = 100;
const PARTITIONS: i32 = 6;
/// How long a start may take, and how long after an end was asked for its token may still be accepted.
const START_GOAL: Duration = Duration::from_millis(20);
const END_GOAL: Duration = Duration::from_secs(1);
/// When an end that nobody tells is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts, by many operators; then ends.
pub(crate) async fn measure(world: &World, report: &mut Report) -> Result<()> {
    heading("POST of an impersonation, and DELETE to its refusal");
    let stage = Stage::make(world).await?;
    let mut program = world.program("impersonate-user");
    // As deployed, it pokes the relay.
    program.variables.push(("RELAY_QUEUE_URL", world.relay_queue_url.clone()));
    let starts = Function::start(&program, 1).await?;
    let (mut commits, mut started) = (Samples::default(), Samples::default());
    let mut live = Vec::new();
    for round in 0..OPERATORS * EACH {
        let token = &stage.tokens[round / EACH];
        let floor = stage.commit().await?;
        let (sid, answer) = stage.start(&starts, token, stage.users[round % EACH]).await?;
        if round >= WARM_UP {
            commits.push(floor);
            started.push(answer.took);
            live.push((token, sid));
        }
    }
    let ends = ends(world, &live[..ENDS.min(live.len())]).await?;
    head();
    row("three bare commits", &commits);
    row("impersonate-user", &started);
    row("from DELETE to the event", &ends);
    report.seen("POST of an impersonation, p50", &ms(commits.p50()), &ms(started.p50()));
    report.at_most("POST of an impersonation, p99", Some(commits.p99()), started.p99(), START_GOAL);
    report.seen("DELETE -> refused by events, p50", "", &ms(ends.p50()));
    report.at_most("DELETE -> refused by events, max", None, ends.max(), END_GOAL);
    Ok(())
}

/// A tenant with users, and operators.
struct Stage {
    tenant: Uuid,
    users: Vec<Uuid>,
    tokens: Vec<String>,
    platform: Client,
    inside: Client,
}

impl Stage {
    async fn make(world: &World) -> Result<Self> {
        let provisioning = world.provisioning().await?;
        let tenant = provisioning.ask_for("impersonated").await?;
        provisioning.wait_for(&[tenant]).await?;
        let platform = world.owner().await?;
        let home = Home::find(&platform, TenantId(tenant)).await.map_err(|error| error.chain())?;
        let clusters = Clusters::single(world.owner.url.clone());
        agents::fill(&platform, &home, (&clusters, &world.owner), USERS, drop).await.map_err(|error| error.chain())?;
        let name = "SELECT database_name FROM organizations WHERE id = $1";
        let name: String = platform.query_one(name, &[&tenant]).await?.try_get(0)?;
        let inside = connect_once(&world.owner, Some(&name)).await.map_err(|error| error.chain())?;
        let users = inside.query("SELECT id FROM agents WHERE status = 'active' ORDER BY id LIMIT 10", &[]).await?;
        let users = users.iter().map(|row| row.try_get(0)).collect::<Result<Vec<_>, _>>()?;
        if users.len() < EACH {
            return Err(format!("only {} users are active", users.len()).into());
        }
        let mut tokens = Vec::new();
        for _ in 0..OPERATORS {
            tokens.push(world.another_owner().await?);
        }
        Ok(Self { tenant, users, tokens, platform, inside })
    }

    /// How long the three commits take that a start consists of, with a row each.
    async fn commit(&self) -> Result<Duration> {
        let audit = "INSERT INTO audit (id, actor, action) VALUES (gen_random_uuid(), 'bench', 'bench')";
        let begun = Instant::now();
        self.platform.execute(audit, &[]).await?;
        self.inside.execute("UPDATE agents SET updated_at = now() WHERE id = $1", &[&self.users[0]]).await?;
        self.platform.execute(audit, &[]).await?;
        Ok(begun.elapsed())
    }

    async fn start(&self, function: &Function, token: &str, user: Uuid) -> Result<(String, Answer)> {
        let request = json!({
            "tenant_id": self.tenant, "user_id": user, "reason": "Looks at why the inbox stays empty", "ticket": "HELP-1",
        });
        let answer = function.invoke(event(token, "POST", "/impersonations", "", Some(&request))).await?;
        let started: Value = serde_json::from_str(&body(&answer, 201)?)?;
        let sid = started["id"].as_str().ok_or("an impersonation without an id")?.to_owned();
        Ok((sid, answer))
    }
}

/// How long after each DELETE was asked for its end is told.
async fn ends(world: &World, live: &[(&String, String)]) -> Result<Samples> {
    let kafka =
        KafkaConfig { topic: format!("bench-impersonation-{}", Uuid::now_v7().simple()), ..KafkaConfig::from_env()? };
    let admin = kafka::admin(&kafka).map_err(|error| error.chain())?;
    let topic = NewTopic::new(&kafka.topic, PARTITIONS, TopicReplication::Fixed(-1));
    admin.create_topics([&topic], &AdminOptions::new()).await?;
    let measured = follow(world, &kafka, live).await;
    admin.delete_topics(&[&kafka.topic], &AdminOptions::new()).await?;
    measured
}

async fn follow(world: &World, kafka: &KafkaConfig, live: &[(&String, String)]) -> Result<Samples> {
    let mut program = world.program("relay-events");
    program.variables.push(("KAFKA_TOPIC", kafka.topic.clone()));
    let relay = Arc::new(Function::start(&program, 2).await?);
    let source = EventSource {
        queue_url: world.relay_queue_url.clone(),
        function: "relay-events".to_owned(),
        batch_size: 10,
        max_concurrency: 2,
        batching_window: Duration::ZERO,
        function_timeout: Duration::from_mins(1),
    };
    let (end, ended) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = ended.await;
    };
    let mapping = tokio::spawn(event_source::run(source, world.sqs.clone(), relay, shutdown));
    let follower = Follower::start(kafka.clone());
    let mut program = world.program("end-impersonation");
    program.variables.push(("RELAY_QUEUE_URL", world.relay_queue_url.clone()));
    let function = Function::start(&program, 1).await?;
    let mut samples = Samples::default();
    // The first ones wait until all the starts are told.
    for (number, (token, sid)) in live.iter().enumerate() {
        let begun = Instant::now();
        let answer = function.invoke(event(token, "DELETE", &format!("/impersonations/{sid}"), "", None)).await?;
        body(&answer, 204)?;
        let told = follower.told(sid, begun).await?;
        if number >= 5 {
            samples.push(told.saturating_duration_since(begun));
        }
    }
    drop(end);
    mapping.abort();
    Ok(samples)
}

/// A service that follows the events, and when it was told of each end.
struct Follower {
    ended: Arc<Mutex<HashMap<String, Instant>>>,
    stop: Arc<AtomicBool>,
}

impl Follower {
    fn start(kafka: KafkaConfig) -> Self {
        let follower = Self { ended: Arc::default(), stop: Arc::default() };
        let (ended, stop) = (Arc::clone(&follower.ended), Arc::clone(&follower.stop));
        thread::spawn(move || {
            if let Err(error) = read(&kafka, &ended, &stop) {
                eprintln!("the events cannot be read: {error}");
            }
        });
        follower
    }

    async fn told(&self, sid: &str, begun: Instant) -> Result<Instant> {
        while begun.elapsed() < PATIENCE {
            if let Some(at) = self.ended.lock().unwrap_or_else(PoisonError::into_inner).get(sid) {
                return Ok(*at);
            }
            sleep(Duration::from_millis(1)).await;
        }
        Err(format!("the end of {sid} was not told: see .local/log/bench-relay-events.log").into())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn read(kafka: &KafkaConfig, ended: &Mutex<HashMap<String, Instant>>, stop: &AtomicBool) -> Result<()> {
    let consumer = kafka::consumer(kafka, Isolation::Committed).map_err(|error| error.chain())?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset(&kafka.topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    while !stop.load(Ordering::Relaxed) {
        // The ends of partitions are no messages.
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        let event: Value = serde_json::from_slice(message.payload().unwrap_or_default())?;
        if event["type"] == "impersonation.ended" {
            let sid = event["data"]["id"].as_str().unwrap_or_default().to_owned();
            ended.lock().unwrap_or_else(PoisonError::into_inner).insert(sid, Instant::now());
        }
    }
    Ok(())
}
