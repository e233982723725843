//! The Lambda function `create-export-links`.

use create_export_links::{App, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(App::from_env, routes).await
}
