//! Entry point of the Lambda function `provision-tenant`.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use provision_tenant::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    shared::telemetry::init();
    let app = &App::from_env()?;
    run(service_fn(|event: LambdaEvent<_>| async move {
        let deadline = event.context.deadline();
        Ok::<_, Error>(app.handle(event.payload, deadline).await)
    }))
    .await
}
