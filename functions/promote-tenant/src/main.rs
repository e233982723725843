//! The Lambda function `promote-tenant`.

use promote_tenant::routes;
use shared::super_admins::IdempotentOperationContext;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(IdempotentOperationContext::from_env, routes).await
}
