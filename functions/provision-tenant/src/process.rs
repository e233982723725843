//! A process of the function: before its first batch it records the clusters on which it places tenants, so that functions that may not
//! have their logins can list them.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use aws_lambda_events::sqs::SqsBatchResponse;
use shared::{
    clusters::{self, ClusterLists},
    config::{Clusters, ConfigError},
    error::Result,
    worker::{Invocation, Worker},
};

use crate::App;

pub struct Process {
    app: App,
    clusters: ClusterLists,
    has_recorded: AtomicBool,
}

impl Process {
    /// Opens no connection yet.
    pub fn from_env() -> Result<Self, ConfigError> {
        let clusters = ClusterLists { postgres: Clusters::postgres_from_env()?, mongo: Clusters::mongo_from_env()? };
        Ok(Self::new(App::from_env()?, clusters))
    }

    pub fn new(app: App, clusters: ClusterLists) -> Self {
        Self { app, clusters, has_recorded: AtomicBool::new(false) }
    }

    /// A failure is only logged, because operations go on without it. The next batch tries again.
    async fn record_clusters(&self) {
        if self.has_recorded.load(Ordering::Relaxed) {
            return;
        }
        match clusters::record(&self.app.provisioner.platform, &self.clusters, true).await {
            Ok(()) => self.has_recorded.store(true, Ordering::Relaxed),
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
