//! Probes MongoDB: the tenants' clusters.

use std::collections::BTreeMap;

use futures::future::join_all;
use mongodb::{
    Client,
    bson::{Document, doc},
    error::ErrorKind,
    options::{ReadPreference, SelectionCriteria},
};

use crate::{
    clients::{mongo::MongoServer, tls_problem},
    config::{Cluster, Clusters, ConfigError, MongoSettings},
    error::Error,
    health::{
        ComponentStatus,
        checks::{
            deadline::ProbeDeadline,
            error::ProbeError,
            probe::{Check, Probe},
            readings::{MongoDbReading, StoreReading},
        },
    },
};

pub(super) struct MongoDbProbe(Vec<(String, Probe<MongoDbCheck>)>);

impl MongoDbProbe {
    /// Opens no connection.
    pub(super) fn new(clusters: &Clusters, settings: &MongoSettings) -> Result<Self, ConfigError> {
        let probe = |cluster: &Cluster| {
            let check = MongoDbCheck(MongoServer::new(&cluster.url, settings)?);
            Ok((cluster.name.clone(), Probe::new(check)))
        };
        clusters.0.iter().map(probe).collect::<Result<_, ConfigError>>().map(Self)
    }

    pub(super) async fn read(&self, deadline: ProbeDeadline) -> MongoDbReading {
        let clusters = join_all(self.0.iter().map(async |(name, cluster)| {
            let (reading, primary) = match cluster.run(deadline).await {
                Ok(response) => {
                    let reading = StoreReading::up(&response, response.value.version.clone());
                    if response.value.primary {
                        (reading, true)
                    } else {
                        (reading.with_problem(ComponentStatus::Down, "the cluster has no primary"), false)
                    }
                }
                Err(error) => (StoreReading::down(&format!("mongodb cluster {name}"), error), false),
            };
            (name.clone(), reading, primary)
        }))
        .await;
        let primary = clusters.iter().all(|(_, _, primary)| *primary);
        let mut clusters: BTreeMap<_, _> = clusters.into_iter().map(|(name, reading, _)| (name, reading)).collect();
        let reading = if clusters.len() == 1 { clusters.pop_first().map(|(_, reading)| reading) } else { None };
        let reading = reading.unwrap_or_else(|| combine(&clusters));
        MongoDbReading { reading, primary, clusters }
    }
}

/// The reading of several clusters together. Degraded while some are down, because tenants of the others are not affected.
fn combine(clusters: &BTreeMap<String, StoreReading>) -> StoreReading {
    let down = clusters.values().filter(|reading| reading.status == ComponentStatus::Down).count();
    let status = match down {
        0 => ComponentStatus::Up,
        some if some < clusters.len() => ComponentStatus::Degraded,
        _ => ComponentStatus::Down,
    };
    StoreReading {
        status,
        latency_ms: clusters.values().filter_map(|reading| reading.latency_ms).reduce(f64::max),
        version: clusters.values().find_map(|reading| reading.version.clone()),
        error: (down > 0).then(|| format!("{down} of {} clusters down", clusters.len())),
    }
}

struct MongoDbCheck(MongoServer);

struct MongoDbServerInfo {
    version: Option<String>,
    primary: bool,
}

impl Check for MongoDbCheck {
    /// A client, and the server's version once it is known.
    type Connection = (Client, Option<String>);
    type Response = MongoDbServerInfo;

    async fn open(&self) -> Result<(Client, Option<String>), ProbeError> {
        Ok((self.0.connect().await?, None))
    }

    async fn query(
        &self,
        (client, version): &mut (Client, Option<String>),
        _: ProbeDeadline,
    ) -> Result<MongoDbServerInfo, ProbeError> {
        let hello = run(client, doc! { "hello": 1 }).await?;
        let primary = hello.get_bool("isWritablePrimary").unwrap_or(false) || hello.get_str("primary").is_ok();
        if version.is_none() {
            let build = run(client, doc! { "buildInfo": 1 }).await?;
            *version = build.get_str("version").ok().map(ToOwned::to_owned);
        }
        Ok(MongoDbServerInfo { version: version.clone(), primary })
    }
}

/// Runs a command on any reachable server, primary or not.
async fn run(client: &Client, command: Document) -> Result<Document, ProbeError> {
    let nearest = SelectionCriteria::ReadPreference(ReadPreference::Nearest { options: None });
    let reply = client.database("admin").run_command(command).selection_criteria(nearest).await;
    reply.map_err(|error| match &*error.kind {
        ErrorKind::Authentication { .. } => ProbeError::because("credentials rejected", &error),
        ErrorKind::ServerSelection { .. } => {
            ProbeError::because(tls_problem(&error).unwrap_or("no server is reachable"), &error)
        }
        _ => ProbeError::from(Error::from(error)),
    })
}
