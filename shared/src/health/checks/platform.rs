//! What the platform database knows and no probe can see.

use std::collections::HashMap;

use crate::health::checks::probe::{Asker, Deadline, Probe, Trouble};
use crate::{
    clients::postgres::{Postgres, Session},
    config::{ConfigError, PostgresConfig},
    health::{self, TenantCounts},
    types::Channel,
};

/// What it knows.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) tenants: TenantCounts,
    /// Active tenants that have a connected channel.
    pub(super) by_channel: HashMap<Channel, i64>,
    pub(super) oldest_waiting_seconds: f64,
}

/// The platform database. What is asked here is asked apart from whether the server is well: a table that is locked says
/// nothing of that.
pub(super) struct Platform(Asker<Question>);

impl Platform {
    /// Connects to nothing yet.
    pub(super) fn new(config: &PostgresConfig) -> Result<Self, ConfigError> {
        Ok(Self(Asker::new(Question(Postgres::connect(config)?))))
    }

    /// `None` when it does not say.
    pub(super) async fn read(&self, deadline: Deadline) -> Option<Facts> {
        match self.0.ask(deadline).await {
            Ok(answered) => Some(answered.answer),
            Err(trouble) => {
                trouble.log("platform database");
                None
            }
        }
    }
}

struct Question(Postgres);

impl Probe for Question {
    type Connection = Session;
    type Answer = Facts;

    async fn open(&self) -> Result<Session, Trouble> {
        Ok(self.0.session().await?)
    }

    async fn ask(&self, session: &mut Session, _: Deadline) -> Result<Facts, Trouble> {
        let client = &**session;
        let (tenants, by_channel, oldest_waiting_seconds) = tokio::try_join!(
            health::store::count_tenants(client),
            health::store::count_by_channel(client),
            health::store::oldest_waiting_seconds(client)
        )?;
        Ok(Facts { tenants, by_channel, oldest_waiting_seconds })
    }
}
