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
    domain::StepName,
    provisioning::{
        fault::Fault,
        step::{Site, Step},
    },
};

/// How long to wait before something is tried again that another worker was in the way of.
const CONFLICT_PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(150), Duration::from_millis(450), Duration::from_millis(1350)];

/// The step.
pub(in crate::provisioning) struct MongodbDatabase;

impl Step for MongodbDatabase {
    const NAME: StepName = StepName::MongodbDatabase;
    const FENCED: bool = true;

    async fn apply(&self, site: &Site<'_>) -> Result<(), Fault> {
        let client = site.stores.mongo(&site.placement.mongo_cluster).await?;
        let mut created = create(client, site).await;
        // MongoDB gives up a transaction that meets another one, and expects it to be tried again.
        for pause in CONFLICT_PAUSES {
            if !matches!(created, Err(Refusal::Conflict(_))) {
                break;
            }
            sleep(pause).await;
            created = create(client, site).await;
        }
        match created {
            // Only whole transactions leave collections behind, so these are what an earlier try made.
            Err(Refusal::Exists) => verify(&client.database(site.database)).await,
            Err(Refusal::Conflict(fault) | Refusal::Fault(fault)) => Err(fault),
            Ok(()) => Ok(()),
        }
    }

    async fn undo(&self, site: &Site<'_>) -> Result<(), Fault> {
        let client = site.stores.mongo(&site.placement.mongo_cluster).await?;
        fence::raise(client, site.database, site.lease.token, None).await?;
        let database = client.database(site.database);
        for pause in CONFLICT_PAUSES {
            match database.drop().await {
                // An earlier worker is gone, or late, and what it asked for is still being done.
                Err(error) if is_being_dropped(&error) => sleep(pause).await,
                dropped => return Ok(dropped?),
            }
        }
        Ok(database.drop().await?)
    }
}

fn is_being_dropped(error: &MongoError) -> bool {
    const DATABASE_DROP_PENDING: i32 = 215;
    matches!(&*error.kind, ErrorKind::Command(answer) if answer.code == DATABASE_DROP_PENDING)
}

/// Why nothing was created.
enum Refusal {
    /// A collection is there.
    Exists,
    /// Another transaction was in the way, or someone ended the session, which may have been another operation's before.
    Conflict(Fault),
    /// Everything else.
    Fault(Fault),
}

impl From<MongoError> for Refusal {
    fn from(error: MongoError) -> Self {
        const NAMESPACE_EXISTS: i32 = 48;
        const INTERRUPTED: i32 = 11_601;
        match &*error.kind {
            ErrorKind::Command(answer) if answer.code == NAMESPACE_EXISTS => Self::Exists,
            ErrorKind::Command(answer) if answer.code == INTERRUPTED => Self::Conflict(error.into()),
            _ if error.contains_label(TRANSIENT_TRANSACTION_ERROR) => Self::Conflict(error.into()),
            _ => Self::Fault(fence::fault(error)),
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

async fn create(client: &Client, site: &Site<'_>) -> Result<(), Refusal> {
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
async fn verify(database: &Database) -> Result<(), Fault> {
    let strange =
        |name: &str| Fault::permanent(format!("The MongoDB database holds a collection `{name}` that is not ours"));
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
