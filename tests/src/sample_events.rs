//! The sample events in `tests/events/`: one for each function, with placeholders for values that differ from run to run, such
//! as `{{token}}` and `{{tenant_id}}`.

use std::{collections::BTreeMap, fs, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    manifests::{declarations, repository},
    template,
};

/// These create what the other events refer to, in this order.
const FIRST: [&str; 8] = [
    "create-tenant",
    "create-user",
    "create-export",
    "create-admin",
    "login",
    "change-password",
    "impersonate-user",
    "reconcile-tenants",
];

/// These end what the other events refer to.
const LAST: [&str; 5] = ["end-impersonation", "erase-user", "update-admin", "delete-tenant", "restore-tenant"];

/// The longest time in which a tenant becomes active on a busy machine.
const PROVISIONING: Duration = Duration::from_secs(90);

/// The text of a function's sample event, with its placeholders.
pub fn read(function: &str) -> String {
    let path = format!("tests/events/{function}.json");
    fs::read_to_string(repository().join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Sends the sample event of every function, and checks each answer.
pub struct SampleRun<I> {
    /// Invokes a function, given its name and an event, and returns the answer.
    invoke: I,
    /// What replaces the placeholders.
    values: BTreeMap<&'static str, String>,
    /// `infra/openapi.json`
    documented: Value,
}

impl<I: AsyncFn(&str, &str) -> Value> SampleRun<I> {
    /// `token` is the bearer token of an owner.
    pub fn new(token: String, invoke: I) -> Self {
        let documented = fs::read_to_string(repository().join("infra/openapi.json")).unwrap();
        let values = BTreeMap::from([("token", token), ("run", Uuid::now_v7().simple().to_string())]);
        Self { invoke, values, documented: serde_json::from_str(&documented).unwrap() }
    }

    /// Invokes every function, one at a time, because they share two processors with everything else. Returns the id of the tenant
    /// that was created.
    pub async fn send_all(mut self) -> String {
        for function in FIRST {
            let answer = self.send(function).await;
            match function {
                "create-tenant" => {
                    self.set("tenant_id", &answer["id"]);
                    self.set("operation_id", &answer["operation_id"]);
                    let started = Instant::now();
                    while self.send("get-tenant").await["status"] == "provisioning" {
                        assert!(started.elapsed() < PROVISIONING, "the tenant is still being provisioned");
                        sleep(Duration::from_millis(250)).await;
                    }
                    assert_eq!(self.send("get-tenant").await["status"], "active");
                }
                "create-user" => self.set("user_id", &answer["id"]),
                "create-export" => self.set("export_id", &answer["id"]),
                "create-admin" => self.set("admin_id", &answer["id"]),
                "login" => self.set("admin_token", &answer["access_token"]),
                "impersonate-user" => self.set("impersonation_id", &answer["id"]),
                "reconcile-tenants" => self.set("reconciliation_id", &answer["id"]),
                _ => {}
            }
        }
        let others = declarations().into_keys().filter(|name| !FIRST.contains(&&**name) && !LAST.contains(&&**name));
        for function in others.chain(LAST.map(str::to_owned)) {
            self.send(&function).await;
        }
        self.values.remove("tenant_id").unwrap()
    }

    /// Invokes a function with its sample event, and checks the answer. Returns the body, or the whole answer of a worker.
    async fn send(&self, function: &str) -> Value {
        let mut text = read(function);
        for (name, value) in &self.values {
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        if let Some((_, rest)) = text.split_once("{{") {
            panic!("tests/events/{function}.json: unknown placeholder {:?}", rest.split("}}").next());
        }
        let answer = (self.invoke)(function, &text).await;
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
        // Its pages are not part of the API.
        if function == "get-console" {
            assert_eq!(answer["statusCode"], 200, "{function}: {answer}");
            return;
        }
        let operation_id = function.replace('-', "_");
        let items = self.documented["paths"].as_object().unwrap().values();
        let operation = items
            .flat_map(|item| item.as_object().unwrap().values())
            .find(|operation| operation["operationId"] == *operation_id)
            .unwrap_or_else(|| panic!("infra/openapi.json has no operation {operation_id}"));
        let status = answer["statusCode"].as_u64().unwrap_or_else(|| panic!("{function}: {answer}"));
        // No provider has issued the code of the sample.
        let is_refused = function == "exchange-code" && status == 401;
        let is_expected = (200..300).contains(&status) || status == 409 || is_refused;
        assert!(is_expected && operation["responses"].get(status.to_string()).is_some(), "{function}: {answer}");
    }

    fn set(&mut self, name: &'static str, value: &Value) {
        self.values.insert(name, value.as_str().unwrap_or_else(|| panic!("no {name}: {value}")).to_owned());
    }
}
