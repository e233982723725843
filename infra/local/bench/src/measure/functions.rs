//! The functions of the workspace and the floors of their start, read from `cargo metadata`: a new function is measured
//! without an edit here.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::error::Result;

/// The package whose binaries are floors.
const FLOOR_PACKAGE: &str = "floor";
/// The library that all functions use. Its features select the clients that a function links.
const LIBRARY: &str = "shared";
/// Its feature of functions that serve HTTP.
const HTTP: &str = "http";
/// Its feature of functions that create and remove tenants' databases.
const PROVISIONING: &str = "provisioning";

#[derive(Debug)]
pub(crate) struct Workspace {
    /// The packages in `functions/`, by name.
    pub(crate) functions: Vec<FunctionPackage>,
    floors: Vec<StartFloor>,
}

#[derive(Debug)]
pub(crate) struct FunctionPackage {
    pub(crate) name: String,
    /// The optional crates of the library that it links.
    crates: BTreeSet<String>,
    features: BTreeSet<String>,
}

/// A bare function that links the same crates as one of the functions.
#[derive(Debug)]
pub(crate) struct StartFloor {
    /// The name of the binary.
    pub(crate) binary: String,
    crates: BTreeSet<String>,
}

impl Workspace {
    /// Reads the workspace in the current folder.
    pub(crate) fn read() -> Result<Self> {
        Self::read_at(Path::new("Cargo.toml"))
    }

    fn read_at(manifest: &Path) -> Result<Self> {
        // With `--no-deps` cargo reads the workspace's manifests and nothing else, which takes milliseconds.
        let output = Command::new("cargo")
            .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
            .arg(manifest)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cargo cannot be run: {error}"))?;
        if !output.status.success() {
            return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Self::parse(&serde_json::from_slice(&output.stdout)?)
    }

    fn parse(metadata: &Value) -> Result<Self> {
        let root = metadata["workspace_root"].as_str().ok_or("cargo metadata contains no workspace_root")?;
        let folder = Path::new(root).join("functions");
        let packages = metadata["packages"].as_array().ok_or("cargo metadata contains no packages")?;
        let package = |name: &str| packages.iter().find(|package| package["name"] == name);
        let library = Library::parse(package(LIBRARY).ok_or("the workspace contains no package `shared`")?)?;
        let mut functions = BTreeMap::new();
        for package in packages {
            let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
            if manifest.parent().and_then(Path::parent) == Some(&folder) {
                let function = library.function(package)?;
                functions.insert(function.name.clone(), function);
            }
        }
        if functions.is_empty() {
            return Err(format!("no package of the workspace is in {}", folder.display()).into());
        }
        let mut floors = Vec::new();
        let targets = package(FLOOR_PACKAGE).and_then(|package| package["targets"].as_array());
        for target in targets.into_iter().flatten() {
            // A floor needs one feature, named after the function whose crates it links.
            let Some(name) = target["required-features"][0].as_str() else { continue };
            let function = functions.get(name).ok_or_else(|| format!("the floor of `{name}` has no function"))?;
            let binary = target["name"].as_str().ok_or("a floor has no name")?.to_owned();
            floors.push(StartFloor { binary, crates: function.crates.clone() });
        }
        Ok(Self { functions: functions.into_values().collect(), floors })
    }

    /// The function's own floor, or else the one whose crates differ least from the function's; of several, the one that links
    /// most. Functions that do not serve HTTP have no floor.
    pub(crate) fn floor_of(&self, function: &FunctionPackage) -> Option<&StartFloor> {
        let difference = |floor: &StartFloor| floor.crates.symmetric_difference(&function.crates).count();
        let own = format!("floor-{}", function.name);
        let rank = |floor: &&StartFloor| {
            (floor.binary != own, difference(floor), Reverse(floor.crates.len()), floor.binary.clone())
        };
        self.floors.iter().filter(|_| function.serves_http()).min_by_key(rank)
    }

    /// Whether the function of that name creates and removes tenants' databases. Floors do not.
    pub(crate) fn provisions(&self, name: &str) -> bool {
        self.functions.iter().any(|function| function.name == name && function.features.contains(PROVISIONING))
    }
}

impl FunctionPackage {
    pub(crate) fn serves_http(&self) -> bool {
        self.features.contains(HTTP)
    }

    /// Whether its manifest declares the crate, directly or by a feature of the library.
    pub(crate) fn declares(&self, crate_name: &str) -> bool {
        self.crates.contains(crate_name)
    }
}

/// The features and the optional crates of the library.
struct Library<'a> {
    features: &'a serde_json::Map<String, Value>,
    optional: BTreeSet<&'a str>,
}

impl<'a> Library<'a> {
    fn parse(package: &'a Value) -> Result<Self> {
        let features = package["features"].as_object().ok_or("the library has no features")?;
        let optional = dependencies(package).filter(|dependency| dependency["optional"] == true);
        Ok(Self { features, optional: optional.filter_map(|dependency| dependency["name"].as_str()).collect() })
    }

    fn function(&self, package: &Value) -> Result<FunctionPackage> {
        let name = package["name"].as_str().ok_or("a package has no name")?.to_owned();
        let (mut features, mut crates) = (BTreeSet::new(), BTreeSet::new());
        for dependency in dependencies(package).filter(|dependency| dependency["kind"].is_null()) {
            let Some(used) = dependency["name"].as_str() else { continue };
            if used == LIBRARY {
                let enabled = dependency["features"].as_array().into_iter().flatten().filter_map(Value::as_str);
                enabled.for_each(|feature| self.enable(feature, &mut features, &mut crates));
            } else if self.optional.contains(used) {
                crates.insert(used.to_owned());
            }
        }
        Ok(FunctionPackage { name, crates, features })
    }

    /// Adds a feature, the features that it enables, and their crates.
    fn enable(&self, feature: &str, features: &mut BTreeSet<String>, crates: &mut BTreeSet<String>) {
        if let Some(name) = feature.strip_prefix("dep:") {
            crates.insert(name.to_owned());
        } else if !feature.contains('/') && features.insert(feature.to_owned()) {
            let enabled = self.features.get(feature).and_then(Value::as_array).into_iter().flatten();
            enabled.filter_map(Value::as_str).for_each(|feature| self.enable(feature, features, crates));
        }
    }
}

fn dependencies(package: &Value) -> impl Iterator<Item = &Value> {
    package["dependencies"].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");

    fn workspace() -> Workspace {
        Workspace::read_at(&Path::new(ROOT).join("Cargo.toml")).unwrap()
    }

    fn function(name: &str, features: &[&str]) -> Value {
        json!({
            "name": name,
            "manifest_path": format!("/repo/functions/{name}/Cargo.toml"),
            "dependencies": [
                { "name": "shared", "kind": null, "features": features },
                { "name": "tokio", "kind": null, "features": [] },
                { "name": "redis", "kind": "dev", "features": [] },
            ],
        })
    }

    fn invented() -> Workspace {
        let floor = |name: &str| json!({ "name": format!("floor-{name}"), "required-features": [name] });
        let optional: Vec<_> = ["axum", "tokio-postgres", "rdkafka", "aws-sdk-sqs", "redis"]
            .map(|name| json!({ "name": name, "kind": null, "optional": true }))
            .into();
        let metadata = json!({
            "workspace_root": "/repo",
            "packages": [
                {
                    "name": "shared",
                    "manifest_path": "/repo/shared/Cargo.toml",
                    "features": {
                        "http": ["dep:axum", "postgres"], "postgres": ["dep:tokio-postgres"],
                        "kafka": ["dep:rdkafka", "rdkafka/ssl"], "sqs": ["dep:aws-sdk-sqs"], "redis": ["dep:redis"],
                    },
                    "dependencies": optional,
                },
                function("get-tenant", &["http"]),
                function("update-tenant", &["http", "sqs", "redis"]),
                function("invented", &["http", "sqs"]),
                function("worker", &["kafka", "postgres"]),
                {
                    "name": "floor",
                    "manifest_path": "/repo/infra/floor/Cargo.toml",
                    "targets": [{ "name": "floor-bare" }, floor("get-tenant"), floor("update-tenant")],
                },
            ],
        });
        Workspace::parse(&metadata).unwrap()
    }

    #[test]
    fn every_folder_of_functions_is_listed() {
        let mut folders: Vec<_> = fs::read_dir(Path::new(ROOT).join("functions"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.join("Cargo.toml").is_file())
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        folders.sort();
        let workspace = workspace();
        assert_eq!(
            workspace.functions.iter().map(|function| &function.name).collect::<Vec<_>>(),
            folders.iter().collect::<Vec<_>>()
        );
    }

    #[test]
    fn every_function_that_serves_http_has_a_floor_and_workers_have_none() {
        let workspace = workspace();
        for function in &workspace.functions {
            assert_eq!(workspace.floor_of(function).is_some(), function.serves_http(), "{}", function.name);
        }
        assert!(workspace.provisions("provision-tenant") && !workspace.provisions("get-tenant"));
    }

    #[test]
    fn a_function_that_is_floor_itself_is_compared_with_that_floor() {
        let workspace = workspace();
        for name in ["change-password", "check-health", "create-tenant", "get-tenant", "login", "update-tenant"] {
            let function = workspace.functions.iter().find(|function| function.name == name).unwrap();
            assert_eq!(workspace.floor_of(function).unwrap().binary, format!("floor-{name}"));
        }
    }

    #[test]
    fn a_new_function_is_listed_and_compared_with_the_floor_that_differs_least() {
        let workspace = invented();
        let names: Vec<_> = workspace.functions.iter().map(|function| function.name.as_str()).collect();
        assert_eq!(names, ["get-tenant", "invented", "update-tenant", "worker"]);
        // Redis is a difference of one crate, and the AWS SDK of SQS too: the floor that links more is chosen.
        assert_eq!(workspace.floor_of(&workspace.functions[1]).unwrap().binary, "floor-update-tenant");
        assert!(workspace.floor_of(&workspace.functions[3]).is_none());
    }

    #[test]
    fn declared_crates_follow_the_features_of_the_library() {
        let workspace = invented();
        let worker = &workspace.functions[3];
        assert!(worker.declares("rdkafka") && worker.declares("tokio-postgres"));
        // A dependency of tests is not linked.
        assert!(!worker.declares("redis") && !worker.declares("axum"));
    }
}
