//! Each function has a sample event in `tests/events/`. Here `cargo lambda invoke` sends each to the function that runs under
//! `cargo lambda watch`, as functions/README.md shows it for one by hand.
//!
//! An event contains placeholders for values that differ from run to run, such as `{{token}}` and `{{tenant_id}}`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use aws_lambda_events::sqs::SqsEvent;
use serde_json::Value;
use tests::{
    manifests::{DeclaredTrigger, declarations, repository},
    stack::sign_in,
    template, variable,
};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// These create what the other events refer to, in this order.
const FIRST: [&str; 6] =
    ["create-tenant", "create-user", "create-admin", "login", "change-password", "impersonate-user"];

/// These end what the other events refer to.
const LAST: [&str; 2] = ["end-impersonation", "update-admin"];

fn event(function: &str) -> String {
    let path = format!("tests/events/{function}.json");
    fs::read_to_string(repository().join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn each_sample_event_fits_a_trigger_of_its_function() {
    let routes = template::routes(&template::read());
    for (name, declaration) in declarations() {
        let text = event(&name);
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

/// What replaces the placeholders, and how functions are invoked.
struct SampleRun {
    values: BTreeMap<&'static str, String>,
    folder: PathBuf,
    documented: Value,
}

impl SampleRun {
    /// Invokes a function with its sample event, and checks the answer. Returns the body, or the whole answer of a worker.
    fn invoke(&self, function: &str) -> Value {
        let mut text = event(function);
        for (name, value) in &self.values {
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        if let Some((_, rest)) = text.split_once("{{") {
            panic!("tests/events/{function}.json: unknown placeholder {:?}", rest.split("}}").next());
        }
        let file = self.folder.join(format!("{function}.json"));
        fs::write(&file, &text).unwrap();
        let answer = invoke(function, &file);
        if text.contains("requestContext") {
            self.check_response(function, &answer);
            return serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
        }
        let failures = answer.get("batchItemFailures").and_then(Value::as_array);
        assert!(answer.is_object() && failures.is_none_or(Vec::is_empty), "{function}: {answer}");
        answer
    }

    /// The status is a success that the API's description lists, or the documented conflict with what an earlier run did.
    fn check_response(&self, function: &str, answer: &Value) {
        if function == template::default_function(&template::read()) {
            assert_eq!(answer["statusCode"], 404, "{function}: {answer}");
            return;
        }
        let operation_id = function.replace('-', "_");
        let items = self.documented["paths"].as_object().unwrap().values();
        let operation = items
            .flat_map(|item| item.as_object().unwrap().values())
            .find(|operation| operation["operationId"] == *operation_id)
            .unwrap_or_else(|| panic!("infra/openapi.json has no operation {operation_id}"));
        let status = answer["statusCode"].as_u64().unwrap_or_else(|| panic!("{function}: {answer}"));
        let is_expected = (200..300).contains(&status) || status == 409;
        assert!(is_expected && operation["responses"].get(status.to_string()).is_some(), "{function}: {answer}");
    }

    fn set(&mut self, name: &'static str, value: &Value) {
        self.values.insert(name, value.as_str().unwrap_or_else(|| panic!("no {name}: {value}")).to_owned());
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
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("events");
    fs::create_dir_all(&folder).unwrap();
    let documented = fs::read_to_string(repository().join("infra/openapi.json")).unwrap();
    let values = BTreeMap::from([("token", sign_in().await), ("run", Uuid::now_v7().simple().to_string())]);
    let mut run = SampleRun { values, folder, documented: serde_json::from_str(&documented).unwrap() };
    // One at a time: the functions share two processors with everything else.
    for function in FIRST {
        let answer = run.invoke(function);
        match function {
            "create-tenant" => {
                run.set("tenant_id", &answer["id"]);
                run.set("operation_id", &answer["operation_id"]);
                let started = Instant::now();
                while run.invoke("get-tenant")["status"] == "provisioning" {
                    assert!(started.elapsed() < Duration::from_secs(90), "the tenant is still being provisioned");
                    sleep(Duration::from_millis(250)).await;
                }
            }
            "create-user" => run.set("user_id", &answer["id"]),
            "create-admin" => run.set("admin_id", &answer["id"]),
            "login" => run.set("admin_token", &answer["access_token"]),
            "impersonate-user" => run.set("impersonation_id", &answer["id"]),
            _ => {}
        }
    }
    let others = declarations().into_keys().filter(|name| !FIRST.contains(&&**name) && !LAST.contains(&&**name));
    for function in others.chain(LAST.map(str::to_owned)) {
        run.invoke(&function);
    }
}
