//! What two copies of the same rows have in common, whatever their order is.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};

/// The number, the size and the checksum of lines. A line is a row, a document or an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sums {
    pub lines: u64,
    /// With the line feeds, before compression.
    pub bytes: u64,
    /// The sum, modulo 2^64, of the first 8 bytes (big-endian) of the SHA-256 of each line without its line feed. It does not depend on the
    /// order of the lines. In JSON: 16 hexadecimal digits, because a number would not be exact everywhere.
    #[serde(serialize_with = "write_hex", deserialize_with = "read_hex")]
    pub checksum: u64,
}

impl Sums {
    /// Adds one line, which ends with a line feed.
    pub fn add(&mut self, line: &[u8]) {
        let digest = Sha256::digest(line.strip_suffix(b"\n").unwrap_or(line));
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        self.merge(Self { lines: 1, bytes: line.len() as u64, checksum: u64::from_be_bytes(first) });
    }

    /// Adds other lines.
    pub fn merge(&mut self, other: Self) {
        self.lines += other.lines;
        self.bytes += other.bytes;
        self.checksum = self.checksum.wrapping_add(other.checksum);
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn write_hex<S: Serializer>(checksum: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{checksum:016x}"))
}

fn read_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    u64::from_str_radix(&text, 16).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(lines: &[&str]) -> Sums {
        let mut sums = Sums::default();
        for line in lines {
            sums.add(line.as_bytes());
        }
        sums
    }

    #[test]
    fn the_order_of_lines_does_not_matter_and_everything_else_does() {
        let expected = sums(&["a\n", "b\n", "b\n"]);
        assert_eq!((expected.lines, expected.bytes), (3, 6));
        assert_eq!(sums(&["b\n", "a\n", "b\n"]), expected);
        for other in [&["a\n", "b\n"][..], &["a\n", "a\n", "b\n"], &["a\n", "b\n", "c\n"], &["ab\n", "\n", "b\n"]] {
            assert_ne!(sums(other), expected, "{other:?}");
        }
    }

    #[test]
    fn a_checksum_can_be_computed_with_other_tools() {
        // printf 'a' | sha256sum | cut -c 1-16
        let json = serde_json::json!({ "lines": 1, "bytes": 2, "checksum": "ca978112ca1bbdca" });
        assert_eq!(serde_json::to_value(sums(&["a\n"])).unwrap(), json);
        assert_eq!(serde_json::from_value::<Sums>(json).unwrap(), sums(&["a\n"]));
    }
}
