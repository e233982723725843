//! The Lambda function `migrate-platform`. Outside of Lambda it runs once, prints what it did, and ends.

use std::process::ExitCode;

use lambda_runtime::{LambdaEvent, service_fn};
use migrate_platform::App;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shared::telemetry::init();
    if shared::config::is_lambda() {
        let served = lambda_runtime::run(service_fn(|_: LambdaEvent<Value>| async {
            let summary = App::from_env()?.run().await.map_err(|error| error.chain())?;
            tracing::info!(?summary, "migrated");
            Ok::<_, lambda_runtime::Error>(summary)
        }));
        return report(served.await.map_err(|error| error.to_string()));
    }
    report(once().await)
}

async fn once() -> Result<(), String> {
    let app = App::from_env().map_err(|error| error.to_string())?;
    let summary = app.run().await.map_err(|error| error.chain())?;
    println!("{}", serde_json::to_string(&summary).map_err(|error| error.to_string())?);
    Ok(())
}

fn report(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("migrate-platform: {error}");
            ExitCode::FAILURE
        }
    }
}
