//! Running a router as a Lambda function.

use utoipa_axum::router::OpenApiRouter;

use super::finish;
use crate::{config::ConfigError, telemetry};

/// Runs the routes of one function until Lambda ends the process. `app` reads the configuration; when it cannot, the
/// function ends with one clear line and Lambda reports a failed start.
pub async fn serve<A>(
    app: impl FnOnce() -> Result<A, ConfigError>,
    routes: impl FnOnce(A) -> OpenApiRouter,
) -> Result<(), lambda_http::Error> {
    telemetry::init();
    let app = app().inspect_err(|error| tracing::error!(error = %error, "the function cannot start"))?;
    lambda_http::run(finish(routes(app))).await
}
