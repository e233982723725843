//! Reconciliation: planted differences in every store are found, a dry run changes nothing, and a repair repairs.

use std::{sync::Arc, time::Duration};

use mongodb::bson::doc;
use shared::{
    clients::sqs::Sqs,
    config::{Clusters, MongoSettings, QueueConfig},
    dead_letters::DeadLetters,
    events::dispatch::Dispatcher,
    operations::{OperationStatus, StepName},
    provisioning::Moment,
    reconciliation::{self, Finding, FindingKind, FindingStore, Reconciler, ReconciliationReport, Repair},
    tenants::{TENANT_SCHEMA_VERSION, TenantStatus},
    types::{Actor, OperationId, ReconciliationId},
};
use tests::{
    api::Parts,
    queues::{self, Queue},
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    saboteur::{Sabotage, Saboteur},
    stage::{Found, ProvisioningStage, Requested, minute},
};

struct Reconciling {
    stage: ProvisioningStage,
    provision: Queue,
    reconciler: Reconciler,
}

impl Reconciling {
    async fn new() -> Self {
        let stage = ProvisioningStage::new().await;
        let provision = queues::with_dead_letters(&stage.world.database, 1).await;
        let queues = QueueConfig { provision: Some(provision.url.clone()), ..QueueConfig::default() };
        let reconciler = Reconciler {
            platform: stage.api.clone(),
            stores: Parts::of(&stage.world).observed_stores(),
            dead_letters: DeadLetters::new(Sqs::new(), queues.clone()),
            dispatcher: Arc::new(Dispatcher::new(queues)),
            newest_schema: TENANT_SCHEMA_VERSION,
        };
        Self { stage, provision, reconciler }
    }

    async fn create(&self, dry_run: bool) -> ReconciliationId {
        reconciliation::create(&self.stage.api, dry_run, Actor { id: "super-admin", ..Actor::SYSTEM }).await.unwrap()
    }

    async fn find(&self, id: ReconciliationId) -> ReconciliationReport {
        reconciliation::store::find(&self.stage.api.get().await.unwrap(), id).await.unwrap()
    }

    async fn run(&self, dry_run: bool) -> ReconciliationReport {
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
    async fn about(&self, report: &ReconciliationReport, subject: &str) -> Vec<Finding> {
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

    async fn sql(&self, sql: &str) {
        self.stage.owner.get().await.unwrap().batch_execute(sql).await.unwrap();
    }

    async fn create_mongo(&self, database: &str) {
        let rows = self.stage.mongo.database(database).collection("contacts");
        rows.insert_one(doc! { "name": "Sari" }).await.unwrap();
    }

    async fn put(&self, key: String) {
        self.stage.s3.put_object().bucket(&self.stage.bucket).key(key).send().await.unwrap();
    }
}

fn kinds(findings: &[Finding]) -> Vec<(FindingKind, FindingStore, Option<Repair>)> {
    let mut kinds: Vec<_> = findings.iter().map(|one| (one.kind, one.store, one.repair)).collect();
    kinds.sort_by_key(|(_, store, _)| store.as_str());
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_in_each_store_is_found_and_removed_and_what_the_ledger_does_not_know_stays() {
    let all = Reconciling::new().await;
    let stage = &all.stage;
    let (failed, orphan) = all.failed().await;
    let everything = Found { postgres: true, mongo: true, objects: 1 };
    all.sql(&format!("CREATE DATABASE {orphan} OWNER landlord_provisioner")).await;
    all.create_mongo(&orphan).await;
    let prefix = failed.tenant.object_prefix();
    all.put(format!("{prefix}.landlord/{}", failed.operation)).await;
    let stranger = format!("tenant_{}", Uuid::now_v7().simple());
    all.sql(&format!("CREATE DATABASE {stranger} OWNER landlord_provisioner")).await;
    all.sql(&format!("COMMENT ON DATABASE {stranger} IS 'Tenant x, created by operation y'")).await;
    all.create_mongo(&stranger).await;
    assert_eq!(stage.found(failed.tenant, &orphan).await, everything);

    let dry = all.run(true).await;

    assert_eq!(
        kinds(&all.about(&dry, &orphan).await),
        [
            (FindingKind::Orphan, FindingStore::Mongodb, Some(Repair::Remove)),
            (FindingKind::Orphan, FindingStore::Postgresql, Some(Repair::Remove)),
        ]
    );
    assert_eq!(
        kinds(&all.about(&dry, &prefix).await),
        [(FindingKind::Orphan, FindingStore::ObjectStorage, Some(Repair::Remove))]
    );
    let unknown = all.about(&dry, &stranger).await;
    assert_eq!(
        kinds(&unknown),
        [(FindingKind::Unknown, FindingStore::Mongodb, None), (FindingKind::Unknown, FindingStore::Postgresql, None)]
    );
    assert!(unknown.iter().any(|one| one.detail.as_deref() == Some("Tenant x, created by operation y")), "{unknown:?}");
    assert!(dry.findings.iter().all(|finding| finding.repaired_at.is_none() && finding.operation_id.is_none()));
    assert_eq!(stage.found(failed.tenant, &orphan).await, everything, "a dry run changes nothing");
    assert_eq!(stage.count("SELECT FROM operations WHERE kind = 'cleanup'").await, 0);

    let repaired = all.run(false).await;

    let operations: Vec<_> = [all.about(&repaired, &orphan).await, all.about(&repaired, &prefix).await].concat();
    let [cleanup, ..] = &operations[..] else { panic!("{operations:?}") };
    let cleanup = cleanup.operation_id.unwrap();
    assert!(
        operations.iter().all(|one| one.operation_id == Some(cleanup) && one.repaired_at.is_some()),
        "{operations:?}"
    );
    // The tenant can be retried meanwhile: the cleanup works on databases that it does not use.
    let retried = stage.request_retry(failed.tenant).await;
    let cleanup = Requested { tenant: failed.tenant, operation: cleanup };
    assert_eq!(stage.finish(cleanup).await, OperationStatus::Succeeded);
    assert_eq!(stage.finish(retried).await, OperationStatus::Succeeded);
    stage.assert_active(failed.tenant).await;
    stage.assert_no_database(&orphan).await;
    assert_eq!(
        stage
            .count(&format!("SELECT FROM audit WHERE action = 'tenant.cleanup' AND tenant_id = '{}'", failed.tenant))
            .await,
        1
    );
    let after = all.run(false).await;
    assert!(all.about(&after, &orphan).await.is_empty() && all.about(&after, &prefix).await.is_empty());
    let unknown = all.about(&after, &stranger).await;
    assert_eq!(unknown.len(), 2, "what the ledger does not know is never dropped");
    let first = all.about(&dry, &stranger).await[0].since;
    assert!(unknown.iter().any(|one| one.since == first), "its age is known from the first time");
    all.sql(&format!("DROP DATABASE {stranger}")).await;
    stage.mongo.database(&stranger).drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_other_than_a_marker_are_never_removed() {
    let all = Reconciling::new().await;
    let (failed, _) = all.failed().await;
    let prefix = failed.tenant.object_prefix();
    all.put(format!("{prefix}.landlord/{}", failed.operation)).await;
    all.put(format!("{prefix}avatars/sari.png")).await;

    let report = all.run(false).await;

    assert_eq!(kinds(&all.about(&report, &prefix).await), [(FindingKind::Orphan, FindingStore::ObjectStorage, None)]);
    let left = all.stage.s3.list_objects_v2().bucket(&all.stage.bucket).prefix(&prefix).send().await.unwrap();
    assert_eq!(left.contents().len(), 2);
    for object in left.contents() {
        all.stage.s3.delete_object().bucket(&all.stage.bucket).key(object.key().unwrap()).send().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_databases_and_old_schemas_are_found() {
    let all = Reconciling::new().await;
    let stage = &all.stage;
    let (lost, database) = all.active().await;
    let (old, _) = all.active().await;
    all.sql(&format!("DROP DATABASE {database} WITH (FORCE)")).await;
    stage.mongo.database(&database).drop().await.unwrap();
    let prefix = lost.tenant.object_prefix();
    let marker = format!("{prefix}.landlord/{}", lost.operation);
    stage.s3.delete_object().bucket(&stage.bucket).key(marker).send().await.unwrap();
    all.sql(&format!("UPDATE tenants SET schema_version = 0 WHERE id = '{}'", old.tenant)).await;

    let report = all.run(false).await;

    let missing = FindingKind::Missing;
    assert_eq!(
        kinds(&all.about(&report, &database).await),
        [(missing, FindingStore::Mongodb, None), (missing, FindingStore::Postgresql, None)]
    );
    assert_eq!(kinds(&all.about(&report, &prefix).await), [(missing, FindingStore::ObjectStorage, None)]);
    let outdated = all.about(&report, &old.tenant.to_string()).await;
    assert_eq!(kinds(&outdated), [(FindingKind::OldSchema, FindingStore::Platform, None)]);
    assert_eq!(stage.status(lost.tenant).await, TenantStatus::Active, "people must decide");
}

#[tokio::test(flavor = "multi_thread")]
async fn stuck_operations_and_unsettled_changes_are_found_and_woken() {
    let all = Reconciling::new().await;
    let stage = &all.stage;
    let stuck = stage.request().await;
    stage.make_overdue(stuck.operation).await;
    all.sql(&format!(
        "UPDATE operations SET next_attempt_at = now() - interval '3 minutes' WHERE id = '{}'",
        stuck.operation
    ))
    .await;
    let change = Uuid::now_v7();
    all.sql(&format!(
        "INSERT INTO tenant_changes (id, tenant_id, kind, intent_id, created_at, due_at)
         VALUES ('{change}', '{}', 'user.update', gen_random_uuid(), now() - interval '10 minutes', now() + interval '1 day')",
        stuck.tenant
    ))
    .await;

    let dry = all.run(true).await;

    let platform = FindingStore::Platform;
    let operation = stuck.operation.to_string();
    assert_eq!(
        kinds(&all.about(&dry, &operation).await),
        [(FindingKind::StuckOperation, platform, Some(Repair::Wake))]
    );
    let unsettled = all.about(&dry, &change.to_string()).await;
    assert_eq!(kinds(&unsettled), [(FindingKind::UnsettledChange, platform, Some(Repair::Settle))]);
    assert!((600..700).contains(&unsettled[0].age_seconds), "{unsettled:?}");
    let is_due = format!("SELECT FROM tenant_changes WHERE id = '{change}' AND due_at <= now()");
    assert_eq!((queues::depth(&all.provision.url).await, stage.count(&is_due).await), (0, 0));

    all.run(false).await;

    assert_eq!(stage.count(&is_due).await, 1);
    let messages = queues::drain(&all.provision.url).await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains(&operation), "{messages:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_of_ended_operations_are_removed_and_open_operations_are_woken() {
    let all = Reconciling::new().await;
    let (ended, _) = all.failed().await;
    let open = all.stage.request().await;
    let unknown = OperationId::generate();
    for operation in [ended.operation, open.operation, unknown] {
        all.provision.send_dead_letter(&format!(r#"{{"operation_id":"{operation}"}}"#)).await;
    }
    all.provision.send_dead_letter("not JSON").await;

    let dry = all.run(true).await;

    let found = format!(
        "SELECT FROM reconciliation_findings WHERE kind = 'dead_letter' AND reconciliation_id = '{}'",
        dry.reconciliation.id
    );
    let repairable = format!("{found} AND repair = 'redrive'");
    assert_eq!((all.stage.count(&found).await, all.stage.count(&repairable).await), (4, 2));
    assert_eq!(all.provision.dead_letters().await, 4, "a dry run leaves them visible");
    let letters = all.reconciler.dead_letters.list(&all.stage.api).await.unwrap();
    let mut actions: Vec<_> = letters.iter().map(|letter| (letter.action.as_str(), letter.operation_id)).collect();
    actions.sort_unstable_by_key(|(action, id)| (*action, id.is_some()));
    assert_eq!(
        actions,
        [("keep", None), ("keep", Some(unknown)), ("remove", Some(ended.operation)), ("wake", Some(open.operation))]
    );

    all.run(false).await;

    assert_eq!(all.provision.dead_letters().await, 2, "what cannot be judged stays");
    let waking = format!("SELECT FROM outbox WHERE destination = 'provision' AND message_id = '{}'", open.operation);
    assert!(all.stage.count(&waking).await > 1);
    let report = all.reconciler.dead_letters.redrive(&all.stage.api, Actor::SYSTEM, true).await.unwrap();
    assert_eq!((report.removed, report.woken, report.kept), (2, 0, 0));
    assert_eq!(all.provision.dead_letters().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_answer_is_unknown_and_has_no_findings() {
    let mut all = Reconciling::new().await;
    let (_, database) = all.active().await;
    let nowhere = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200".to_owned();
    let clusters = Clusters::single(nowhere);
    let settings = MongoSettings { ca_file: None, timeout: Duration::from_millis(500) };
    all.reconciler.stores.mongo = shared::clients::clusters::MongoClusters::connect(&clusters, &settings).unwrap();
    all.reconciler.stores.mongo_clusters = clusters;

    let report = all.run(false).await;

    let [unknown] = &report.reconciliation.unknown[..] else { panic!("{:?}", report.reconciliation.unknown) };
    assert_eq!(unknown.store, FindingStore::Mongodb);
    assert!(unknown.reason.contains("MongoDB could not be reached"), "{unknown:?}");
    assert_eq!(kinds(&all.about(&report, &database).await), []);
    assert!(report.reconciliation.finished_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_that_an_operation_works_on_are_left_alone() {
    let all = Reconciling::new().await;
    let (requested, database) = all.failed().await;
    all.sql(&format!("CREATE DATABASE {database} OWNER landlord_provisioner")).await;
    // As while a rollback is going on.
    all.sql(&format!(
        "UPDATE tenant_databases SET state = 'dropping' WHERE name = '{database}';
         UPDATE operations SET finished_at = NULL, status = 'undoing' WHERE id = '{}'",
        requested.operation
    ))
    .await;
    let report = all.run(false).await;
    assert_eq!(kinds(&all.about(&report, &database).await), []);
    // And as if it had changed after the observation.
    all.sql(&format!(
        "UPDATE operations SET finished_at = now(), status = 'failed' WHERE id = '{}';
         UPDATE tenant_databases SET updated_at = now() + interval '1 minute' WHERE name = '{database}'",
        requested.operation
    ))
    .await;
    let report = all.run(false).await;
    assert_eq!(kinds(&all.about(&report, &database).await), []);
    all.sql(&format!("DROP DATABASE {database}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_reconciliation_goes_on_in_another_process() {
    let all = Reconciling::new().await;
    let (_, orphan) = all.failed().await;
    all.sql(&format!("CREATE DATABASE {orphan} OWNER landlord_provisioner")).await;
    let id = all.create(true).await;
    let client = all.stage.api.get().await.unwrap();
    assert_eq!(reconciliation::store::find_interrupted(&client).await.unwrap(), Some(id));

    assert!(!all.reconciler.run(id, Instant::now()).await.unwrap(), "there was no time");
    assert!(all.find(id).await.reconciliation.finished_at.is_none());
    // A process that died still has the lease.
    let lease = reconciliation::store::take(&client, id, Duration::from_mins(5)).await.unwrap().unwrap();
    assert!(!all.reconciler.run(id, minute()).await.unwrap(), "another process has it");
    assert_eq!(reconciliation::store::find_interrupted(&client).await.unwrap(), None);
    all.sql("UPDATE reconciliations SET lease_expires_at = now()").await;

    assert!(all.reconciler.run(id, minute()).await.unwrap());

    assert!(!reconciliation::store::finish(&client, lease).await.unwrap(), "the first process is fenced");
    assert_eq!(all.about(&all.find(id).await, &orphan).await.len(), 1);
    assert!(!all.reconciler.run(id, minute()).await.unwrap(), "it has ended");
    all.sql(&format!("DROP DATABASE {orphan}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_rows_of_the_ledger_are_compared_in_seconds() {
    const TENANTS: i64 = 10_000;
    let all = Reconciling::new().await;
    let owner = all.stage.world.patient_client().await;
    let insert = "INSERT INTO tenants (id, name, slug, status, database_name, country, postgres_cluster, mongo_cluster,
                                       schema_version, created_at, updated_at)
                  SELECT gen_random_uuid(), 'T', 't' || n, 'active', 'tenant_' || md5($2 || n), 'ID', 'main', 'main', $3, now(), now()
                  FROM generate_series(1, $1::bigint) AS n";
    let database = &all.stage.world.database;
    owner.execute(insert, &[&TENANTS, &database.as_str(), &TENANT_SCHEMA_VERSION]).await.unwrap();
    owner.batch_execute("ANALYZE").await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    let begun = Instant::now();

    let report = all.run(true).await;

    println!("{TENANTS} rows against PostgreSQL, MongoDB and objects: {:?}", begun.elapsed());
    let missing = report.reconciliation.counts.iter().find(|count| count.kind == FindingKind::Missing).unwrap();
    assert_eq!(missing.count, 3 * TENANTS);
    assert!(report.reconciliation.compared >= 4 * TENANTS, "{report:?}");
    assert_eq!(report.findings.len(), 1000, "a report stays short");
}
