//! Tenants whose databases were made with an earlier schema.

use std::collections::BTreeMap;

use refinery::Target;
use reqwest::StatusCode;
use serde_json::json;
use shared::{
    config::{Clusters, PostgresConfig},
    types::TenantId,
};
use uuid::Uuid;

use tests::Tenant;

use crate::stage::{Stage, emails};

mod embedded {
    refinery::embed_migrations!("../infra/migrations/tenant/postgresql");
}

/// A tenant as it was made when the first version of the schema was the newest.
async fn old_tenant(stage: &Stage) -> Tenant {
    let tenant = Tenant::of(TenantId::generate());
    tenant.register(&stage.owner, 1, Some(5)).await;
    make_database(stage, &tenant).await;
    tenant
}

async fn make_database(stage: &Stage, tenant: &Tenant) {
    stage.sql(&format!("CREATE DATABASE {} TEMPLATE template0 OWNER landlord_provisioner", tenant.database)).await;
    let mut inside = tenant.inside(&stage.world).await;
    inside.batch_execute("SET ROLE landlord_provisioner").await.unwrap();
    embedded::migrations::runner().set_target(Target::Version(1)).run_async(&mut inside).await.unwrap();
    let first = "INSERT INTO users (id, email, full_name, role)
                 VALUES ($1, 'sari@kopi.example', 'Sari Wulandari', 'admin')";
    inside.execute(first, &[&tenant.admin]).await.unwrap();
}

async fn migrate(stage: &Stage) -> migrate_platform::TenantMigrations {
    let owner = PostgresConfig { connect_timeout: std::time::Duration::from_secs(5), ..stage.world.owner() };
    migrate_platform::run(&owner, &Clusters::single(owner.url.clone()), None).await.unwrap().tenants
}

async fn versions(stage: &Stage) -> BTreeMap<Uuid, (i32, i64)> {
    let rows = stage.owner.query("SELECT id, schema_version, revision FROM tenants", &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect()
}

#[tokio::test]
async fn tenants_are_brought_to_the_newest_schema_and_one_that_cannot_be_reached_is_named_and_done_by_the_next_run() {
    let stage = Stage::new().await;
    let (one, lost, two) = (old_tenant(&stage).await, old_tenant(&stage).await, old_tenant(&stage).await);
    let new = stage.tenant(None).await;
    stage.sql(&format!("UPDATE tenants SET status = 'suspended' WHERE id = '{}'", two.id)).await;
    stage.drop_database(&lost).await;
    let behind = stage.ask(&one, &[]).await;
    assert_eq!(behind.status, StatusCode::CONFLICT, "{}", behind.text);

    let done = migrate(&stage).await;
    assert_eq!((done.migrated, done.unfinished), (2, false));
    let failed: Vec<_> = done.failed.iter().map(|failed| failed.tenant_id).collect();
    assert_eq!(failed, [lost.id]);
    let why = &done.failed[0].error;
    assert!(why.contains("does not exist") && !why.contains("our side"), "{why}");
    let found = versions(&stage).await;
    let at = |tenant: &Tenant| found[&tenant.id.0];
    assert_eq!([at(&one), at(&lost), at(&two), at(&new)], [(2, 2), (1, 1), (2, 2), (2, 1)]);

    // What was there is there, and is found by what is new.
    assert_eq!(emails(&stage.list(&one, &[("search", "WULAND")]).await), ["sari@kopi.example"]);
    let added = stage.added(&one, "budi@kopi.example", "agent").await;
    let changed = stage.change(&one, added["id"].as_str().unwrap(), &json!({"status": "deactivated"})).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let refused = stage.ask(&lost, &[]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);

    make_database(&stage, &lost).await;
    let done = migrate(&stage).await;
    assert_eq!((done.migrated, done.failed.len()), (1, 0));
    assert_eq!(stage.list(&lost, &[]).await.len(), 1);
    let done = migrate(&stage).await;
    assert_eq!((done.migrated, done.failed.len(), done.unfinished), (0, 0, false));
}

#[tokio::test]
async fn a_database_that_was_migrated_when_the_run_was_cut_off_is_only_noted() {
    let stage = Stage::new().await;
    let tenant = old_tenant(&stage).await;
    assert_eq!(migrate(&stage).await.migrated, 1);
    stage.sql("UPDATE tenants SET schema_version = 1").await;
    assert_eq!(migrate(&stage).await.migrated, 1);
    assert_eq!(stage.list(&tenant, &[]).await.len(), 1);
    let history = stage.count(&tenant, "SELECT FROM refinery_schema_history").await;
    assert_eq!(history, 2);
}

#[tokio::test]
async fn a_database_in_which_someone_works_is_left_for_the_next_run_and_keeps_nobody_waiting() {
    let stage = Stage::new().await;
    let (busy, idle) = (old_tenant(&stage).await, old_tenant(&stage).await);
    let worker = stage.inside(&busy).await;
    worker
        .batch_execute("SET idle_in_transaction_session_timeout = 0; BEGIN; UPDATE users SET full_name = 'Sari'")
        .await
        .unwrap();
    let done = migrate(&stage).await;
    assert_eq!((done.migrated, done.failed.len()), (1, 1));
    assert_eq!(done.failed[0].tenant_id, busy.id);
    assert_eq!(stage.list(&idle, &[]).await.len(), 1);
    worker.batch_execute("COMMIT").await.unwrap();
    assert_eq!(migrate(&stage).await.migrated, 1);
    assert_eq!(stage.list(&busy, &[]).await[0]["full_name"], "Sari");
}
