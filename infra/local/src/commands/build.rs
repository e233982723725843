//! `cargo dev build`

use crate::{
    artifacts::{self, Architecture, Packages},
    checkout::Checkout,
    error::Result,
    functions,
};

/// Where infra/template.yaml expects the functions.
const FOLDER: &str = "target/lambda";

/// Builds functions as they are deployed; without names, all of them.
pub(crate) fn run(checkout: &Checkout, names: &[String], architecture: Architecture) -> Result<()> {
    let all = functions::names(checkout)?;
    let names = if names.is_empty() { &all } else { names };
    let packages = Packages::read(checkout)?;
    let artifacts = names.iter().map(|name| packages.function(name)).collect::<Result<Vec<_>>>()?;
    artifacts::build::build(checkout, &artifacts, architecture, &checkout.root().join(FOLDER))
}
