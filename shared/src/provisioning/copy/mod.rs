//! Copies of databases: readers of whole databases as lines, and files of lines in the bucket.
//!
//! A reader returns [`Lines`] of a table, a collection or a prefix. A [`Sink`] takes them: a [`FileWriter`] compresses and uploads them,
//! and [`Nowhere`] only lets them be counted, so that two databases can be compared. Nothing here knows a tenant's state: a reader gets a
//! session in a database, wherever it is.
//!
//! - *PostgreSQL* (`TableReader`): every table from one snapshot, which ends with the session.
//! - *MongoDB* ([`CollectionReader`]): every collection at one cluster time, which the next worker can use too while the cluster keeps the
//!   history (`minSnapshotHistoryWindowInSeconds`).
//! - *Object storage* ([`ObjectReader`]): the current versions, page after page. No snapshot exists.
//!
//! The memory that a copy needs does not depend on the size of the database: a batch of documents or a row, and one part of a file for
//! each store.

mod extended_json;
mod file;
mod mongodb;
mod objects;
mod postgresql;
mod store;

use bytes::Bytes;

pub(super) use self::{
    file::FileWriter,
    mongodb::{CollectionReader, find_cluster_time, id_from_json, id_to_json, is_snapshot_too_old, list_collections},
    objects::{ObjectPosition, ObjectReader},
    postgresql::Snapshot,
};
use super::step::StepError;
use crate::exports::Sums;

/// Lines, one after another.
pub(super) trait Lines {
    /// The next line, with its line feed. `None` after the last one.
    async fn next(&mut self) -> Result<Option<Bytes>, StepError>;
}

/// What takes lines.
pub(super) trait Sink {
    /// Takes a line with its line feed.
    async fn write(&mut self, line: &[u8]) -> Result<(), StepError>;
}

/// Takes lines and forgets them.
#[allow(dead_code, reason = "for comparisons of databases")]
pub(super) struct Nowhere;

impl Sink for Nowhere {
    async fn write(&mut self, _: &[u8]) -> Result<(), StepError> {
        Ok(())
    }
}

/// Moves all lines to a sink, and returns their sums.
pub(super) async fn copy(lines: &mut impl Lines, sink: &mut impl Sink) -> Result<Sums, StepError> {
    let mut sums = Sums::default();
    while let Some(line) = lines.next().await? {
        sums.add(&line);
        sink.write(&line).await?;
    }
    Ok(sums)
}
