//! The trace id of the work that is being done. Each request, and each message and other invocation of a worker, has one. Log
//! lines, operations and messages in the outbox contain it, and with it what they cause.

use crate::types::TraceId;

tokio::task_local! {
    static CURRENT: TraceId;
}

/// The trace id of this work; `None` outside of a request, a message and an invocation.
pub fn current() -> Option<TraceId> {
    CURRENT.try_with(|id| *id).ok()
}

/// The trace id of this work. Outside of a request, a message and an invocation, a new one.
pub fn current_or_new() -> TraceId {
    current().unwrap_or_else(TraceId::generate)
}

/// Does `work` with a trace id.
pub async fn within<T>(id: TraceId, work: impl Future<Output = T>) -> T {
    CURRENT.scope(id, work).await
}

/// `work` with the current trace id, also on another task.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    within(current_or_new(), work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_trace_id_is_that_of_the_innermost_work_and_reaches_other_tasks() {
        let (outer, inner) = (TraceId::generate(), TraceId::generate());
        assert_eq!(current(), None);
        within(outer, async {
            assert_eq!(current(), Some(outer));
            within(inner, async { assert_eq!(current_or_new(), inner) }).await;
            assert_eq!(tokio::spawn(carried(async { current() })).await.unwrap(), Some(outer));
        })
        .await;
        assert_ne!(current_or_new(), current_or_new());
    }
}
