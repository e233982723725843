//! Entry point of the Lambda function `abandon-operation`.

use abandon_operation::{App, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(App::from_env, routes).await
}
