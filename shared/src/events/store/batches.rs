//! The record of the events that the relay is sending. All writes use the connection of the
//! [`EventsLock`](super::EventsLock).

use deadpool_postgres::GenericClient;
use uuid::Uuid;

use crate::{
    error::Result,
    sql::{self, Columns},
};

/// The relay's progress on a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The producer that sent last.
    pub producer: Uuid,
    /// The batch that it was sending, unless that is known to have ended.
    pub open: Option<OpenBatch>,
}

/// Events that may or may not be on the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBatch {
    /// Offsets of the topic, by partition. All events of the batch come after them.
    pub offsets: Vec<i64>,
    /// The ids of the events.
    pub message_ids: Vec<Uuid>,
}

sql::columns! {
    OpenBatchColumns -> OpenBatch {
        offsets: "offsets",
        message_ids: "message_ids",
    }
}

/// The last checkpoint of a topic.
pub async fn find_checkpoint(client: &impl GenericClient, topic: &str) -> Result<Option<Checkpoint>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            OpenBatchColumns::LIST,
            ", producer FROM outbox_checkpoints WHERE topic = $1"
        ))
        .await?;
    let Some(row) = client.query_opt(&statement, &[&topic]).await? else { return Ok(None) };
    // Both columns of a batch are null where none is open.
    let open = OpenBatchColumns::read_optional_at(&row, 0)?;
    Ok(Some(Checkpoint { producer: row.try_get(OpenBatchColumns::COUNT)?, open }))
}

/// Records which events are about to be sent, and by which producer.
pub async fn open_batch(
    client: &impl GenericClient,
    topic: &str,
    producer: Uuid,
    offsets: &[i64],
    message_ids: &[Uuid],
) -> Result<()> {
    let statement = client
        .prepare_cached(
            "INSERT INTO outbox_checkpoints (topic, producer, offsets, message_ids)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT (topic) DO UPDATE
             SET producer = $2, offsets = $3, message_ids = $4, updated_at = now()",
        )
        .await?;
    client.execute(&statement, &[&topic, &producer, &offsets, &message_ids]).await?;
    Ok(())
}

/// Deletes the rows and the record of a batch that is on the topic, in one statement.
pub async fn close_batch(client: &impl GenericClient, topic: &str, message_ids: &[Uuid]) -> Result<()> {
    let statement = client
        .prepare_cached(
            "WITH closed AS (
                 UPDATE outbox_checkpoints SET offsets = NULL, message_ids = NULL, updated_at = now() WHERE topic = $1
             )
             DELETE FROM outbox WHERE destination = 'event' AND message_id = ANY($2)",
        )
        .await?;
    client.execute(&statement, &[&topic, &message_ids]).await?;
    Ok(())
}

/// Deletes the record of a batch that is not on the topic and can no longer reach it. Its rows stay pending.
pub async fn abandon_batch(client: &impl GenericClient, topic: &str) -> Result<()> {
    let statement = client
        .prepare_cached(
            "UPDATE outbox_checkpoints SET offsets = NULL, message_ids = NULL, updated_at = now() WHERE topic = $1",
        )
        .await?;
    client.execute(&statement, &[&topic]).await?;
    Ok(())
}
