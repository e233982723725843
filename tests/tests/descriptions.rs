//! The descriptions of the API and of the topic pass linters, and generators of clients understand the API's description.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tests::{
    manifests::repository,
    python_client::{PythonClient, assert_success},
    variable,
};

fn infra(name: &str) -> PathBuf {
    repository().join("infra").join(name)
}

fn settings(name: &str) -> PathBuf {
    repository().join("tests/descriptions").join(name)
}

/// An empty folder for generated files.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("descriptions").join(name);
    let _none = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A program of a package for Node.js.
fn node(program: &str) -> Command {
    let mut command = Command::new(variable("NODE"));
    command.arg(Path::new(&variable("NODE_PACKAGES")).join("node_modules").join(program));
    command.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    command
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap()
}

#[test]
fn redocly_finds_no_error_and_no_warning() {
    for document in ["openapi", "asyncapi"] {
        let mut redocly = node("@redocly/cli/bin/cli.js");
        redocly.args(["lint", "--format=json", "--config"]).arg(settings(&format!("redocly-{document}.yaml")));
        let output = output(redocly.arg(infra(&format!("{document}.json"))));
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        println!("{document}: {}", report["totals"]);
        let problems = report["totals"]["errors"].as_u64().unwrap() + report["totals"]["warnings"].as_u64().unwrap();
        assert_eq!(problems, 0, "{document}: {:#}", report["problems"]);
    }
}

#[test]
fn spectral_finds_no_error_and_no_warning() {
    for document in ["openapi", "asyncapi"] {
        let mut spectral = node("@stoplight/spectral-cli/dist/index.js");
        spectral
            .args(["lint", "--fail-severity=warn", "--ruleset"])
            .arg(settings(&format!("spectral-{document}.yaml")));
        let output = output(spectral.arg(infra(&format!("{document}.json"))));
        println!("{document}: {}", String::from_utf8_lossy(&output.stdout));
        assert_success(document, &output);
    }
}

#[test]
fn the_generated_types_for_type_script_pass_the_strict_compiler() {
    let types = folder("typescript").join("api.d.ts");
    let generated =
        output(node("openapi-typescript/bin/cli.js").arg(infra("openapi.json")).arg("--output").arg(&types));
    assert_success("the types cannot be generated", &generated);
    let compiled = output(node("typescript/bin/tsc").args(["--strict", "--noEmit"]).arg(&types));
    assert_success("the types are refused", &compiled);
}

#[test]
fn the_generated_client_for_go_compiles() {
    let folder = folder("go");
    for name in ["go.mod", "go.sum", "oapi-codegen.yaml"] {
        fs::copy(settings("go").join(name), folder.join(name)).unwrap();
    }
    let go = |arguments: &[&str]| {
        let mut command = Command::new(variable("GO"));
        command.args(arguments).current_dir(&folder).env("GOFLAGS", "-mod=readonly").env("GOWORK", "off");
        output(command.env("CGO_ENABLED", "0"))
    };
    let document = infra("openapi.json");
    let generated = go(&["tool", "oapi-codegen", "--config", "oapi-codegen.yaml", document.to_str().unwrap()]);
    assert_success("the client cannot be generated", &generated);
    assert_success("the client does not compile", &go(&["vet", "./..."]));
}

#[test]
fn the_generated_client_for_python_can_be_imported() {
    let client = PythonClient::generate(&folder("python"));
    let import_all = "
import importlib, pkgutil, landlord_client
modules = [module.name for module in pkgutil.walk_packages(landlord_client.__path__, 'landlord_client.')]
for module in modules: importlib.import_module(module)
print(len(modules), 'modules')
";
    let imported = output(client.command().args(["-c", import_all]));
    println!("{}", String::from_utf8_lossy(&imported.stdout));
    assert_success("the client cannot be imported", &imported);
}
