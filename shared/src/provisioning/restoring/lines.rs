//! Reads the lines of a file of an export, and checks the file while it is read.

use std::{io::Write, mem};

use aws_sdk_s3::{operation::get_object::GetObjectError, primitives::ByteStream};
use bytes::Bytes;
use flate2::write::GzDecoder;
use sha2::{Digest, Sha256};

use crate::{
    clients::s3::Bucket,
    error::{Dependency, Error},
    exports::FileCopy,
    operations::store::breakers::StoreKind,
    provisioning::{step::StepError, steps::object_prefix::step_error},
};

/// Compressed bytes that are decompressed at a time. gzip makes at most about a thousand bytes of one.
const SLICE: usize = 8 << 10;

/// A block of lines is about this long, which is a good size for one message to a server.
const BLOCK: usize = 256 << 10;

/// A file that is being read.
pub(super) struct FileLines<'a> {
    file: &'a FileCopy,
    max_line: usize,
    body: ByteStream,
    /// The rest of what has arrived.
    arrived: Bytes,
    decoder: GzDecoder<Vec<u8>>,
    hash: Sha256,
    bytes: u64,
    lines: u64,
    has_ended: bool,
}

impl<'a> FileLines<'a> {
    /// Begins at the first line. A file that does not exist is a permanent error. No line has more than `max_line` bytes, so that a file that
    /// was changed cannot fill the memory.
    pub(super) async fn open(bucket: &Bucket, file: &'a FileCopy, max_line: usize) -> Result<Self, StepError> {
        let get = bucket.client().await.get_object().bucket(&bucket.name).key(&file.key).send();
        let body = match get.await {
            Ok(object) => object.body,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                return Err(StepError::permanent(format!(
                    "The file `{}` of the export does not exist any more",
                    file.key
                )));
            }
            Err(error) => return Err(step_error(error).of_store(StoreKind::ObjectStorage)),
        };
        Ok(Self::new(file, body, max_line))
    }

    fn new(file: &'a FileCopy, body: ByteStream, max_line: usize) -> Self {
        Self {
            file,
            max_line,
            body,
            arrived: Bytes::new(),
            decoder: GzDecoder::new(Vec::new()),
            hash: Sha256::new(),
            bytes: 0,
            lines: 0,
            has_ended: false,
        }
    }

    /// The next lines, each with its line feed. `None` after the last one, and only if the file is what the manifest describes. A file with more
    /// lines or bytes fails before they are returned, so that a much larger one in its place is not imported.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, StepError> {
        let mut has_line = false;
        while !self.has_ended && (self.decoder.get_ref().len() < BLOCK || !has_line) {
            let before = self.decoder.get_ref().len();
            self.read().await?;
            has_line |= self.decoder.get_ref().get(before..).is_some_and(|more| more.contains(&b'\n'));
            if !has_line && self.decoder.get_ref().len() > self.max_line {
                return Err(self.damaged());
            }
        }
        let text = self.decoder.get_mut();
        let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if self.has_ended && end != text.len() {
            return Err(self.damaged());
        }
        let rest = text.split_off(end);
        let block = mem::replace(self.decoder.get_mut(), rest);
        if block.is_empty() {
            self.check()?;
            return Ok(None);
        }
        let block = Bytes::from(block);
        self.lines += lines_of(&block).count() as u64;
        if self.lines > self.file.lines { Err(self.damaged()) } else { Ok(Some(block)) }
    }

    /// Decompresses what arrives next.
    async fn read(&mut self) -> Result<(), StepError> {
        if self.arrived.is_empty() {
            match self.body.next().await {
                Some(Ok(more)) => {
                    self.hash.update(&more);
                    self.bytes += more.len() as u64;
                    if self.bytes > self.file.bytes {
                        return Err(self.damaged());
                    }
                    self.arrived = more;
                }
                Some(Err(error)) => {
                    let error = StepError::from(Error::unavailable(Dependency::S3, error));
                    return Err(error.of_store(StoreKind::ObjectStorage));
                }
                None => {
                    self.has_ended = true;
                    // A file that was cut off has no end in the format.
                    return self.decoder.try_finish().map_err(|_| self.damaged());
                }
            }
        }
        let slice = self.arrived.split_to(self.arrived.len().min(SLICE));
        self.decoder.write_all(&slice).map_err(|_| self.damaged())
    }

    fn check(&self) -> Result<(), StepError> {
        let hash = format!("{:x}", self.hash.clone().finalize());
        if (self.bytes, &hash, self.lines) == (self.file.bytes, &self.file.sha256, self.file.lines) {
            Ok(())
        } else {
            Err(self.damaged())
        }
    }

    fn damaged(&self) -> StepError {
        StepError::permanent(format!(
            "The file `{}` of the export was changed: its bytes are not those of the manifest",
            self.file.key
        ))
    }
}

/// The part of a block after its first `skip` lines. Reduces `skip` by the lines that it has left out.
pub(super) fn skip_lines(mut block: Bytes, skip: &mut u64) -> Bytes {
    while *skip > 0 {
        let Some(end) = block.iter().position(|byte| *byte == b'\n') else { break };
        let _skipped = block.split_to(end + 1);
        *skip -= 1;
    }
    block
}

/// The lines of a block, without their line feeds.
pub(super) fn lines_of(block: &Bytes) -> impl Iterator<Item = &[u8]> {
    block.split_inclusive(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn compressed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// What the manifest contains about a file.
    fn described(bytes: &[u8], lines: u64) -> FileCopy {
        let sha256 = format!("{:x}", Sha256::digest(bytes));
        FileCopy { key: "exports/users.copy.gz".to_owned(), bytes: bytes.len() as u64, sha256, lines }
    }

    /// The number of bytes that are read before the end or the error, and whether it is an error.
    async fn read(file: &FileCopy, body: Vec<u8>, max_line: usize) -> (usize, bool) {
        let (mut lines, mut bytes) = (FileLines::new(file, ByteStream::from(body), max_line), 0);
        loop {
            match lines.next().await {
                Ok(Some(block)) => bytes += block.len(),
                Ok(None) => return (bytes, false),
                Err(error) => {
                    assert!(error.reason.contains("users.copy.gz"), "{}", error.reason);
                    return (bytes, true);
                }
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_the_manifest_describes_is_read_to_its_end() {
        let text = "a line of the table\n".repeat(100_000);
        let body = compressed(text.as_bytes());
        let file = described(&body, 100_000);
        assert_eq!(read(&file, body.clone(), 20).await, (text.len(), false));
        let other = FileCopy { sha256: "0".repeat(64), ..file };
        assert_eq!(read(&other, body, 20).await, (text.len(), true));
    }

    #[tokio::test]
    async fn a_file_with_more_bytes_or_lines_is_refused_before_they_are_returned() {
        let wanted = compressed(b"one\ntwo\n");
        let larger = compressed("a line of another table\n".repeat(1_000_000).as_bytes());
        assert_eq!(read(&described(&wanted, 2), larger.clone(), 1 << 20).await, (0, true));
        // As if it had the size of the original.
        let file = described(&larger, 2);
        assert_eq!(read(&file, larger, 1 << 20).await, (0, true));
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_not_kept_in_memory() {
        let body = compressed(&vec![b'x'; 32 << 20]);
        let file = described(&body, 1);
        let mut lines = FileLines::new(&file, ByteStream::from(body), 1 << 20);
        assert!(lines.next().await.is_err());
        assert!(lines.decoder.get_ref().len() < 16 << 20);
    }

    #[test]
    fn lines_that_are_done_are_skipped_across_blocks() {
        let mut skip = 3;
        assert_eq!(skip_lines(Bytes::from_static(b"a\nb\n"), &mut skip), "");
        assert_eq!(skip, 1);
        assert_eq!(skip_lines(Bytes::from_static(b"c\nd\n"), &mut skip), "d\n");
        assert_eq!(skip, 0);
        assert_eq!(lines_of(&Bytes::from_static(b"\nx\n")).collect::<Vec<_>>(), [&b""[..], b"x"]);
    }
}
