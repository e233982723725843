//! Entry point of the Lambda function `redrive-dead-letters`.

use redrive_dead_letters::{App, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(App::from_env, routes).await
}
