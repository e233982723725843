//! Entry point of the Lambda function `get-operation`.

use get_operation::{App, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve_concurrently(App::from_env, routes).await
}
