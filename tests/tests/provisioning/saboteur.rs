//! Disturbs workers at exact moments of the saga.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use shared::{
    error::{Dependency, Error, Result},
    provisioning::{Moment, SagaObserver},
};
use tokio::sync::Notify;

/// A disturbance of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Sabotage {
    /// The store is unavailable.
    Unavailable,
    /// Another error that may pass.
    Transient,
    /// A permanent error.
    Permanent,
    /// The worker stops until it is thawed.
    Freeze,
    /// The worker panics.
    Panic,
}

/// Disturbs a worker, once at each given moment.
pub(crate) struct Saboteur {
    sabotages: Vec<(Moment, Sabotage, AtomicUsize)>,
    seen: Mutex<Vec<Moment>>,
    reached: Notify,
    release: Notify,
}

impl Saboteur {
    pub(crate) fn new(sabotages: impl IntoIterator<Item = (Moment, Sabotage)>) -> Arc<Self> {
        let sabotages =
            sabotages.into_iter().map(|(moment, sabotage)| (moment, sabotage, AtomicUsize::new(1))).collect();
        Arc::new(Self { sabotages, seen: Mutex::default(), reached: Notify::new(), release: Notify::new() })
    }

    /// Waits until the worker is at a [`Sabotage::Freeze`].
    pub(crate) async fn frozen(&self) {
        tokio::time::timeout(Duration::from_secs(30), self.reached.notified()).await.expect("the moment never came");
    }

    /// The moments that the worker has come to.
    pub(crate) fn seen(&self) -> Vec<Moment> {
        self.seen.lock().unwrap().clone()
    }

    /// Lets the worker continue.
    pub(crate) fn thaw(&self) {
        self.release.notify_one();
    }
}

impl SagaObserver for Saboteur {
    fn observe(&self, moment: Moment) -> BoxFuture<'_, Result<()>> {
        self.seen.lock().unwrap().push(moment);
        async move {
            let due = self.sabotages.iter().find(|(at, _, left)| {
                *at == moment
                    && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
            });
            match due.map(|(_, sabotage, _)| sabotage) {
                None => Ok(()),
                Some(Sabotage::Unavailable) => Err(Error::unavailable(Dependency::MongoDb, "injected")),
                Some(Sabotage::Transient) => Err(Error::DeadlineExceeded),
                Some(Sabotage::Permanent) => Err(Error::internal("injected")),
                Some(Sabotage::Panic) => panic!("injected"),
                Some(Sabotage::Freeze) => {
                    self.reached.notify_one();
                    self.release.notified().await;
                    Ok(())
                }
            }
        }
        .boxed()
    }
}
