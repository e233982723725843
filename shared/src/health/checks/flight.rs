//! Work that several wait for is done once.

use std::sync::{Mutex, PoisonError};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};

/// Work that is under way, if any is.
pub(super) struct Flight<T: Clone>(Mutex<Option<Shared<BoxFuture<'static, Option<T>>>>>);

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Waits for the work that is under way, or begins it. It goes on when those who wait no longer do. `None` when it
    /// panicked.
    pub(super) async fn join<F>(&self, work: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let flight = {
            let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(flight) = current.as_ref().filter(|flight| flight.peek().is_none()) {
                flight.clone()
            } else {
                let task = tokio::spawn(work());
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
    async fn those_who_come_while_it_is_done_share_it_and_those_who_come_after_do_not() {
        let (flight, done) = (Flight::new(), Arc::new(AtomicUsize::new(0)));
        let work = || {
            let done = Arc::clone(&done);
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                done.fetch_add(1, Ordering::SeqCst)
            }
        };
        assert_eq!(join_all((0..20).map(|_| flight.join(work))).await, [Some(0); 20]);
        assert_eq!(flight.join(work).await, Some(1));
    }

    #[tokio::test]
    async fn it_goes_on_when_the_one_who_began_it_leaves() {
        let flight = Flight::new();
        let work = || async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            1
        };
        let left = tokio::time::timeout(Duration::from_millis(5), flight.join(work)).await;
        assert!(left.is_err());
        assert_eq!(flight.join(|| async { 2 }).await, Some(1));
    }

    #[tokio::test]
    async fn a_panic_is_told_and_does_not_stay() {
        let flight = Flight::new();
        assert_eq!(flight.join(|| async { if true { panic!("on purpose") } else { 1 } }).await, None);
        assert_eq!(flight.join(|| async { 2 }).await, Some(2));
    }
}
