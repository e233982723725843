//! What waits for too long is found and woken; a reconciliation that was interrupted goes on.

use std::time::Duration;

use shared::{
    clients::clusters::MongoClusters,
    config::{Clusters, MongoSettings},
    reconciliation::{self, FindingKind, FindingStore, Repair},
    tenants::TENANT_SCHEMA_VERSION,
    types::{Actor, OperationId, TenantId},
};
use tests::{TestTenant, queues};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Reconciling, kinds};
use crate::stage::minute;

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
    all.reconciler.stores.mongo = MongoClusters::connect(&clusters, &settings).unwrap();
    all.reconciler.stores.mongo_clusters = clusters;

    let report = all.run(false).await;

    let [unknown] = &report.reconciliation.unknown[..] else { panic!("{:?}", report.reconciliation.unknown) };
    assert_eq!(unknown.store, FindingStore::Mongodb);
    assert!(unknown.reason.contains("MongoDB could not be reached"), "{unknown:?}");
    assert_eq!(kinds(&all.about(&report, &database).await), []);
    assert!(report.reconciliation.finished_at.is_some());
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
async fn a_live_impersonation_without_an_entry_is_found_and_counters_of_unknown_tenants_are_one_finding() {
    let all = Reconciling::new().await;
    let (tenant, sid) = (TestTenant::of(TenantId::generate()), Uuid::now_v7());
    tenant.register(&all.stage.world.client().await, TENANT_SCHEMA_VERSION, None).await;
    all.sql(&format!(
        "INSERT INTO impersonations (id, admin_id, tenant_id, user_id, user_email, access, reason, started_at,
                                     expires_at, recorded_at)
         VALUES ('{sid}', 'x', '{}', gen_random_uuid(), 'sari@kopi.example', 'read', 'Looks into it', now(), now() + interval '1 h', now())",
        tenant.id
    ))
    .await;
    let mut redis = tests::redis_client().get_multiplexed_async_connection().await.unwrap();
    let counters = [(); 2].map(|()| format!("usage:{}:202601:messages", TenantId::generate()));
    for key in &counters {
        let () = redis::cmd("SET").arg(key).arg(1).arg("EX").arg(60).query_async(&mut redis).await.unwrap();
    }

    let report = all.run(true).await;

    let unlisted = all.about(&report, &sid.to_string()).await;
    assert_eq!(kinds(&unlisted), [(FindingKind::UnlistedImpersonation, FindingStore::Redis, Some(Repair::Relist))]);
    let unknown = all.about(&report, "usage:*").await;
    assert_eq!(kinds(&unknown), [(FindingKind::Unknown, FindingStore::Redis, None)]);
    let detail = unknown[0].detail.as_deref().unwrap();
    let count: usize = detail.split(' ').next().unwrap().parse().unwrap();
    assert!(count >= counters.len() && detail.contains("for example usage:"), "{detail}");
}
