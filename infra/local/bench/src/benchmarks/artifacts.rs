//! Sizes of the binaries, and the client libraries that they link.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{
    benchmarks::table::heading,
    error::Result,
    measure::{
        binary::{self, CLIENT_LIBRARIES, linked_libraries},
        functions::Workspace,
    },
    report::BenchReport,
};

/// Compares each binary with the manifest of its function. They differ if a function was built together with others, because
/// cargo then gives each of them the union of their features.
pub(crate) fn measure(workspace: &Workspace, target: &Path, report: &mut BenchReport) -> Result<()> {
    heading("Artifacts");
    let libraries = CLIENT_LIBRARIES.map(|(library, _)| library);
    print_row("function", "size", libraries, "");
    let mut wrong = Vec::new();
    for function in &workspace.functions {
        let path = binary::path(target, &function.name);
        let binary = fs::read(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        let found = linked_libraries(&binary);
        let declared: BTreeSet<_> = libraries.into_iter().filter(|library| function.declares(library)).collect();
        let size = binary.len() / 10_000;
        let size = format!("{}.{:02} MB", size / 100, size % 100);
        let linked = libraries.map(|library| if found.contains(library) { "yes" } else { "-" });
        print_row(&function.name, &size, linked, if found == declared { "" } else { "  FAIL" });
        if found != declared {
            wrong.push(function.name.as_str());
        }
    }
    let measured = if wrong.is_empty() { "as declared".to_owned() } else { format!("not {}", wrong.join(", ")) };
    report.condition("linked client libraries", "as declared", &measured, wrong.is_empty());
    Ok(())
}

fn print_row(name: &str, size: &str, libraries: [&str; 3], verdict: &str) {
    let [kafka, s3, sqs] = libraries;
    println!("{}", format!("{name:<26} {size:>9}  {kafka:<11} {s3:<11} {sqs:<11}{verdict}").trim_end());
}
