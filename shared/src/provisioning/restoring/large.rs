//! Copies an object in parts, because a request copies at most 5 GiB and must end within its limit.
//!
//! The parts that are copied are in the journal, so that the next worker goes on after them.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures::{StreamExt, TryStreamExt, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::objects::{Import, NotCopied, Wanted, limits};
use crate::{
    error::Error,
    operations::StepName,
    provisioning::{progress::save, step::StepError},
};

/// The limit of S3.
const MAX_PARTS: u64 = 10_000;

/// Parts that are copied and recorded at a time.
const CONCURRENCY: u64 = 4;

/// An object of which some parts are copied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Upload {
    /// Below the prefix.
    key: String,
    id: String,
    bytes: u64,
    /// The size of each part except the last one.
    part_bytes: u64,
    /// The entity tag of the source, which must not change.
    source: String,
    /// The entity tags of the first parts.
    parts: Vec<String>,
}

impl Upload {
    fn count(&self) -> u64 {
        self.bytes.div_ceil(self.part_bytes)
    }

    /// The first and the last byte of a part, which is counted from 0.
    fn range(&self, part: u64) -> String {
        let first = part * self.part_bytes;
        format!("bytes={first}-{}", (first + self.part_bytes).min(self.bytes) - 1)
    }
}

impl Import<'_> {
    /// Copies an object that is larger than a part.
    pub(super) async fn copy_in_parts(&mut self, object: &Wanted) -> Result<(), NotCopied> {
        let copied = self.copy_parts(object).await;
        if matches!(copied, Err(NotCopied::Outdated)) {
            self.record_upload(None).await?;
        }
        copied
    }

    async fn copy_parts(&mut self, object: &Wanted) -> Result<(), NotCopied> {
        let begun = self.progress.upload.clone().filter(|upload| upload.key == object.key);
        let mut upload = match begun {
            Some(upload) => upload,
            None => self.begin_upload(object).await?,
        };
        while (upload.parts.len() as u64) < upload.count() {
            let next = upload.parts.len() as u64;
            let parts = next..upload.count().min(next + CONCURRENCY);
            let (this, begun) = (&*self, &upload);
            let copied: Vec<String> = stream::iter(parts)
                .map(|part| async move { this.copy_part(object, begun, part).await })
                .buffered(parts_at_once())
                .try_collect()
                .await?;
            upload.parts.extend(copied);
            self.record_upload(Some(upload.clone())).await?;
        }
        self.end_upload(object, &upload).await
    }

    async fn record_upload(&mut self, upload: Option<Upload>) -> Result<(), StepError> {
        self.progress.upload = upload;
        save(self.context, StepName::ObjectImport, &self.progress).await
    }

    /// Begins with what a copy in one request takes over by itself: the headers, the metadata and the tags.
    async fn begin_upload(&self, object: &Wanted) -> Result<Upload, NotCopied> {
        let bucket = &self.context.stores.bucket;
        let client = bucket.client().await;
        let (key, version) = (self.source_key(object), object.version.clone());
        let head = client.head_object().bucket(&bucket.name).key(&key).set_version_id(version.clone()).send().await;
        let found = match head {
            // The answer to `HEAD` has no body, which would contain the code.
            Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 404) => {
                return Err(NotCopied::Gone);
            }
            found => found?,
        };
        let tags = client.get_object_tagging().bucket(&bucket.name).key(&key).set_version_id(version).send().await?;
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let tags: Vec<_> =
            tags.tag_set().iter().map(|tag| format!("{}={}", encoded(tag.key()), encoded(tag.value()))).collect();
        let create = client.create_multipart_upload().bucket(&bucket.name).key(self.target_key(object));
        let create = create
            .set_content_type(found.content_type)
            .set_content_encoding(found.content_encoding)
            .set_content_disposition(found.content_disposition)
            .set_content_language(found.content_language)
            .set_cache_control(found.cache_control)
            .set_metadata(found.metadata)
            .set_tagging((!tags.is_empty()).then(|| tags.join("&")));
        let id = create.send().await?.upload_id.ok_or_else(|| lacks("an upload without an id"))?;
        let bytes = found.content_length.and_then(|bytes| u64::try_from(bytes).ok());
        let bytes = bytes.filter(|bytes| *bytes > 0).ok_or_else(|| lacks("an object without a size"))?;
        Ok(Upload {
            key: object.key.clone(),
            id,
            bytes,
            part_bytes: self.part_bytes.max(bytes.div_ceil(MAX_PARTS)),
            source: found.e_tag.ok_or_else(|| lacks("an object without an entity tag"))?,
            parts: Vec::new(),
        })
    }

    /// Copies a part, which is counted from 0, and returns its entity tag.
    async fn copy_part(&self, object: &Wanted, upload: &Upload, part: u64) -> Result<String, NotCopied> {
        let bucket = &self.context.stores.bucket;
        let copy = bucket.client().await.upload_part_copy().bucket(&bucket.name).key(self.target_key(object));
        let copy = copy.upload_id(&upload.id).part_number(number(part + 1)).copy_source(self.source_of(object));
        let copy = copy.copy_source_range(upload.range(part)).copy_source_if_match(&upload.source);
        let copied = copy.customize().config_override(limits()).send().await?;
        let tag = copied.copy_part_result.and_then(|result| result.e_tag);
        Ok(tag.ok_or_else(|| lacks("a part without an entity tag"))?)
    }

    async fn end_upload(&self, object: &Wanted, upload: &Upload) -> Result<(), NotCopied> {
        let bucket = &self.context.stores.bucket;
        let parts = (1..).zip(&upload.parts);
        let parts = parts.map(|(part, tag)| CompletedPart::builder().part_number(number(part)).e_tag(tag).build());
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let complete = bucket.client().await.complete_multipart_upload().bucket(&bucket.name);
        let complete = complete.key(self.target_key(object)).upload_id(&upload.id).multipart_upload(parts);
        complete.customize().config_override(limits()).send().await?;
        Ok(())
    }
}

/// At most [`MAX_PARTS`].
fn number(part: u64) -> i32 {
    i32::try_from(part).unwrap_or(i32::MAX)
}

fn parts_at_once() -> usize {
    usize::try_from(CONCURRENCY).unwrap_or(1)
}

fn lacks(what: &str) -> StepError {
    Error::internal(format!("object storage answered with {what}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_an_object_are_all_its_bytes() {
        let upload = |bytes: u64, part_bytes: u64| Upload {
            key: String::new(),
            id: String::new(),
            bytes,
            part_bytes,
            source: String::new(),
            parts: Vec::new(),
        };
        let ranges = |upload: &Upload| (0..upload.count()).map(|part| upload.range(part)).collect::<Vec<_>>();
        assert_eq!(ranges(&upload(11, 5)), ["bytes=0-4", "bytes=5-9", "bytes=10-10"]);
        assert_eq!(ranges(&upload(10, 5)), ["bytes=0-4", "bytes=5-9"]);
        assert_eq!(ranges(&upload(1, 5)), ["bytes=0-0"]);
    }
}
