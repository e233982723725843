//! Builds functions as they are deployed: optimized, for the C library of Lambda, each with only what it needs.
//!
//! Cargo unifies the features of what it builds at the same time. One invocation for all functions would compile each crate once, but
//! every function would contain what the clients of AWS, `MongoDB` and Kafka switch on in crates that it needs, which makes the small
//! functions a third larger. One invocation for each set of features would compile most crates many times. So there are two lanes, each
//! with one invocation and a target folder of its own. They run at the same time and share the processors. The linker removes from
//! each function what it does not use.

pub(crate) mod build;

use std::collections::BTreeMap;

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

/// The binaries of a lane are built by one invocation of cargo.
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
        let lane = if links.iter().any(|name| name.starts_with("aws-sdk-")) { Lane::Aws } else { Lane::Plain };
        Ok(Artifact { package: name.to_owned(), binary: name.to_owned(), features, lane })
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
                    lane: function.map_or(Lane::Plain, |function| function.lane),
                })
            })
            .collect()
    }

    /// The benchmark.
    pub(crate) fn bench() -> Artifact {
        let name = "bench".to_owned();
        Artifact { package: name.clone(), binary: name, features: Vec::new(), lane: Lane::Aws }
    }
}

/// The binaries of each lane.
fn lanes(artifacts: &[Artifact]) -> BTreeMap<Lane, Vec<Artifact>> {
    let mut lanes: BTreeMap<Lane, Vec<Artifact>> = BTreeMap::new();
    for artifact in artifacts {
        lanes.entry(artifact.lane).or_default().push(artifact.clone());
    }
    lanes
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
    use std::collections::BTreeSet;

    use super::*;
    use crate::{functions, process::run};

    /// The features of each crate that a binary links.
    fn linked_crates(checkout: &Checkout, artifact: &Artifact) -> BTreeMap<String, BTreeSet<String>> {
        let mut tree = cargo::cargo(checkout);
        tree.args(["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--no-dedupe"]);
        tree.args(["--format", "{p}|{f}", "--package", &artifact.package]);
        tree.args(["--features", &artifact.features.join(",")]);
        let mut crates: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in run(&mut tree, "The dependencies cannot be read").unwrap().lines() {
            let (name, features) = line.split_once('|').unwrap();
            crates.entry(name.to_owned()).or_default().extend(features.split(',').map(ToOwned::to_owned));
        }
        crates
    }

    /// The clients that would make the functions of the other lane larger.
    #[test]
    fn functions_without_aws_are_built_without_the_large_clients() {
        let checkout = Checkout::find().unwrap();
        let packages = Packages::read(&checkout).unwrap();
        let names = functions::names(&checkout).unwrap();
        let artifacts: Vec<_> = names.iter().map(|name| packages.function(name).unwrap()).collect();
        let lanes = lanes(&artifacts);
        assert!(lanes[&Lane::Plain].len() > lanes[&Lane::Aws].len(), "{lanes:?}");
        for artifact in &lanes[&Lane::Plain] {
            for name in linked_crates(&checkout, artifact).keys() {
                let is_large =
                    ["aws-sdk-", "mongodb ", "rdkafka ", "openssl-sys "].iter().any(|large| name.starts_with(large));
                assert!(!is_large, "{} links {name}", artifact.package);
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
        let function = |name: &str, links: Value, build: Value| {
            let package = serde_json::json!({
                "name": name,
                "metadata": { "landlord": { "links": links }, "lambda": { "build": { "features": build } } },
            });
            (name.to_owned(), package)
        };
        let floor = serde_json::json!({ "name": "floor", "targets": [
            { "name": "floor" },
            { "name": "floor-bare" },
            { "name": "floor-create-tenant", "required-features": ["create-tenant"] },
            { "name": "floor-login", "required-features": ["login"] },
        ]});
        let none = || serde_json::json!([]);
        Packages(BTreeMap::from([
            function("login", none(), none()),
            function("get-operation", none(), none()),
            function("create-tenant", serde_json::json!(["aws-sdk-sqs"]), none()),
            function("relay-events", serde_json::json!(["aws-sdk-sqs"]), serde_json::json!(["vendored-openssl"])),
            ("floor".to_owned(), floor),
        ]))
    }

    #[test]
    fn a_floor_is_built_in_the_lane_of_its_function() {
        let packages = packages();
        let mut artifacts: Vec<_> = ["create-tenant", "get-operation", "login", "relay-events"]
            .map(|name| packages.function(name).unwrap())
            .to_vec();
        artifacts.extend(packages.floors().unwrap());
        let lanes: Vec<_> = lanes(&artifacts)
            .into_iter()
            .map(|(lane, artifacts)| (lane, artifacts.into_iter().map(|artifact| artifact.binary).collect::<Vec<_>>()))
            .collect();
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let expected = [
            (Lane::Aws, names(&["create-tenant", "relay-events", "floor-create-tenant"])),
            (Lane::Plain, names(&["get-operation", "login", "floor-bare", "floor-login"])),
        ];
        assert_eq!(lanes, expected);
    }

    #[test]
    fn features_are_those_of_their_package() {
        let packages = packages();
        let qualified = |artifact: &Artifact| artifact.qualified_features().collect::<Vec<_>>();
        assert_eq!(qualified(&packages.function("relay-events").unwrap()), ["relay-events/vendored-openssl"]);
        assert_eq!(qualified(&packages.floors().unwrap()[2]), ["floor/login"]);
    }
}
