//! What was built: where it is, and what is inside.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Result;

/// What is left in a binary by a library that is linked into it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Linked {
    /// librdkafka.
    pub(crate) kafka: bool,
    /// The AWS SDK of S3.
    pub(crate) s3: bool,
    /// The AWS SDK of SQS.
    pub(crate) sqs: bool,
}

impl Linked {
    /// What a function may link, and has to: it sends events, keeps objects, sends messages, or looks
    /// after what does.
    pub(crate) fn expected(function: &str) -> Self {
        Self {
            kafka: ["check-health", "relay-events"].contains(&function),
            s3: ["check-health", "measure-usage", "provision-tenant"].contains(&function),
            sqs: [
                "check-health",
                "create-tenant",
                "create-user",
                "end-impersonation",
                "impersonate-user",
                "measure-usage",
                "provision-tenant",
                "relay-events",
                "retry-tenant",
                "update-admin",
                "update-tenant",
                "update-user",
            ]
            .contains(&function),
        }
    }

    /// What a binary links.
    pub(crate) fn found(binary: &[u8]) -> Self {
        let contains = |needle: &[u8]| {
            let starts = binary.iter().enumerate().filter(|(_, byte)| **byte == needle[0]);
            starts.into_iter().any(|(start, _)| binary[start..].starts_with(needle))
        };
        Self { kafka: contains(b"rd_kafka_"), s3: contains(b"aws-sdk-s3-"), sqs: contains(b"aws-sdk-sqs-") }
    }
}

/// Where `cargo lambda build` puts a function.
pub(crate) fn path(target: &Path, name: &str) -> PathBuf {
    target.join("lambda").join(name).join("bootstrap")
}

/// The names of all functions: the packages in `functions/`.
pub(crate) fn functions() -> Result<Vec<String>> {
    let entries = fs::read_dir("functions").map_err(|error| format!("functions/ cannot be read: {error}"))?;
    let packages =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.join("Cargo.toml").is_file());
    let mut names: Vec<_> = packages.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_binary_links_is_found_in_its_strings() {
        let nothing = Linked { kafka: false, s3: false, sqs: false };
        assert_eq!(Linked::found(b"aws-sdk-s rd_kafk"), nothing);
        assert_eq!(Linked::found(b"\0aws-sdk-sqs-1.119.0/src"), Linked { sqs: true, ..nothing });
        assert_eq!(Linked::found(b"rd_kafka_new aws-sdk-s3-1.157.0"), Linked { kafka: true, s3: true, sqs: false });
    }

    #[test]
    fn an_endpoint_that_only_reads_links_no_sdk() {
        assert_eq!(Linked::expected("get-tenant"), Linked { kafka: false, s3: false, sqs: false });
    }
}
