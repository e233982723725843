//! Runs work once for all callers that wait for it at the same time.

use std::sync::{Mutex, PoisonError};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use crate::telemetry::trace;

/// The running work, if there is any.
pub(super) struct SingleFlight<T: Clone>(Mutex<Option<Shared<BoxFuture<'static, Option<T>>>>>);

impl<T: Clone + Send + Sync + 'static> SingleFlight<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Waits for the running work, or starts it. The work continues when the callers stop waiting. `None` when it panicked.
    pub(super) async fn run<F>(&self, work: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let flight = {
            let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(flight) = current.as_ref().filter(|flight| flight.peek().is_none()) {
                flight.clone()
            } else {
                let task = tokio::spawn(trace::carried(work()));
                current.insert(async { task.await.ok() }.boxed().shared()).clone()
            }
        };
        flight.await
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn concurrent_callers_share_the_work_and_later_callers_do_not() {
        let (flight, done) = (SingleFlight::new(), Arc::new(AtomicUsize::new(0)));
        let work = || {
            let done = Arc::clone(&done);
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                done.fetch_add(1, Ordering::SeqCst)
            }
        };
        assert_eq!(join_all((0..20).map(|_| flight.run(work))).await, [Some(0); 20]);
        assert_eq!(flight.run(work).await, Some(1));
    }

    #[tokio::test]
    async fn the_work_continues_when_the_caller_that_started_it_stops_waiting() {
        let flight = SingleFlight::new();
        let work = || async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            1
        };
        let caller = tokio::time::timeout(Duration::from_millis(5), flight.run(work)).await;
        assert!(caller.is_err());
        assert_eq!(flight.run(|| async { 2 }).await, Some(1));
    }

    #[tokio::test]
    async fn a_panic_is_reported_and_does_not_affect_later_work() {
        let flight = SingleFlight::new();
        assert_eq!(flight.run(|| async { if true { panic!("on purpose") } else { 1 } }).await, None);
        assert_eq!(flight.run(|| async { 2 }).await, Some(2));
    }
}
