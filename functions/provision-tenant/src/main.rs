//! Entry point of the Lambda function `provision-tenant`.

use provision_tenant::process::{Process, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    shared::worker::run(Process::from_env, handle).await
}
