//! The runtime of functions that a queue, a schedule or a deployment invokes. It treats all of them in the same way:
//!
//! - A failed start is logged in one line that names the variable, and Lambda reports it.
//! - Each invocation has a [`Deadline`]. When it passes, the invocation fails with [`Error::DeadlineExceeded`].
//! - A panic fails the invocation, or only its message where [`Batch::process`] works on messages; the process goes on.
//! - Messages that fail are delivered again, the others of the batch are not (partial batch response).
//! - Log lines contain the trace id of the message, or that of the invocation.
//! - Errors are logged with their causes, and returned to Lambda, whose error metric counts them.

mod batch;
mod deadline;

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::{Value, json};

pub use self::{
    batch::{Batch, concurrently},
    deadline::Deadline,
};
use crate::{
    clients::postgres,
    config::ConfigError,
    error::{Error, Result},
    telemetry::{self, metrics, trace},
    types::TraceId,
};

/// After the deadline, before the invocation is abandoned: a handler that ends its own work at the deadline can still answer.
const GRACE: Duration = Duration::from_millis(500);

/// The application of a worker function.
pub trait Worker {
    /// How long an invocation may take where the runtime gives no deadline.
    fn default_timeout(&self) -> Duration;
}

impl<A: Worker> Worker for std::sync::Arc<A> {
    fn default_timeout(&self) -> Duration {
        self.as_ref().default_timeout()
    }
}

/// What invoked a worker.
#[derive(Debug)]
pub enum Trigger {
    /// Messages of its queue.
    Queue(Batch),
    /// A schedule, a deployment, or a person, with the event that they sent.
    Event(Value),
}

impl Trigger {
    fn of(event: Value) -> Result<Self> {
        if Batch::is_in(&event) { Batch::of(event).map(Self::Queue) } else { Ok(Self::Event(event)) }
    }
}

/// One invocation of a worker.
#[derive(Debug)]
pub struct Invocation {
    pub trigger: Trigger,
    pub deadline: Deadline,
}

/// Runs a worker function until Lambda ends the process.
pub async fn run<A: Worker, T: Serialize>(
    app: impl FnOnce() -> Result<A, ConfigError>,
    handle: impl AsyncFn(&A, Invocation) -> Result<T>,
) -> Result<(), lambda_runtime::Error> {
    let app = start(app).await?;
    let (app, handle) = (&app, &handle);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        Ok::<_, lambda_runtime::Error>(invoke(app, handle, event).await?)
    }))
    .await
}

/// Initializes logging, reads the configuration, and opens the first connection to the platform database. An error is logged.
pub(crate) async fn start<A>(app: impl FnOnce() -> Result<A, ConfigError>) -> Result<A, ConfigError> {
    telemetry::init();
    let started = async {
        let app = app()?;
        postgres::open_at_start().await?;
        Ok(app)
    };
    started.await.inspect_err(|error: &ConfigError| {
        tracing::error!(error = %error, "the function cannot start");
        metrics::count(metrics::Metric::FailedStarts);
    })
}

/// Handles one event, as [`run`] does.
pub async fn invoke<A: Worker, T: Serialize>(
    app: &A,
    handle: impl AsyncFn(&A, Invocation) -> Result<T>,
    event: LambdaEvent<Value>,
) -> Result<Value> {
    let of_invocation = event.context.xray_trace_id.as_deref().and_then(TraceId::from_xray);
    trace::within(of_invocation.unwrap_or_else(TraceId::generate), invoke_traced(app, handle, event)).await
}

async fn invoke_traced<A: Worker, T: Serialize>(
    app: &A,
    handle: impl AsyncFn(&A, Invocation) -> Result<T>,
    event: LambdaEvent<Value>,
) -> Result<Value> {
    let deadline = Deadline::of(&event.context, app.default_timeout());
    let trigger = Trigger::of(event.payload)?;
    // Boxed, because the futures of workers are large.
    let work = AssertUnwindSafe(Box::pin(handle(app, Invocation { trigger, deadline }))).catch_unwind();
    let result = match tokio::time::timeout(deadline.remaining() + GRACE, work).await {
        Ok(Ok(result)) => result,
        // The panic's message is on standard error.
        Ok(Err(_)) => Err(Error::internal("the worker panicked")),
        Err(_) => Err(Error::DeadlineExceeded),
    };
    result.map(|answer| json!(answer)).inspect_err(|error| tracing::error!(error = error.chain(), "invocation failed"))
}
