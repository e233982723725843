//! The manifest of an export: what it contains, in which files, and how to check them.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Sums;
use crate::types::{Country, ExportId, Limits, OperationId, TenantId, timestamp};

/// The `format` of a manifest. A change that older readers misread gets another number.
pub const FORMAT: &str = "landlord-export/1";

/// A manifest, the last file that an export writes. All keys in it are those of objects in the bucket of the tenants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    pub export_id: ExportId,
    /// The operation that wrote the export.
    pub operation_id: OperationId,
    pub tenant: ExportedTenant,
    #[serde(serialize_with = "timestamp", deserialize_with = "time::serde::rfc3339::deserialize")]
    pub written_at: OffsetDateTime,
    pub postgresql: PostgresqlCopy,
    pub mongodb: MongodbCopy,
    pub objects: ObjectList,
}

impl Manifest {
    /// All files, without the manifest itself.
    pub fn files(&self) -> impl Iterator<Item = &FileCopy> {
        let tables = self.postgresql.tables.iter().flat_map(|table| &table.content.files);
        let collections = self.mongodb.collections.iter().flat_map(|collection| &collection.content.files);
        tables.chain(collections).chain(&self.objects.content.files)
    }
}

/// The tenant at the time of the export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExportedTenant {
    pub id: TenantId,
    pub slug: String,
    pub name: String,
    pub country: Country,
    pub limits: Limits,
    /// As in the API.
    pub on_limit: String,
}

/// The tables, all from one snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PostgresqlCopy {
    /// When the snapshot was taken, by the cluster's clock.
    #[serde(serialize_with = "timestamp", deserialize_with = "time::serde::rfc3339::deserialize")]
    pub snapshot_at: OffsetDateTime,
    /// `pg_current_snapshot()`.
    pub snapshot: String,
    /// The version of the schema in the snapshot. A copy is created with it.
    pub schema_version: i32,
    /// In an order in which foreign keys hold while they are inserted.
    pub tables: Vec<TableCopy>,
}

/// A table. Its lines are in the text format of `COPY`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableCopy {
    pub name: String,
    /// The columns of a line, without generated ones.
    pub columns: Vec<String>,
    #[serde(flatten)]
    pub content: Content,
}

/// The collections, all from one cluster time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MongodbCopy {
    pub cluster_time: ClusterTime,
    pub collections: Vec<CollectionCopy>,
}

/// A collection. Its lines are documents in canonical extended JSON, with their fields in order, sorted by `_id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CollectionCopy {
    pub name: String,
    #[serde(flatten)]
    pub content: Content,
}

/// A time of a MongoDB cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterTime {
    /// Seconds since 1970.
    pub seconds: u32,
    pub increment: u32,
}

/// The list of the tenant's objects. It is no snapshot: an object that changes while it is written is listed as it was before or after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectList {
    #[serde(serialize_with = "timestamp", deserialize_with = "time::serde::rfc3339::deserialize")]
    pub listed_at: OffsetDateTime,
    /// What precedes the key of each line.
    pub prefix: String,
    /// The sum of the sizes of the objects.
    pub object_bytes: u64,
    /// Each line is an [`ObjectLine`].
    #[serde(flatten)]
    pub content: Content,
}

/// The current version of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectLine {
    /// Below the prefix of the list.
    pub key: String,
    /// `null` in a bucket without versions.
    pub version_id: Option<String>,
    pub bytes: u64,
    pub etag: Option<String>,
    #[serde(serialize_with = "timestamp", deserialize_with = "time::serde::rfc3339::deserialize")]
    pub last_modified: OffsetDateTime,
}

/// Lines, and the files that contain them in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Content {
    #[serde(flatten)]
    pub sums: Sums,
    pub files: Vec<FileCopy>,
}

impl Content {
    /// Adds the next file.
    pub fn push(&mut self, file: FileCopy, sums: Sums) {
        self.files.push(file);
        self.sums.merge(sums);
    }
}

/// A file: whole lines, compressed with gzip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCopy {
    pub key: String,
    /// The size of the object.
    pub bytes: u64,
    /// Of the bytes of the object.
    pub sha256: String,
    pub lines: u64,
}

/// The figures of an export that the API shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ExportSummary {
    /// The version of the schema that the databases had. A copy is created with it.
    #[cfg_attr(feature = "http", schema(minimum = 1))]
    pub schema_version: i32,
    /// Rows of the PostgreSQL database.
    #[cfg_attr(feature = "http", schema(minimum = 0))]
    pub rows: i64,
    /// Documents of the MongoDB database.
    #[cfg_attr(feature = "http", schema(minimum = 0))]
    pub documents: i64,
    /// Objects in the list. The export does not contain the objects themselves.
    #[cfg_attr(feature = "http", schema(minimum = 0))]
    pub objects: i64,
    /// The sum of their sizes.
    #[cfg_attr(feature = "http", schema(minimum = 0))]
    pub object_bytes: i64,
    /// Files, without the manifest.
    #[cfg_attr(feature = "http", schema(minimum = 0))]
    pub files: i64,
    /// The size of the files, which are compressed.
    #[cfg_attr(feature = "http", schema(minimum = 0))]
    pub bytes: i64,
    /// When the snapshot of the PostgreSQL database was taken.
    #[serde(serialize_with = "timestamp", deserialize_with = "time::serde::rfc3339::deserialize")]
    pub postgresql_at: OffsetDateTime,
    /// The time of the MongoDB cluster from which all documents are.
    #[serde(serialize_with = "timestamp", deserialize_with = "time::serde::rfc3339::deserialize")]
    pub mongodb_at: OffsetDateTime,
}

impl From<&Manifest> for ExportSummary {
    fn from(manifest: &Manifest) -> Self {
        let figure = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let tables = manifest.postgresql.tables.iter().map(|table| table.content.sums.lines);
        let collections = manifest.mongodb.collections.iter().map(|collection| collection.content.sums.lines);
        let cluster_time = i64::from(manifest.mongodb.cluster_time.seconds);
        Self {
            schema_version: manifest.postgresql.schema_version,
            rows: figure(tables.sum()),
            documents: figure(collections.sum()),
            objects: figure(manifest.objects.content.sums.lines),
            object_bytes: figure(manifest.objects.object_bytes),
            files: figure(manifest.files().count() as u64),
            bytes: figure(manifest.files().map(|file| file.bytes).sum()),
            postgresql_at: manifest.postgresql.snapshot_at,
            mongodb_at: OffsetDateTime::from_unix_timestamp(cluster_time).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        }
    }
}
