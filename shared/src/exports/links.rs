//! Use case: links with which the files of an export can be downloaded.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    clients::{postgres::Connection, s3::Bucket},
    error::{Error, Result},
    exports::{FileCopy, StoredManifest, read_manifest, store},
    types::{Actor, ExportId, FaultCode, InvalidValue, TenantId, timestamp},
};

/// For how many minutes links work: 1–60.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidMinutes(u8);

impl ValidMinutes {
    const MAX: u8 = 60;

    /// Validates.
    pub fn new(minutes: i64) -> Result<Self, InvalidValue> {
        u8::try_from(minutes)
            .ok()
            .filter(|minutes| (1..=Self::MAX).contains(minutes))
            .map(Self)
            .ok_or_else(|| InvalidValue::new(FaultCode::OutOfRange, "must be an integer from 1 to 60"))
    }

    fn duration(self) -> Duration {
        Duration::from_mins(self.0.into())
    }
}

impl Default for ValidMinutes {
    fn default() -> Self {
        Self(15)
    }
}

impl<E: crate::types::ValueErrors> deserr::Deserr<E> for ValidMinutes {
    fn deserialize_from_value<V: deserr::IntoValue>(
        value: deserr::Value<V>,
        location: deserr::ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        let minutes = <i64 as deserr::Deserr<E>>::deserialize_from_value(value, location)?;
        Self::new(minutes).map_err(|error| E::invalid(error, location))
    }
}

/// How many files of an export to skip: at least 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileOffset(usize);

impl<E: crate::types::ValueErrors> deserr::Deserr<E> for FileOffset {
    fn deserialize_from_value<V: deserr::IntoValue>(
        value: deserr::Value<V>,
        location: deserr::ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        let offset = <i64 as deserr::Deserr<E>>::deserialize_from_value(value, location)?;
        let valid = usize::try_from(offset).map(Self);
        valid.map_err(|_| E::invalid(InvalidValue::new(FaultCode::OutOfRange, "must be at least 0"), location))
    }
}

inline_schema!(FileOffset, Integer { format: "int64", minimum: 0, default: 0.into() });

/// The most links of one answer, which AWS Lambda limits to 6 MB.
const MAX_FILES: usize = 1000;

inline_schema!(ValidMinutes, Integer { format: "int32", minimum: 1, maximum: ValidMinutes::MAX, default: 15.into() });

/// Links to request.
#[derive(Debug)]
pub struct IssueLinks<'a> {
    pub actor: Actor<'a>,
    pub tenant_id: TenantId,
    pub export_id: ExportId,
    pub valid: ValidMinutes,
    /// How many files to skip.
    pub offset: FileOffset,
}

/// Links to the files of an export. Everyone who has a link can read the file, without a token.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ExportLinks {
    /// Until when the links work.
    #[serde(serialize_with = "timestamp")]
    pub expires_at: OffsetDateTime,
    /// The manifest, which lists what each file contains.
    pub manifest: FileLink,
    /// At most 1,000 of the other files, in the order of the manifest.
    pub files: Vec<FileLink>,
    /// The `offset` of the next files; null if these are the last ones.
    #[schema(required = true, minimum = 0)]
    pub next_offset: Option<usize>,
}

/// A link to a file.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FileLink {
    /// The key of the file, as in the manifest.
    #[schema(
        example = "exports/0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee/0190a0c6-44b8-7e21-b0d3-9f4c2a7be5a1/postgresql/2/users.copy.gz"
    )]
    pub key: String,
    /// A presigned URL for `GET`.
    #[schema(
        format = "uri",
        example = "https://bucket.s3.eu-central-1.amazonaws.com/exports/users.copy.gz?X-Amz-Signature=0123"
    )]
    pub url: String,
    /// The size of the file.
    #[schema(minimum = 0)]
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
}

/// Signs a link for each file, and records who got them. Fails as [`read_manifest`] does unless the export is complete and its manifest is
/// the one that was written.
pub async fn issue_links(platform: &Connection, bucket: &Bucket, command: &IssueLinks<'_>) -> Result<ExportLinks> {
    let (actor, tenant_id, export_id) = (command.actor, command.tenant_id, command.export_id);
    let export = store::find(platform, tenant_id, export_id).await?;
    let StoredManifest { manifest, file } = read_manifest(bucket, &export).await?;
    let removed_at = export.expires_at.ok_or_else(|| Error::internal("a complete export does not expire"))?;
    let now = OffsetDateTime::now_utc();
    let valid = (removed_at - now).max(time::Duration::SECOND).unsigned_abs().min(command.valid.duration());
    let signed = PresigningConfig::expires_in(valid).map_err(Error::internal)?;
    let (mut files, FileOffset(offset)) = (Vec::new(), command.offset);
    for file in manifest.files().skip(offset).take(MAX_FILES) {
        files.push(link(bucket, file, &signed).await?);
    }
    let next = offset.saturating_add(files.len());
    let next_offset = (next < manifest.files().count()).then_some(next);
    let manifest = link(bucket, &file, &signed).await?;
    let links = ExportLinks { expires_at: now + valid, manifest, files, next_offset };
    let details = json!({
        "export_id": export_id, "valid_seconds": valid.as_secs(), "files": links.files.len(), "offset": offset,
    });
    audit::store::insert(platform, &AuditEntry::done(actor, AuditAction::TenantExportLinks, tenant_id, details))
        .await?;
    Ok(links)
}

async fn link(bucket: &Bucket, file: &FileCopy, signed: &PresigningConfig) -> Result<FileLink> {
    let request = bucket.client().await.get_object().bucket(&bucket.name).key(&file.key);
    // A browser that displayed the file would keep the link in its history.
    let request = request.response_content_disposition("attachment");
    let url = request.presigned(signed.clone()).await?.uri().to_owned();
    Ok(FileLink { key: file.key.clone(), url, bytes: file.bytes, sha256: file.sha256.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_work_for_at_most_an_hour() {
        for bad in [-1, 0, 61, i64::MAX] {
            assert!(ValidMinutes::new(bad).is_err(), "{bad}");
        }
        assert_eq!(ValidMinutes::new(60).unwrap().duration(), Duration::from_hours(1));
        assert_eq!(ValidMinutes::default().duration(), Duration::from_mins(15));
    }
}
