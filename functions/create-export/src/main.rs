//! The Lambda function `create-export`.

use create_export::routes;
use shared::super_admins::IdempotentOperationContext;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(IdempotentOperationContext::from_env, routes).await
}
