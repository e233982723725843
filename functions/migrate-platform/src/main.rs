//! The Lambda function `migrate-platform`. Outside of Lambda it runs once, with the event in its first argument, prints the
//! result, and exits.

use std::process::ExitCode;

use migrate_platform::{App, handle, handle_event};
use serde_json::Value;

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
    let event = match std::env::args().nth(1) {
        Some(text) => serde_json::from_str(&text).map_err(|error| format!("the event is not JSON: {error}"))?,
        None => Value::Null,
    };
    let app = App::from_env().map_err(|error| error.to_string())?;
    let outcome = handle_event(&app, &event).await.map_err(|error| error.chain())?;
    println!("{}", serde_json::to_string(&outcome).map_err(|error| error.to_string())?);
    Ok(())
}
