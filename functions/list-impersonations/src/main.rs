//! The Lambda function `list-impersonations`.

use list_impersonations::routes;
use shared::auth::Gate;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(Gate::from_env, routes).await
}
