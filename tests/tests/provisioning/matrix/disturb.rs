//! How each fault is caused at a point.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use shared::{
    config::QueueConfig,
    events::{self, dispatch::Dispatcher},
    operations::{OperationKind, OperationStatus, StepName, store::journal},
    provisioning::{Moment, OperationOutcome, Provisioner},
    tenants::TenantStatus,
};
use tests::{
    process::TestProcess,
    proxy::{Action, At, Direction, Held, Mode, Proxy},
    queues,
    worker::{WorkerProxies, WorkerStore, worker},
};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    courses::{Course, Fixtures},
    faults::Fault,
    points::{Point, Script},
};
use crate::{
    batch,
    saboteur::Sabotage,
    stage::{ProvisioningStage, Requested, minute, start},
};

/// How much time a worker has whose store does not answer.
const SHORT: Duration = Duration::from_secs(5);

const DELAY: Duration = Duration::from_millis(300);

/// One fault at one point of a course.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) course: Course,
    /// The moment of the course's permanent error.
    pub(super) fails_at: Option<Moment>,
    pub(super) point: Point,
    pub(super) fault: Fault,
    /// The steps that can be repeated.
    pub(super) repeatable: Vec<StepName>,
}

/// An operation that is disturbed.
pub(super) struct Disturbed<'a> {
    pub(super) cell: &'a Cell,
    pub(super) stage: &'a ProvisioningStage,
    pub(super) requested: Requested,
    proxies: Arc<WorkerProxies>,
}

impl<'a> Disturbed<'a> {
    pub(super) async fn new(cell: &'a Cell, fixtures: &'a Fixtures) -> Self {
        let requested = fixtures.request(cell.course.kind()).await;
        let proxies = Arc::new(WorkerProxies::new(&fixtures.stage.world).await);
        Self { cell, stage: &fixtures.stage, requested, proxies }
    }

    /// Causes the fault, and has the operation end. Returns whether the point was reached, and the status.
    pub(super) async fn run(&self) -> (bool, OperationStatus) {
        let reached = match &self.cell.point {
            Point::Boundary(moment) => self.disturb_boundary(*moment).await,
            Point::Request { store, .. } => self.disturb_request(*store).await,
        };
        (reached, self.finish(&self.other()).await)
    }

    async fn disturb_boundary(&self, moment: Moment) -> bool {
        match self.cell.fault {
            Fault::TransientError => self.fail(moment, Sabotage::Transient).await,
            Fault::UnavailableStore => self.fail(moment, Sabotage::Unavailable).await,
            Fault::PermanentError => self.fail(moment, Sabotage::Permanent).await,
            Fault::Repeated => {
                let reached = self.fail(moment, Sabotage::Transient).await;
                let forget = "UPDATE operation_steps SET status = 'pending' FROM operations o
                              WHERE operation_id = o.id AND o.id = $1 AND o.finished_at IS NULL AND name = ANY ($2)";
                let platform = self.stage.owner.get().await.unwrap();
                platform.execute(forget, &[&self.requested.operation.0, &self.cell.repeatable]).await.unwrap();
                reached
            }
            Fault::Killed => {
                let Some(process) = self.process_at(moment).await else { return false };
                process.kill();
                true
            }
            Fault::AwokenLate => {
                let Some(mut process) = self.process_at(moment).await else { return false };
                process.freeze();
                process.send("go on");
                self.finish_without(&process).await;
                process.next("ended").await.expect("the process ends by itself");
                true
            }
            Fault::LeaseLost | Fault::MessageDoubled | Fault::MessageLost => self.disturb_frozen(moment).await,
            other => unreachable!("{other:?} happens at requests"),
        }
    }

    /// An error at a boundary.
    async fn fail(&self, moment: Moment, sabotage: Sabotage) -> bool {
        let script = Script::new(Some((moment, sabotage))).failing_at(self.cell.fails_at, || {});
        let worker = worker(&self.stage.world, &self.proxies.ports(), Some(script.clone()));
        let _outcome = worker.run(self.requested.operation, minute()).await;
        if self.cell.fault != Fault::Repeated {
            // The same worker goes on.
            self.finish(&worker).await;
        }
        script.has_disturbed()
    }

    /// What happens to a worker in this process that has stopped at a boundary.
    async fn disturb_frozen(&self, moment: Moment) -> bool {
        let operation = self.requested.operation;
        let script = Script::new(Some((moment, Sabotage::Freeze))).failing_at(self.cell.fails_at, || {});
        let first = worker(&self.stage.world, &self.proxies.ports(), Some(script.clone()));
        let mut first = start(first, operation);
        tokio::select! {
            () = script.reached() => {}
            _ = &mut first => return false,
        }
        match self.cell.fault {
            Fault::LeaseLost => {
                let other = Script::new(Some((Moment::Leased, Sabotage::Freeze))).failing_at(self.cell.fails_at, || {});
                self.stage.expire(operation).await;
                let mut second = start(self.stage.watched(other.clone()), operation);
                tokio::select! {
                    () = other.reached() => {}
                    // The operation has ended.
                    _ = &mut second => {
                        script.go_on();
                        let _outcome = first.await.unwrap();
                        return true;
                    }
                }
                other.go_on();
                script.go_on();
                let _outcomes = (first.await.unwrap(), second.await.unwrap());
            }
            Fault::MessageDoubled => {
                let outcome = self.other().run(operation, minute()).await.unwrap();
                let changes_nothing = matches!(
                    outcome,
                    OperationOutcome::Open { wake_in: None, .. } | OperationOutcome::Finished { now: false, .. }
                );
                assert!(changes_nothing, "{outcome:?}");
                script.go_on();
                let _outcome = first.await.unwrap();
            }
            _ => {
                first.abort();
                let _killed = first.await;
                self.wake().await;
            }
        }
        true
    }

    /// Sends the message about the operation, as the relay does when it is overdue, and handles it.
    async fn wake(&self) {
        let (stage, operation) = (self.stage, self.requested.operation);
        if self.status().await.is_some() {
            return;
        }
        stage.make_overdue(operation).await;
        let queue_url = queues::create(&stage.world.database, &Uuid::now_v7().simple().to_string()).await;
        let api = stage.api.get().await.unwrap();
        events::store::delete_provision(&api, operation).await.unwrap();
        journal::wake_overdue(&api, Duration::from_mins(1), Duration::ZERO).await.unwrap();
        let waiting = format!("SELECT FROM outbox WHERE destination = 'provision' AND message_id = '{operation}'");
        assert_eq!(stage.count(&waiting).await, 1, "the operation is woken");
        let queues = QueueConfig { provision: Some(queue_url.clone()), ..QueueConfig::default() };
        Dispatcher::new(queues).send_provision(&api, operation).await;
        let [message] = &queues::drain(&queue_url).await[..] else { panic!("one message") };
        let observer = Script::new(None).failing_at(self.cell.fails_at, || {});
        let function = batch::observed_function(stage, &queue_url, Some(observer));
        let response = batch::work(&function, json!({ "Records": [{ "messageId": "1", "body": message }] })).await;
        assert_eq!(response["batchItemFailures"], json!([]));
    }

    async fn disturb_request(&self, store: WorkerStore) -> bool {
        let proxy = self.proxies.of(store);
        let in_process = |action: Action, time: Duration| self.request_in_process(store, action, time);
        let long = Duration::from_mins(1);
        match self.cell.fault {
            Fault::RequestLost => in_process(Action::CloseBefore, long).await,
            Fault::AnswerLost => in_process(Action::CloseAfter, long).await,
            Fault::StoreDown => in_process(Action::Cut, long).await,
            Fault::StoreHangs => in_process(Action::Hang(Held::Request), SHORT).await,
            Fault::RequestsVanish => in_process(Action::Lose(Direction::Requests), SHORT).await,
            Fault::AnswersVanish => in_process(Action::Lose(Direction::Answers), SHORT).await,
            Fault::Delayed => in_process(Action::Delay(DELAY), long).await,
            Fault::Fragmented => in_process(Action::Fragment, long).await,
            Fault::KilledBefore | Fault::KilledAfter | Fault::RequestLate | Fault::AnswerLate => {
                let held = match self.cell.fault {
                    Fault::KilledBefore | Fault::RequestLate => Held::Request,
                    _ => Held::Answer,
                };
                let process = self.process(None, Some(Action::Hang(held))).await;
                let ended = process.next("ended");
                let mut ended = tokio::spawn(ended);
                tokio::select! {
                    () = proxy.hung() => {}
                    _ = &mut ended => return false,
                }
                if matches!(self.cell.fault, Fault::KilledBefore | Fault::KilledAfter) {
                    process.kill();
                    proxy.close_all();
                    proxy.set(Mode::Pass);
                } else {
                    process.freeze();
                    let arrives = || proxy.set(Mode::Pass);
                    self.finish_before(&process, arrives).await;
                    ended.await.unwrap().expect("the process ends by itself");
                }
                true
            }
            other => unreachable!("{other:?} happens at boundaries"),
        }
    }

    /// A fault of a request to a store, after which the same worker goes on.
    async fn request_in_process(&self, store: WorkerStore, action: Action, time: Duration) -> bool {
        let (proxies, at) = (Arc::clone(&self.proxies), self.at());
        let begin = move || proxies.of(store).plan(at, action);
        let script = Script::new(None).failing_at(self.cell.fails_at, begin);
        let worker = worker(&self.stage.world, &self.proxies.ports(), Some(script.clone()));
        let _outcome = worker.run(self.requested.operation, Instant::now() + time).await;
        // On a slow machine, the permanent error is still to come. Nobody would end a fault that it causes then.
        script.begin_nothing();
        let proxy = self.proxies.of(store);
        let reached = !proxy.disarm();
        if matches!(action, Action::Lose(_)) {
            // The client's network would notice after a while that nothing is acknowledged.
            proxy.close_all();
        }
        proxy.set(Mode::Pass);
        self.finish(&worker).await;
        reached
    }

    fn at(&self) -> At {
        match &self.cell.point {
            Point::Request { label, nth, .. } => At::Labelled(label.clone(), *nth),
            Point::Boundary(moment) => unreachable!("{moment:?} is no request"),
        }
    }

    fn proxy(&self) -> Option<&Proxy> {
        match &self.cell.point {
            Point::Request { store, .. } => Some(self.proxies.of(*store)),
            Point::Boundary(_) => None,
        }
    }

    /// A worker in a process of its own, which stops at a moment. `action` is planned when the permanent error of the course happens,
    /// or at once.
    async fn process(&self, stops_at: Option<Moment>, action: Option<Action>) -> TestProcess {
        let moment = |moment: Option<Moment>| moment.map_or("-".to_owned(), |moment| format!("{moment:?}"));
        let ports = self.proxies.ports().iter().map(u16::to_string).collect::<Vec<_>>().join(",");
        let (operation, fails_at, stops_at) =
            (self.requested.operation.to_string(), moment(self.cell.fails_at), moment(stops_at));
        let arguments = [&*self.stage.world.database, &ports, &operation, &fails_at, &stops_at];
        let plan = || {
            if let (Some(action), Some(proxy)) = (action, self.proxy()) {
                proxy.plan(self.at(), action);
            }
        };
        if self.cell.fails_at.is_none() {
            plan();
        }
        let program = env!("CARGO_BIN_EXE_run-operation");
        let (mut process, _) = TestProcess::start(program, &arguments, "started").await;
        if self.cell.fails_at.is_some() {
            assert_eq!(process.next("reached ").await.as_deref(), Some(&*fails_at));
            plan();
            process.send("go on");
        }
        process
    }

    /// A process that has stopped at a moment; `None` if it did not come there.
    async fn process_at(&self, moment: Moment) -> Option<TestProcess> {
        let process = self.process(Some(moment), None).await;
        let line = process.next("").await?;
        (line == format!("reached {moment:?}")).then_some(process)
    }

    /// Other workers end the operation while a process is suspended, and the tenant is retried if it failed. Then the process goes on.
    async fn finish_without(&self, process: &TestProcess) {
        self.finish_before(process, || {}).await;
    }

    /// As [`Self::finish_without`]; something happens before the process goes on.
    async fn finish_before(&self, process: &TestProcess, event: impl FnOnce()) {
        self.finish(&self.other()).await;
        self.retry().await;
        event();
        process.thaw();
    }

    /// Provisions the tenant again, if it failed.
    async fn retry(&self) {
        // A restored copy that failed is not provisioned again.
        let may_be_retried = self.cell.course.kind() != OperationKind::Restore;
        if may_be_retried && self.stage.status(self.requested.tenant).await == TenantStatus::Failed {
            self.stage.assert_retry_works(self.requested.tenant).await;
        }
    }

    /// A worker that nothing disturbs, except the permanent error of the course.
    fn other(&self) -> Provisioner {
        self.stage.watched(Script::new(None).failing_at(self.cell.fails_at, || {}))
    }

    /// Has a worker attempt the operation until it ends.
    async fn finish(&self, worker: &Provisioner) -> OperationStatus {
        const ATTEMPTS: usize = 60;
        let operation = self.requested.operation;
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            if let Some(status) = self.status().await {
                return status;
            }
            self.stage.expire(operation).await;
            last = format!("{:?}", worker.run(operation, minute()).await);
            sleep(Duration::from_millis(100)).await;
        }
        panic!("it does not come to an end: {last}");
    }

    /// The status of the operation, if it has ended.
    async fn status(&self) -> Option<OperationStatus> {
        let platform = self.stage.owner.get().await.unwrap();
        let status = journal::find_status(&platform, self.requested.operation).await.unwrap().unwrap();
        matches!(status, OperationStatus::Succeeded | OperationStatus::Failed).then_some(status)
    }
}
