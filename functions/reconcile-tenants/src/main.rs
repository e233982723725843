//! Entry point of the Lambda function `reconcile-tenants`.

use reconcile_tenants::{App, continue_or_begin, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve_scheduled(App::from_env, routes, continue_or_begin).await
}
