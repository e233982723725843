//! The Lambda function `list-audit`.

use list_audit::routes;
use shared::auth::Gate;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(Gate::from_env, routes).await
}
