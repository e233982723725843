//! Reconciliation: the fixture, and tests of what is found ([`differences`], [`exports`]), of what waits or was interrupted
//! ([`waiting`]), and of processes that come too late ([`fencing`]).

mod differences;
mod exports;
mod fencing;
mod waiting;

use std::sync::Arc;

use mongodb::bson::doc;
use shared::{
    clients::{postgres::Postgres, sqs::Sqs},
    config::QueueConfig,
    dead_letters::DeadLetters,
    events::dispatch::Dispatcher,
    operations::{OperationStatus, StepName},
    provisioning::Moment,
    reconciliation::{self, Finding, FindingKind, FindingStore, Reconciler, ReconciliationReport, Repair},
    tenants::TENANT_SCHEMA_VERSION,
    types::{Actor, ReconciliationId},
};
use tests::{
    api::Parts,
    queues::{self, Queue},
};

use crate::{
    saboteur::{Sabotage, Saboteur},
    stage::{ProvisioningStage, Requested, minute},
};

pub(crate) struct Reconciling {
    stage: ProvisioningStage,
    provision: Queue,
    reconciler: Reconciler,
}

impl Reconciling {
    async fn new() -> Self {
        Self::of(ProvisioningStage::new().await).await
    }

    pub(crate) async fn of(stage: ProvisioningStage) -> Self {
        let provision = queues::with_dead_letters(&stage.world.database, 1).await;
        let reconciler = reconciler(&stage, &provision, stage.api.clone());
        Self { stage, provision, reconciler }
    }

    /// A reconciler with a pool of its own.
    fn reconciler_of(&self, platform: Postgres) -> Reconciler {
        reconciler(&self.stage, &self.provision, platform)
    }

    pub(crate) fn stage(&self) -> &ProvisioningStage {
        &self.stage
    }

    /// A reconciler of a version whose newest schema is another one.
    pub(crate) fn with_newest_schema(self, newest_schema: i32) -> Self {
        Self { reconciler: Reconciler { newest_schema, ..self.reconciler }, ..self }
    }

    async fn create(&self, dry_run: bool) -> ReconciliationId {
        reconciliation::create(&self.stage.api, dry_run, Actor { id: "super-admin", ..Actor::SYSTEM }).await.unwrap()
    }

    async fn find(&self, id: ReconciliationId) -> ReconciliationReport {
        reconciliation::store::find(&self.stage.api.get().await.unwrap(), id, None).await.unwrap()
    }

    pub(crate) async fn run(&self, dry_run: bool) -> ReconciliationReport {
        let id = self.create(dry_run).await;
        assert!(self.reconciler.run(id, minute()).await.unwrap());
        self.find(id).await
    }

    /// A tenant that is active.
    async fn active(&self) -> (Requested, String) {
        let requested = self.stage.request().await;
        assert_eq!(self.stage.finish(requested).await, OperationStatus::Succeeded);
        (requested, self.stage.database(requested.tenant).await)
    }

    /// A tenant whose provisioning was rolled back.
    async fn failed(&self) -> (Requested, String) {
        let requested = self.stage.request().await;
        let database = self.stage.database(requested.tenant).await;
        let saboteur = Saboteur::new([(Moment::Applying(StepName::Activation), Sabotage::Permanent)]);
        let worker = self.stage.watched(saboteur);
        assert_eq!(self.stage.finish_with(&worker, requested).await, OperationStatus::Failed);
        (requested, database)
    }

    /// The findings about a subject. A report contains only some, and other tests leave many things in the stores.
    pub(crate) async fn about(&self, report: &ReconciliationReport, subject: &str) -> Vec<Finding> {
        let sql = "SELECT kind, store, cluster, subject, detail, since, repair, repaired_at, operation_id,
                          greatest(extract(epoch FROM now() - since), 0)::bigint
                   FROM reconciliation_findings WHERE reconciliation_id = $1 AND subject = $2";
        let client = self.stage.owner.get().await.unwrap();
        let rows = client.query(sql, &[&report.reconciliation.id.0, &subject]).await.unwrap();
        let read = |row: &tokio_postgres::Row| Finding {
            kind: row.get(0),
            store: row.get(1),
            cluster: row.get(2),
            subject: row.get(3),
            tenant_id: None,
            detail: row.get(4),
            since: row.get(5),
            repair: row.get(6),
            repaired_at: row.get(7),
            operation_id: row.get(8),
            age_seconds: row.get(9),
        };
        rows.iter().map(read).collect()
    }

    pub(crate) async fn sql(&self, sql: &str) {
        self.stage.owner.get().await.unwrap().batch_execute(sql).await.unwrap();
    }

    pub(crate) async fn create_mongo(&self, database: &str) {
        let rows = self.stage.mongo.database(database).collection("contacts");
        rows.insert_one(doc! { "name": "Sari" }).await.unwrap();
    }

    pub(crate) async fn put(&self, key: String) {
        self.stage.s3.put_object().bucket(&self.stage.bucket).key(key).send().await.unwrap();
    }
}

fn reconciler(stage: &ProvisioningStage, provision: &Queue, platform: Postgres) -> Reconciler {
    let queues = QueueConfig { provision: Some(provision.url.clone()), ..QueueConfig::default() };
    Reconciler {
        platform,
        stores: Parts::of(&stage.world).observed_stores(),
        dead_letters: DeadLetters::new(Sqs::new(), queues.clone()),
        dispatcher: Arc::new(Dispatcher::new(queues)),
        newest_schema: TENANT_SCHEMA_VERSION,
    }
}

pub(crate) fn kinds(findings: &[Finding]) -> Vec<(FindingKind, FindingStore, Option<Repair>)> {
    let mut kinds: Vec<_> = findings.iter().map(|one| (one.kind, one.store, one.repair)).collect();
    kinds.sort_by_key(|(_, store, _)| store.as_str());
    kinds
}
