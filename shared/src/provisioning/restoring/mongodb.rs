//! Fills the collections of a restored copy.

use std::time::Duration;

use mongodb::bson::Document;
use serde_json::json;

use super::lines::{FileLines, lines_of, skip_lines};
use crate::{
    error::Error,
    exports::MongodbCopy,
    operations::{StepName, store::breakers::StoreKind},
    provisioning::{
        progress::save,
        step::{Step, StepContext, StepError},
        steps::mongodb::import::Importer,
    },
};

/// Documents and bytes after which a batch is committed. A transaction is limited by what MongoDB keeps of it in memory.
const BATCH: (usize, usize) = (1000, 4 << 20);

/// A document has at most 16 MiB. Extended JSON makes at most about eight bytes of one, such as of control characters and of `MinKey`.
const MAX_LINE: usize = 128 << 20;

pub(super) struct MongodbImport<'a>(pub(super) &'a MongodbCopy);

impl Step for MongodbImport<'_> {
    const NAME: StepName = StepName::MongodbImport;
    const STORE: StoreKind = StoreKind::Mongodb;
    const FENCED: bool = true;
    const UNDO_ASKS_STORE: bool = false;
    /// As long as the invocation lasts. The next one goes on where this one stopped.
    const LIMIT: Duration = Duration::from_hours(1);

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let mut importer = Importer::begin(context).await?;
        // Documents of all collections, in the order of the manifest.
        let mut skip = importer.imported();
        for collection in &self.0.collections {
            for file in &collection.content.files {
                // A document of a later file is inserted, so that this one was read to its end.
                if skip > file.lines {
                    skip -= file.lines;
                    continue;
                }
                let mut batch =
                    Batch { importer: &mut importer, collection: &collection.name, documents: Vec::new(), bytes: 0 };
                let mut lines = FileLines::open(&context.stores.bucket, file, MAX_LINE).await?;
                while let Some(block) = lines.next().await? {
                    let block = skip_lines(block, &mut skip);
                    for line in lines_of(&block) {
                        batch.add(line).await?;
                    }
                }
                batch.end().await?;
                // The fence decides where an import goes on. This shows that the operation advances.
                save(context, Self::NAME, &json!({ "documents": importer.imported() })).await?;
            }
        }
        importer.end().await
    }

    /// Does nothing: the documents are removed together with the database.
    async fn undo(&self, _: &StepContext<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

struct Batch<'a, 'b> {
    importer: &'a mut Importer<'b>,
    collection: &'a str,
    documents: Vec<Document>,
    bytes: usize,
}

impl Batch<'_, '_> {
    async fn add(&mut self, line: &[u8]) -> Result<(), StepError> {
        let document = serde_json::from_slice(line).map_err(Error::internal)?;
        self.documents.push(document);
        self.bytes += line.len();
        if self.documents.len() >= BATCH.0 || self.bytes >= BATCH.1 { self.end().await } else { Ok(()) }
    }

    async fn end(&mut self) -> Result<(), StepError> {
        if !self.documents.is_empty() {
            self.importer.insert(self.collection, &self.documents).await?;
        }
        self.documents.clear();
        self.bytes = 0;
        Ok(())
    }
}
