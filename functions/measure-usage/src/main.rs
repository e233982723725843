//! The Lambda function `measure-usage`.

use std::sync::Arc;

use lambda_runtime::{Error, service_fn};
use measure_usage::{App, handle};
use shared::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let app = App::from_env().inspect_err(|error| tracing::error!(error = %error, "the function cannot start"))?;
    let app = &Arc::new(app);
    lambda_runtime::run(service_fn(async |event| Ok::<_, Error>(handle(app, event).await?))).await
}
