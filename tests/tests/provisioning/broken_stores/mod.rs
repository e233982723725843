//! Stores that refuse or freeze: read-only, in recovery, full, stepping down, suspended, denying. Each is a real server of the test's own.
//! The operation waits, its reason names the store, it ends by itself when the store works again, and nothing is lost.

mod mongodb_cluster;
mod object_storage;
mod platform_database;
mod postgresql_cluster;

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use secrecy::ExposeSecret;
use shared::{
    clients::postgres::connect_once,
    config::{Clusters, PostgresConfig},
    operations::{OperationStatus, StepName},
    provisioning::{OperationOutcome, Provisioner},
    tenants::TenantStatus,
};
use tests::{own_servers::bucket, until, variable};

use crate::stage::{ProvisioningStage, Requested, minute, stores_with};

/// The servers of a worker; those of the environment unless a test has its own.
pub(crate) struct Servers {
    pub(crate) postgres: Clusters,
    pub(crate) mongo: Clusters,
    pub(crate) objects: String,
}

impl Servers {
    pub(crate) fn of(stage: &ProvisioningStage) -> Self {
        Self {
            postgres: stage.world.postgres_clusters(),
            mongo: Clusters::single(variable("MONGODB_URL")),
            objects: variable("AWS_ENDPOINT_URL_S3"),
        }
    }
}

/// A worker whose stores are disturbed.
pub(crate) struct Trial {
    pub(crate) stage: ProvisioningStage,
    pub(crate) worker: Provisioner,
    servers: Servers,
}

impl Trial {
    pub(crate) async fn new(change: impl FnOnce(Servers) -> Servers) -> Self {
        let stage = ProvisioningStage::new().await;
        let servers = change(Servers::of(&stage));
        let config = stage.world.provisioner();
        let stores = stores_with(&config, servers.postgres.clone(), servers.mongo.clone(), bucket(&servers.objects));
        Self { worker: stage.worker_on(Arc::clone(&stores)), stage, servers }
    }

    /// With a server of the test's own, which the check after the test does not look at.
    pub(crate) async fn with_own(change: impl FnOnce(Servers) -> Servers) -> Self {
        let trial = Self::new(change).await;
        trial.stage.world.leaves_contradictions("some databases are on servers of the test's own");
        trial
    }

    /// Has the worker attempt a new operation, which meets a store that does not work. Returns the reason for which it waits.
    pub(crate) async fn waits_for(&self, store: &str) -> (Requested, String) {
        let requested = self.stage.request().await;
        let outcome = self.worker.run(requested.operation, minute()).await.unwrap();
        let OperationOutcome::Open { reason, wake_in: Some(wake_in) } = outcome else { panic!("{store}: {outcome:?}") };
        println!("{store}: {reason}; again in {wake_in:?}");
        assert!(reason.contains(store), "{store}: {reason}");
        let waits = format!(
            "SELECT FROM operations WHERE id = '{}' AND status = 'running' AND fault = 'unavailable' AND reason = '{}'",
            requested.operation,
            reason.replace('\'', "''")
        );
        assert_eq!(self.stage.count(&waits).await, 1, "{store}: {reason}");
        assert_eq!(self.stage.status(requested.tenant).await, TenantStatus::Provisioning);
        (requested, reason)
    }

    /// Wakes the worker, as its messages do, until the operation has ended. Nothing makes the operation due before its time.
    pub(crate) async fn ends_by_itself(&self, requested: Requested) {
        let time = until("the operation ends by itself", Duration::from_secs(90), async || {
            let outcome = self.worker.run(requested.operation, minute()).await;
            let ended = matches!(outcome, Ok(OperationOutcome::Finished { status: OperationStatus::Succeeded, .. }));
            if !ended {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            ended
        })
        .await;
        println!("{requested:?} has ended by itself after {time:?}");
        self.assert_complete(requested).await;
    }

    /// Checks that everything of the tenant exists on the servers of the worker, and that it was activated once.
    pub(crate) async fn assert_complete(&self, requested: Requested) {
        let stage = &self.stage;
        assert_eq!(stage.status(requested.tenant).await, TenantStatus::Active);
        let database = stage.database(requested.tenant).await;
        let cluster = &self.servers.postgres.0[0];
        let inside = PostgresConfig::new(cluster.url.clone());
        let inside = connect_once(&inside, Some(&database)).await.unwrap();
        let users = inside.query("SELECT email FROM users", &[]).await.unwrap();
        assert_eq!(users.iter().map(|row| row.get(0)).collect::<Vec<&str>>(), ["ada@example.com"]);
        let mongo = self.servers.mongo.0[0].url.clone();
        let mongo = mongodb::Client::with_uri_str(mongo.expose_secret()).await.unwrap();
        assert_eq!(mongo.database(&database).list_collection_names().await.unwrap().len(), 8, "{database}");
        let bucket = bucket(&self.servers.objects);
        let prefix = requested.tenant.object_prefix();
        let objects = bucket.client().await.list_objects_v2().bucket(&bucket.name).prefix(prefix).send().await.unwrap();
        assert_eq!(objects.contents().len(), 1);
        assert_eq!(stage.events(requested.tenant, "tenant.provisioned").await, 1);
        let failed = "SELECT FROM operations WHERE status = 'failed'";
        assert_eq!(stage.count(failed).await, 0, "no operation was given up");
    }

    /// Several tenants are provisioned while something happens to a store.
    pub(crate) async fn survives(&self, happens: impl Future<Output = ()>) {
        const TENANTS: usize = 6;
        let mut requested = Vec::new();
        for _ in 0..TENANTS {
            requested.push(self.stage.request().await);
        }
        let run = stream::iter(&requested).for_each_concurrent(3, async |requested| {
            let outcome = self.worker.run(requested.operation, minute()).await;
            println!("meanwhile: {outcome:?}");
        });
        tokio::join!(run, happens);
        for requested in requested {
            self.ends_by_itself(requested).await;
        }
    }

    pub(crate) async fn step_error(&self, requested: Requested, step: StepName) -> String {
        self.stage.step_error(requested.operation, step).await
    }
}
