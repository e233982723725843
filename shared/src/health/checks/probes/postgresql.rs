//! Probes PostgreSQL: the platform database, and the tenants' clusters.

use std::collections::BTreeMap;

use futures::future::join_all;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    clients::postgres::{Postgres, Session},
    config::{Clusters, ConfigError, PostgresConfig},
    health::{
        ComponentStatus,
        checks::{
            deadline::ProbeDeadline,
            error::ProbeError,
            probe::{Check, Probe},
            readings::{PostgreSqlReading, StoreReading},
        },
        store::{self, PostgresServerInfo},
    },
};

pub(super) struct PostgreSqlProbe {
    platform: Probe<PostgreSqlCheck>,
    clusters: Vec<(String, Probe<PostgreSqlCheck>)>,
}

impl PostgreSqlProbe {
    /// Opens no connection. A single cluster on the platform database's own server is not probed separately.
    pub(super) fn new(platform: &PostgresConfig, clusters: &Clusters) -> Result<Self, ConfigError> {
        let own = |url: &SecretString| url.expose_secret() == platform.url.expose_secret();
        let others = if clusters.0.len() == 1 && own(&clusters.0[0].url) { &[] } else { clusters.0.as_slice() };
        let clusters = others.iter().map(|cluster| {
            let check = PostgreSqlCheck(Postgres::connect(&platform.of_cluster(cluster))?);
            Ok((cluster.name.clone(), Probe::new(check)))
        });
        Ok(Self {
            clusters: clusters.collect::<Result<_, ConfigError>>()?,
            platform: Probe::new(PostgreSqlCheck(Postgres::connect(platform)?)),
        })
    }

    pub(super) async fn read(&self, deadline: ProbeDeadline) -> PostgreSqlReading {
        let clusters = self.clusters.iter().map(async |(name, cluster)| {
            let reading = match cluster.run(deadline).await {
                Ok(response) => StoreReading::up(&response, Some(response.value.version.clone())),
                Err(error) => StoreReading::down(&format!("postgresql cluster {name}"), error),
            };
            (name.clone(), reading)
        });
        let (platform, clusters) = tokio::join!(self.platform.run(deadline), join_all(clusters));
        let clusters: BTreeMap<_, _> = clusters.into_iter().collect();
        let (mut reading, replication_lag_seconds) = match platform {
            Ok(response) => {
                let reading = StoreReading::up(&response, Some(response.value.version.clone()));
                (reading, response.value.replication_lag_seconds)
            }
            Err(error) => (StoreReading::down("postgresql", error), None),
        };
        let down = clusters.values().filter(|cluster| cluster.status == ComponentStatus::Down).count();
        if down > 0 && reading.status == ComponentStatus::Up {
            let error = format!("{down} of {} clusters down", clusters.len());
            reading = reading.with_problem(ComponentStatus::Degraded, error);
        }
        PostgreSqlReading { reading, replication_lag_seconds, clusters }
    }
}

struct PostgreSqlCheck(Postgres);

impl Check for PostgreSqlCheck {
    type Connection = Session;
    type Response = PostgresServerInfo;

    async fn open(&self) -> Result<Session, ProbeError> {
        Ok(self.0.session().await?)
    }

    async fn query(&self, session: &mut Session, _: ProbeDeadline) -> Result<PostgresServerInfo, ProbeError> {
        Ok(store::find_server(&**session).await?)
    }
}
