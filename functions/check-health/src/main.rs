//! The Lambda function `check-health`.

use check_health::{App, record, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve_scheduled(App::from_env, routes, record).await
}
