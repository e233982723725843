//! The Lambda function `list-tenants`.

use list_tenants::routes;
use shared::auth::Gate;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(Gate::from_env, routes).await
}
