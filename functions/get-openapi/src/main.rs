//! The Lambda function `get-openapi`.

use get_openapi::{App, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(|| Ok(App::new()), routes).await
}
