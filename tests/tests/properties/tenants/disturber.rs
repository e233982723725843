//! Disturbs workers.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures::{FutureExt, future::BoxFuture};
use shared::{
    error::{Dependency, Error, Result},
    provisioning::{Moment, OperationOutcome, SagaObserver},
};
use tokio::{sync::Notify, task::JoinHandle};

use super::reference::Disturbance;

/// Disturbs a worker, once.
pub(super) struct Disturber {
    pub(super) disturbed: Option<(Moment, Disturbance)>,
    pub(super) used: AtomicBool,
    pub(super) reached: Notify,
    pub(super) woken: Notify,
}

impl SagaObserver for Disturber {
    fn observe(&self, moment: Moment) -> BoxFuture<'_, Result<()>> {
        async move {
            let Some((_, disturbance)) = self.disturbed.filter(|(at, _)| *at == moment) else { return Ok(()) };
            if self.used.swap(true, Ordering::SeqCst) {
                return Ok(());
            }
            match disturbance {
                Disturbance::Die | Disturbance::Freeze => {
                    self.reached.notify_one();
                    self.woken.notified().await;
                    Ok(())
                }
                Disturbance::Unavailable => Err(Error::unavailable(Dependency::MongoDb, "injected")),
                Disturbance::Transient => Err(Error::DeadlineExceeded),
                Disturbance::Permanent => Err(Error::internal("injected")),
            }
        }
        .boxed()
    }
}

/// A worker that goes no further until it is woken up.
pub(super) struct FrozenWorker {
    pub(super) disturber: Arc<Disturber>,
    pub(super) task: JoinHandle<Result<OperationOutcome>>,
}
