//! The tenant's MongoDB database with its collections.
//!
//! All collections and indexes are made in one transaction, which also raises the database's [`fence`]: they are there
//! together or not at all, and a worker that is late makes none. It takes no longer than making them at once without one.

pub(in crate::provisioning) mod fence;
mod schema;

use std::time::Duration;

use futures::TryStreamExt;
use mongodb::{
    Client, Database,
    bson::doc,
    error::{Error as MongoError, ErrorKind, TRANSIENT_TRANSACTION_ERROR},
};
use tokio::time::sleep;

use crate::{
    operations::StepName,
    provisioning::{
        fault::StepError,
        step::{Step, StepContext},
    },
};

/// How long to wait before something is tried again that met a conflict.
const CONFLICT_PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(150), Duration::from_millis(450), Duration::from_millis(1350)];

/// The step.
pub(in crate::provisioning) struct MongodbDatabase;

impl Step for MongodbDatabase {
    const NAME: StepName = StepName::MongodbDatabase;
    const FENCED: bool = true;

    async fn apply(&self, site: &StepContext<'_>) -> Result<(), StepError> {
        let client = site.stores.mongo(&site.placement.mongo_cluster).await?;
        match insist(|| create(client, site)).await {
            // Only whole transactions leave collections behind, so these are what an earlier try made.
            Err(Refusal::Exists(_)) => verify(&client.database(site.database)).await,
            done => Ok(done?),
        }
    }

    async fn undo(&self, site: &StepContext<'_>) -> Result<(), StepError> {
        let client = site.stores.mongo(&site.placement.mongo_cluster).await?;
        Ok(insist(|| remove(client, site)).await?)
    }
}

/// Why nothing was done.
enum Refusal {
    /// A collection is there.
    Exists(StepError),
    /// Something of another worker was in the way, and is to be expected to be gone soon.
    Conflict(StepError),
    /// Everything else.
    StepError(StepError),
}

impl From<MongoError> for Refusal {
    fn from(error: MongoError) -> Self {
        const NAMESPACE_EXISTS: i32 = 48;
        const DATABASE_DROP_PENDING: i32 = 215;
        const DUPLICATE_KEY: i32 = 11_000;
        const INTERRUPTED: i32 = 11_601;
        if error.contains_label(TRANSIENT_TRANSACTION_ERROR) {
            return Self::Conflict(error.into());
        }
        match &*error.kind {
            ErrorKind::Command(answer) => match answer.code {
                NAMESPACE_EXISTS => Self::Exists(error.into()),
                // What an earlier worker asked for is still being done; or the session that was ended has become ours.
                DATABASE_DROP_PENDING | INTERRUPTED => Self::Conflict(error.into()),
                // Only the fences have a key that could be there: under another worker's greater token.
                DUPLICATE_KEY => Self::StepError(StepError::fenced()),
                _ => Self::StepError(error.into()),
            },
            _ => Self::StepError(error.into()),
        }
    }
}

impl From<StepError> for Refusal {
    fn from(fault: StepError) -> Self {
        Self::StepError(fault)
    }
}

impl From<Refusal> for StepError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Exists(fault) | Refusal::Conflict(fault) | Refusal::StepError(fault) => fault,
        }
    }
}

/// Tries again, a few times, what a conflict kept from being done.
async fn insist<F: Future<Output = Result<(), Refusal>>>(attempt: impl Fn() -> F) -> Result<(), Refusal> {
    let mut done = attempt().await;
    for pause in CONFLICT_PAUSES {
        if !matches!(done, Err(Refusal::Conflict(_))) {
            break;
        }
        sleep(pause).await;
        done = attempt().await;
    }
    done
}

async fn remove(client: &Client, site: &StepContext<'_>) -> Result<(), Refusal> {
    fence::raise(client, site.database, site.lease.token, None).await?;
    Ok(client.database(site.database).drop().await?)
}

async fn create(client: &Client, site: &StepContext<'_>) -> Result<(), Refusal> {
    let collections = schema::collections()?;
    let database = client.database(site.database);
    let mut session = client.start_session().await?;
    fence::raise(client, site.database, site.lease.token, Some(&session)).await?;
    session.start_transaction().await?;
    fence::raise_in(&mut session, site.database, site.lease.token).await?;
    for collection in collections {
        database
            .run_command(doc! { "create": &collection.name, "validator": &collection.validator })
            .session(&mut session)
            .await?;
        database
            .run_command(doc! { "createIndexes": &collection.name, "indexes": &collection.indexes })
            .session(&mut session)
            .await?;
    }
    Ok(session.commit_transaction().await?)
}

/// Makes sure that every collection is there with its validator and its indexes.
async fn verify(database: &Database) -> Result<(), StepError> {
    let strange =
        |name: &str| StepError::permanent(format!("The MongoDB database holds a collection `{name}` that is not ours"));
    let found: Vec<_> = database.list_collections().await?.try_collect().await?;
    for wanted in schema::collections()? {
        let same = found.iter().any(|collection| {
            collection.name == wanted.name && collection.options.validator.as_ref() == Some(&wanted.validator)
        });
        if !same {
            return Err(strange(&wanted.name));
        }
        let indexes = database.collection::<mongodb::bson::Document>(&wanted.name).list_index_names().await?;
        if !wanted.index_names().all(|name| indexes.iter().any(|index| index == name)) {
            return Err(strange(&wanted.name));
        }
    }
    Ok(())
}
