//! The schedule removes what is old, and nothing that is young, open or needed: months of the log ([`audit`]), operations, impersonations
//! and first passwords.

mod audit;

use relay_events::handle;
use serde_json::Value;
use shared::{
    clients::postgres::{SqlState, connect_once},
    worker::invoke,
};
use tests::Api;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{scheduled, stage::RelayStage};

async fn run(stage: &RelayStage) -> Value {
    invoke(&stage.relay(), handle, scheduled()).await.unwrap()
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM ({sql}) AS rows"), &[]).await.unwrap().get(0)
}

/// A tenant with its name in the ledger in this state.
async fn tenant(owner: &Client, status: &str, state: &str) -> Uuid {
    let id = Uuid::now_v7();
    let name = format!("tenant_{}", id.simple());
    owner
        .batch_execute(&format!(
            "INSERT INTO tenants (id, name, slug, status, database_name, country, created_at, updated_at)
             VALUES ('{id}', 'Kopi', '{name}', '{status}', '{name}', 'ID', now(), now());
             UPDATE tenant_databases SET state = '{state}' WHERE name = '{name}'"
        ))
        .await
        .unwrap();
    id
}

/// An operation that began a number of days ago, and ended at once or is still open.
async fn operation(owner: &Client, tenant: Uuid, days: i32, status: &str) -> Uuid {
    let id = Uuid::now_v7();
    let (name, finished) = (tenant.simple(), if status == "running" { "NULL" } else { "at" });
    owner
        .batch_execute(&format!(
            "INSERT INTO operations (id, tenant_id, database_name, kind, status, requested_by, created_at, updated_at,
                                     finished_at, next_attempt_at)
             SELECT '{id}', '{tenant}', 'tenant_{name}', 'provision', '{status}', 'test', at, at, {finished},
                    CASE '{status}' WHEN 'running' THEN timestamptz 'infinity' END
             FROM (SELECT now() - interval '{days} days') AS past (at);
             INSERT INTO operation_steps (operation_id, position, name) VALUES ('{id}', 1, 'placement')"
        ))
        .await
        .unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_deleted_when_they_are_old_and_superseded() {
    let stage = RelayStage::new().await;
    stage.world.leaves_contradictions("rows were inserted as if operations had ended");
    let owner = stage.world.client().await;
    let failed = tenant(&owner, "failed", "dropped").await;
    let superseded = operation(&owner, failed, 92, "failed").await;
    let newest_of_failed = operation(&owner, failed, 91, "failed").await;
    let active = tenant(&owner, "active", "live").await;
    let creation = operation(&owner, active, 95, "succeeded").await;
    let young = operation(&owner, active, 89, "failed").await;
    let newest_of_active = operation(&owner, active, 88, "succeeded").await;
    let sql = format!("UPDATE tenant_databases SET operation_id = '{creation}' WHERE tenant_id = '{active}'");
    owner.batch_execute(&sql).await.unwrap();
    let waiting = tenant(&owner, "provisioning", "creating").await;
    let open = operation(&owner, waiting, 200, "running").await;
    let deleted = tenant(&owner, "deleted", "dropped").await;
    let of_deleted = operation(&owner, deleted, 91, "succeeded").await;

    let report = run(&stage).await;

    assert_eq!(report["operations_deleted"], 2, "{report}");
    let mut kept = vec![newest_of_failed, creation, young, newest_of_active, open];
    kept.sort();
    for (table, column) in [("operations", "id"), ("operation_steps", "operation_id")] {
        let rows = owner.query(&format!("SELECT {column} FROM {table} ORDER BY 1"), &[]).await.unwrap();
        let found: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(found, kept, "{table}: without {superseded} and {of_deleted}");
    }
    owner.batch_execute("UPDATE tenant_databases SET state = 'dropped'").await.unwrap();
    assert_eq!(run(&stage).await["operations_deleted"], 1, "the ledger does not need {creation} any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_looks_at_a_thousand_operations_and_the_next_one_goes_on() {
    let stage = RelayStage::new().await;
    stage.world.leaves_contradictions("rows were inserted as if operations had ended");
    let owner = stage.world.client().await;
    let tenant = tenant(&owner, "failed", "dropped").await;
    let name = tenant.simple();
    owner
        .batch_execute(&format!(
            "INSERT INTO operations (id, tenant_id, database_name, kind, status, requested_by, created_at, updated_at,
                                     finished_at, next_attempt_at)
             SELECT gen_random_uuid(), '{tenant}', 'tenant_{name}', 'retry', 'failed', 'test', at, at, at, NULL
             FROM generate_series(1, 1800) AS n, LATERAL (SELECT now() - interval '1 year' + n * interval '1 s') AS x (at);
             -- The first 700 are needed.
             INSERT INTO tenant_databases (name, tenant_id, operation_id, state)
             SELECT 'tenant_' || id, tenant_id, id, 'live' FROM operations ORDER BY finished_at LIMIT 700;
             UPDATE operations o SET database_name = d.name FROM tenant_databases d WHERE d.operation_id = o.id"
        ))
        .await
        .unwrap();
    let mut deleted = Vec::new();
    for _ in 0..3 {
        deleted.push(run(&stage).await["operations_deleted"].as_i64().unwrap());
    }
    assert_eq!(deleted, [300, 799, 0]);
    assert_eq!(number(&owner, "SELECT FROM operations").await, 701);
    // It begins anew: what is not needed any more is found.
    owner.batch_execute("UPDATE tenant_databases SET state = 'dropped'").await.unwrap();
    assert_eq!(run(&stage).await["operations_deleted"], 700);
}

#[tokio::test(flavor = "multi_thread")]
async fn impersonations_are_deleted_long_after_their_end_unless_the_tenant_has_not_recorded_it() {
    let stage = RelayStage::new().await;
    let owner = stage.world.client().await;
    let tenant = tenant(&owner, "active", "live").await;
    let impersonation = async |ended_days: i32, ends: bool| {
        let (id, user) = (Uuid::now_v7(), Uuid::now_v7());
        let (at, reason) = if ends { ("expires_at", "'ended'") } else { ("NULL", "NULL") };
        owner
            .batch_execute(&format!(
                "INSERT INTO impersonations (id, admin_id, tenant_id, user_id, user_email, access, reason, started_at,
                                             expires_at, recorded_at, ended_at, ended_by, end_reason)
                 SELECT '{id}', 'admin', '{tenant}', '{user}', 'a@b.example', 'read', 'a test', started_at, expires_at,
                        started_at, {at}, 'admin', {reason}
                 FROM (SELECT now() - interval '{ended_days} days', now() - interval '{ended_days} days' - interval '1 h')
                     AS x (expires_at, started_at)"
            ))
            .await
            .unwrap();
        id
    };
    let old = impersonation(401, true).await;
    let unsettled = impersonation(402, true).await;
    let young = impersonation(399, true).await;
    let live = impersonation(-1, false).await;
    owner
        .batch_execute(&format!(
            "INSERT INTO tenant_changes (id, tenant_id, kind, impersonation_id, due_at)
             VALUES (gen_random_uuid(), '{tenant}', 'impersonation.end', '{unsettled}', 'infinity')"
        ))
        .await
        .unwrap();
    assert_eq!(run(&stage).await["impersonations_deleted"], 1);
    let rows = owner.query("SELECT id FROM impersonations ORDER BY id", &[]).await.unwrap();
    let kept: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(kept, [unsettled, young, live], "without {old}");
    owner.batch_execute("DELETE FROM tenant_changes").await.unwrap();
    assert_eq!(run(&stage).await["impersonations_deleted"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_impersonations_are_ended_and_the_index_contains_only_live_ones() {
    let stage = RelayStage::new().await;
    let owner = stage.world.client().await;
    let tenant = tenant(&owner, "active", "live").await;
    owner
        .batch_execute(&format!(
            "INSERT INTO impersonations (id, admin_id, tenant_id, user_id, user_email, access, reason, started_at,
                                         expires_at, recorded_at)
             SELECT gen_random_uuid(), 'admin', '{tenant}', gen_random_uuid(), 'a@b.example', 'read', 'a test', at, at + interval '1 h',
                    CASE WHEN n % 3 > 0 THEN at END
             FROM generate_series(1, 1203) AS n,
                  LATERAL (SELECT now() - CASE WHEN n > 3 THEN interval '1 day' ELSE interval '0' END) AS x (at)"
        ))
        .await
        .unwrap();
    let api = Api::of(&stage.world).await;
    let shown = async || {
        let mut listed = api.get("/impersonations?limit=2000").await.json;
        for one in listed.as_array_mut().unwrap() {
            one.as_object_mut().unwrap().remove("revision");
        }
        listed
    };
    let before = shown().await;
    assert_eq!(before.as_array().unwrap().len(), 1203);
    assert_eq!(run(&stage).await["impersonations_closed"], 1000);
    assert_eq!(run(&stage).await["impersonations_closed"], 200);
    assert_eq!(run(&stage).await["impersonations_closed"], 0);
    assert_eq!(number(&owner, "SELECT FROM impersonations WHERE ended_at IS NULL").await, 3);
    assert_eq!(shown().await, before, "nothing that the API shows has changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_of_a_tenant_that_stays_failed_is_erased_and_a_retry_names_the_reason() {
    let stage = RelayStage::new().await;
    stage.world.leaves_contradictions("rows were inserted as if operations had ended");
    let owner = stage.world.client().await;
    let mut tenants = Vec::new();
    let failed = ("failed", 31, "failed");
    for (status, days, last) in
        [failed, ("failed", 29, "failed"), ("provisioning", 31, "running"), failed, ("failed", 31, "running")]
    {
        let id = tenant(&owner, status, "dropped").await;
        operation(&owner, id, days, last).await;
        let user = format!(
            "INSERT INTO pending_admins (tenant_id, user_id, email, password_hash)
             VALUES ('{id}', gen_random_uuid(), 'sari@kopi.example', '$argon2id$')"
        );
        owner.batch_execute(&user).await.unwrap();
        tenants.push(id);
    }
    let [old, young, waiting, retried, cleaned] = tenants[..] else { unreachable!() };
    let api = Api::of(&stage.world).await;
    let retry =
        async |id: Uuid| tests::api::answer(api.request(reqwest::Method::POST, &format!("/tenants/{id}/retry"))).await;
    assert_eq!(retry(retried).await.status, 202);

    assert_eq!(run(&stage).await["passwords_erased"], 1);

    let erased = owner.query("SELECT tenant_id FROM pending_admins WHERE password_hash IS NULL", &[]).await.unwrap();
    assert_eq!(
        erased.iter().map(|row| row.get::<_, Uuid>(0)).collect::<Vec<_>>(),
        [old],
        "{young} {waiting} {cleaned}"
    );
    let refused = retry(old).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert!(refused.json["type"].as_str().unwrap().ends_with("first-password-erased"), "{}", refused.text);
    assert_eq!(api.get(&format!("/tenants/{old}")).await.json["status"], "failed");
    assert_eq!(retry(young).await.status, 202);
    // The functions' login can erase a hash, and can never read one.
    let service = connect_once(&stage.world.api(), None).await.unwrap();
    let refused = service.batch_execute("SELECT password_hash FROM pending_admins").await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
}
