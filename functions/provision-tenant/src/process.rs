//! A process of the function: it records the clusters on which it places tenants, so that functions that may not have their logins can
//! list them.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_lambda_events::sqs::SqsBatchResponse;
use shared::{
    clusters::{self, ClusterLists},
    config::{Clusters, ConfigError},
    error::Result,
    worker::{Invocation, Worker},
};

use crate::App;

/// While a deployment shifts the traffic, processes of the old version record the old list, too. An equal list writes nothing.
const RECORDED_EVERY: Duration = Duration::from_mins(1);

pub struct Process {
    app: App,
    clusters: ClusterLists,
    recorded_at: Mutex<Option<Instant>>,
    /// How long a record counts.
    interval: Duration,
}

impl Process {
    /// Opens no connection yet.
    pub fn from_env() -> Result<Self, ConfigError> {
        let clusters = ClusterLists { postgres: Clusters::postgres_from_env()?, mongo: Clusters::mongo_from_env()? };
        Ok(Self::new(App::from_env()?, clusters))
    }

    pub fn new(app: App, clusters: ClusterLists) -> Self {
        Self { app, clusters, recorded_at: Mutex::new(None), interval: RECORDED_EVERY }
    }

    /// With another interval between two records of the clusters.
    #[must_use]
    pub fn record_every(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// A failure is only logged, because operations go on without it. The next batch tries again.
    async fn record_clusters(&self) {
        let recorded_at = *self.recorded_at.lock().unwrap_or_else(PoisonError::into_inner);
        if recorded_at.is_some_and(|at| at.elapsed() < self.interval) {
            return;
        }
        match clusters::record(&self.app.provisioner.platform, &self.clusters, true).await {
            Ok(()) => *self.recorded_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now()),
            Err(error) => tracing::warn!(error = error.chain(), "recording the clusters failed"),
        }
    }
}

impl Worker for Process {
    fn default_timeout(&self) -> Duration {
        self.app.default_timeout()
    }
}

/// As [`crate::handle`].
pub async fn handle(process: &Process, invocation: Invocation) -> Result<SqsBatchResponse> {
    process.record_clusters().await;
    crate::handle(&process.app, invocation).await
}
