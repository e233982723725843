//! Each function declares in `[package.metadata.landlord]` of its manifest how it is deployed. These tests compare the
//! declaration with what the function links and with the SAM template.

mod deployment;
mod observation;
mod rights;
mod settings;

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
};

use serde_json::Value;
use tests::{
    manifests::{Declaration, DeclaredTrigger, cargo, declarations},
    template,
};

/// Crates that make a function slower to start. A function links one only if it declares it.
const HEAVY_CRATES: [&str; 5] = ["aws-sdk-s3", "aws-sdk-sqs", "mongodb", "rdkafka", "redis"];

/// The heavy crates that a function links. Cargo unifies features, so each function is examined by itself.
fn linked_by(function: &str) -> BTreeSet<String> {
    let tree = cargo(&[
        "tree",
        "--package",
        function,
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--locked",
        "--offline",
    ]);
    let linked: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    HEAVY_CRATES.into_iter().filter(|name| linked.contains(name)).map(ToOwned::to_owned).collect()
}

#[test]
fn each_function_links_the_heavy_crates_that_its_manifest_declares() {
    let declarations: Vec<_> = declarations().into_iter().collect();
    let half = declarations.len().div_ceil(2);
    let differences: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = declarations
            .chunks(half)
            .map(|chunk| {
                scope.spawn(move || {
                    let different = |(name, declaration): &(String, Declaration)| {
                        let linked = linked_by(name);
                        (linked != declaration.links).then(|| {
                            format!("functions/{name}/Cargo.toml: declares {:?}, links {linked:?}", declaration.links)
                        })
                    };
                    chunk.iter().filter_map(different).collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn the_template_gives_each_function_the_memory_secrets_and_triggers_that_its_manifest_declares() {
    let template = template::read();
    let default_memory = &template["Globals"]["Function"]["MemorySize"];
    let deployed: BTreeMap<String, (u64, BTreeSet<String>, BTreeSet<DeclaredTrigger>)> = template::functions(&template)
        .into_iter()
        .map(|(name, properties)| {
            let memory = properties["MemorySize"].as_u64().or(default_memory.as_u64()).unwrap();
            (name, (memory, secrets(&properties["Environment"]), triggers(&properties["Events"])))
        })
        .collect();
    let declared: BTreeMap<_, _> = declarations()
        .into_iter()
        .map(|(name, declaration)| (name, (declaration.memory, declaration.secrets, declaration.triggers)))
        .collect();
    for (name, declaration) in &declared {
        let block =
            deployed.get(name).unwrap_or_else(|| panic!("infra/template.yaml: add the block of the function {name}"));
        assert_eq!(block, declaration, "{name}: infra/template.yaml (left) differs from its Cargo.toml (right)");
    }
    assert_eq!(deployed.len(), declared.len(), "infra/template.yaml contains a function without a package");
}

#[test]
fn a_request_that_waits_ends_before_lambda_and_the_gateway_end_it_and_some_requests_never_wait() {
    let template = template::read();
    let functions: BTreeMap<String, &Value> = template::functions(&template).into_iter().collect();
    let function = functions["get-operation"];
    let longest = (shared::operations::MAX_WAIT + shared::http::DEADLINE).as_secs();
    let timeout = function["Timeout"].as_u64().unwrap();
    assert!(longest < timeout && timeout < 30, "{longest} {timeout}");
    // The code lets four fifths of these requests wait.
    assert_eq!(function["ReservedConcurrentExecutions"], "OperationConcurrency");
    assert_eq!(function["Environment"]["Variables"]["OPERATION_CONCURRENCY"], "OperationConcurrency");
}

#[test]
fn each_function_states_the_rate_limit_that_the_gateway_enforces_for_its_routes() {
    let template = template::read();
    let api = &template["Resources"]["Api"]["Properties"];
    let default = &template["Globals"]["Function"]["Environment"]["Variables"]["API_RATE_LIMIT"];
    assert_eq!(*default, api["DefaultRouteSettings"]["ThrottlingRateLimit"]);
    let functions: BTreeMap<String, &Value> = template::functions(&template).into_iter().collect();
    let mut own = api["RouteSettings"].as_object().unwrap().clone();
    for route in template::routes(&template) {
        let (route, function) = route.rsplit_once(' ').unwrap();
        let stated = &functions[function]["Environment"]["Variables"]["API_RATE_LIMIT"];
        match own.remove(route) {
            Some(settings) => {
                assert_eq!(stated.as_str().unwrap(), settings["ThrottlingRateLimit"].to_string(), "{route}");
            }
            None => assert!(stated.is_null(), "{function} states {stated}, but {route} has the limit of the API"),
        }
    }
    assert!(own.is_empty(), "the template limits unknown routes: {own:?}");
}

#[test]
fn no_secret_is_given_to_every_function() {
    assert_eq!(secrets(&template::read()["Globals"]), BTreeSet::new());
}

/// The secrets that a part of the template refers to, as `${ApiSecret}`.
fn secrets(part: &Value) -> BTreeSet<String> {
    let text = part.to_string();
    let references = text.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    references.filter_map(|name| name.strip_suffix("Secret")).map(str::to_lowercase).collect()
}

fn triggers(events: &Value) -> BTreeSet<DeclaredTrigger> {
    let found: BTreeSet<_> = events
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::values)
        .map(|event| match event["Type"].as_str().unwrap() {
            "HttpApi" => DeclaredTrigger::Http,
            "SQS" => DeclaredTrigger::Sqs,
            "ScheduleV2" => DeclaredTrigger::Schedule,
            other => panic!("infra/template.yaml: unexpected event {other}"),
        })
        .collect();
    if found.is_empty() { BTreeSet::from([DeclaredTrigger::Deploy]) } else { found }
}
