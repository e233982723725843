//! The Lambda function `migrate-platform`. Outside of Lambda it runs once, prints the result, and exits.

use std::process::ExitCode;

use migrate_platform::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let result = if shared::config::is_lambda() {
        shared::worker::run(App::from_env, handle).await.map_err(|error| error.to_string())
    } else {
        run_once().await
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("migrate-platform: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run_once() -> Result<(), String> {
    shared::telemetry::init();
    let app = App::from_env().map_err(|error| error.to_string())?;
    let summary = app.run().await.map_err(|error| error.chain())?;
    println!("{}", serde_json::to_string(&summary).map_err(|error| error.to_string())?);
    Ok(())
}
