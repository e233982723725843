//! The steps that copy the tenant's databases.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    files::{self, FILE_BYTES, OpenFile},
    objects::sweep_files,
};
use crate::{
    exports::{ClusterTime, CollectionCopy, Content, FileCopy, MongodbCopy, PostgresqlCopy, Sums, TableCopy},
    operations::{StepName, store::breakers::StoreKind},
    provisioning::{
        copy::{self, CollectionReader, FileWriter, Lines, Snapshot},
        progress,
        step::{Step, StepContext, StepError},
        steps::{mongodb::client, postgresql::open_in_tenant},
    },
    types::ExportId,
};

/// As long as the invocation lasts. The next one goes on where this one stopped.
pub(super) const LIMIT: Duration = Duration::from_hours(1);

/// A copy that was begun so often without an end does not fit into an invocation, or into the history that the cluster keeps.
const MAX_BEGINNINGS: u32 = 50;

const POSTGRESQL: &str = "postgresql";
const MONGODB: &str = "mongodb";

pub(super) struct PostgresqlExport(pub(super) ExportId);

#[derive(Debug, Default, Serialize, Deserialize)]
struct PostgresqlProgress {
    /// How often the copy was begun.
    begun: u32,
    done: Option<PostgresqlCopy>,
}

impl Step for PostgresqlExport {
    const NAME: StepName = StepName::PostgresqlExport;
    const STORE: StoreKind = StoreKind::Postgresql;
    // Object storage takes the files of a late worker.
    const FENCED: bool = false;
    const LIMIT: Duration = LIMIT;

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let mut progress: PostgresqlProgress = progress::load(context, Self::NAME).await?;
        begin(&mut progress.begun, "PostgreSQL", "PROVISION_FUNCTION_TIMEOUT_SECONDS")?;
        progress::save(context, Self::NAME, &progress).await?;
        let mut keys = Vec::new();
        let copied = self.copy_tables(context, &mut keys).await;
        match copied {
            Ok(done) => {
                let progress = PostgresqlProgress { done: Some(done), ..progress };
                files::save_files(context, Self::NAME, &progress, &keys).await
            }
            Err(error) => Err(files::give_up_files(context, &keys, error).await),
        }
    }

    async fn undo(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        sweep_files(context, &files::step_prefix(context, self.0, POSTGRESQL), |_| false).await
    }
}

impl PostgresqlExport {
    /// Adds the key of each file before it is written.
    async fn copy_tables(
        &self,
        context: &StepContext<'_>,
        keys: &mut Vec<String>,
    ) -> Result<PostgresqlCopy, StepError> {
        let snapshot = Snapshot::take(open_in_tenant(context).await?).await?;
        let mut tables = Vec::new();
        for table in &snapshot.tables {
            let key = files::key(context, self.0, POSTGRESQL, &format!("{}.copy.gz", table.name));
            keys.push(key.clone());
            let mut copied = Content::default();
            let (file, sums) = write_file(context, key, &mut snapshot.read(table).await?).await?;
            copied.push(file, sums);
            tables.push(TableCopy { name: table.name.clone(), columns: table.columns.clone(), content: copied });
        }
        Ok(PostgresqlCopy {
            snapshot_at: snapshot.taken_at,
            snapshot: snapshot.name.clone(),
            schema_version: snapshot.schema_version,
            tables,
        })
    }
}

/// What [`PostgresqlExport`] has copied.
pub(super) async fn copied_tables(context: &StepContext<'_>) -> Result<PostgresqlCopy, StepError> {
    let progress: PostgresqlProgress = progress::load(context, PostgresqlExport::NAME).await?;
    progress.done.ok_or_else(|| StepError::transient("The journal has no record of the copied tables"))
}

/// Counts another beginning.
fn begin(begun: &mut u32, store: &str, setting: &str) -> Result<(), StepError> {
    if *begun >= MAX_BEGINNINGS {
        return Err(StepError::permanent(format!(
            "The copy of the {store} database was begun {begun} times and never ended; raise {setting}"
        )));
    }
    *begun += 1;
    Ok(())
}

/// Writes all lines to one file.
async fn write_file(
    context: &StepContext<'_>,
    key: String,
    lines: &mut impl Lines,
) -> Result<(FileCopy, Sums), StepError> {
    let mut file = FileWriter::new(&context.stores.bucket, key);
    match copy::copy(lines, &mut file).await {
        Ok(sums) => Ok((file.finish().await?, sums)),
        Err(error) => {
            file.abort().await;
            Err(error)
        }
    }
}

pub(super) struct MongodbExport(pub(super) ExportId);

#[derive(Debug, Default, Serialize, Deserialize)]
struct MongodbProgress {
    /// How often the copy was begun.
    begun: u32,
    at: Option<ClusterTime>,
    /// The names of all collections.
    collections: Vec<String>,
    /// How many of them are copied.
    copied: usize,
    /// The id of the last document in the files of the next one, as extended JSON.
    after: Option<String>,
    /// By the name of the collection.
    contents: BTreeMap<String, Content>,
}

impl Step for MongodbExport {
    const NAME: StepName = StepName::MongodbExport;
    const STORE: StoreKind = StoreKind::Mongodb;
    const FENCED: bool = false;
    const LIMIT: Duration = LIMIT;

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let mut progress: MongodbProgress = progress::load(context, Self::NAME).await?;
        loop {
            match self.go_on(context, &mut progress).await {
                Err(error) if copy::is_snapshot_too_old(&error) => {
                    // The history of this time is gone, and with it everything that was copied at it.
                    progress = MongodbProgress { begun: progress.begun, ..MongodbProgress::default() };
                }
                result => return result,
            }
        }
    }

    async fn undo(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        sweep_files(context, &files::step_prefix(context, self.0, MONGODB), |_| false).await
    }
}

impl MongodbExport {
    async fn go_on(&self, context: &StepContext<'_>, progress: &mut MongodbProgress) -> Result<(), StepError> {
        let client = client(context).await?;
        let database = client.database(context.database);
        let at = if let Some(at) = progress.at {
            at
        } else {
            begin(&mut progress.begun, "MongoDB", "minSnapshotHistoryWindowInSeconds of the cluster")?;
            let at = copy::find_cluster_time(client).await?;
            progress.at = Some(at);
            progress.collections = copy::list_collections(&database).await?;
            progress::save(context, MongodbExport::NAME, progress).await?;
            at
        };
        while let Some(name) = progress.collections.get(progress.copied).cloned() {
            let after = progress.after.as_deref().map(copy::id_from_json).transpose()?;
            let mut lines = CollectionReader::open(&database, &name, Some(at), after.as_ref()).await?;
            self.copy_collection(context, progress, &name, &mut lines).await?;
        }
        Ok(())
    }

    /// Copies the rest of a collection, file by file.
    async fn copy_collection(
        &self,
        context: &StepContext<'_>,
        progress: &mut MongodbProgress,
        name: &str,
        lines: &mut CollectionReader,
    ) -> Result<(), StepError> {
        loop {
            let copied = progress.contents.entry(name.to_owned()).or_default();
            let file_name = format!("{name}-{:05}.jsonl.gz", copied.files.len() + 1);
            let mut file = OpenFile::new(context, files::key(context, self.0, MONGODB, &file_name));
            let filled = async {
                while let Some(line) = lines.next().await? {
                    file.write(&line).await?;
                    if file.is_full(FILE_BYTES) {
                        return Ok(Some(copy::id_to_json(&lines.last_id()?)?));
                    }
                }
                Ok(None)
            };
            let after = match filled.await {
                Ok(after) => after,
                Err(error) => {
                    file.abort().await;
                    return Err(error);
                }
            };
            let key = file.finish(copied).await?;
            let is_last = after.is_none();
            progress.after = after;
            progress.copied += usize::from(is_last);
            files::save_files(context, MongodbExport::NAME, progress, key.as_slice()).await?;
            if is_last {
                return Ok(());
            }
        }
    }
}

/// What [`MongodbExport`] has copied.
pub(super) async fn copied_collections(context: &StepContext<'_>) -> Result<MongodbCopy, StepError> {
    let mut progress: MongodbProgress = progress::load(context, MongodbExport::NAME).await?;
    let Some(cluster_time) = progress.at.filter(|_| progress.copied == progress.collections.len()) else {
        return Err(StepError::transient("The journal has no record of the copied collections"));
    };
    let collections = progress.collections.into_iter().map(|name| {
        let copied = progress.contents.remove(&name).unwrap_or_default();
        CollectionCopy { name, content: copied }
    });
    Ok(MongodbCopy { cluster_time, collections: collections.collect() })
}
