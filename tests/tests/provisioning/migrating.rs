//! Tenants that are provisioned or exported while a migration runs.

use std::time::Duration;

use futures::{StreamExt, stream};
use migrate_platform::{Patience, PlatformSchema, TenantMigrations, TenantSchema};
use refinery::Migration;
use serde_json::json;
use shared::{
    config::{Clusters, PostgresConfig},
    operations::{OperationStatus, StepName},
    provisioning::{Moment, OperationOutcome},
    reconciliation::{FindingKind, FindingStore},
    tenants::{self, TENANT_SCHEMA_VERSION, TenantStatus},
};
use tests::Api;

use crate::{
    reconciling::{Reconciling, kinds},
    restoring::Exported,
    saboteur::{Sabotage, Saboteur},
    stage::{ProvisioningStage, Requested, minute, start},
};

const NEXT: i32 = TENANT_SCHEMA_VERSION + 1;

/// Migrates to the current schema and one more version, which adds a table.
async fn migrate(stage: &ProvisioningStage) -> TenantMigrations {
    let owner = PostgresConfig { connect_timeout: Duration::from_secs(5), ..stage.world.owner() };
    let clusters = Clusters::single(owner.url.clone());
    let sql = "CREATE TABLE notes (id uuid PRIMARY KEY)";
    let migration = Migration::unapplied(&format!("V{NEXT}__notes"), sql).unwrap();
    let schema = TenantSchema::current().followed_by(migration);
    let platform = (PlatformSchema::current(), Patience::default());
    migrate_platform::run_to(&owner, platform, &clusters, &schema, None).await.unwrap().tenants
}

/// The schema version that is recorded for a tenant, and whether its database has the new table.
async fn schema(stage: &ProvisioningStage, requested: Requested) -> (i32, bool) {
    let tenant = tenants::store::find(&stage.api.get().await.unwrap(), requested.tenant).await.unwrap();
    assert_eq!(tenant.status, TenantStatus::Active);
    let inside = stage.inside(&tenant.mongo_database).await;
    let has_table = "SELECT EXISTS (SELECT FROM pg_tables WHERE tablename = 'notes')";
    (tenant.schema_version, inside.query_one(has_table, &[]).await.unwrap().get(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_that_are_provisioned_during_a_migration_become_active_and_are_migrated_then_or_by_the_next_run() {
    const TENANTS: usize = 9;
    let stage = ProvisioningStage::new().await;
    let mut requested = Vec::new();
    for _ in 0..TENANTS {
        requested.push(stage.request().await);
    }
    let provisioned = stream::iter(&requested).for_each_concurrent(3, async |requested| {
        assert_eq!(stage.finish(*requested).await, OperationStatus::Succeeded);
    });
    let ((), first) = tokio::join!(provisioned, migrate(&stage));
    assert!(first.failed.is_empty(), "{:?}", first.failed);
    let second = migrate(&stage).await;
    println!("migrated {} during and {} after their provisioning", first.migrated, second.migrated);
    assert!(second.failed.is_empty() && first.migrated + second.migrated == TENANTS, "{second:?}");
    for requested in requested {
        assert_eq!(schema(&stage, requested).await, (NEXT, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_an_old_worker_activates_after_the_migration_is_found_and_migrated_by_the_next_run() {
    let all = Reconciling::of(ProvisioningStage::new().await).await;
    let stage = all.stage();
    let requested = stage.request().await;
    let saboteur = Saboteur::new([(Moment::Applying(StepName::Activation), Sabotage::Freeze)]);
    let old = start(stage.watched(saboteur.clone()), requested.operation);
    saboteur.frozen().await;
    let passed = migrate(stage).await;
    assert_eq!((passed.migrated, passed.failed.len()), (0, 0), "the tenant is not active yet");
    saboteur.thaw();
    let outcome = old.await.unwrap().unwrap();
    assert_eq!(outcome, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });
    assert_eq!(schema(stage, requested).await, (TENANT_SCHEMA_VERSION, false));

    let newest = all.with_newest_schema(NEXT);
    let report = newest.run(true).await;
    let findings = newest.about(&report, &requested.tenant.to_string()).await;
    assert_eq!(kinds(&findings), [(FindingKind::OldSchema, FindingStore::Platform, None)], "{findings:?}");

    assert_eq!(migrate(newest.stage()).await.migrated, 1);
    assert_eq!(schema(newest.stage(), requested).await, (NEXT, true));
    let inside = newest.stage().worker().run(requested.operation, minute()).await.unwrap();
    assert_eq!(inside, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: false });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_a_migration_interrupts_has_the_schema_of_its_rows_and_so_has_its_copy() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let tenant = stage.active().await.tenant;
    let requested = stage.request_export(tenant).await;
    let saboteur = Saboteur::new([(Moment::Applying(StepName::ExportManifest), Sabotage::Freeze)]);
    let worker = start(stage.watched(saboteur.clone()), requested.operation);
    saboteur.frozen().await;
    assert_eq!(migrate(&stage).await.migrated, 1);
    saboteur.thaw();
    let outcome = worker.await.unwrap().unwrap();
    assert_eq!(outcome, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });

    let exports = api.get(&format!("/tenants/{tenant}/exports")).await.json;
    assert_eq!(exports[0]["summary"]["schema_version"], TENANT_SCHEMA_VERSION);
    let export = exports[0]["id"].as_str().unwrap().parse().unwrap();
    let copy = Exported { tenant, database: stage.database(tenant).await, export }.request(&api).await;
    assert_eq!(stage.finish(copy).await, OperationStatus::Succeeded);
    let shown = api.get(&format!("/tenants/{}", copy.tenant)).await.json;
    assert_eq!((&shown["status"], &shown["schema_version"]), (&json!("suspended"), &json!(TENANT_SCHEMA_VERSION)));
    assert_eq!(migrate(&stage).await.migrated, 1);
    let shown = api.get(&format!("/tenants/{}", copy.tenant)).await.json;
    assert_eq!(shown["schema_version"], NEXT, "the copy can be promoted");
}
