//! Writes lines to a compressed file in the bucket, part by part.

use std::{io::Write, mem, time::Duration};

use aws_sdk_s3::{
    config::{Builder, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart},
};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use super::Sink;
use crate::{
    clients::s3::Bucket,
    error::Error,
    exports::FileCopy,
    operations::store::breakers::StoreKind,
    provisioning::{step::StepError, steps::object_prefix::step_error},
};

/// The size of a part, the least that S3 accepts. A file that is smaller needs one request.
const PART_BYTES: usize = 5 << 20;

/// A line is at most a row or a document, and the compressor hands over what it has in small pieces.
const SPARE_BYTES: usize = 64 << 10;

/// Limit for sending one part.
const PART_TIMEOUT: Duration = Duration::from_secs(30);

/// A file that is being written. Nobody sees it before [`Self::finish`] has succeeded.
pub(in crate::provisioning) struct FileWriter<'a> {
    bucket: &'a Bucket,
    key: String,
    encoder: GzEncoder<Vec<u8>>,
    hash: Sha256,
    /// Bytes that were sent.
    sent: u64,
    lines: u64,
    upload: Option<Upload>,
}

struct Upload {
    id: String,
    parts: Vec<CompletedPart>,
}

impl<'a> FileWriter<'a> {
    /// Sends nothing yet.
    pub(in crate::provisioning) fn new(bucket: &'a Bucket, key: String) -> Self {
        Self {
            bucket,
            key,
            // Compression takes most of the time of an export.
            encoder: GzEncoder::new(Vec::new(), Compression::fast()),
            hash: Sha256::new(),
            sent: 0,
            lines: 0,
            upload: None,
        }
    }

    /// The size of the file so far, without what the compressor still holds.
    pub(in crate::provisioning) fn size(&self) -> u64 {
        self.sent + self.encoder.get_ref().len() as u64
    }

    /// Completes the file.
    pub(in crate::provisioning) async fn finish(mut self) -> Result<FileCopy, StepError> {
        if let Err(error) = self.send_rest().await {
            self.abort().await;
            return Err(error);
        }
        let sha256 = format!("{:x}", self.hash.finalize());
        Ok(FileCopy { key: self.key, bytes: self.sent, sha256, lines: self.lines })
    }

    async fn send_rest(&mut self) -> Result<(), StepError> {
        self.encoder.try_finish().map_err(Error::internal)?;
        let rest = mem::take(self.encoder.get_mut());
        if self.upload.is_none() {
            return self.put(rest).await;
        }
        if !rest.is_empty() {
            self.send_part(rest).await?;
        }
        let Some(Upload { id, parts }) = &self.upload else { return Ok(()) };
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.clone())).build();
        let client = self.bucket.client().await;
        let complete = client.complete_multipart_upload().bucket(&self.bucket.name).key(&self.key).upload_id(id);
        complete
            .multipart_upload(parts)
            .customize()
            .config_override(limits())
            .send()
            .await
            .map_err(of_object_storage)?;
        Ok(())
    }

    async fn put(&mut self, content: Vec<u8>) -> Result<(), StepError> {
        self.count(&content);
        let put = self.bucket.client().await.put_object().bucket(&self.bucket.name).key(&self.key);
        let put = put.body(ByteStream::from(content)).customize().config_override(limits());
        put.send().await.map_err(of_object_storage)?;
        Ok(())
    }

    async fn send_part(&mut self, content: Vec<u8>) -> Result<(), StepError> {
        let client = self.bucket.client().await;
        if self.upload.is_none() {
            let create = client.create_multipart_upload().bucket(&self.bucket.name).key(&self.key);
            let created =
                create.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await.map_err(of_object_storage)?;
            let id =
                created.upload_id.ok_or_else(|| Error::internal("object storage began an upload without an id"))?;
            self.upload = Some(Upload { id, parts: Vec::new() });
        }
        self.count(&content);
        let Some(Upload { id, parts }) = &mut self.upload else { return Ok(()) };
        let number = i32::try_from(parts.len() + 1).map_err(Error::internal)?;
        let part = client.upload_part().bucket(&self.bucket.name).key(&self.key).upload_id(&*id).part_number(number);
        let part = part.checksum_algorithm(ChecksumAlgorithm::Crc32).body(ByteStream::from(content));
        let sent = part.customize().config_override(limits()).send().await.map_err(of_object_storage)?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
        parts.push(part.set_checksum_crc32(sent.checksum_crc32).build());
        Ok(())
    }

    fn count(&mut self, content: &[u8]) {
        self.hash.update(content);
        self.sent += content.len() as u64;
    }

    /// Gives up the file after an error. If that fails too, the rule of the bucket about incomplete uploads removes them.
    pub(in crate::provisioning) async fn abort(self) {
        let Some(Upload { id, .. }) = self.upload else { return };
        let client = self.bucket.client().await;
        let abort = client.abort_multipart_upload().bucket(&self.bucket.name).key(&self.key).upload_id(id);
        if let Err(error) = abort.send().await.map_err(Error::from) {
            tracing::warn!(key = self.key, error = error.chain(), "an incomplete upload could not be aborted");
        }
    }
}

impl Sink for FileWriter<'_> {
    async fn write(&mut self, line: &[u8]) -> Result<(), StepError> {
        self.encoder.write_all(line).map_err(Error::internal)?;
        self.lines += 1;
        if self.encoder.get_ref().len() < PART_BYTES {
            return Ok(());
        }
        let part = mem::replace(self.encoder.get_mut(), Vec::with_capacity(PART_BYTES + SPARE_BYTES));
        self.send_part(part).await
    }
}

/// The step that copies a database must not blame it.
fn of_object_storage<E, R>(error: SdkError<E, R>) -> StepError
where
    E: std::error::Error + Send + Sync + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    step_error(error).of_store(StoreKind::ObjectStorage)
}

/// A part takes longer than the other requests to object storage.
fn limits() -> Builder {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(PART_TIMEOUT).operation_timeout(PART_TIMEOUT * 3);
    Builder::new().timeout_config(timeouts.build())
}
