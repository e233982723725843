//! Measures a tenant's MongoDB database: its contacts, its messages of a month, its connected channels and its size.

use mongodb::{
    Database,
    bson::{Bson, DateTime, Document, doc},
    error::{Error as MongoError, ErrorKind},
};
use tokio::time::{Instant, timeout_at};

use crate::{
    clients::clusters::MongoCluster,
    error::Error,
    types::Month,
    usage::{
        CollectionFigures, MeasurementError,
        measuring::{failure::MeasurementFailure, timeout::server_timeout},
    },
};

pub(super) async fn measure(
    cluster: &MongoCluster,
    database: &str,
    month: Month,
    until: Instant,
) -> Result<CollectionFigures, MeasurementFailure> {
    let query = async {
        let client = cluster
            .client()
            .await
            .map_err(|error| MeasurementFailure::of(error, MeasurementError::MongodbUnavailable))?;
        count(&client.database(database), month, until).await
    };
    timeout_at(until, query)
        .await
        .unwrap_or_else(|_| Err(MeasurementFailure::new(MeasurementError::MongodbUnavailable)))
}

async fn count(database: &Database, month: Month, until: Instant) -> Result<CollectionFigures, MeasurementFailure> {
    let run = async |mut command: Document| {
        command.insert("maxTimeMS", i64::try_from(server_timeout(until).as_millis()).unwrap_or(i64::MAX));
        database.run_command(command).await.map_err(failure)
    };
    let stats = run(doc! { "dbStats": 1 }).await?;
    // MongoDB reports a missing database as an empty one, but a tenant's database always has collections.
    if number(&stats, "collections")? == 0 {
        return Err(MeasurementFailure::new(MeasurementError::DatabaseMissing));
    }
    // The condition matches every contact. It lets MongoDB count in an index.
    let contacts = run(doc! { "count": "contacts", "query": { "created_at": { "$gte": DateTime::MIN } } }).await?;
    let within = doc! { "$gte": begin(month), "$lt": begin(month.next()) };
    let messages = run(doc! { "count": "messages", "query": { "created_at": within } }).await?;
    let channels = run(doc! { "distinct": "channels", "key": "kind", "query": { "status": "connected" } }).await?;
    Ok(CollectionFigures {
        contacts: number(&contacts, "n")?,
        month,
        messages: number(&messages, "n")?,
        channels: kinds(&channels),
        database_bytes: number(&stats, "totalSize")?,
    })
}

fn begin(month: Month) -> DateTime {
    DateTime::from_millis(month.begin().unix_timestamp() * 1000)
}

fn kinds(reply: &Document) -> Vec<String> {
    let values = reply.get_array("values").into_iter().flatten();
    let mut kinds: Vec<_> = values.filter_map(|kind| kind.as_str().map(ToOwned::to_owned)).collect();
    kinds.sort_unstable();
    kinds
}

/// A number of a reply. MongoDB chooses its type by its size.
fn number(reply: &Document, name: &str) -> Result<i64, MeasurementFailure> {
    match reply.get(name) {
        Some(Bson::Int32(number)) => Ok(i64::from(*number)),
        Some(Bson::Int64(number)) => Ok(*number),
        #[expect(clippy::cast_possible_truncation, reason = "a size in whole bytes")]
        Some(Bson::Double(number)) if number.is_finite() => Ok(*number as i64),
        _ => {
            let cause = Error::internal(format!("MongoDB returned no `{name}`"));
            Err(MeasurementFailure::of(cause, MeasurementError::Unexpected))
        }
    }
}

fn failure(error: MongoError) -> MeasurementFailure {
    const MAX_TIME_MS_EXPIRED: i32 = 50;
    let expired = matches!(&*error.kind, ErrorKind::Command(reply) if reply.code == MAX_TIME_MS_EXPIRED);
    let failure = MeasurementFailure::of(error.into(), MeasurementError::MongodbUnavailable);
    if expired { MeasurementFailure { code: MeasurementError::DeadlineExceeded, ..failure } } else { failure }
}
