//! Entry point of the Lambda function `list-dead-letters`.

use list_dead_letters::routes;
use shared::dead_letters::DeadLetterContext;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(DeadLetterContext::from_env, routes).await
}
