//! The tenant's MongoDB database with its collections, and the [login] of the platform's services.
//!
//! One transaction creates all collections and indexes and raises the database's fence. They exist together or not at all, and
//! a late worker creates none. The transaction takes no longer than the same commands without one.
//!
//! # Fencing
//! Each database of a tenant has a fence: a document on the same cluster with the greatest token of a worker that worked on the
//! database, and the session of that worker.
//!
//! A worker raises the fence to its own token before it creates or drops the database. To create, it raises the fence again in
//! the transaction that creates. A late worker therefore commits nothing after the next worker has raised the fence: MongoDB
//! commits only one of two transactions that write the same document, and the other one then finds a greater token. To drop,
//! raising the fence once is enough, because an operation that drops never creates again and no other operation uses the name.
//!
//! A worker that died or froze during its transaction blocks the document until MongoDB ends the transaction, which takes a
//! minute or more. Another write to the document waits for all that time on the server: neither `maxTimeMS` nor closing the
//! connection ends the wait. A worker therefore records its session in the fence before it begins a transaction, and the next
//! worker ends that session, in the same way as it ends sessions with PostgreSQL. Every MongoDB user may end its own sessions.
//! After the workers' MongoDB user was changed, the next worker has to wait for the minute.

pub(in crate::provisioning) mod import;
pub(in crate::provisioning) mod login;
mod schema;

use std::time::Duration;

use futures::TryStreamExt;
use mongodb::{
    Client, ClientSession, Collection, Database, IndexModel,
    bson::{Bson, DateTime, Document, doc},
    error::{Error as MongoError, TRANSIENT_TRANSACTION_ERROR},
    options::IndexOptions,
};
use tokio::time::{sleep, timeout};

use crate::{
    clients::mongo,
    error::{Dependency, Error, Result},
    operations::{StepName, store::breakers::StoreKind},
    provisioning::step::{Step, StepContext, StepError},
};

/// Pauses before the retries of an attempt that met a conflict.
const CONFLICT_PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(150), Duration::from_millis(450), Duration::from_millis(1350)];

/// How long a fence is kept after it was last raised: longer than any frozen process can survive.
const FENCE_RETENTION: Duration = Duration::from_hours(30 * 24);

/// Limit for one attempt to raise a fence. After it, the session that blocks the fence is looked up again.
const RAISE_TIMEOUT: Duration = Duration::from_secs(2);

const MAX_RAISE_ATTEMPTS: u32 = 3;

const DUPLICATE_KEY: i32 = 11_000;

pub(in crate::provisioning) struct MongodbDatabase;

impl Step for MongodbDatabase {
    const NAME: StepName = StepName::MongodbDatabase;
    const STORE: StoreKind = StoreKind::Mongodb;
    // The collections are fenced. A user that a late worker creates is not: it has no role, and the worker removes it itself.
    const FENCED: bool = false;

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let client = client(context).await?;
        match retry_conflicts(|| create(client, context)).await {
            // Only complete transactions create collections, so an earlier attempt has created these.
            Err(AttemptError::CollectionExists(_)) => verify(&client.database(context.database)).await?,
            created => created?,
        }
        if context.is_copy { Ok(()) } else { login::grant(client, context).await }
    }

    async fn undo(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let client = client(context).await?;
        login::remove(client, context).await?;
        Ok(retry_conflicts(|| remove(client, context)).await?)
    }
}

pub(in crate::provisioning) async fn client<'a>(context: &'a StepContext<'_>) -> Result<&'a Client, StepError> {
    let cluster = context.stores.mongo(&context.placement.mongo_cluster)?;
    Ok(cluster.client_once(prepare_fences).await?)
}

/// Why an attempt had no effect.
enum AttemptError {
    CollectionExists(StepError),
    /// Another worker's request was in the way. It is expected to end soon.
    Conflict(StepError),
    Other(StepError),
}

impl From<MongoError> for AttemptError {
    fn from(error: MongoError) -> Self {
        const NAMESPACE_EXISTS: i32 = 48;
        const DATABASE_DROP_PENDING: i32 = 215;
        const INTERRUPTED: i32 = 11_601;
        if error.contains_label(TRANSIENT_TRANSACTION_ERROR) {
            return Self::Conflict(error.into());
        }
        match mongo::answer(&error).map(|(code, _)| code) {
            Some(NAMESPACE_EXISTS) => Self::CollectionExists(error.into()),
            // An earlier worker's drop is still running, or the session that was ended is now used by this worker, or by another
            // operation of this process: sessions return to the driver's pool.
            Some(DATABASE_DROP_PENDING | INTERRUPTED) => Self::Conflict(error.into()),
            // Only fences can have a duplicate key: another worker's fence with a greater token. `raise_fence` has made sure of it.
            Some(DUPLICATE_KEY) => Self::Other(StepError::fenced()),
            _ => Self::Other(error.into()),
        }
    }
}

impl From<StepError> for AttemptError {
    fn from(error: StepError) -> Self {
        Self::Other(error)
    }
}

impl From<AttemptError> for StepError {
    fn from(error: AttemptError) -> Self {
        match error {
            AttemptError::CollectionExists(error) | AttemptError::Conflict(error) | AttemptError::Other(error) => error,
        }
    }
}

async fn retry_conflicts<F>(attempt: impl Fn() -> F) -> Result<(), AttemptError>
where
    F: Future<Output = Result<(), AttemptError>>,
{
    let mut result = attempt().await;
    for pause in CONFLICT_PAUSES {
        if !matches!(result, Err(AttemptError::Conflict(_))) {
            break;
        }
        sleep(pause).await;
        result = attempt().await;
    }
    result
}

async fn create(client: &Client, context: &StepContext<'_>) -> Result<(), AttemptError> {
    let collections = schema::collections()?;
    let database = client.database(context.database);
    let mut session = client.start_session().await?;
    raise_fence(client, context, Some(&session)).await?;
    session.start_transaction().await?;
    raise_fence_in_transaction(&mut session, context).await?;
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

async fn remove(client: &Client, context: &StepContext<'_>) -> Result<(), AttemptError> {
    raise_fence(client, context, None).await?;
    Ok(client.database(context.database).drop().await?)
}

/// Checks that every collection exists with its validator and its indexes.
async fn verify(database: &Database) -> Result<(), StepError> {
    let foreign = |name: &str| {
        StepError::permanent(format!("The MongoDB database contains a collection `{name}` of another origin"))
    };
    let found: Vec<_> = database.list_collections().await?.try_collect().await?;
    for expected in schema::collections()? {
        let same = found.iter().any(|collection| {
            collection.name == expected.name && collection.options.validator.as_ref() == Some(&expected.validator)
        });
        if !same {
            return Err(foreign(&expected.name));
        }
        let indexes = database.collection::<Document>(&expected.name).list_index_names().await?;
        if !expected.index_names().all(|name| indexes.iter().any(|index| index == name)) {
            return Err(foreign(&expected.name));
        }
    }
    Ok(())
}

/// Creates the collection of fences, if it does not exist.
async fn prepare_fences(client: &Client) -> Result<()> {
    let expiry = IndexOptions::builder().name("expiry".to_owned()).expire_after(FENCE_RETENTION).build();
    fences(client).create_index(IndexModel::builder().keys(doc! { "raised_at": 1 }).options(expiry).build()).await?;
    Ok(())
}

/// Raises the fence of the database to the lease's token, and ends the transaction of an earlier worker. Fails with
/// [`StepError::fenced`] if another worker's token is greater. A worker that is about to create passes the session in which it
/// will do so.
async fn raise_fence(
    client: &Client,
    context: &StepContext<'_>,
    session: Option<&ClientSession>,
) -> Result<(), AttemptError> {
    let fences = fences(client);
    let (filter, update) = fence_update(context, session);
    let mut reason = StepError::fenced();
    for _ in 0..MAX_RAISE_ATTEMPTS {
        end_earlier_session(&fences, context).await?;
        let raised = fences.find_one_and_update(filter.clone(), update.clone()).upsert(true);
        match timeout(RAISE_TIMEOUT, raised).await {
            // Of two workers that insert a fence at the same moment, one fails whatever its token is. Now that the fence exists, the next
            // attempt compares the tokens.
            Ok(Err(error)) if mongo::answer(&error).is_some_and(|(code, _)| code == DUPLICATE_KEY) => {
                reason = StepError::fenced();
            }
            Ok(raised) => return Ok(raised.map(drop)?),
            // Either MongoDB is down, or another worker's transaction began after the session was looked up.
            Err(_elapsed) => {
                check_answers(client).await?;
                reason = StepError::transient("An earlier worker's transaction with MongoDB has not ended yet");
            }
        }
    }
    Err(reason.into())
}

/// Fails if MongoDB does not answer. Without this check, the error of a step would blame an earlier worker for an outage.
async fn check_answers(client: &Client) -> Result<(), StepError> {
    let admin = client.database("admin");
    match timeout(RAISE_TIMEOUT, admin.run_command(doc! { "ping": 1 })).await {
        Ok(answer) => Ok(answer.map(drop)?),
        Err(elapsed) => Err(Error::unavailable(Dependency::MongoDb, elapsed).into()),
    }
}

/// Raises the fence as part of a transaction, and removes the session from it.
async fn raise_fence_in_transaction(
    session: &mut ClientSession,
    context: &StepContext<'_>,
) -> Result<(), AttemptError> {
    let (filter, update) = fence_update(context, None);
    let fences = fences(&session.client());
    fences.find_one_and_update(filter, update).upsert(true).session(session).await?;
    Ok(())
}

/// Ends the session in the fence, together with its transaction. If the session's worker is alive, its driver may already use
/// the session for other work, even for ours. The interrupted command is then retried.
async fn end_earlier_session(fences: &Collection<Document>, context: &StepContext<'_>) -> Result<(), AttemptError> {
    // No worker came before the first one.
    if context.lease.token == 1 {
        return Ok(());
    }
    let Some(fence) = fences.find_one(doc! { "_id": context.database }).await? else { return Ok(()) };
    if fence.get_i64("token").is_ok_and(|raised| raised > context.lease.token) {
        return Err(StepError::fenced().into());
    }
    if let Ok(session) = fence.get_document("session") {
        fences.client().database("admin").run_command(doc! { "killSessions": [session] }).await?;
    }
    Ok(())
}

/// Filter and update of an upsert. If the fence has a greater token, the filter matches nothing, and the insert fails because
/// the id exists.
fn fence_update(context: &StepContext<'_>, session: Option<&ClientSession>) -> (Document, Document) {
    let (database, token) = (context.database, context.lease.token);
    let filter = doc! { "_id": database, "token": { "$lte": token } };
    let session = session.map_or(Bson::Null, |session| Bson::Document(session.id().clone()));
    (filter, doc! { "$set": { "token": token, "session": session, "raised_at": DateTime::now() } })
}

fn fences(client: &Client) -> Collection<Document> {
    client.database("landlord").collection("provisioning_fences")
}
