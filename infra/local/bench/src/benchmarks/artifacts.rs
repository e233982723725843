//! Sizes of the binaries, and what they link.

use std::{fs, path::Path};

use super::heading;
use crate::{
    Result,
    artifacts::{self, Linked},
    report::Report,
};

/// Looks into each.
pub(crate) fn measure(target: &Path, report: &mut Report) -> Result<()> {
    heading("Artifacts");
    println!("{:<26} {:>9}  {:<11} {:<11} {:<11}", "function", "size", "librdkafka", "aws-sdk-s3", "aws-sdk-sqs");
    let mut wrong = Vec::new();
    for function in artifacts::functions()? {
        let path = artifacts::path(target, &function);
        let binary = fs::read(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        let (found, expected) = (Linked::found(&binary), Linked::expected(&function));
        let yes = |linked| if linked { "yes" } else { "-" };
        let size = binary.len() / 10_000;
        let size = format!("{}.{:02} MB", size / 100, size % 100);
        let verdict = if found == expected { "" } else { "  FAIL" };
        let line = format!(
            "{function:<26} {size:>9}  {:<11} {:<11} {:<11}{verdict}",
            yes(found.kafka),
            yes(found.s3),
            yes(found.sqs)
        );
        println!("{}", line.trim_end());
        if found != expected {
            wrong.push(function);
        }
    }
    let seen = if wrong.is_empty() { "as it should be".to_owned() } else { format!("not {}", wrong.join(", ")) };
    report.holds("linked: librdkafka, AWS SDKs", "where needed", &seen, wrong.is_empty());
    Ok(())
}
