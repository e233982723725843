//! Exports of tenants: the rows of both databases and the list of the objects, as files in the bucket with a manifest.
//!
//! This file contains the types. The provisioning worker writes the files (`provisioning::export`).

mod filter;
#[cfg(all(feature = "http", feature = "s3"))]
mod links;
mod manifest;
pub mod store;
#[cfg(feature = "s3")]
mod stored;
mod sums;

use serde::Serialize;
use time::OffsetDateTime;

pub use filter::ExportFilter;
#[cfg(all(feature = "http", feature = "s3"))]
pub use links::{ExportLinks, FileLink, FileOffset, IssueLinks, ValidMinutes, issue_links};
pub use manifest::{
    ClusterTime, CollectionCopy, Content, ExportSummary, ExportedTenant, FORMAT, FileCopy, Manifest, MongodbCopy,
    ObjectLine, ObjectList, PostgresqlCopy, TableCopy,
};
#[cfg(feature = "s3")]
pub use stored::{StoredManifest, read_manifest};
pub use sums::Sums;

use crate::types::{ExportId, OperationId, TenantId, optional_timestamp, timestamp};

/// What precedes the keys of all exports.
pub const PREFIX: &str = "exports/";

/// The prefix of the exports of a tenant.
pub fn prefix_of_tenant(tenant: TenantId) -> String {
    format!("{PREFIX}{tenant}/")
}

/// The prefix of an export.
pub fn prefix(tenant: TenantId, export: ExportId) -> String {
    format!("{PREFIX}{tenant}/{export}/")
}

keyword_enum!(
    /// Status of an export.
    ExportStatus {
        /// Accepted, not started yet. That of a deletion starts after `purge_after`.
        Pending = "pending",
        /// Being written.
        Running = "running",
        /// Its files can be read until `expires_at`.
        Complete = "complete",
        /// It could not be written; its operation contains the reason. Its files are removed.
        Failed = "failed",
        /// The tenant was suspended or deleted before it was complete.
        Superseded = "superseded",
        /// Its files are removed, or are going to be within a day.
        Expired = "expired",
    }
);

/// A copy of a tenant in files.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Export {
    /// Id (UUIDv7).
    pub id: ExportId,
    /// Id of the tenant.
    pub tenant_id: TenantId,
    /// The operation that writes it.
    pub operation_id: OperationId,
    /// Current status.
    pub status: ExportStatus,
    /// The super-admin who requested it.
    pub requested_by: String,
    /// Why.
    #[cfg_attr(feature = "http", schema(example = "The customer has asked for a copy"))]
    pub reason: String,
    /// When it was requested.
    #[serde(serialize_with = "timestamp")]
    pub created_at: OffsetDateTime,
    /// When it was complete, or failed.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub finished_at: Option<OffsetDateTime>,
    /// Until when its files can be read; null before it is complete.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub expires_at: Option<OffsetDateTime>,
    /// SHA-256 of the manifest, in hexadecimal digits; null before it is complete.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub manifest_sha256: Option<String>,
    /// What it contains; null before it is complete.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub summary: Option<ExportSummary>,
    /// The key of the manifest in the bucket.
    #[serde(skip)]
    pub manifest_key: Option<String>,
    /// Number of changes. The entity tag contains it.
    #[serde(skip)]
    pub revision: i64,
}
