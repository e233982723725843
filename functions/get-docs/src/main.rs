//! The Lambda function `get-docs`.

use get_docs::{App, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(|| Ok(App::new()), routes).await
}
