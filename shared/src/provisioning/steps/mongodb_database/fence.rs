//! A fence for each database of a tenant, on the cluster that the database is on: the greatest token of a worker that
//! worked on it, and the session that it works in.
//!
//! Whoever makes or drops the database raises the fence to their own token first. Creating does so once more in the
//! transaction that creates, so that of a worker that is late, by any time, nothing is committed once the next one has raised
//! it: MongoDB lets only one of two transactions that write the same document commit, and the later one finds a greater
//! token. Dropping needs no more, as an operation that drops never creates again, and no other operation uses the name.
//!
//! A worker that died or froze in the midst of its transaction keeps the document to itself until MongoDB ends the
//! transaction, which takes it a minute or more. A write that meets it waits for all that time, on the server: neither
//! `maxTimeMS` nor the end of its connection ends it. So the fence names the worker's session before a transaction begins in
//! it, and whoever comes later ends that session, as they end those with PostgreSQL. Everyone may end sessions of their own
//! user; after the user of the workers was changed, the minute has to be waited for.

use std::time::Duration;

use mongodb::{
    Client, ClientSession, Collection, IndexModel,
    bson::{Bson, DateTime, Document, doc},
    options::IndexOptions,
};
use tokio::time::timeout;

use crate::provisioning::steps::mongodb_database::Refusal;
use crate::{error::Result, provisioning::fault::StepError};

/// How long a fence is kept after it was last raised: longer than any process stays frozen and lives on.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// How long a raising waits before it looks again which session is in its way.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it looks.
const LOOKS: u32 = 3;

/// Makes the collection of fences; twice is once.
pub(in crate::provisioning) async fn prepare(client: &Client) -> Result<()> {
    let expiry = IndexOptions::builder().name("expiry".to_owned()).expire_after(KEPT).build();
    fences(client).create_index(IndexModel::builder().keys(doc! { "raised_at": 1 }).options(expiry).build()).await?;
    Ok(())
}

/// Raises the fence of a database to `token`, and ends what an earlier worker has under way; another worker's greater token
/// is a [`StepError::fenced`]. A worker that is about to create names the session that it will do it in.
pub(super) async fn raise(
    client: &Client,
    database: &str,
    token: i64,
    session: Option<&ClientSession>,
) -> Result<(), Refusal> {
    let fences = fences(client);
    let (filter, update) = change(database, token, session);
    for _ in 0..LOOKS {
        end_earlier(&fences, database, token).await?;
        let raised = fences.find_one_and_update(filter.clone(), update.clone()).upsert(true);
        match timeout(PATIENCE, raised).await {
            Ok(raised) => return Ok(raised.map(drop)?),
            // Somebody's transaction began after we had looked.
            Err(_elapsed) => {}
        }
    }
    Err(StepError::transient("An earlier worker's transaction with MongoDB has not ended yet").into())
}

/// As [`raise`], as part of a transaction, whose session the fence then no longer names.
pub(super) async fn raise_in(session: &mut ClientSession, database: &str, token: i64) -> Result<(), Refusal> {
    let (filter, update) = change(database, token, None);
    let fences = fences(&session.client());
    fences.find_one_and_update(filter, update).upsert(true).session(session).await?;
    Ok(())
}

/// Ends the session that the fence names, and with it any transaction. Its worker may live, and the driver have put it to other
/// work, even to ours: that is then tried again.
async fn end_earlier(fences: &Collection<Document>, database: &str, token: i64) -> Result<(), Refusal> {
    // The first worker has nobody before it.
    if token == 1 {
        return Ok(());
    }
    let Some(fence) = fences.find_one(doc! { "_id": database }).await? else { return Ok(()) };
    if fence.get_i64("token").is_ok_and(|raised| raised > token) {
        return Err(StepError::fenced().into());
    }
    if let Ok(session) = fence.get_document("session") {
        fences.client().database("admin").run_command(doc! { "killSessions": [session] }).await?;
    }
    Ok(())
}

/// Under a greater token the filter finds nothing, and the insertion meets the id of what is there.
fn change(database: &str, token: i64, session: Option<&ClientSession>) -> (Document, Document) {
    let filter = doc! { "_id": database, "token": { "$lte": token } };
    let session = session.map_or(Bson::Null, |session| Bson::Document(session.id().clone()));
    (filter, doc! { "$set": { "token": token, "session": session, "raised_at": DateTime::now() } })
}

fn fences(client: &Client) -> Collection<Document> {
    client.database("landlord").collection("provisioning_fences")
}
