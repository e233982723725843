//! Fills the tables of a restored copy.
//!
//! The rows of each table are inserted in the order of its file, batch by batch, so that the number of rows in the table is how far the
//! import is. A batch is one `COPY`, which commits as a whole or not at all. A worker that takes over ends the sessions of earlier ones
//! first (see `steps::postgresql`).

use std::time::Duration;

use bytes::Bytes;
use futures::SinkExt;
use serde::{Deserialize, Serialize};
use tokio_postgres::{Client, CopyInSink};

use super::lines::{FileLines, skip_lines};
use crate::{
    exports::{PostgresqlCopy, TableCopy},
    operations::{StepName, store::breakers::StoreKind},
    provisioning::{
        progress::{load, save},
        step::{Step, StepContext, StepError},
        steps::postgresql::open_in_tenant_for,
        store,
    },
};

/// Bytes after which a batch is committed. Less would be lost with a worker, but each commit costs some milliseconds.
const BATCH: usize = 32 << 20;

/// PostgreSQL itself copies no longer row.
const MAX_LINE: usize = 1 << 30;

/// As long as an invocation can last.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(15);

pub(super) struct PostgresqlImport<'a>(pub(super) &'a PostgresqlCopy);

/// How far the import is, as recorded in the journal.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// Whether the rows of the template are removed. Before, nothing is imported.
    is_cleared: bool,
    /// Tables that are complete, and whose files were what the manifest describes.
    tables: Vec<String>,
}

impl Step for PostgresqlImport<'_> {
    const NAME: StepName = StepName::PostgresqlImport;
    const STORE: StoreKind = StoreKind::Postgresql;
    const FENCED: bool = true;
    const UNDO_ASKS_STORE: bool = false;
    /// As long as the invocation lasts. The next one goes on where this one stopped.
    const LIMIT: Duration = Duration::from_hours(1);

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let client = open_in_tenant_for(context, STATEMENT_TIMEOUT).await?;
        let mut progress: Progress = load(context, Self::NAME).await?;
        if !progress.is_cleared {
            store::truncate(&client, &self.0.tables).await?;
            progress.is_cleared = true;
            save(context, StepName::PostgresqlImport, &progress).await?;
        }
        for table in &self.0.tables {
            if !progress.tables.contains(&table.name) {
                fill(context, &client, table, &progress).await?;
                progress.tables.push(table.name.clone());
                save(context, StepName::PostgresqlImport, &progress).await?;
            }
        }
        Ok(())
    }

    /// Does nothing: the rows are removed together with the database.
    async fn undo(&self, _: &StepContext<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

async fn fill(
    context: &StepContext<'_>,
    client: &Client,
    table: &TableCopy,
    progress: &Progress,
) -> Result<(), StepError> {
    let mut skip = store::count_rows_of(client, table).await?;
    let mut batch = Batch { client, table, sink: None, bytes: 0 };
    for file in &table.content.files {
        let mut lines = FileLines::open(&context.stores.bucket, file, MAX_LINE).await?;
        while let Some(block) = lines.next().await? {
            if batch.write(skip_lines(block, &mut skip)).await? {
                // It contains the same as before, and shows that the operation advances.
                save(context, StepName::PostgresqlImport, progress).await?;
            }
        }
    }
    batch.end().await?;
    let (found, expected) = (store::count_rows_of(client, table).await?, table.content.sums.lines);
    if found == expected {
        return Ok(());
    }
    Err(StepError::permanent(format!("The table `{}` has {found} rows, and {expected} in the export", table.name)))
}

/// Rows that are being sent to a table.
struct Batch<'a> {
    client: &'a Client,
    table: &'a TableCopy,
    sink: Option<std::pin::Pin<Box<CopyInSink<Bytes>>>>,
    bytes: usize,
}

impl Batch<'_> {
    /// Returns whether the batch is committed.
    async fn write(&mut self, rows: Bytes) -> Result<bool, StepError> {
        if rows.is_empty() {
            return Ok(false);
        }
        let sink = match &mut self.sink {
            Some(sink) => sink,
            none => none.insert(Box::pin(store::copy_in(self.client, self.table).await?)),
        };
        self.bytes += rows.len();
        sink.send(rows).await?;
        if self.bytes < BATCH {
            return Ok(false);
        }
        self.end().await?;
        Ok(true)
    }

    /// Commits the rows.
    async fn end(&mut self) -> Result<(), StepError> {
        self.bytes = 0;
        if let Some(mut sink) = self.sink.take() {
            sink.as_mut().finish().await?;
        }
        Ok(())
    }
}
