//! Reads a MongoDB database at one cluster time.

use bytes::Bytes;
use mongodb::{
    Client, Cursor, Database,
    bson::{Bson, Document, RawDocumentBuf, Timestamp, doc},
    error::Error as MongoError,
};

use super::{Lines, extended_json};
use crate::{
    clients::mongo,
    error::Error,
    exports::ClusterTime,
    provisioning::step::{Severity, StepError},
};

/// Documents of one answer. A server limits an answer to 16 MiB in any case.
const BATCH: u32 = 1000;

/// `SnapshotTooOld`, `SnapshotUnavailable`.
const SNAPSHOT_TOO_OLD: [i32; 2] = [239, 246];

/// The newest time of a cluster.
pub(in crate::provisioning) async fn find_cluster_time(client: &Client) -> Result<ClusterTime, StepError> {
    let answer = client.database("admin").run_command(doc! { "ping": 1 }).await?;
    match answer.get_timestamp("operationTime") {
        Ok(Timestamp { time, increment }) => Ok(ClusterTime { seconds: time, increment }),
        Err(_) => Err(StepError::permanent("The MongoDB cluster is no replica set, so that it has no snapshots")),
    }
}

/// The names of the collections of a database, in order.
pub(in crate::provisioning) async fn list_collections(database: &Database) -> Result<Vec<String>, StepError> {
    let filter = doc! { "type": "collection" };
    let mut names = database.list_collection_names().filter(filter).await?;
    names.retain(|name| !name.starts_with("system."));
    names.sort_unstable();
    Ok(names)
}

/// Whether the cluster no longer has the history that a reader needs.
pub(in crate::provisioning) fn is_snapshot_too_old(error: &StepError) -> bool {
    let mut next = error.source.as_ref().and_then(std::error::Error::source);
    while let Some(source) = next {
        let code = source.downcast_ref::<MongoError>().and_then(mongo::answer).map(|(code, _)| code);
        if code.is_some_and(|code| SNAPSHOT_TOO_OLD.contains(&code)) {
            return true;
        }
        next = source.source();
    }
    false
}

/// The documents of a collection, sorted by `_id`, as lines of canonical extended JSON.
pub(in crate::provisioning) struct CollectionReader {
    cursor: Cursor<RawDocumentBuf>,
    line: Vec<u8>,
}

impl CollectionReader {
    /// Begins after the document with the id `after`, or at the first one. Without a time, the documents are read as they are, which needs no
    /// history of the cluster.
    pub(in crate::provisioning) async fn open(
        database: &Database,
        collection: &str,
        at: Option<ClusterTime>,
        after: Option<&Bson>,
    ) -> Result<Self, StepError> {
        let concern = at.map_or_else(
            || doc! { "level": "majority" },
            |at| {
                let at = Timestamp { time: at.seconds, increment: at.increment };
                doc! { "level": "snapshot", "atClusterTime": at }
            },
        );
        let mut find = doc! {
            "find": collection,
            "sort": { "_id": 1 },
            "hint": { "_id": 1 },
            "batchSize": BATCH,
            "readConcern": concern,
        };
        if let Some(after) = after {
            // Not `$gt`, which finds only ids of the same type. The lower limit itself is included, and still exists at this time.
            find.insert("min", doc! { "_id": after });
            find.insert("skip", 1);
        }
        let cursor = database.run_cursor_command(find).batch_size(BATCH).await.map_err(read_error)?;
        Ok(Self { cursor: cursor.with_type(), line: Vec::new() })
    }

    /// The id of the document of the last line.
    pub(in crate::provisioning) fn last_id(&self) -> Result<Bson, StepError> {
        let id = self.cursor.current().get("_id").map_err(Error::internal)?;
        let id = id.ok_or_else(|| StepError::permanent("A document of the MongoDB database has no `_id`"))?;
        Ok(Bson::try_from(id).map_err(Error::internal)?)
    }
}

impl Lines for CollectionReader {
    async fn next(&mut self) -> Result<Option<Bytes>, StepError> {
        if !self.cursor.advance().await.map_err(read_error)? {
            return Ok(None);
        }
        self.line.clear();
        extended_json::write(&mut self.line, self.cursor.current())?;
        self.line.push(b'\n');
        Ok(Some(Bytes::copy_from_slice(&self.line)))
    }
}

/// No answer to a reader is final: a cursor may have been lost with its server.
fn read_error(error: MongoError) -> StepError {
    let error = StepError::from(error);
    let severity = if error.severity == Severity::Permanent { Severity::Transient } else { error.severity };
    StepError { severity, ..error }
}

/// An id as JSON that keeps its type, for the journal.
pub(in crate::provisioning) fn id_to_json(id: &Bson) -> Result<String, StepError> {
    let raw = RawDocumentBuf::try_from(&doc! { "_id": id }).map_err(Error::internal)?;
    let mut text = Vec::new();
    extended_json::write(&mut text, &raw)?;
    Ok(String::from_utf8(text).map_err(Error::internal)?)
}

/// Reads what [`id_to_json`] has written.
pub(in crate::provisioning) fn id_from_json(text: &str) -> Result<Bson, StepError> {
    let mut document: Document = serde_json::from_str(text).map_err(Error::internal)?;
    document.remove("_id").ok_or_else(|| Error::internal("the journal contains no `_id`").into())
}
