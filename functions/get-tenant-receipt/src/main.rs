//! Entry point of the Lambda function `get-tenant-receipt`.

use get_tenant_receipt::{App, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::http::serve(App::from_env, routes).await
}
