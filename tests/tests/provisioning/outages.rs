//! Stores that are down or hang while a worker provisions a tenant.

use std::sync::Arc;

use secrecy::ExposeSecret;
use shared::{
    config::Clusters,
    operations::{OperationStatus, StepName},
    provisioning::{OperationOutcome, Stores},
};
use tests::{
    proxy::{Mode, Proxy},
    variable,
};

use crate::stage::{ProvisioningStage, each, minute, stores};

/// A super-admin reads the error of the step to find the store that is down.
#[tokio::test(flavor = "multi_thread")]
async fn the_error_of_a_step_names_the_store_that_does_not_answer() {
    let stage = ProvisioningStage::new().await;
    each(&stage, [Mode::Cut, Mode::Hang], |mode| {
        let stage = stage.clone();
        async move {
            let proxied = ProxiedStores::new(&stage).await;
            let worker = stage.worker_on(Arc::clone(&proxied.stores));
            // A worker that has been used before has open connections.
            let earlier = stage.request().await;
            let outcome = worker.run(earlier.operation, minute()).await.unwrap();
            assert_eq!(outcome, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });

            let requested = stage.request().await;
            proxied.mongo.set(mode);
            let outcome = worker.run(requested.operation, minute()).await.unwrap();
            assert!(matches!(outcome, OperationOutcome::Retry(_)), "{mode:?} {outcome:?}");
            let error = stage.step_error(requested.operation, StepName::MongodbDatabase).await;
            assert_eq!(error, "MongoDB could not be reached, or did not answer in time", "{mode:?}");

            proxied.mongo.set(Mode::Pass);
            assert_eq!(stage.finish(requested).await, OperationStatus::Succeeded, "{mode:?}");
            stage.assert_active(requested.tenant).await;
        }
    })
    .await;
}

/// Stores behind proxies.
pub(crate) struct ProxiedStores {
    pub(crate) stores: Arc<Stores>,
    postgres: Proxy,
    mongo: Proxy,
}

impl ProxiedStores {
    pub(crate) async fn new(stage: &ProvisioningStage) -> Self {
        let config = stage.world.provisioner();
        let (postgres, postgres_url) = Proxy::before(&config.url).await;
        // The members of a replica set announce their own addresses. Without a direct connection, the driver would bypass the
        // proxy.
        let (mongo, mongo_url) = Proxy::before(&variable("MONGODB_URL").into()).await;
        let mongo_url = mongo_url.expose_secret().replace("replicaSet=rs0", "directConnection=true");
        let stores = stores(&config, Clusters::single(postgres_url), Clusters::single(mongo_url));
        Self { stores, postgres, mongo }
    }

    /// The proxy in front of the store of a step.
    pub(crate) fn before(&self, step: StepName) -> &Proxy {
        if step == StepName::MongodbDatabase { &self.mongo } else { &self.postgres }
    }
}
