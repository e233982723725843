//! MongoDB: the clusters of tenants.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use mongodb::{
    Client,
    bson::{Document, doc},
    error::ErrorKind,
    options::{ReadPreference, SelectionCriteria},
};
use serde::{Deserialize, Serialize};

use crate::health::checks::{
    probe::{Asker, Deadline, Probe, Trouble},
    report::Reading,
};
use crate::{
    clients::mongo,
    config::{Clusters, MongoConfig},
    health::Condition,
};

/// MongoDB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct MongoDbReading {
    /// Of the cluster; of several, of the one that is worst off.
    #[serde(flatten)]
    pub reading: Reading,
    /// Whether a primary is known, in every cluster.
    pub primary: bool,
    /// The clusters by name, where there are several.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clusters: BTreeMap<String, Reading>,
}

/// The clusters.
pub(super) struct MongoDb(Vec<(String, Asker<Question>)>);

impl MongoDb {
    /// Connects to nothing yet.
    pub(super) fn new(clusters: &Clusters, timeout: Duration) -> Self {
        let asker = |url: &secrecy::SecretString| Asker::new(Question(MongoConfig { url: url.clone(), timeout }));
        Self(clusters.0.iter().map(|cluster| (cluster.name.clone(), asker(&cluster.url))).collect())
    }

    pub(super) async fn read(&self, deadline: Deadline) -> MongoDbReading {
        let clusters = join_all(self.0.iter().map(async |(name, cluster)| {
            let (reading, primary) = match cluster.ask(deadline).await {
                Ok(answered) => {
                    let reading = Reading::up(&answered, answered.answer.version.clone());
                    let primary = answered.answer.primary;
                    (if primary { reading } else { reading.but(Condition::Down, "no primary is known") }, primary)
                }
                Err(trouble) => (Reading::down(&format!("mongodb cluster {name}"), trouble), false),
            };
            (name.clone(), reading, primary)
        }))
        .await;
        let primary = clusters.iter().all(|(_, _, primary)| *primary);
        let mut clusters: BTreeMap<_, _> = clusters.into_iter().map(|(name, reading, _)| (name, reading)).collect();
        let reading = if clusters.len() == 1 { clusters.pop_first().map(|(_, reading)| reading) } else { None };
        let reading = reading.unwrap_or_else(|| whole(&clusters));
        MongoDbReading { reading, primary, clusters }
    }
}

/// What there is to say of several clusters at once. The tenants of one that is down are not those of the others.
fn whole(clusters: &BTreeMap<String, Reading>) -> Reading {
    let down = clusters.values().filter(|reading| reading.status == Condition::Down).count();
    let status = match down {
        0 => Condition::Up,
        some if some < clusters.len() => Condition::Degraded,
        _ => Condition::Down,
    };
    Reading {
        status,
        latency_ms: clusters.values().filter_map(|reading| reading.latency_ms).reduce(f64::max),
        version: clusters.values().find_map(|reading| reading.version.clone()),
        error: (down > 0).then(|| format!("{down} of {} clusters down", clusters.len())),
    }
}

/// What is asked of a cluster.
struct Question(MongoConfig);

struct Answer {
    version: Option<String>,
    primary: bool,
}

impl Probe for Question {
    /// A client, and what it was told of the version.
    type Connection = (Client, Option<String>);
    type Answer = Answer;

    async fn open(&self) -> Result<(Client, Option<String>), Trouble> {
        Ok((mongo::connect(&self.0).await?, None))
    }

    async fn ask(&self, (client, version): &mut (Client, Option<String>), _: Deadline) -> Result<Answer, Trouble> {
        let hello = run(client, doc! { "hello": 1 }).await?;
        let primary = hello.get_bool("isWritablePrimary").unwrap_or(false) || hello.get_str("primary").is_ok();
        if version.is_none() {
            let build = run(client, doc! { "buildInfo": 1 }).await?;
            *version = build.get_str("version").ok().map(ToOwned::to_owned);
        }
        Ok(Answer { version: version.clone(), primary })
    }
}

/// Runs a command on whichever server is there, primary or not.
async fn run(client: &Client, command: Document) -> Result<Document, Trouble> {
    let anyone = SelectionCriteria::ReadPreference(ReadPreference::Nearest { options: None });
    let answer = client.database("admin").run_command(command).selection_criteria(anyone).await;
    answer.map_err(|error| match &*error.kind {
        ErrorKind::Authentication { .. } => Trouble::because("it refuses the credentials", &error),
        ErrorKind::ServerSelection { .. } => Trouble::because("no server can be reached", &error),
        _ => Trouble::from(crate::error::Error::from(error)),
    })
}
