//! A server that goes on with a request whose connection is gone, while the same worker goes on, too.

use std::sync::Arc;

use shared::{
    operations::{OperationStatus, StepName},
    provisioning::{Moment, OperationOutcome, Provisioner},
    tenants::{TENANT_SCHEMA_VERSION, tenant_template},
};
use tokio_postgres::{Client, error::SqlState};

use crate::{
    outages::ProxiedStores,
    saboteur::{Sabotage, Saboteur},
    stage::{ProvisioningStage, minute},
};

/// Greater than every other version in these tests.
const OWN_VERSION: i32 = 2_000_000;

/// A template of this test alone. While a transaction comments on it, no database can be cloned from it: the server waits.
struct OwnTemplate {
    owner: Client,
    name: String,
}

impl OwnTemplate {
    async fn create(stage: &ProvisioningStage) -> Self {
        let owner = stage.world.patient_client().await;
        let (name, original) = (tenant_template(OWN_VERSION), tenant_template(TENANT_SCHEMA_VERSION));
        let create = format!("CREATE DATABASE {name} TEMPLATE {original} IS_TEMPLATE true ALLOW_CONNECTIONS false");
        match owner.batch_execute(&create).await {
            // A run of this test that was interrupted has left it.
            Err(error) if error.code() == Some(&SqlState::DUPLICATE_DATABASE) => {}
            created => created.unwrap(),
        }
        Self { owner, name }
    }

    async fn lock(&self) {
        self.owner.batch_execute(&format!("BEGIN; COMMENT ON DATABASE {} IS 'locked'", self.name)).await.unwrap();
    }

    async fn unlock(&self) {
        self.owner.batch_execute("ROLLBACK").await.unwrap();
    }

    async fn drop(self) {
        let name = self.name;
        self.owner.batch_execute(&format!("ALTER DATABASE {name} IS_TEMPLATE false")).await.unwrap();
        self.owner.batch_execute(&format!("DROP DATABASE {name}")).await.unwrap();
    }
}

/// The connection is reset during `CREATE DATABASE`, which waits on the server. The same worker rolls
/// the operation back. Then the server goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_creation_was_lost_is_not_created_after_the_rollback() {
    let stage = ProvisioningStage::new().await;
    let template = OwnTemplate::create(&stage).await;
    let proxied = ProxiedStores::new(&stage).await;
    let requested = stage.request().await;
    let database = stage.database(requested.tenant).await;
    let proxy = proxied.before(StepName::PostgresqlDatabase);
    // Another branch fails for good, so that this worker itself rolls the operation back.
    let saboteur = Saboteur::new([(Moment::Applying(StepName::ObjectPrefix), Sabotage::Permanent)]);
    let worker = Provisioner {
        tenant_schema_version: OWN_VERSION,
        observer: Some(saboteur),
        ..stage.worker_on(Arc::clone(&proxied.stores))
    };

    template.lock().await;
    proxy.reset_at("CREATE DATABASE");
    let outcome = worker.run(requested.operation, minute()).await.unwrap();
    let ended = OperationOutcome::Finished { status: OperationStatus::Failed, now: true };
    template.unlock().await;
    // The server grants locks in the order of their requests, so this waits until it has created the database, if it still does.
    template.lock().await;
    template.unlock().await;

    assert_eq!(outcome, ended);
    stage.assert_failed(requested.tenant, &database).await;
    template.drop().await;
}

/// The same in an operation that has time: the next attempt finds what the lost request did, or ends it.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_lost_answer_the_same_worker_makes_the_tenant_active() {
    let stage = ProvisioningStage::new().await;
    for (step, text) in [
        (StepName::PostgresqlDatabase, "CREATE DATABASE"),
        (StepName::PostgresqlDatabase, "REVOKE ALL ON DATABASE"),
        (StepName::AdminUser, "ada@example.com"),
        (StepName::MongodbDatabase, "startTransaction"),
        (StepName::MongodbDatabase, "commitTransaction"),
    ] {
        let proxied = ProxiedStores::new(&stage).await;
        let worker = stage.worker_on(Arc::clone(&proxied.stores));
        let requested = stage.request().await;
        proxied.before(step).reset_at(text);
        let first = worker.run(requested.operation, minute()).await.unwrap();
        println!("{text}: {first:?}");
        assert_eq!(stage.finish_with(&worker, requested).await, OperationStatus::Succeeded, "{text}");
        stage.assert_active(requested.tenant).await;
    }
}
