//! An event source mapping from a queue to processes of a function, as AWS runs it.

use std::{future, sync::Arc, time::Duration};

use emulator::event_source::{self, EventSource};
use tokio::task::JoinHandle;

use crate::measure::runtime::Function;

/// A mapping that runs until it is dropped. Batches in progress are not awaited, because their queue is about to be deleted.
pub(crate) struct QueueMapping(JoinHandle<()>);

impl QueueMapping {
    /// Starts a mapping that invokes the function with at most `batch_size` messages, at most `max_concurrency` times at once.
    pub(crate) fn start(
        sqs: &aws_sdk_sqs::Client,
        queue_url: &str,
        function: Arc<Function>,
        batch_size: usize,
        max_concurrency: usize,
    ) -> Self {
        let source = EventSource {
            queue_url: queue_url.to_owned(),
            function: function.name.clone(),
            batch_size,
            max_concurrency,
            batching_window: Duration::ZERO,
            function_timeout: Duration::from_mins(1),
        };
        Self(tokio::spawn(event_source::run(source, sqs.clone(), function, future::pending())))
    }
}

impl Drop for QueueMapping {
    fn drop(&mut self) {
        self.0.abort();
    }
}
