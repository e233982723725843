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
    types::{Actor, ExportId, TenantId, timestamp},
};

bounded_integer! {
    /// For how many minutes links work.
    pub ValidMinutes: 1..=60, default 15
}

bounded_integer! {
    /// How many files of an export to skip.
    pub FileOffset: 0..=1_000_000, default 0
}

/// The most files of one response, which AWS Lambda limits to 6 MB.
const MAX_FILES: usize = 1000;

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
    let valid = (removed_at - now)
        .max(time::Duration::SECOND)
        .unsigned_abs()
        .min(Duration::from_mins(command.valid.get().unsigned_abs().into()));
    let signed = PresigningConfig::expires_in(valid).map_err(Error::internal)?;
    let offset = usize::try_from(command.offset.get()).map_err(Error::internal)?;
    let mut files = Vec::new();
    for file in manifest.files().skip(offset).take(MAX_FILES) {
        files.push(link(bucket, file, &signed).await?);
    }
    let next = offset + files.len();
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
