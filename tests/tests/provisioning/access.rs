//! Suspension and reactivation: what a service of the platform that ignores every event can still do.

use std::time::Duration;

use mongodb::{
    Client as Mongo,
    bson::{Document, doc},
    options::{ClientOptions, Credential},
};
use secrecy::ExposeSecret;
use shared::{
    clients::{
        postgres::{SqlState, connect_once},
        service_logins::ServiceLogins,
    },
    config::{FromEnv, PostgresConfig, ServiceLoginConfig},
    operations::{OperationStatus, StepName},
    provisioning::{Moment, OperationOutcome},
    reconciliation::{FindingKind, FindingStore, Repair},
    tenants::TenantStatus,
    types::TenantId,
};
use tests::variable;
use tokio::time::Instant;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{
    reconciling::{Reconciling, kinds},
    saboteur::{Sabotage, Saboteur},
    stage::{ProvisioningStage, Requested, each, minute, start},
};

/// A service of the platform, with logins of its own.
pub(crate) struct Service<'a> {
    stage: &'a ProvisioningStage,
    database: String,
    role: String,
}

impl<'a> Service<'a> {
    pub(crate) async fn of(stage: &'a ProvisioningStage, tenant: TenantId) -> Self {
        let role = format!("service_{}", Uuid::now_v7().simple());
        let create = format!("CREATE ROLE {role} LOGIN PASSWORD 'secret' IN ROLE landlord_service");
        stage.owner.get().await.unwrap().batch_execute(&create).await.unwrap();
        Self { stage, database: stage.database(tenant).await, role }
    }

    /// A connection to the tenant's PostgreSQL database.
    async fn postgres(&self) -> shared::error::Result<Client> {
        let url = self.stage.world.provisioner().url;
        let (_, server) = url.expose_secret().rsplit_once('@').unwrap();
        let config = PostgresConfig::new(format!("postgres://{}:secret@{server}", self.role));
        connect_once(&config, Some(&self.database)).await
    }

    /// A client of the tenant's MongoDB database, with the derived password.
    pub(crate) async fn mongo(&self) -> Mongo {
        let mut options = ClientOptions::parse(variable("MONGODB_URL")).await.unwrap();
        let logins = ServiceLogins::new(&ServiceLoginConfig::from_env().unwrap());
        let password = logins.mongodb_password(&self.database).unwrap().expose_secret().to_owned();
        let credential = Credential::builder().username(self.database.clone()).password(password);
        options.credential = Some(credential.source("admin".to_owned()).build());
        options.server_selection_timeout = Some(Duration::from_secs(5));
        Mongo::with_options(options).unwrap()
    }

    /// Removes the login.
    pub(crate) async fn end(self) {
        let drop = format!("DROP ROLE {}", self.role);
        self.stage.owner.get().await.unwrap().batch_execute(&drop).await.unwrap();
    }

    /// Whether the service can read and write both databases, over connections of its own.
    pub(crate) async fn works(&self) -> bool {
        let Ok(postgres) = self.postgres().await else { return false };
        assert_eq!(postgres.query("SELECT FROM users", &[]).await.unwrap().len(), 1);
        let mongo = self.mongo().await;
        write(&mongo, &self.database).await.unwrap();
        true
    }

    /// Whether the service can read both databases. Panics if it can read one of them only.
    pub(crate) async fn may_connect(&self) -> bool {
        let postgres = self.postgres().await.is_ok();
        let mongo = self.mongo().await;
        let read = mongo.database(&self.database).collection::<Document>("contacts").find_one(doc! {}).await;
        assert_eq!(postgres, read.is_ok(), "{read:?}");
        postgres
    }

    /// Checks that the service can use neither database.
    pub(crate) async fn assert_shut_out(&self) {
        let refused = self.postgres().await.expect_err("PostgreSQL lets the service in");
        assert!(refused.chain().contains("permission denied for database"), "{}", refused.chain());
        let refused = write(&self.mongo().await, &self.database).await.expect_err("MongoDB lets the service in");
        assert!(is_unauthorized(&refused), "{refused}");
    }
}

async fn write(mongo: &Mongo, database: &str) -> mongodb::error::Result<()> {
    let contacts = mongo.database(database).collection::<Document>("contacts");
    contacts.delete_many(doc! { "name": "Sari" }).await.map(drop)
}

fn is_unauthorized(error: &mongodb::error::Error) -> bool {
    matches!(&*error.kind, mongodb::error::ErrorKind::Command(answer) if answer.code == 13)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_ignores_a_suspension_is_cut_off_and_works_again_after_the_reactivation() {
    let stage = ProvisioningStage::new().await;
    let tenant = stage.active().await.tenant;
    let service = Service::of(&stage, tenant).await;
    let database = service.database.clone();
    assert!(service.works().await);
    // What is open: two sessions of PostgreSQL, one of them in a statement, and a MongoDB connection with a cursor and a running command.
    let idle = service.postgres().await.unwrap();
    let busy = service.postgres().await.unwrap();
    let sleeping = tokio::spawn(async move { busy.query("SELECT pg_sleep(60)", &[]).await });
    let mongo = service.mongo().await;
    let mut cursor = mongo.database(&database).collection::<Document>("messages").watch().await.unwrap();
    let watching = tokio::spawn(async move { while cursor.next_if_any().await.is_ok() {} });
    let platform = stage.inside(&database).await;

    let suspended = stage.request_status(tenant, TenantStatus::Suspended).await;
    let begun = Instant::now();
    let outcome = stage.worker().run(suspended.operation, minute()).await.unwrap();
    let took = begun.elapsed();
    println!("cut off after {took:?}");
    assert_eq!(outcome, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });
    assert!(took < Duration::from_secs(1), "{took:?}");
    let ended = sleeping.await.unwrap().expect_err("the statement goes on");
    assert_eq!(ended.code(), Some(&SqlState::ADMIN_SHUTDOWN));
    assert!(idle.query("SELECT FROM users", &[]).await.is_err(), "the session goes on");
    tokio::time::timeout(Duration::from_secs(5), watching).await.expect("the cursor goes on").unwrap();
    assert!(is_unauthorized(&write(&mongo, &database).await.expect_err("MongoDB still obeys")));
    service.assert_shut_out().await;
    // The platform itself still reads it.
    assert_eq!(platform.query("SELECT FROM users", &[]).await.unwrap().len(), 1);

    let resumed = stage.request_status(tenant, TenantStatus::Active).await;
    assert_eq!(stage.finish(resumed).await, OperationStatus::Succeeded);
    assert!(service.works().await);
    write(&mongo, &database).await.unwrap();
    service.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_status_supersedes_the_operation_of_an_older_one_wherever_its_worker_is() {
    let stage = ProvisioningStage::new().await;
    let moments = [
        Moment::Leased,
        Moment::Applying(StepName::PostgresqlAccess),
        Moment::Applied(StepName::PostgresqlAccess),
        Moment::Applying(StepName::MongodbAccess),
        Moment::Applied(StepName::MongodbAccess),
        Moment::Ending,
    ];
    let cases = moments.into_iter().flat_map(|moment| [false, true].map(|resumes| (moment, resumes)));
    each(cases, |(moment, resumes)| {
        let stage = stage.clone();
        async move {
            let tenant = stage.active().await.tenant;
            let service = Service::of(&stage, tenant).await;
            let (mut older, mut newer) = (TenantStatus::Suspended, TenantStatus::Active);
            if resumes {
                let suspended = stage.request_status(tenant, TenantStatus::Suspended).await;
                assert_eq!(stage.finish(suspended).await, OperationStatus::Succeeded);
                (older, newer) = (newer, older);
            }
            let first = stage.request_status(tenant, older).await;
            let saboteur = Saboteur::new([(moment, Sabotage::Freeze)]);
            let sleeper = start(stage.watched(saboteur.clone()), first.operation);
            saboteur.frozen().await;
            let second = stage.request_status(tenant, newer).await;
            let outcome = stage.worker().run(second.operation, minute()).await.unwrap();
            assert_eq!(outcome, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });
            saboteur.thaw();
            let late = sleeper.await.unwrap().unwrap();
            assert!(matches!(late, OperationOutcome::Open { wake_in: None, .. }), "{moment:?}: {late:?}");
            assert_eq!(service.works().await, newer == TenantStatus::Active, "{moment:?}");
            if newer == TenantStatus::Suspended {
                service.assert_shut_out().await;
            }
            let ended = stage.worker().run(first.operation, minute()).await.unwrap();
            assert_eq!(ended, OperationOutcome::Finished { status: OperationStatus::Superseded, now: false });
            service.end().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_tenant_can_be_changed_while_its_operation_waits() {
    let stage = ProvisioningStage::new().await;
    let tenant = stage.active().await.tenant;
    let first = stage.request_status(tenant, TenantStatus::Suspended).await;
    // Nobody works on it. Then it changes its mind twice.
    let second = stage.request_status(tenant, TenantStatus::Active).await;
    let third = stage.request_status(tenant, TenantStatus::Suspended).await;
    assert_eq!(stage.open_operation(tenant).await, third.operation);
    for superseded in [first, second] {
        let outcome = stage.worker().run(superseded.operation, minute()).await.unwrap();
        assert_eq!(outcome, OperationOutcome::Finished { status: OperationStatus::Superseded, now: false });
    }
    assert_eq!(stage.finish(third).await, OperationStatus::Succeeded);
    let fourth = stage.request_status(tenant, TenantStatus::Active).await;
    assert_eq!(stage.finish(fourth).await, OperationStatus::Succeeded);
    let succeeded = "SELECT FROM operations WHERE status = 'succeeded' AND kind IN ('suspend', 'resume')";
    assert_eq!(stage.count(succeeded).await, 2, "what has ended is not superseded");
    assert_eq!(stage.events(tenant, "tenant.suspended").await, 2);
    assert_eq!(stage.events(tenant, "tenant.resumed").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconciliation_finds_access_that_the_status_forbids_and_repairs_it() {
    let stage = ProvisioningStage::new().await;
    let all = Reconciling::of(stage.clone()).await;
    let tenant = stage.active().await.tenant;
    let suspended = stage.request_status(tenant, TenantStatus::Suspended).await;
    assert_eq!(stage.finish(suspended).await, OperationStatus::Succeeded);
    let database = stage.database(tenant).await;
    let found = all.run(true).await;
    assert_eq!(kinds(&all.about(&found, &database).await), []);
    // By hand, somebody lets services in.
    let grant = format!("GRANT CONNECT ON DATABASE {database} TO landlord_service");
    let owner = format!("SET ROLE landlord_provisioner; {grant}; RESET ROLE");
    stage.owner.get().await.unwrap().batch_execute(&owner).await.unwrap();
    let roles = doc! { "grantRolesToUser": &database, "roles": [{ "role": "read", "db": &database }] };
    stage.mongo.database("admin").run_command(roles).await.unwrap();
    let found = all.run(true).await;
    let wrong = |store| (FindingKind::WrongAccess, store, Some(Repair::Access));
    let both = [wrong(FindingStore::Mongodb), wrong(FindingStore::Postgresql)];
    assert_eq!(kinds(&all.about(&found, &database).await), both);
    all.run(false).await;
    let repair = Requested { tenant, operation: stage.open_operation(tenant).await };
    let found = all.run(true).await;
    assert_eq!(kinds(&all.about(&found, &database).await), [], "an operation is about to change it");
    assert_eq!(stage.finish(repair).await, OperationStatus::Succeeded);
    let found = all.run(true).await;
    assert_eq!(kinds(&all.about(&found, &database).await), []);
}
