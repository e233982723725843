//! A fence for each database of a tenant, on the cluster that the database is on: the greatest token of a worker that
//! worked on it.
//!
//! Whoever makes or drops the database raises the fence to their own token first. Creating does so in the transaction that
//! creates, so that of a worker that is late, by any time, nothing is committed once the next one has raised it: MongoDB lets
//! only one of two transactions that write the same document commit, and the later one finds a greater token. Dropping
//! needs no more, as an operation that drops never creates again, and no other operation uses the name.

use std::time::Duration;

use mongodb::{
    Client, ClientSession, Collection, IndexModel,
    bson::{DateTime, Document, doc},
    error::{Error as MongoError, ErrorKind},
    options::IndexOptions,
};

use crate::{error::Result, provisioning::fault::Fault};

/// How long a fence is kept after it was last raised: longer than any process stays frozen and lives on.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// How long to wait for a transaction of a worker that was frozen in its midst. MongoDB itself ends it after a minute.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes the collection of fences; twice is once.
pub(in crate::provisioning) async fn prepare(client: &Client) -> Result<()> {
    let expiry = IndexOptions::builder().name("expiry".to_owned()).expire_after(KEPT).build();
    fences(client).create_index(IndexModel::builder().keys(doc! { "raised_at": 1 }).options(expiry).build()).await?;
    Ok(())
}

/// Raises the fence of a database to `token`; another worker's greater one is a [`Fault::fenced`].
pub(super) async fn raise(client: &Client, database: &str, token: i64) -> Result<(), Fault> {
    let (filter, update) = change(database, token);
    fences(client).find_one_and_update(filter, update).upsert(true).max_time(PATIENCE).await.map_err(fault)?;
    Ok(())
}

/// As [`raise`], as part of a transaction; [`fault`] tells what its error means.
pub(super) async fn raise_in(session: &mut ClientSession, database: &str, token: i64) -> Result<(), MongoError> {
    let (filter, update) = change(database, token);
    let fences = fences(&session.client());
    fences.find_one_and_update(filter, update).upsert(true).session(session).await?;
    Ok(())
}

/// Under a greater token the filter finds nothing, and the insertion meets the id of what is there.
fn change(database: &str, token: i64) -> (Document, Document) {
    let filter = doc! { "_id": database, "token": { "$lte": token } };
    (filter, doc! { "$set": { "token": token, "raised_at": DateTime::now() } })
}

fn fences(client: &Client) -> Collection<Document> {
    client.database("landlord").collection("provisioning_fences")
}

/// A duplicate key is another worker's greater token.
pub(super) fn fault(error: MongoError) -> Fault {
    const DUPLICATE_KEY: i32 = 11_000;
    match &*error.kind {
        ErrorKind::Command(answer) if answer.code == DUPLICATE_KEY => Fault::fenced(),
        _ => error.into(),
    }
}
