//! Reads the list of the current versions of objects below a prefix.

use std::collections::VecDeque;

use aws_sdk_s3::types::ObjectVersion;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Lines;
use crate::{
    clients::s3::Bucket,
    error::Error,
    exports::ObjectLine,
    provisioning::{step::StepError, steps::object_prefix::step_error},
};

/// Where a list goes on: the last key and version of a page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::provisioning) struct ObjectPosition {
    pub(in crate::provisioning) key: Option<String>,
    pub(in crate::provisioning) version: Option<String>,
}

/// The current versions of the objects below a prefix, as lines that are [`ObjectLine`]s.
pub(in crate::provisioning) struct ObjectReader<'a> {
    bucket: &'a Bucket,
    prefix: String,
    /// The rest of the newest page.
    page: VecDeque<ObjectLine>,
    /// Where the next page begins. `None` after the last page.
    next: Option<ObjectPosition>,
    /// The sum of the sizes of the objects that were read.
    pub(in crate::provisioning) object_bytes: u64,
}

impl<'a> ObjectReader<'a> {
    /// Begins at a position that an earlier reader had, or at the first object.
    pub(in crate::provisioning) fn new(bucket: &'a Bucket, prefix: String, position: ObjectPosition) -> Self {
        Self { bucket, prefix, page: VecDeque::new(), next: Some(position), object_bytes: 0 }
    }

    /// Where the next page begins, if every line of this page was read. `None` within a page and after the last one.
    pub(in crate::provisioning) fn position(&self) -> Option<&ObjectPosition> {
        self.next.as_ref().filter(|_| self.page.is_empty())
    }

    async fn load(&mut self, position: ObjectPosition) -> Result<(), StepError> {
        let list = self.bucket.client().await.list_object_versions().bucket(&self.bucket.name).prefix(&self.prefix);
        let list = list.set_key_marker(position.key).set_version_id_marker(position.version);
        let page = list.send().await.map_err(step_error)?;
        // Markers of operations, which belong to the platform.
        let internal = format!("{}.landlord/", self.prefix);
        for version in page.versions() {
            if version.is_latest() == Some(true) && version.key().is_some_and(|key| !key.starts_with(&internal)) {
                self.page.push_back(line(version, &self.prefix)?);
            }
        }
        self.next = (page.is_truncated() == Some(true))
            .then_some(ObjectPosition { key: page.next_key_marker, version: page.next_version_id_marker });
        Ok(())
    }
}

fn line(version: &ObjectVersion, prefix: &str) -> Result<ObjectLine, StepError> {
    let key = version.key().and_then(|key| key.strip_prefix(prefix));
    let key = key.ok_or_else(|| Error::internal("object storage listed an object outside of the prefix"))?;
    let at = version.last_modified().map_or(Ok(OffsetDateTime::UNIX_EPOCH), |at| {
        OffsetDateTime::from_unix_timestamp_nanos(at.as_nanos()).map_err(Error::internal)
    })?;
    Ok(ObjectLine {
        key: key.to_owned(),
        version_id: version.version_id().map(ToOwned::to_owned),
        bytes: version.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
        etag: version.e_tag().map(ToOwned::to_owned),
        last_modified: at,
    })
}

impl Lines for ObjectReader<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, StepError> {
        loop {
            if let Some(object) = self.page.pop_front() {
                self.object_bytes += object.bytes;
                let mut line = serde_json::to_vec(&object).map_err(Error::internal)?;
                line.push(b'\n');
                return Ok(Some(line.into()));
            }
            let Some(position) = self.next.take() else { return Ok(None) };
            self.load(position).await?;
        }
    }
}
