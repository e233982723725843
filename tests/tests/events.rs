//! Each function has a sample event in `tests/events/`. Here `cargo lambda invoke` sends each to the function that runs under
//! `cargo lambda watch`, as functions/README.md shows it for one by hand.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use aws_lambda_events::sqs::SqsEvent;
use serde_json::Value;
use tests::{
    manifests::{DeclaredTrigger, declarations},
    sample_events::{self, SampleRun},
    stack::sign_in,
    template, variable,
};

#[test]
fn each_sample_event_fits_a_trigger_of_its_function() {
    let routes = template::routes(&template::read());
    for (name, declaration) in declarations() {
        let text = sample_events::read(&name);
        let event: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let trigger = if event.get("requestContext").is_some() {
            DeclaredTrigger::Http
        } else if event.get("Records").is_some() {
            DeclaredTrigger::Sqs
        } else if event["source"] == "aws.scheduler" {
            DeclaredTrigger::Schedule
        } else {
            DeclaredTrigger::Deploy
        };
        assert!(declaration.triggers.contains(&trigger), "tests/events/{name}.json: {name} has no trigger {trigger:?}");
        match trigger {
            DeclaredTrigger::Http => {
                let route = event["routeKey"].as_str().unwrap();
                if route == "$default" {
                    assert_eq!(template::default_function(&template::read()), name);
                    continue;
                }
                assert!(
                    routes.contains(&format!("{route} {name}")),
                    "tests/events/{name}.json: wrong routeKey {route}"
                );
                let http = &event["requestContext"]["http"];
                let (method, path) = route.split_once(' ').unwrap();
                assert_eq!([&event["version"], &http["method"]], ["2.0", method], "{name}");
                assert_eq!(http["path"], event["rawPath"], "{name}");
                assert_eq!(path.contains('{'), event.get("pathParameters").is_some(), "{name}");
            }
            DeclaredTrigger::Sqs => {
                let batch: SqsEvent = serde_json::from_value(event).unwrap();
                assert!(!batch.records.is_empty(), "{name}");
            }
            DeclaredTrigger::Schedule | DeclaredTrigger::Deploy => {}
        }
    }
}

/// Runs `cargo lambda invoke`.
fn invoke(function: &str, file: &Path) -> Value {
    let url = variable("API_URL");
    let (address, port) = url.trim_start_matches("http://").split_once(':').expect("API_URL is http://ADDRESS:PORT");
    let output = Command::new(cargo_lambda())
        .args(["lambda", "invoke", function, "--invoke-address", address, "--invoke-port", port])
        .args(["--output-format", "json", "--color=never", "--data-file"])
        .arg(file)
        .output()
        .unwrap_or_else(|error| panic!("cargo-lambda is neither in CARGO_LAMBDA nor on the PATH: {error}"));
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{function}: {text}{errors}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{function}: {error}: {text}{errors}"))
}

/// `cargo dev test` sets the path.
fn cargo_lambda() -> String {
    if tests::is_set("CARGO_LAMBDA") { variable("CARGO_LAMBDA") } else { "cargo-lambda".to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_function_accepts_its_sample_event() {
    let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("events");
    fs::create_dir_all(&folder).unwrap();
    let run = SampleRun::new(sign_in().await, async |function: &str, event: &str| {
        let file = folder.join(format!("{function}.json"));
        fs::write(&file, event).unwrap();
        invoke(function, &file)
    });
    run.send_all().await;
}
