//! A check of a platform and of all its stores that knows no step of any operation: what must hold at every moment, whatever
//! happened before.
//!
//! It reads with the rights of the owner and shares no code with the reconciler, so that an error in one does not hide in the other.

pub mod directory;
pub mod events;
mod records;
pub mod stores;

use aws_sdk_s3::Client as S3;
use mongodb::Client as Mongo;
use serde_json::Value;
use shared::{
    clients::{postgres::connect_once, s3::Bucket},
    config::{FromEnv, PostgresConfig, S3Config},
};
use tokio_postgres::Client;

use crate::platform::mongo;

/// What the check reads.
pub struct Checked<'a> {
    /// The platform database, as its owner.
    pub platform: &'a Client,
    pub mongo: &'a Mongo,
    pub s3: &'a S3,
    pub bucket: &'a str,
    /// Every event that left the outbox, in the order of its topic. `None` if something read here may have left it unseen.
    pub delivered: Option<Vec<Value>>,
}

/// Everything that contradicts, one line each. It is the same for a platform at work and for one at rest: what is in progress
/// has an open operation or an open change.
pub async fn contradictions(checked: &Checked<'_>) -> Vec<String> {
    let mut found = records::contradictions(checked.platform).await;
    found.extend(stores::contradictions(checked).await);
    if let Some(delivered) = &checked.delivered {
        found.extend(events::contradictions(checked.platform, delivered).await);
    }
    found
}

/// What a platform still has to do. When all stores work and no request is running, it becomes empty by itself.
pub async fn unfinished(platform: &Client) -> Vec<String> {
    records::unfinished(platform).await
}

/// Checks the platform in a database of the environment's servers, with the events that its outbox still contains.
///
/// # Panics
/// If something contradicts.
pub(crate) async fn require(platform: &PostgresConfig) {
    let platform = connect_once(platform, None).await.unwrap();
    // A relay has delivered events to a topic that is not known here.
    let relayed = lines(&platform, "SELECT topic FROM outbox_checkpoints").await;
    let config = S3Config::from_env().unwrap();
    let bucket = Bucket::connect(&config).unwrap();
    let checked = Checked {
        platform: &platform,
        mongo: &mongo().await,
        s3: bucket.client().await,
        bucket: &config.bucket,
        delivered: relayed.is_empty().then(Vec::new),
    };
    let found = contradictions(&checked).await;
    assert!(found.is_empty(), "after the test, the platform contradicts itself or its stores:\n{}", found.join("\n"));
}

/// The first column of each row.
async fn lines(platform: &Client, sql: &str) -> Vec<String> {
    match platform.query(sql, &[]).await {
        Ok(rows) => rows.iter().map(|row| row.get(0)).collect(),
        Err(error) => panic!("{sql}: {error}"),
    }
}
