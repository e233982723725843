//! Inserts documents into a database that an operation fills, each exactly once.
//!
//! Every batch is a transaction that inserts documents and raises the fence, and the fence also holds how many documents of the operation are
//! inserted. So a late worker commits nothing, and the next worker goes on exactly after the last batch, whether or not the former worker
//! learned of its commit.

use mongodb::{
    Client, ClientSession,
    bson::{Document, doc},
};

use super::{AttemptError, fence_update, fences, raise_fence, retry_conflicts};
use crate::{
    clients::mongo,
    provisioning::step::{StepContext, StepError},
};

/// The field of a fence that counts the inserted documents.
const IMPORTED: &str = "imported";

/// `DuplicateKey`
const DUPLICATE_KEY: i32 = 11_000;

/// Fills the collections of one database.
pub(in crate::provisioning) struct Importer<'a> {
    context: &'a StepContext<'a>,
    client: &'a Client,
    session: tokio::sync::Mutex<ClientSession>,
    /// Documents that are inserted, of all collections in their order.
    imported: i64,
}

impl<'a> Importer<'a> {
    /// Takes the database from an earlier worker.
    pub(in crate::provisioning) async fn begin(context: &'a StepContext<'a>) -> Result<Self, StepError> {
        let client = super::client(context).await?;
        let session = client.start_session().await?;
        retry_conflicts(|| raise_fence(client, context, Some(&session))).await?;
        let fence = fences(client).find_one(doc! { "_id": context.database }).await?;
        let imported = fence.and_then(|fence| fence.get_i64(IMPORTED).ok()).unwrap_or(0);
        Ok(Self { context, client, session: tokio::sync::Mutex::new(session), imported })
    }

    /// The number of documents that need not be inserted again.
    pub(in crate::provisioning) fn imported(&self) -> u64 {
        u64::try_from(self.imported).unwrap_or(0)
    }

    /// Inserts the next documents of a collection, which the transaction creates if it does not exist.
    pub(in crate::provisioning) async fn insert(
        &mut self,
        collection: &str,
        documents: &[Document],
    ) -> Result<(), StepError> {
        let count = i64::try_from(documents.len()).unwrap_or(i64::MAX);
        let imported = self.imported.saturating_add(count);
        let this = &*self;
        retry_conflicts(|| this.insert_once(collection, documents, imported)).await?;
        self.imported = imported;
        Ok(())
    }

    async fn insert_once(&self, collection: &str, documents: &[Document], imported: i64) -> Result<(), AttemptError> {
        let mut session = self.session.lock().await;
        let session = &mut *session;
        session.start_transaction().await?;
        let committed = async {
            // The fence keeps the session, so that the next worker can end this transaction.
            let (filter, mut update) = fence_update(self.context, Some(session));
            if let Ok(set) = update.get_document_mut("$set") {
                set.insert(IMPORTED, imported);
            }
            fences(self.client).find_one_and_update(filter, update).upsert(true).session(&mut *session).await?;
            let into = self.client.database(self.context.database).collection::<Document>(collection);
            let inserted = into.insert_many(documents).bypass_document_validation(true).session(&mut *session).await;
            if let Err(error) = inserted {
                return Err(insert_error(collection, error));
            }
            Ok(session.commit_transaction().await?)
        };
        let committed = committed.await;
        if committed.is_err() {
            // After a conflict, the server has ended it already.
            let _ended = session.abort_transaction().await;
        }
        committed
    }

    /// Removes the session from the fence, because the driver is going to use it for other work.
    pub(in crate::provisioning) async fn end(self) -> Result<(), StepError> {
        Ok(retry_conflicts(|| raise_fence(self.client, self.context, None)).await?)
    }
}

/// Unlike a fence's, a document's duplicate key is no sign of another worker.
fn insert_error(collection: &str, error: mongodb::error::Error) -> AttemptError {
    use mongodb::error::ErrorKind;
    let is_duplicate = match &*error.kind {
        ErrorKind::InsertMany(failure) => failure.write_errors.iter().flatten().any(|one| one.code == DUPLICATE_KEY),
        _ => mongo::answer(&error).is_some_and(|(code, _)| code == DUPLICATE_KEY),
    };
    if is_duplicate {
        let reason =
            format!("A unique index of the MongoDB collection `{collection}` refuses a document of the export");
        return AttemptError::Other(StepError::permanent(reason));
    }
    error.into()
}
