//! The Lambda function `update-admin`.

use update_admin::{App, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(App::from_env, routes).await
}
