//! Facts of a report that are in the platform database.

use std::collections::HashMap;

use crate::{
    clients::postgres::{Postgres, Session},
    config::{ConfigError, PostgresConfig},
    health::{
        TenantCounts,
        checks::{
            deadline::ProbeDeadline,
            error::ProbeError,
            probe::{Check, Probe},
        },
        store,
    },
    types::Channel,
};

#[derive(Debug, Clone)]
pub(super) struct PlatformFacts {
    pub(super) tenants: TenantCounts,
    /// Active tenants that have a connected channel.
    pub(super) by_channel: HashMap<Channel, i64>,
    pub(super) oldest_waiting_seconds: f64,
}

/// Queries the platform database. Separate from the probe of its server, because a locked table does not mean that the server
/// is down.
pub(super) struct PlatformProbe(Probe<PlatformCheck>);

impl PlatformProbe {
    /// Opens no connection.
    pub(super) fn new(config: &PostgresConfig) -> Result<Self, ConfigError> {
        Ok(Self(Probe::new(PlatformCheck(Postgres::connect(config)?))))
    }

    /// `None` when the database does not respond.
    pub(super) async fn read(&self, deadline: ProbeDeadline) -> Option<PlatformFacts> {
        match self.0.run(deadline).await {
            Ok(response) => Some(response.value),
            Err(error) => {
                error.log("platform database");
                None
            }
        }
    }
}

struct PlatformCheck(Postgres);

impl Check for PlatformCheck {
    type Connection = Session;
    type Response = PlatformFacts;

    async fn open(&self) -> Result<Session, ProbeError> {
        Ok(self.0.session().await?)
    }

    async fn query(&self, session: &mut Session, _: ProbeDeadline) -> Result<PlatformFacts, ProbeError> {
        let client = &**session;
        let (tenants, by_channel, oldest_waiting_seconds) = tokio::try_join!(
            store::count_tenants(client),
            store::count_by_channel(client),
            store::oldest_waiting_seconds(client)
        )?;
        Ok(PlatformFacts { tenants, by_channel, oldest_waiting_seconds })
    }
}
