//! Exports of tenants: the rows of both databases and the list of the objects, as files in the bucket with a manifest.
//!
//! This file contains the types. The provisioning worker writes the files (`provisioning::copy`).

mod manifest;
mod sums;

pub use manifest::{
    ClusterTime, CollectionCopy, Content, Contents, ExportSummary, ExportedTenant, FORMAT, FileCopy, Manifest,
    MongodbCopy, ObjectLine, ObjectList, PostgresqlCopy, TableCopy,
};
pub use sums::Sums;
