//! The floor that links what `check-health` links.

use check_health::{App, record, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    floor::respond_instead_of(async || shared::http::serve_scheduled(App::from_env, routes, record).await).await
}
