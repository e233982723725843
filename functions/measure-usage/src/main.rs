//! The Lambda function `measure-usage`.

use std::sync::Arc;

use measure_usage::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    shared::worker::run(|| App::from_env().map(Arc::new), handle).await
}
