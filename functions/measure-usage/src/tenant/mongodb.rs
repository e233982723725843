//! The tenant's MongoDB database: its contacts, its messages of a month, its connected channels, and its size.

use mongodb::{
    Database,
    bson::{Bson, DateTime, Document, doc},
    error::{Error as MongoError, ErrorKind},
};
use shared::{clients::clusters::MongoCluster, error::Error, types::Month, usage::MeasurementError};
use tokio::time::{Instant, timeout_at};

use super::{InputError, patience};

/// What is found in it.
pub(super) struct Talk {
    pub(super) contacts: i64,
    pub(super) messages: i64,
    /// Kinds, each once, in order.
    pub(super) channels: Vec<String>,
    pub(super) database_bytes: i64,
}

pub(super) async fn measure(
    cluster: &MongoCluster,
    database: &str,
    month: Month,
    until: Instant,
) -> Result<Talk, InputError> {
    let look = async {
        let client =
            cluster.client().await.map_err(|error| InputError::of(error, MeasurementError::MongodbUnavailable))?;
        look(&client.database(database), month, until).await
    };
    timeout_at(until, look).await.unwrap_or_else(|_| Err(InputError::new(MeasurementError::MongodbUnavailable)))
}

async fn look(database: &Database, month: Month, until: Instant) -> Result<Talk, InputError> {
    let ask = async |mut command: Document| {
        command.insert("maxTimeMS", i64::try_from(patience(until).as_millis()).unwrap_or(i64::MAX));
        database.run_command(command).await.map_err(fault)
    };
    let stats = ask(doc! { "dbStats": 1 }).await?;
    // A database that is not there answers like an empty one, but ours are never empty.
    if number(&stats, "collections")? == 0 {
        return Err(InputError::new(MeasurementError::DatabaseMissing));
    }
    // Every contact has been created at some time, so that an index counts them all.
    let contacts = ask(doc! { "count": "contacts", "query": { "created_at": { "$gte": DateTime::MIN } } }).await?;
    let within = doc! { "$gte": moment(month), "$lt": moment(month.next()) };
    let messages = ask(doc! { "count": "messages", "query": { "created_at": within } }).await?;
    let channels = ask(doc! { "distinct": "channels", "key": "kind", "query": { "status": "connected" } }).await?;
    Ok(Talk {
        contacts: number(&contacts, "n")?,
        messages: number(&messages, "n")?,
        channels: kinds(&channels),
        database_bytes: number(&stats, "totalSize")?,
    })
}

/// When a month begins.
fn moment(month: Month) -> DateTime {
    DateTime::from_millis(month.begin().unix_timestamp() * 1000)
}

fn kinds(answer: &Document) -> Vec<String> {
    let values = answer.get_array("values").into_iter().flatten();
    let mut kinds: Vec<_> = values.filter_map(|kind| kind.as_str().map(ToOwned::to_owned)).collect();
    kinds.sort_unstable();
    kinds
}

/// A number of an answer, which MongoDB gives in whichever type it fits.
fn number(answer: &Document, name: &str) -> Result<i64, InputError> {
    match answer.get(name) {
        Some(Bson::Int32(number)) => Ok(i64::from(*number)),
        Some(Bson::Int64(number)) => Ok(*number),
        #[expect(clippy::cast_possible_truncation, reason = "a size in whole bytes")]
        Some(Bson::Double(number)) if number.is_finite() => Ok(*number as i64),
        _ => Err(InputError::of(Error::internal(format!("MongoDB gave no `{name}`")), MeasurementError::Unexpected)),
    }
}

fn fault(error: MongoError) -> InputError {
    const MAX_TIME_MS_EXPIRED: i32 = 50;
    let too_long = matches!(&*error.kind, ErrorKind::Command(answer) if answer.code == MAX_TIME_MS_EXPIRED);
    let fault = InputError::of(error.into(), MeasurementError::MongodbUnavailable);
    if too_long { InputError { code: MeasurementError::DeadlineExceeded, ..fault } } else { fault }
}
