//! Tenants whose databases were created with an earlier schema.

use std::{collections::BTreeMap, time::Duration};

use migrate_platform::{Patience, PlatformSchema, TenantMigrations, TenantSchema};
use refinery::Migration;
use reqwest::StatusCode;
use serde_json::json;
use shared::{
    config::{Clusters, PostgresConfig},
    tenants::{TENANT_SCHEMA_VERSION, tenant_template},
};
use uuid::Uuid;

use tests::TestTenant;

use crate::stage::{UsersStage, emails};

/// The current schema and one more version, which adds a table, and a column to a table in use.
fn next_schema() -> TenantSchema {
    let sql = "CREATE TABLE notes (id uuid PRIMARY KEY); ALTER TABLE users ADD COLUMN notes_count integer";
    TenantSchema::current().followed_by(Migration::unapplied("V2__notes", sql).unwrap())
}

/// Recreates the database of a tenant, as of the current schema.
async fn recreate_database(stage: &UsersStage, tenant: &TestTenant) {
    let template = tenant_template(TENANT_SCHEMA_VERSION);
    stage.sql(&format!("CREATE DATABASE {} TEMPLATE {template} OWNER landlord_provisioner", tenant.database)).await;
    let first = "INSERT INTO users (id, email, full_name, role)
                 VALUES ($1, 'sari@kopi.example', 'Sari Wulandari', 'admin')";
    tenant.inside(&stage.world).await.execute(first, &[&tenant.admin]).await.unwrap();
}

/// Whether the database of a tenant has the table that the next schema adds.
async fn has_notes(stage: &UsersStage, tenant: &TestTenant) -> bool {
    let sql = "SELECT to_regclass('notes') IS NOT NULL";
    tenant.inside(&stage.world).await.query_one(sql, &[]).await.unwrap().get(0)
}

async fn migrate(stage: &UsersStage) -> TenantMigrations {
    migrate_within(stage, Patience::default()).await
}

async fn migrate_within(stage: &UsersStage, patience: Patience) -> TenantMigrations {
    let owner = PostgresConfig { connect_timeout: Duration::from_secs(5), ..stage.world.owner() };
    let clusters = Clusters::single(owner.url.clone());
    let platform = (PlatformSchema::current(), patience);
    migrate_platform::run_to(&owner, platform, &clusters, &next_schema(), None).await.unwrap().tenants
}

async fn versions(stage: &UsersStage) -> BTreeMap<Uuid, (i32, i64)> {
    let rows = stage.owner.query("SELECT id, schema_version, revision FROM tenants", &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect()
}

#[tokio::test]
async fn outdated_tenants_are_migrated_and_an_unreachable_one_is_reported_and_migrated_by_the_next_run() {
    let stage = UsersStage::new().await;
    let (one, lost, two) = (stage.tenant(Some(5)).await, stage.tenant(Some(5)).await, stage.tenant(Some(5)).await);
    let new = stage.tenant(None).await;
    stage.sql(&format!("UPDATE tenants SET schema_version = 2 WHERE id = '{}'", new.id)).await;
    stage.sql(&format!("UPDATE tenants SET status = 'suspended' WHERE id = '{}'", two.id)).await;
    stage.drop_database(&lost).await;

    let report = migrate(&stage).await;
    assert_eq!((report.migrated, report.unfinished), (2, false));
    let failed: Vec<_> = report.failed.iter().map(|failed| failed.tenant_id).collect();
    assert_eq!(failed, [lost.id]);
    let cause = &report.failed[0].error;
    assert!(cause.contains("does not exist"), "{cause}");
    let found = versions(&stage).await;
    let at = |tenant: &TestTenant| found[&tenant.id.0];
    assert_eq!([at(&one), at(&lost), at(&two), at(&new)], [(2, 2), (1, 1), (2, 2), (2, 1)]);
    assert!(has_notes(&stage, &one).await && has_notes(&stage, &two).await && !has_notes(&stage, &new).await);

    // Functions of the current schema work with a database of the next one.
    assert_eq!(emails(&stage.list(&one, &[("search", "WULAND")]).await), ["sari@kopi.example"]);
    let added = stage.added(&one, "budi@kopi.example", "agent").await;
    let changed = stage.change(&one, added["id"].as_str().unwrap(), &json!({"status": "deactivated"})).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);

    recreate_database(&stage, &lost).await;
    let report = migrate(&stage).await;
    assert_eq!((report.migrated, report.failed.len()), (1, 0));
    assert_eq!(stage.list(&lost, &[]).await.len(), 1);
    let report = migrate(&stage).await;
    assert_eq!((report.migrated, report.failed.len(), report.unfinished), (0, 0, false));
}

#[tokio::test]
async fn a_database_migrated_by_an_interrupted_run_only_gets_its_version_recorded() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(Some(5)).await;
    assert_eq!(migrate(&stage).await.migrated, 1);
    stage.sql("UPDATE tenants SET schema_version = 1").await;
    assert_eq!(migrate(&stage).await.migrated, 1);
    assert_eq!(stage.list(&tenant, &[]).await.len(), 1);
    let history = stage.count(&tenant, "SELECT FROM refinery_schema_history").await;
    assert_eq!(history, 2);
}

#[tokio::test]
async fn a_locked_database_is_left_for_the_next_run_and_does_not_delay_the_others() {
    let stage = UsersStage::new().await;
    let (busy, idle) = (stage.tenant(Some(5)).await, stage.tenant(Some(5)).await);
    let worker = stage.inside(&busy).await;
    worker
        .batch_execute("SET idle_in_transaction_session_timeout = 0; BEGIN; UPDATE users SET full_name = 'Sari'")
        .await
        .unwrap();
    let report = migrate(&stage).await;
    assert_eq!((report.migrated, report.failed.len()), (1, 1));
    assert_eq!(report.failed[0].tenant_id, busy.id);
    assert_eq!(stage.list(&idle, &[]).await.len(), 1);
    worker.batch_execute("COMMIT").await.unwrap();
    assert_eq!(migrate(&stage).await.migrated, 1);
    assert_eq!(stage.list(&busy, &[]).await[0]["full_name"], "Sari");
}

#[tokio::test]
async fn a_run_that_is_out_of_time_is_unfinished_and_the_next_one_continues() {
    let stage = UsersStage::new().await;
    let tenants = [stage.tenant(None).await, stage.tenant(None).await, stage.tenant(None).await];
    let out_of_time = Patience { tenants: Duration::ZERO, ..Patience::default() };
    let report = migrate_within(&stage, out_of_time).await;
    assert_eq!((report.migrated, report.failed.len(), report.unfinished), (0, 0, true));
    for tenant in &tenants {
        assert_eq!(versions(&stage).await[&tenant.id.0], (1, 1));
        assert!(!has_notes(&stage, tenant).await);
    }
    let report = migrate(&stage).await;
    assert_eq!((report.migrated, report.failed.len(), report.unfinished), (3, 0, false));
    // Nothing is left to do, so that there is time enough.
    assert!(!migrate_within(&stage, out_of_time).await.unfinished);
}
