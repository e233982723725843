//! The points at which faults happen. They are recorded from undisturbed runs.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
};

use futures::{FutureExt, future::BoxFuture};
use shared::{
    error::{Dependency, Error, Result},
    operations::{StepName, store::breakers::StoreKind},
    provisioning::{Moment, OperationOutcome, SagaObserver},
};
use tests::worker::{WorkerProxies, WorkerStore, worker};
use tokio::sync::Notify;

use super::courses::{Course, Fixtures};
use crate::{
    saboteur::Sabotage,
    stage::{Requested, minute},
};

/// Where a fault happens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Point {
    /// Between two writes of the worker.
    Boundary(Moment),
    /// At the n-th request to a store with a label, counted from 1, and from the permanent error if the course has one.
    Request { store: WorkerStore, label: String, nth: usize },
}

/// Runs when the permanent error happens for the first time.
type Begin = Box<dyn FnOnce() + Send>;

/// Observes a worker: makes it fail for good where its course demands that, disturbs it once, and records the moments.
pub(super) struct Script {
    fails_at: Option<Moment>,
    begin: Mutex<Option<Begin>>,
    disturbed_at: Mutex<Option<(Moment, Sabotage)>>,
    reached: Notify,
    release: Notify,
    moments: Mutex<Vec<Moment>>,
}

impl Script {
    pub(super) fn new(disturbed_at: Option<(Moment, Sabotage)>) -> Self {
        Self {
            fails_at: None,
            begin: Mutex::default(),
            disturbed_at: Mutex::new(disturbed_at),
            reached: Notify::new(),
            release: Notify::new(),
            moments: Mutex::default(),
        }
    }

    /// With a permanent error at a moment, if any. `begin` runs then, or at once.
    pub(super) fn failing_at(self, moment: Option<Moment>, begin: impl FnOnce() + Send + 'static) -> Arc<Self> {
        match moment {
            Some(_) => *self.begin.lock().unwrap() = Some(Box::new(begin)),
            None => begin(),
        }
        Arc::new(Self { fails_at: moment, ..self })
    }

    /// Lets a permanent error that has not happened yet begin nothing.
    pub(super) fn begin_nothing(&self) {
        *self.begin.lock().unwrap() = None;
    }

    /// Waits until the worker has stopped.
    pub(super) async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets a worker that has stopped continue.
    pub(super) fn go_on(&self) {
        self.release.notify_one();
    }

    /// Whether the disturbance has happened.
    pub(super) fn has_disturbed(&self) -> bool {
        self.disturbed_at.lock().unwrap().is_none()
    }
}

impl SagaObserver for Script {
    fn observe(&self, moment: Moment) -> BoxFuture<'_, Result<()>> {
        self.moments.lock().unwrap().push(moment);
        let disturbance = self.disturbed_at.lock().unwrap().take_if(|(at, _)| *at == moment);
        async move {
            match disturbance.map(|(_, sabotage)| sabotage) {
                None => {}
                Some(Sabotage::Unavailable) => return Err(Error::unavailable(Dependency::MongoDb, "injected")),
                Some(Sabotage::Transient) => return Err(Error::DeadlineExceeded),
                Some(Sabotage::Permanent) => return Err(Error::internal("injected")),
                Some(Sabotage::Panic) => panic!("injected"),
                Some(Sabotage::Freeze) => {
                    self.reached.notify_one();
                    self.release.notified().await;
                }
            }
            if self.fails_at != Some(moment) {
                return Ok(());
            }
            if let Some(begin) = self.begin.lock().unwrap().take() {
                begin();
            }
            Err(Error::internal("injected"))
        }
        .boxed()
    }
}

/// What an undisturbed run of a course shows.
pub(super) struct Recorded {
    /// The boundaries in their order, and then the requests.
    pub(super) points: Vec<Point>,
    /// The steps whose effect and record are two commits, so that one can exist without the other.
    pub(super) repeatable: Vec<StepName>,
}

pub(super) async fn record(fixtures: &Fixtures, course: Course, fails_at: Option<Moment>) -> Recorded {
    let (moments, first) = run(fixtures, course, fails_at).await;
    let (_, second) = run(fixtures, course, fails_at).await;
    let seen: HashSet<StepName> = moments.iter().filter_map(|moment| step_of(*moment)).collect();
    for step in course.kind().steps() {
        assert!(seen.contains(step), "{}: the step {step:?} reports no moments", course.name());
    }
    // Before the permanent error, the course is the same as without it.
    let after = fails_at.map_or(0, |moment| moments.iter().position(|at| *at == moment).unwrap() + 1);
    let boundaries = moments[after..].iter().copied().map(Point::Boundary);
    // What is the same in two runs: how many connections are opened depends on time.
    let requests = first.into_iter().flat_map(|(request, count)| {
        let stable = count.min(second.get(&request).copied().unwrap_or(0));
        let (store, label) = (WorkerStore::all().nth(request.0).unwrap(), request.1);
        (1..=stable).map(move |nth| Point::Request { store, label: label.clone(), nth })
    });
    let points: Vec<Point> = boundaries.chain(requests).collect();
    let is_used = |store: &WorkerStore| match store {
        WorkerStore::Platform => true,
        // The rollback of an export removes its files only.
        WorkerStore::Tenants(StoreKind::Postgresql | StoreKind::Mongodb)
            if course.is_rolled_back && !course.kind().creates_databases() =>
        {
            false
        }
        WorkerStore::Tenants(store) => course.kind().stores().contains(store),
    };
    for wanted in WorkerStore::all().filter(is_used) {
        let is_of = |point: &Point| matches!(point, Point::Request { store, .. } if *store == wanted);
        assert!(points.iter().any(is_of), "{}: no request to {wanted:?} is recorded", course.name());
    }
    let is_repeatable = |moment: &Moment| matches!(moment, Moment::Applied(_) | Moment::Undone(_));
    let repeatable =
        moments.iter().filter(|moment| is_repeatable(moment)).filter_map(|moment| step_of(*moment)).collect();
    Recorded { points, repeatable }
}

/// The moment of the permanent error of a course: before the last step is applied.
pub(super) async fn fails_at(fixtures: &Fixtures, course: Course) -> Option<Moment> {
    if !course.is_rolled_back {
        return None;
    }
    let (moments, _) = run(fixtures, course.with(false), None).await;
    moments.into_iter().rfind(|moment| matches!(moment, Moment::Applying(_)))
}

/// Counts by store and label.
type Requests = BTreeMap<(usize, String), usize>;

/// An undisturbed run: its moments, and the number of requests by store and label.
async fn run(fixtures: &Fixtures, course: Course, fails_at: Option<Moment>) -> (Vec<Moment>, Requests) {
    let Requested { operation, .. } = fixtures.request(course.kind()).await;
    let proxies = Arc::new(WorkerProxies::new(&fixtures.stage.world).await);
    let recording = Arc::clone(&proxies);
    let begin = move || recording.all().for_each(|(_, proxy)| proxy.record());
    let script = Script::new(None).failing_at(fails_at, begin);
    let worker = worker(&fixtures.stage.world, &proxies.ports(), Some(script.clone()));
    let outcome = worker.run(operation, minute()).await.unwrap();
    assert_eq!(outcome, OperationOutcome::Finished { status: course.end(), now: true }, "{}", course.name());
    let mut requests = Requests::new();
    for (index, (_, proxy)) in proxies.all().enumerate() {
        for label in proxy.recorded() {
            *requests.entry((index, label)).or_default() += 1;
        }
    }
    let moments = std::mem::take(&mut *script.moments.lock().unwrap());
    (moments, requests)
}

fn step_of(moment: Moment) -> Option<StepName> {
    match moment {
        Moment::Applying(step)
        | Moment::Applied(step)
        | Moment::Recorded(step)
        | Moment::Undoing(step)
        | Moment::Undone(step) => Some(step),
        Moment::Leased
        | Moment::BeginningRollback
        | Moment::RollbackBegun
        | Moment::Failing
        | Moment::Ending
        | Moment::Ended => None,
    }
}
