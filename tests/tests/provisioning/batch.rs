//! Messages about operations: in a batch, and on their way through a real queue to its dead letters.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use emulator::{
    event_source::{self, EventSource},
    invoke::{Invoke, InvokeError},
};
use futures::{FutureExt, future::BoxFuture};
use lambda_runtime::{Context, LambdaEvent};
use provision_tenant::App;
use serde_json::{Value, json};
use shared::{
    clients::sqs::Sqs,
    config::{FromEnv, KafkaConfig, ProvisioningConfig, QueueConfig},
    events::{self, Dispatcher},
    operations::StepName,
    provisioning::Moment,
    tenants::TenantStatus,
    types::OperationId,
    worker::invoke,
};
use tests::queues::{self, Queue};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::stage::{Asked, Fault, Saboteur, Stage, start};

/// How often the queues of these tests give a message out, and the worker takes an operation up.
const DELIVERIES: i32 = 3;

/// The function, as a saboteur's victim if there is one.
fn function(stage: &Stage, saboteur: Option<Arc<Saboteur>>) -> App {
    let mut provisioner = stage.worker();
    provisioner.config.max_attempts = DELIVERIES;
    if let Some(saboteur) = saboteur {
        provisioner.observer = Some(saboteur);
    }
    let queues = QueueConfig { provision: None, relay: Some(stage.world.relay_queue_url.clone()), measure: None };
    App { provisioner: Arc::new(provisioner), dispatcher: Arc::new(Dispatcher::new(queues)) }
}

/// Invokes the function with a batch.
async fn work(app: &App, batch: Value) -> Value {
    invoke(app, provision_tenant::handle, LambdaEvent::new(batch, Context::default())).await.unwrap()
}

/// The ids of the messages that must be delivered again.
fn failed_messages(response: &Value) -> HashSet<String> {
    let failures = response["batchItemFailures"].as_array().unwrap();
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

fn body(operation: OperationId) -> String {
    json!({ "operation_id": operation }).to_string()
}

/// A batch with one message per operation, whose id is the operation's.
fn batch(operations: &[OperationId]) -> Value {
    let message = |operation: &OperationId| json!({ "messageId": operation, "body": body(*operation) });
    json!({ "Records": operations.iter().map(message).collect::<Vec<_>>() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_over_one_message_fails_that_message_alone() {
    let stage = Stage::new().await;
    let asked = [stage.ask().await, stage.ask().await, stage.ask().await];
    let app = function(&stage, Some(Saboteur::new([(Moment::Applied(StepName::MongodbDatabase), Fault::Panic)])));

    let response = work(&app, batch(&asked.map(|asked| asked.operation))).await;

    let failed = failed_messages(&response);
    assert_eq!(failed.len(), 1, "{failed:?}");
    let (broken, whole): (Vec<_>, Vec<_>) =
        asked.into_iter().partition(|asked| failed.contains(&asked.operation.to_string()));
    for asked in &whole {
        stage.assert_active(asked.tenant).await;
    }
    let [broken] = broken[..] else { panic!("{broken:?}") };
    assert_eq!(stage.status(broken.tenant).await, TenantStatus::Provisioning);

    // Its lease is left to expire, as after any death; then its message comes again.
    stage.expire(broken.operation).await;
    let response = work(&app, batch(&[broken.operation])).await;
    assert!(failed_messages(&response).is_empty());
    stage.assert_active(broken.tenant).await;
    stage.world.drop_tenants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_delivery_of_a_message_turns_its_operation_round_and_a_retry_makes_the_tenant_active() {
    let stage = Stage::new().await;
    let queue = queues::with_dead_letters(&stage.world.database, DELIVERIES).await;
    let asked = stage.ask().await;
    let database = stage.database(asked.tenant).await;
    // Another worker has it until the last delivery, so that of its steps' own attempts there would be more.
    let other = Saboteur::new([(Moment::Leased, Fault::Freeze)]);
    let sleeper = start(stage.watched(other.clone()), asked.operation);
    other.frozen().await;
    let saboteur = Saboteur::new([(Moment::Applying(StepName::MongodbDatabase), Fault::Transient)]);
    let app = function(&stage, Some(saboteur));
    let expiring = stage.clone();
    let mapping = Mapping::begin(&queue, move |event, delivery| {
        let (app, stage) = (app.clone(), expiring.clone());
        async move {
            if delivery == 3 {
                stage.expire(asked.operation).await;
            }
            answer(&app, &event).await
        }
        .boxed()
    })
    .await;

    send(&stage, &queue, asked).await;
    until("the message is gone", async || queue.is_empty().await).await;

    assert_eq!(mapping.deliveries(), 3);
    assert_eq!(queue.dead_letters().await, 0);
    assert_eq!(attempts(&stage, asked).await, 2, "the operation itself could have been tried once more");
    stage.assert_failed(asked.tenant, &database).await;
    assert_eq!(stage.reason(asked.operation).await.unwrap(), "MongoDB could not be reached, or did not answer in time");

    let again = stage.ask_again(asked.tenant).await;
    send(&stage, &queue, again).await;
    until("the message is gone", async || queue.is_empty().await).await;
    stage.assert_active(asked.tenant).await;
    other.thaw();
    sleeper.await.unwrap().unwrap();
    stage.assert_active(asked.tenant).await;
    mapping.end().await;
    stage.world.drop_tenants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_not_the_end_of_an_operation() {
    let stage = Stage::new().await;
    let queue = queues::with_dead_letters(&stage.world.database, DELIVERIES).await;
    let asked = stage.ask().await;
    let database = stage.database(asked.tenant).await;
    let victims = stage.clone();
    let mapping = Mapping::begin(&queue, move |event, _| {
        let stage = victims.clone();
        async move {
            stage.expire(asked.operation).await;
            let saboteur = Saboteur::new([(Moment::Applied(StepName::PostgresqlDatabase), Fault::Freeze)]);
            let app = function(&stage, Some(saboteur.clone()));
            let worker = tokio::spawn(async move { answer(&app, &event).await });
            saboteur.frozen().await;
            worker.abort();
            let _killed = worker.await;
            Err(InvokeError::Failed("the process is gone".to_owned()))
        }
        .boxed()
    })
    .await;

    send(&stage, &queue, asked).await;
    until("it is a dead letter", async || queue.dead_letters().await == 1).await;
    mapping.end().await;
    assert_eq!(stage.status(asked.tenant).await, TenantStatus::Provisioning);
    assert!(stage.found(asked.tenant, &database).await.postgres, "something of it is there");

    // Nobody has touched it for longer than a message can wait between two deliveries.
    stage.expire(asked.operation).await;
    let sql = "UPDATE operations SET updated_at = now() - interval '8 minutes' WHERE id = $1";
    stage.owner.get().await.unwrap().execute(sql, &[&asked.operation.0]).await.unwrap();
    let report = relay(&stage, &queue).await;
    assert_eq!((&report["operations_requeued"], &report["provisions_sent"]), (&json!(1), &json!(1)), "{report}");
    let app = function(&stage, None);
    let mapping = Mapping::begin(&queue, move |event, _| {
        let app = app.clone();
        async move { answer(&app, &event).await }.boxed()
    })
    .await;
    until("the message is gone", async || queue.is_empty().await).await;

    stage.assert_failed(asked.tenant, &database).await;
    assert_eq!(
        stage.reason(asked.operation).await.unwrap(),
        "It was taken up 3 times, and each time the worker ended in the middle of it"
    );
    let again = stage.ask_again(asked.tenant).await;
    send(&stage, &queue, again).await;
    until("the message is gone", async || queue.is_empty().await).await;
    stage.assert_active(asked.tenant).await;
    mapping.end().await;
    stage.world.drop_tenants().await;
}

/// Sends the message about an operation, as the function that committed it does.
async fn send(stage: &Stage, queue: &Queue, asked: Asked) {
    Sqs::new().send(&queue.url, &body(asked.operation)).await.unwrap();
    events::store::delete_provision(&stage.api.get().await.unwrap(), asked.operation).await.unwrap();
}

/// Runs the relay once, as its schedule does.
async fn relay(stage: &Stage, queue: &Queue) -> serde_json::Value {
    let provisioning = ProvisioningConfig { function_timeout: Duration::from_mins(1), max_attempts: DELIVERIES };
    let app = relay_events::App::new(
        stage.world.api_pool(),
        KafkaConfig::from_env().unwrap(),
        Sqs::new(),
        tests::deny_list(),
        queue.url.clone(),
        provisioning,
    );
    invoke(&app, relay_events::handle, LambdaEvent::new(json!({}), Context::default())).await.unwrap()
}

async fn attempts(stage: &Stage, asked: Asked) -> i32 {
    let sql = "SELECT attempts FROM operations WHERE id = $1";
    stage.owner.get().await.unwrap().query_one(sql, &[&asked.operation.0]).await.unwrap().get(0)
}

/// What the function answers to an event.
async fn answer(app: &App, event: &str) -> Result<String, InvokeError> {
    Ok(work(app, serde_json::from_str(event).unwrap()).await.to_string())
}

/// Repeats until it is so.
async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    tests::until(what, Duration::from_mins(1), condition).await;
}

/// What is done with an event, the how-manieth it is.
type Handler = Box<dyn Fn(String, usize) -> BoxFuture<'static, Result<String, InvokeError>> + Send + Sync>;

/// An event source mapping from a queue to a function in this process.
struct Mapping {
    invoked: Arc<InProcess>,
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

struct InProcess {
    handler: Handler,
    deliveries: AtomicUsize,
}

impl Invoke for InProcess {
    async fn invoke(&self, _: &str, event: String) -> Result<String, InvokeError> {
        let delivery = self.deliveries.fetch_add(1, Ordering::SeqCst) + 1;
        (self.handler)(event, delivery).await
    }
}

impl Mapping {
    async fn begin(
        queue: &Queue,
        handler: impl Fn(String, usize) -> BoxFuture<'static, Result<String, InvokeError>> + Send + Sync + 'static,
    ) -> Self {
        let source = EventSource {
            queue_url: queue.url.clone(),
            function: "provision-tenant".to_owned(),
            batch_size: 10,
            max_concurrency: 1,
            batching_window: Duration::ZERO,
            function_timeout: Duration::from_mins(1),
        };
        let invoked = Arc::new(InProcess { handler: Box::new(handler), deliveries: AtomicUsize::new(0) });
        let (end, ended) = oneshot::channel();
        let shutdown = async move { drop(ended.await) };
        let task = tokio::spawn(event_source::run(source, queues::client().await, Arc::clone(&invoked), shutdown));
        Self { invoked, end, task }
    }

    fn deliveries(&self) -> usize {
        self.invoked.deliveries.load(Ordering::SeqCst)
    }

    async fn end(self) {
        let _ended_itself = self.end.send(());
        self.task.await.unwrap();
    }
}
