//! Entry point of the Lambda function `retry-operation`.

use retry_operation::routes;
use shared::super_admins::OperationContext;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(OperationContext::from_env, routes).await
}
