//! Messages about operations: in a batch, and in a real queue until they are dead letters.

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
use provision_tenant::{
    App,
    process::{self, Process},
};
use serde_json::{Value, json};
use shared::{
    clients::sqs::Sqs,
    clusters::ClusterLists,
    config::{Cluster, Clusters, FromEnv, KafkaConfig, QueueConfig},
    error::Error,
    events::{self, dispatch::Dispatcher},
    operations::StepName,
    provisioning::{Moment, Provisioner, SagaObserver},
    tenants::TenantStatus,
    types::OperationId,
    worker::invoke,
};
use tests::queues::{self, Queue};
use tokio::{sync::oneshot, task::JoinHandle, time::Instant};

use crate::{
    saboteur::{Sabotage, Saboteur},
    stage::{ProvisioningStage, Requested},
};

/// Number of deliveries by the queues of these tests.
const DELIVERIES: i32 = 3;

/// The function, optionally disturbed by a saboteur. It sends messages for later attempts to the queue.
fn function(stage: &ProvisioningStage, queue_url: &str, saboteur: Option<Arc<Saboteur>>) -> App {
    observed_function(stage, queue_url, saboteur.map(|saboteur| saboteur as Arc<dyn SagaObserver>))
}

pub(crate) fn observed_function(
    stage: &ProvisioningStage,
    queue_url: &str,
    observer: Option<Arc<dyn SagaObserver>>,
) -> App {
    let provisioner = Provisioner { observer, ..stage.worker() };
    let queues = QueueConfig {
        provision: Some(queue_url.to_owned()),
        relay: Some(stage.world.relay_queue_url.clone()),
        measure: None,
    };
    App { provisioner: Arc::new(provisioner), dispatcher: Arc::new(Dispatcher::new(queues)) }
}

/// Invokes the function with a batch.
pub(crate) async fn work(app: &App, batch: Value) -> Value {
    invoke(app, provision_tenant::handle, LambdaEvent::new(batch, Context::default())).await.unwrap()
}

#[tokio::test]
async fn each_minute_the_function_records_the_clusters_on_which_it_places_tenants() {
    let stage = ProvisioningStage::new().await;
    let lists = ClusterLists { postgres: clusters("p", 7), mongo: clusters("m", 8) };
    let process = Process::new(function(&stage, "", None), lists);
    let list =
        "SELECT string_agg(concat_ws(' ', store, name, max_tenants, is_placing), ', ' ORDER BY store) FROM clusters";
    let owner = stage.owner.get().await.unwrap();
    let recorded = async || -> Option<String> { owner.query_one(list, &[]).await.unwrap().get(0) };
    assert_eq!(recorded().await, None);
    let empty = || LambdaEvent::new(json!({ "Records": [] }), Context::default());
    invoke(&process, process::handle, empty()).await.unwrap();
    assert_eq!(recorded().await.as_deref(), Some("mongodb m 8 t, postgresql p 7 t"));
    // An older process, in a deployment that is not complete, records its own list; soon after, a warm process corrects that.
    owner.execute("UPDATE clusters SET max_tenants = 1", &[]).await.unwrap();
    invoke(&process, process::handle, empty()).await.unwrap();
    assert_eq!(recorded().await.as_deref(), Some("mongodb m 1 t, postgresql p 1 t"));
    let process = process.record_every(Duration::ZERO);
    for _ in 0..2 {
        invoke(&process, process::handle, empty()).await.unwrap();
        assert_eq!(recorded().await.as_deref(), Some("mongodb m 8 t, postgresql p 7 t"));
        owner.execute("UPDATE clusters SET max_tenants = 1", &[]).await.unwrap();
    }
}

fn clusters(name: &str, max_tenants: i64) -> Clusters {
    let cluster =
        Cluster { name: name.to_owned(), max_tenants, ..Clusters::single("mongodb://localhost").0.swap_remove(0) };
    Clusters(vec![cluster])
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
    let stage = ProvisioningStage::new().await;
    let requested = [stage.request().await, stage.request().await, stage.request().await];
    let app = function(
        &stage,
        &stage.world.provision_queue_url,
        Some(Saboteur::new([(Moment::Applied(StepName::MongodbDatabase), Sabotage::Panic)])),
    );

    let response = work(&app, batch(&requested.map(|requested| requested.operation))).await;

    let failed = failed_messages(&response);
    assert_eq!(failed.len(), 1, "{failed:?}");
    let (broken, whole): (Vec<_>, Vec<_>) =
        requested.into_iter().partition(|requested| failed.contains(&requested.operation.to_string()));
    for requested in &whole {
        stage.assert_active(requested.tenant).await;
    }
    let [broken] = broken[..] else { panic!("{broken:?}") };
    assert_eq!(stage.status(broken.tenant).await, TenantStatus::Provisioning);

    // The panic did not release the lease, so it must expire before the message is delivered again.
    stage.expire(broken.operation).await;
    let response = work(&app, batch(&[broken.operation])).await;
    assert!(failed_messages(&response).is_empty());
    stage.assert_active(broken.tenant).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_fault_the_operation_waits_and_then_goes_on_without_another_delivery_of_its_message() {
    let stage = ProvisioningStage::new().await;
    let queue = queues::with_dead_letters(&stage.world.database, DELIVERIES).await;
    let requested = stage.request().await;
    // More faults than the queue has deliveries.
    let faults = [StepName::Placement, StepName::PostgresqlDatabase, StepName::AdminUser, StepName::Activation];
    let saboteur = Saboteur::new(faults.map(|step| (Moment::Applying(step), Sabotage::Transient)));
    let mapping = Mapping::of(&queue, function(&stage, &queue.url, Some(saboteur))).await;
    let begun = Instant::now();

    send(&stage, &queue, requested).await;
    until("the operation has ended", async || stage.status(requested.tenant).await == TenantStatus::Active).await;

    // The first waits are at least 0.5, 1, 2 and 4 s.
    assert!(begun.elapsed() > Duration::from_millis(7500), "{:?}", begun.elapsed());
    assert_eq!((mapping.deliveries(), attempts(&stage, requested).await), (5, 5), "one message for each attempt");
    assert_eq!(queue.dead_letters().await, 0);
    stage.assert_active(requested.tenant).await;
    mapping.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_rolls_back_an_operation_that_is_out_of_time_and_a_retry_makes_the_tenant_active() {
    let stage = ProvisioningStage::new().await;
    let queue = queues::with_dead_letters(&stage.world.database, DELIVERIES).await;
    let requested = stage.request().await;
    let database = stage.database(requested.tenant).await;
    stage.spend_budget(requested.operation).await;
    let saboteur = Saboteur::new([(Moment::Applying(StepName::MongodbDatabase), Sabotage::Transient)]);
    let mapping = Mapping::of(&queue, function(&stage, &queue.url, Some(saboteur))).await;

    send(&stage, &queue, requested).await;
    until("the operation has ended", async || stage.status(requested.tenant).await == TenantStatus::Failed).await;

    stage.assert_failed(requested.tenant, &database).await;
    assert_eq!(stage.reason(requested.operation).await.unwrap(), Error::DeadlineExceeded.to_string());
    let retried = stage.request_retry(requested.tenant).await;
    send(&stage, &queue, retried).await;
    until("the tenant is active", async || stage.status(requested.tenant).await == TenantStatus::Active).await;
    stage.assert_active(requested.tenant).await;
    mapping.end().await;
}

/// Has the queue deliver a message to workers that die in the middle, until it is a dead letter.
async fn kill_every_worker(stage: &ProvisioningStage, queue: &Queue, requested: Requested) {
    let (victims, queue_url) = (stage.clone(), queue.url.clone());
    let mapping = Mapping::begin(queue, move |event, _| {
        let (stage, queue_url) = (victims.clone(), queue_url.clone());
        async move {
            stage.expire(requested.operation).await;
            let saboteur = Saboteur::new([(Moment::Applied(StepName::PostgresqlDatabase), Sabotage::Freeze)]);
            let app = function(&stage, &queue_url, Some(saboteur.clone()));
            let worker = tokio::spawn(async move { answer(&app, &event).await });
            saboteur.frozen().await;
            worker.abort();
            let _killed = worker.await;
            Err(InvokeError::Failed("the process died".to_owned()))
        }
        .boxed()
    })
    .await;
    send(stage, queue, requested).await;
    until("the message is a dead letter", async || queue.dead_letters().await == 1).await;
    mapping.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_whose_message_became_a_dead_letter_is_woken_and_succeeds() {
    let stage = ProvisioningStage::new().await;
    let queue = queues::with_dead_letters(&stage.world.database, DELIVERIES).await;
    let requested = stage.request().await;
    let database = stage.database(requested.tenant).await;
    kill_every_worker(&stage, &queue, requested).await;
    assert_eq!(stage.status(requested.tenant).await, TenantStatus::Provisioning);
    assert!(stage.found(requested.tenant, &database).await.postgres, "the worker had created the database");

    stage.make_overdue(requested.operation).await;
    let report = relay(&stage, &queue).await;
    assert_eq!((&report["operations_woken"], &report["provisions_sent"]), (&json!(1), &json!(1)), "{report}");
    let mapping = Mapping::of(&queue, function(&stage, &queue.url, None)).await;
    until("the tenant is active", async || stage.status(requested.tenant).await == TenantStatus::Active).await;
    stage.assert_active(requested.tenant).await;
    mapping.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_stops_every_worker_is_rolled_back_when_it_is_out_of_time() {
    let stage = ProvisioningStage::new().await;
    let queue = queues::with_dead_letters(&stage.world.database, DELIVERIES + 1).await;
    let requested = stage.request().await;
    let database = stage.database(requested.tenant).await;
    kill_every_worker(&stage, &queue, requested).await;
    stage.spend_budget(requested.operation).await;

    stage.make_overdue(requested.operation).await;
    relay(&stage, &queue).await;
    let mapping = Mapping::of(&queue, function(&stage, &queue.url, None)).await;
    until("the operation has ended", async || stage.status(requested.tenant).await == TenantStatus::Failed).await;

    stage.assert_failed(requested.tenant, &database).await;
    assert_eq!(
        stage.reason(requested.operation).await.unwrap(),
        "The operation was started 4 times, and each time the worker stopped before it finished"
    );
    stage.assert_retry_works(requested.tenant).await;
    mapping.end().await;
}

/// Sends the message about an operation, as the dispatcher of `create-tenant` does.
async fn send(stage: &ProvisioningStage, queue: &Queue, requested: Requested) {
    Sqs::new().send(&queue.url, &body(requested.operation)).await.unwrap();
    events::store::delete_provision(&stage.api.get().await.unwrap(), requested.operation).await.unwrap();
}

/// Runs the relay once, as its schedule does.
async fn relay(stage: &ProvisioningStage, queue: &Queue) -> serde_json::Value {
    let app = relay_events::App::new(
        stage.world.api_pool(),
        stage.world.tenant_databases(),
        KafkaConfig::from_env().unwrap(),
        Sqs::new(),
        tests::live_list(),
        queue.url.clone(),
    );
    invoke(&app, relay_events::handle, LambdaEvent::new(json!({}), Context::default())).await.unwrap()
}

async fn attempts(stage: &ProvisioningStage, requested: Requested) -> i32 {
    let sql = "SELECT attempts FROM operations WHERE id = $1";
    stage.owner.get().await.unwrap().query_one(sql, &[&requested.operation.0]).await.unwrap().get(0)
}

/// Invokes the function with an event.
async fn answer(app: &App, event: &str) -> Result<String, InvokeError> {
    Ok(work(app, serde_json::from_str(event).unwrap()).await.to_string())
}

/// Waits until the condition holds.
async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    tests::until(what, Duration::from_mins(1), condition).await;
}

/// Handles an event. The second argument counts the events, from 1.
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
    /// A mapping to the function.
    async fn of(queue: &Queue, app: App) -> Self {
        Self::begin(queue, move |event, _| {
            let app = app.clone();
            async move { answer(&app, &event).await }.boxed()
        })
        .await
    }

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
