//! `cargo dev build`

use crate::{
    artifacts::{self, Architecture, Packages},
    checkout::Checkout,
    console,
    error::Result,
    functions,
    install::system,
    progress::Progress,
};

/// Where infra/template.yaml expects the functions.
const FOLDER: &str = "target/lambda";

/// Builds functions as they are deployed; without names, all of them.
pub(crate) fn run(checkout: &Checkout, names: &[String], architecture: Architecture) -> Result<()> {
    let all = functions::names(checkout)?;
    let names = if names.is_empty() { &all } else { names };
    if names.iter().any(|name| name == console::FUNCTION) {
        let progress = Progress::start();
        system::install(&console::required_packages(), &progress)?;
        console::build(checkout, &progress.step("console", "building"))?;
    }
    let packages = Packages::read(checkout)?;
    let artifacts = names.iter().map(|name| packages.function(name)).collect::<Result<Vec<_>>>()?;
    artifacts::build::build(checkout, &artifacts, architecture, &checkout.root().join(FOLDER))
}
