//! From the outbox to the topic: every event once, those of a tenant in their order, while relays are killed, their invocations are
//! abandoned, several of them take turns, and the topic is deleted.

use std::{
    collections::HashSet,
    future::pending,
    ops::Range,
    rc::Rc,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::FutureExt;
use lambda_runtime::{Context, LambdaEvent};
use proptest::{prelude::*, sample::select};
use proptest_state_machine::ReferenceStateMachine;
use rdkafka::{admin::AdminOptions, consumer::Consumer};
use relay_events::{App, Boundary, handle};
use serde_json::json;
use shared::{
    clients::kafka,
    config::KafkaConfig,
    events::{self, Event},
    types::TenantId,
    worker::invoke,
};
use tests::{World, live_list, process::TestProcess, topic, until};
use tokio::sync::Notify;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{runner::Property, stage::relay};

/// How long a relay may run. A relay that was abandoned keeps its lock for a little longer.
const RUN: Duration = Duration::from_secs(6);

const SOON: Duration = Duration::from_mins(1);

const TENANTS: usize = 3;
const RELAYS: usize = 2;

#[derive(Debug, Clone)]
pub(crate) enum Transition {
    Enqueue {
        tenant: usize,
        events: usize,
    },
    Run {
        relay: usize,
    },
    /// The invocation ends at the boundary, and the process goes on with the next one.
    Abandon {
        relay: usize,
        boundary: Boundary,
    },
    /// A relay in a process of its own gets `SIGKILL` at the boundary.
    Kill(Boundary),
    DeleteTopic,
}

/// Generates the transitions. What a relay has delivered depends on time, so the test reads it from the outbox.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    /// Whether events may be pending.
    has_events: bool,
}

impl ReferenceStateMachine for Schedule {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self { has_events: false }).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Transition> {
        let boundary = || select(vec![Boundary::Recorded, Boundary::Sent, Boundary::Committed]);
        prop_oneof![
            6 => (0..TENANTS, 1_usize..30).prop_map(|(tenant, events)| Transition::Enqueue { tenant, events }),
            4 => (0..RELAYS).prop_map(|relay| Transition::Run { relay }),
            3 => (0..RELAYS, boundary()).prop_map(|(relay, boundary)| Transition::Abandon { relay, boundary }),
            1 => boundary().prop_map(Transition::Kill),
            1 => Just(Transition::DeleteTopic),
        ]
        .boxed()
    }

    fn apply(state: Self, transition: &Transition) -> Self {
        match transition {
            Transition::Enqueue { .. } => Self { has_events: true },
            Transition::Run { .. } => Self { has_events: false },
            _ => state,
        }
    }

    fn preconditions(state: &Self, transition: &Transition) -> bool {
        // Without events, a relay reaches no boundary.
        !matches!(transition, Transition::Abandon { .. } | Transition::Kill(_)) || state.has_events
    }
}

/// Ends the next invocation of a relay at a boundary.
#[derive(Clone, Default)]
struct StopPoint {
    at: Arc<Mutex<Option<Boundary>>>,
    reached: Arc<Notify>,
}

pub(crate) struct OutboxStage {
    owner: Client,
    world: World,
}

pub(crate) struct OutboxTest {
    stage: Rc<OutboxStage>,
    kafka: KafkaConfig,
    relays: Vec<(App, StopPoint)>,
    tenants: [TenantId; TENANTS],
    /// The events that the topic must have in the end, in their order.
    expected: Vec<(TenantId, Uuid)>,
}

impl Property for OutboxTest {
    type Stage = OutboxStage;
    type Reference = Schedule;
    const NAME: &'static str = "outbox";
    const CASES: u32 = 5;
    const STEPS: Range<usize> = 6..14;

    async fn stage(world: World) -> OutboxStage {
        OutboxStage { owner: world.patient_client().await, world }
    }

    async fn begin(stage: Rc<OutboxStage>, _: &Schedule) -> Self {
        // A case that failed may have left events.
        stage.owner.batch_execute("DELETE FROM outbox").await.unwrap();
        let kafka = stage.world.topic();
        let relays = (0..RELAYS).map(|_| {
            let stop = StopPoint::default();
            let observer = stop.clone();
            let app = relay(&stage.world, &kafka, live_list()).observed_by(Arc::new(move |boundary| {
                let stop = observer.clone();
                async move {
                    if stop.at.lock().unwrap().take_if(|at| *at == boundary).is_some() {
                        stop.reached.notify_one();
                        pending::<()>().await;
                    }
                }
                .boxed()
            }));
            (app, stop)
        });
        let tenants = std::array::from_fn(|_| TenantId::generate());
        Self { relays: relays.collect(), kafka, tenants, expected: Vec::new(), stage }
    }

    async fn step(&mut self, _: &Schedule, transition: &Transition) {
        match transition {
            Transition::Enqueue { tenant, events } => self.enqueue(self.tenants[*tenant], *events).await,
            Transition::Run { relay } => self.run(*relay).await,
            Transition::Abandon { relay, boundary } => {
                let (_, stop) = &self.relays[*relay];
                *stop.at.lock().unwrap() = Some(*boundary);
                tokio::select! {
                    // Another relay still holds the lock, or there was nothing to send.
                    () = self.run(*relay) => *stop.at.lock().unwrap() = None,
                    () = stop.reached.notified() => {}
                }
            }
            Transition::Kill(boundary) => self.kill(*boundary).await,
            Transition::DeleteTopic => self.delete_topic().await,
        }
    }

    async fn end(self, _: Schedule) {
        until("all events are sent", SOON, async || {
            for relay in 0..RELAYS {
                self.run(relay).await;
            }
            self.pending().await.is_empty()
        })
        .await;
        if !self.topic_exists() {
            return assert_eq!(self.expected, [], "nothing was sent, so nothing was to be sent");
        }
        let messages = topic::read(&self.kafka);
        for tenant in self.tenants {
            let key = tenant.to_string();
            let of_tenant = messages.iter().filter(|message| message.key == key);
            let found: Vec<Uuid> = of_tenant.map(|message| message.headers["ce_id"].parse().unwrap()).collect();
            let expected: Vec<Uuid> = self.expected.iter().filter(|(of, _)| *of == tenant).map(|(_, id)| *id).collect();
            assert_eq!(found, expected, "each event once, in the order of its tenant");
        }
    }
}

impl OutboxTest {
    async fn enqueue(&mut self, tenant: TenantId, events: usize) {
        let pool = self.stage.world.api_pool();
        for number in 0..events {
            let event = Event::of_recorded_type("test.happened", tenant, json!({ "number": number }));
            let mut connection = pool.get().await.unwrap();
            let transaction = connection.transaction().await.unwrap();
            events::store::enqueue_event(&transaction, &event).await.unwrap();
            transaction.commit().await.unwrap();
            self.expected.push((tenant, event.id));
        }
    }

    /// An invocation by a message. Its result is not an error even if it delivers nothing.
    async fn run(&self, relay: usize) {
        let record = json!({ "messageId": "1", "receiptHandle": "r", "body": "{}", "eventSource": "aws:sqs" });
        let mut poke = LambdaEvent::new(json!({ "Records": [record] }), Context::default());
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + RUN;
        poke.context.deadline = u64::try_from(deadline.as_millis()).unwrap();
        invoke(&self.relays[relay].0, handle, poke).await.unwrap();
    }

    /// The process fails if it finds nothing to send, or another relay's lock. Then there is nothing to kill.
    async fn kill(&self, boundary: Boundary) {
        let world = &self.stage.world;
        let (database, provision, relay) = (&world.database, &world.provision_queue_url, &world.relay_queue_url);
        let arguments = [database, provision, relay, &self.kafka.topic, &format!("{boundary:?}")].map(String::clone);
        let starting = tokio::spawn(async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            TestProcess::start(env!("CARGO_BIN_EXE_run-relay"), &arguments, "stopped").await
        });
        let abandon = starting.abort_handle();
        match tokio::time::timeout(SOON, starting).await {
            Ok(Ok((process, _))) => {
                process.kill();
                println!("a relay was killed at {boundary:?}");
            }
            Ok(Err(_ended)) => {}
            Err(_elapsed) => abandon.abort(),
        }
    }

    async fn pending(&self) -> HashSet<Uuid> {
        let sql = "SELECT message_id FROM outbox WHERE destination = 'event'";
        self.stage.owner.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// What was delivered is gone with the topic. What the outbox still has must be on the next one, also if the old one had it.
    async fn delete_topic(&mut self) {
        if !self.topic_exists() {
            return;
        }
        let admin = kafka::admin(&self.kafka).unwrap();
        let deleted = admin.delete_topics(&[&self.kafka.topic], &AdminOptions::new()).await.unwrap();
        deleted[0].as_ref().unwrap();
        until("the topic is deleted", SOON, async || !self.topic_exists()).await;
        let pending = self.pending().await;
        self.expected.retain(|(_, id)| pending.contains(id));
    }

    fn topic_exists(&self) -> bool {
        let client = kafka::consumer(&self.kafka, kafka::Isolation::Committed).unwrap();
        let metadata = client.fetch_metadata(None, Duration::from_secs(20)).unwrap();
        metadata.topics().iter().any(|topic| topic.name() == self.kafka.topic)
    }
}
