//! Passes the commit to the code, if it is built from a repository.

use std::process::Command;

/// The output of git, empty without git or a repository.
fn git(arguments: &[&str]) -> String {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success());
    output.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default().trim().to_owned()
}

fn main() {
    println!("cargo::rustc-env=BUILT_COMMIT={}", git(&["rev-parse", "HEAD"]));
    // The file changes with each commit and each checkout.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"]);
    if !log.is_empty() {
        println!("cargo::rerun-if-changed={log}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
