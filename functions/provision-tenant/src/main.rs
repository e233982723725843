//! Entry point of the Lambda function `provision-tenant`.

use provision_tenant::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    shared::worker::run(App::from_env, handle).await
}
