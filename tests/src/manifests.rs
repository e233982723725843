//! Reads `[package.metadata.landlord]`: what the manifest of each function declares about its deployment.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;
use serde_json::Value;

/// `[package.metadata.landlord]`.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// What invokes the function. `deploy` stands for the person or pipeline that deploys.
    pub triggers: BTreeSet<DeclaredTrigger>,
    /// The crates that make a function slower to start (`aws-sdk-s3`, `aws-sdk-sqs`, `mongodb`, `rdkafka`, `redis`), as far
    /// as it links them.
    pub links: BTreeSet<String>,
    /// The secrets that its environment is filled from: `api` is the parameter `ApiSecret` of the template. A secret holds
    /// the logins of one privilege.
    pub secrets: BTreeSet<String>,
    /// Megabytes.
    pub memory: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum DeclaredTrigger {
    Http,
    Sqs,
    Schedule,
    Deploy,
}

/// The function of an operation of the API. A function that serves two addresses of one thing has a second operation, whose name
/// ends with `_of_tenant`.
pub fn function_of(operation_id: &str) -> String {
    operation_id.strip_suffix("_of_tenant").unwrap_or(operation_id).replace('_', "-")
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The output of a cargo command.
pub fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(repository()).output().unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The declaration of each package in `functions/`, by name.
pub fn declarations() -> BTreeMap<String, Declaration> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1", "--locked", "--offline"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let functions = repository().join("functions");
    packages
        .iter()
        .filter(|package| Path::new(package["manifest_path"].as_str().unwrap()).starts_with(&functions))
        .map(|package| {
            let name = package["name"].as_str().unwrap();
            let declaration = &package["metadata"]["landlord"];
            assert!(!declaration.is_null(), "functions/{name}/Cargo.toml: add the table [package.metadata.landlord]");
            let declaration = serde_json::from_value(declaration.clone())
                .unwrap_or_else(|error| panic!("functions/{name}/Cargo.toml: [package.metadata.landlord]: {error}"));
            (name.to_owned(), declaration)
        })
        .collect()
}
