//! The Lambda function `relay-events`.

use relay_events::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    shared::worker::run(App::from_env, handle).await
}
