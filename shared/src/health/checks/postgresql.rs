//! PostgreSQL: the platform database, and the clusters of tenants.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde::{Deserialize, Serialize};

use crate::health::checks::{
    probe::{Asker, Deadline, Probe, Trouble},
    report::Reading,
};
use crate::{
    clients::postgres::{Postgres, Session},
    config::{Clusters, ConfigError, PostgresConfig},
    health::{self, Condition, store::Server},
};

/// PostgreSQL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct PostgreSqlReading {
    /// Of the platform database.
    #[serde(flatten)]
    pub reading: Reading,
    /// How far the slowest replica is behind, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_lag_seconds: Option<f64>,
    /// The clusters of tenants by name, where they are not the platform database's own server.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clusters: BTreeMap<String, Reading>,
}

/// The platform database and the clusters.
pub(super) struct PostgreSql {
    platform: Asker<Question>,
    clusters: Vec<(String, Asker<Question>)>,
}

impl PostgreSql {
    /// Connects to nothing yet. A single cluster on the platform database's own server is not asked again.
    pub(super) fn new(platform: &PostgresConfig, clusters: &Clusters) -> Result<Self, ConfigError> {
        use secrecy::ExposeSecret;
        let own = |url: &secrecy::SecretString| url.expose_secret() == platform.url.expose_secret();
        let others = if clusters.0.len() == 1 && own(&clusters.0[0].url) { &[] } else { clusters.0.as_slice() };
        let clusters = others.iter().map(|cluster| {
            let config = PostgresConfig { url: cluster.url.clone(), ..platform.clone() };
            Ok((cluster.name.clone(), Asker::new(Question(Postgres::connect(&config)?))))
        });
        Ok(Self {
            clusters: clusters.collect::<Result<_, ConfigError>>()?,
            platform: Asker::new(Question(Postgres::connect(platform)?)),
        })
    }

    pub(super) async fn read(&self, deadline: Deadline) -> PostgreSqlReading {
        let clusters = self.clusters.iter().map(async |(name, cluster)| {
            let reading = match cluster.ask(deadline).await {
                Ok(answered) => Reading::up(&answered, Some(answered.answer.version.clone())),
                Err(trouble) => Reading::down(&format!("postgresql cluster {name}"), trouble),
            };
            (name.clone(), reading)
        });
        let (platform, clusters) = tokio::join!(self.platform.ask(deadline), join_all(clusters));
        let clusters: BTreeMap<_, _> = clusters.into_iter().collect();
        let (mut reading, replication_lag_seconds) = match platform {
            Ok(answered) => {
                (Reading::up(&answered, Some(answered.answer.version.clone())), answered.answer.replication_lag_seconds)
            }
            Err(trouble) => (Reading::down("postgresql", trouble), None),
        };
        let down = clusters.values().filter(|cluster| cluster.status == Condition::Down).count();
        if down > 0 && reading.status == Condition::Up {
            reading = reading.but(Condition::Degraded, format!("{down} of {} clusters down", clusters.len()));
        }
        PostgreSqlReading { reading, replication_lag_seconds, clusters }
    }
}

/// What is asked of a server.
struct Question(Postgres);

impl Probe for Question {
    type Connection = Session;
    type Answer = Server;

    async fn open(&self) -> Result<Session, Trouble> {
        Ok(self.0.session().await?)
    }

    async fn ask(&self, session: &mut Session, _: Deadline) -> Result<Server, Trouble> {
        Ok(health::store::server(&**session).await?)
    }
}
