//! Builds functions as they are deployed: optimized, for the C library of Lambda, each with only what it needs.
//!
//! Cargo unifies the features of what it builds at the same time, so functions with different features of `shared` must not be
//! built by one invocation: each would link what any of them needs. Functions with the same features are a group, and one
//! invocation builds a group on all processors. A test checks that the functions of a group have the same features of every
//! other crate, too.
//!
//! One invocation after the other would leave processors idle, because the last function of a group occupies only one. So there are
//! two lanes that run at the same time, each with a target folder of its own, which cargo locks while it builds. Functions in
//! different lanes have few dependencies in common, because the clients of AWS change the features of most.

pub(crate) mod build;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    cargo,
    checkout::Checkout,
    error::{DevError, Result},
};

/// The processors that Lambda offers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Architecture {
    #[value(name = "arm64")]
    Arm64,
    #[value(name = "x86_64")]
    X86_64,
}

impl Architecture {
    pub(crate) fn of_this_machine() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::X86_64 }
    }

    /// The name of the target in Rust.
    fn target(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-gnu",
            Self::X86_64 => "x86_64-unknown-linux-gnu",
        }
    }
}

/// Builds of one lane share compiled dependencies, and run one after the other.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Lane {
    /// Functions that link clients of AWS.
    Aws,
    Plain,
}

impl Lane {
    fn folder(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Plain => "plain",
        }
    }
}

/// A binary to build.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Artifact {
    package: String,
    binary: String,
    /// Features of the package.
    features: Vec<String>,
    /// What decides which binaries may be built together: the features of `shared`, and those of the package that add some.
    group: BTreeSet<String>,
    lane: Lane,
}

/// `[package.metadata.landlord]`, as far as it is needed here.
#[derive(Debug, Default, Deserialize)]
struct Declaration {
    #[serde(default)]
    links: Vec<String>,
}

/// The workspace's packages by name, from `cargo metadata`.
pub(crate) struct Packages(BTreeMap<String, Value>);

impl Packages {
    pub(crate) fn read(checkout: &Checkout) -> Result<Self> {
        let metadata = cargo::metadata(checkout)?;
        Ok(Self(list(&metadata, "packages").into_iter().map(|package| (text(&package, "name"), package)).collect()))
    }

    /// The binary of a function.
    pub(crate) fn function(&self, name: &str) -> Result<Artifact> {
        let package = self
            .0
            .get(name)
            .ok_or_else(|| DevError::new(format!("{name} cannot be built"), "no folder in functions/ has this name"))?;
        let features: Vec<String> = package.pointer("/metadata/lambda/build/features").map(texts).unwrap_or_default();
        let declaration = package.pointer("/metadata/landlord").cloned().unwrap_or_default();
        let links = Declaration::deserialize(declaration).unwrap_or_default().links;
        let shared = list(package, "dependencies").into_iter().find(|dependency| text(dependency, "name") == "shared");
        let group = shared.iter().flat_map(|shared| texts(&shared["features"])).chain(features.clone()).collect();
        let lane = if links.iter().any(|name| name.starts_with("aws-sdk-")) { Lane::Aws } else { Lane::Plain };
        Ok(Artifact { package: name.to_owned(), binary: name.to_owned(), features, group, lane })
    }

    /// The binaries `floor-*` of the package `floor`: bare functions that link the same crates as a function, for comparison. Each
    /// requires a feature with the name of that function, or none.
    pub(crate) fn floors(&self) -> Result<Vec<Artifact>> {
        let targets = self.0.get("floor").map(|package| list(package, "targets")).unwrap_or_default();
        let floors = targets.iter().filter(|target| text(target, "name").starts_with("floor-"));
        floors
            .map(|target| {
                let required = texts(&target["required-features"]);
                let function = required.first().map(|name| self.function(name)).transpose()?;
                Ok(Artifact {
                    package: "floor".to_owned(),
                    binary: text(target, "name"),
                    features: required,
                    group: function.as_ref().map(|function| function.group.clone()).unwrap_or_default(),
                    lane: function.map_or(Lane::Plain, |function| function.lane),
                })
            })
            .collect()
    }

    /// The benchmark. It is built alone.
    pub(crate) fn bench() -> Artifact {
        let name = "bench".to_owned();
        Artifact {
            package: name.clone(),
            binary: name.clone(),
            features: Vec::new(),
            group: BTreeSet::from([name]),
            lane: Lane::Aws,
        }
    }
}

/// The groups of each lane, in the order in which they are built. Those with one member, which use one processor, are first:
/// meanwhile the other lane uses the others.
fn lanes(artifacts: &[Artifact]) -> BTreeMap<Lane, Vec<Vec<Artifact>>> {
    let mut lanes: BTreeMap<Lane, BTreeMap<_, Vec<Artifact>>> = BTreeMap::new();
    for artifact in artifacts {
        let groups = lanes.entry(artifact.lane).or_default();
        groups.entry(&artifact.group).or_default().push(artifact.clone());
    }
    let ordered = |groups: BTreeMap<_, Vec<Artifact>>| {
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by_key(Vec::len);
        groups
    };
    lanes.into_iter().map(|(lane, groups)| (lane, ordered(groups))).collect()
}

impl Artifact {
    fn qualified_features(&self) -> impl Iterator<Item = String> {
        self.features.iter().map(|feature| format!("{}/{feature}", self.package))
    }
}

fn list(value: &Value, key: &str) -> Vec<Value> {
    value.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The texts in an array.
fn texts(array: &Value) -> Vec<String> {
    array.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{functions, process::run};

    /// The features of each crate that a binary links.
    fn linked_crates(checkout: &Checkout, artifact: &Artifact) -> BTreeMap<String, BTreeSet<String>> {
        let mut tree = cargo::cargo(checkout);
        tree.args(["tree", "--offline", "--edges", "normal,no-proc-macro", "--prefix", "none", "--no-dedupe"]);
        tree.args(["--format", "{p}|{f}", "--package", &artifact.package]);
        tree.args(["--features", &artifact.features.join(",")]);
        let mut crates: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in run(&mut tree, "The dependencies cannot be read").unwrap().lines() {
            let (name, features) = line.split_once('|').unwrap();
            crates.entry(name.to_owned()).or_default().extend(features.split(',').map(ToOwned::to_owned));
        }
        crates
    }

    #[test]
    fn functions_that_are_built_together_have_the_same_features_of_every_crate() {
        let checkout = Checkout::find().unwrap();
        let packages = Packages::read(&checkout).unwrap();
        let names = functions::names(&checkout).unwrap();
        let artifacts: Vec<_> = names.iter().map(|name| packages.function(name).unwrap()).collect();
        for group in lanes(&artifacts).into_values().flatten() {
            let mut crates = HashMap::new();
            for artifact in &group {
                for (name, features) in linked_crates(&checkout, artifact) {
                    let (first, known) =
                        crates.entry(name.clone()).or_insert_with(|| (artifact.package.clone(), features.clone()));
                    let other = &artifact.package;
                    assert_eq!(*known, features, "{first} and {other} are built together; they differ in {name}");
                }
            }
        }
    }

    /// Its own `configure` reads only `CC`, which names the compiler of this machine: the objects would be of this machine's
    /// architecture.
    #[test]
    fn librdkafka_is_configured_by_cmake_which_knows_the_architecture() {
        let checkout = Checkout::find().unwrap();
        let relay = Packages::read(&checkout).unwrap().function("relay-events").unwrap();
        let crates = linked_crates(&checkout, &relay);
        let (_, features) = crates.iter().find(|(name, _)| name.starts_with("rdkafka-sys ")).unwrap();
        assert!(features.contains("cmake-build") && features.contains("ssl-vendored"), "{features:?}");
    }

    fn packages() -> Packages {
        let function = |name: &str, shared: Value, links: Value, build: Value| {
            let package = serde_json::json!({
                "name": name,
                "dependencies": [{ "name": "shared", "features": shared }],
                "metadata": { "landlord": { "links": links }, "lambda": { "build": { "features": build } } },
            });
            (name.to_owned(), package)
        };
        let floor = serde_json::json!({ "name": "floor", "targets": [
            { "name": "floor" },
            { "name": "floor-bare" },
            { "name": "floor-login", "required-features": ["login"] },
        ]});
        let none = || serde_json::json!([]);
        Packages(BTreeMap::from([
            function("login", serde_json::json!(["http", "redis"]), none(), none()),
            function("get-operation", serde_json::json!(["redis", "http"]), none(), none()),
            function("create-tenant", serde_json::json!(["http", "sqs"]), serde_json::json!(["aws-sdk-sqs"]), none()),
            function("relay-events", serde_json::json!(["kafka"]), none(), serde_json::json!(["vendored-openssl"])),
            ("floor".to_owned(), floor),
        ]))
    }

    #[test]
    fn functions_with_the_same_features_are_built_together_and_with_their_floor() {
        let packages = packages();
        let mut artifacts: Vec<_> = ["create-tenant", "get-operation", "login", "relay-events"]
            .map(|name| packages.function(name).unwrap())
            .to_vec();
        artifacts.extend(packages.floors().unwrap());
        let names = |group: Vec<Artifact>| group.into_iter().map(|artifact| artifact.binary).collect::<Vec<_>>();
        let lanes: Vec<_> = lanes(&artifacts)
            .into_iter()
            .map(|(lane, groups)| (lane, groups.into_iter().map(names).collect::<Vec<_>>()))
            .collect();
        let group = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let expected = [
            (Lane::Aws, vec![group(&["create-tenant"])]),
            (
                Lane::Plain,
                vec![
                    group(&["floor-bare"]),
                    group(&["relay-events"]),
                    group(&["get-operation", "login", "floor-login"]),
                ],
            ),
        ];
        assert_eq!(lanes, expected);
    }

    #[test]
    fn features_are_those_of_their_package() {
        let packages = packages();
        let qualified = |artifact: &Artifact| artifact.qualified_features().collect::<Vec<_>>();
        assert_eq!(qualified(&packages.function("relay-events").unwrap()), ["relay-events/vendored-openssl"]);
        assert_eq!(qualified(&packages.floors().unwrap()[1]), ["floor/login"]);
    }
}
