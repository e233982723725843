//! Release binaries: their paths, and the client libraries that they link.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Client libraries, and a string that each of them leaves in a stripped binary.
pub(crate) const CLIENT_LIBRARIES: [(&str, &[u8]); 3] =
    [("rdkafka", b"rd_kafka_"), ("aws-sdk-s3", b"aws-sdk-s3-"), ("aws-sdk-sqs", b"aws-sdk-sqs-")];

/// The client libraries linked into a binary, by crate name.
pub(crate) fn linked_libraries(binary: &[u8]) -> BTreeSet<&'static str> {
    CLIENT_LIBRARIES.into_iter().filter(|(_, mark)| contains(binary, mark)).map(|(library, _)| library).collect()
}

fn contains(binary: &[u8], mark: &[u8]) -> bool {
    binary.windows(mark.len()).any(|window| window == mark)
}

/// The file that `cargo lambda build` writes for a binary target.
pub(crate) fn path(target: &Path, name: &str) -> PathBuf {
    target.join("lambda").join(name).join("bootstrap")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linked_libraries_are_found_by_the_strings_they_leave() {
        assert_eq!(linked_libraries(b"aws-sdk-s rd_kafk"), BTreeSet::new());
        assert_eq!(linked_libraries(b"\0aws-sdk-sqs-1.119.0/src"), ["aws-sdk-sqs"].into());
        assert_eq!(linked_libraries(b"rd_kafka_new aws-sdk-s3-1.157.0"), ["aws-sdk-s3", "rdkafka"].into());
    }
}
