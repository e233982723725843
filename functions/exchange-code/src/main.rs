//! The Lambda function `exchange-code`.

use exchange_code::{App, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(App::from_env, routes).await
}
