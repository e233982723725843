//! The schedule removes what is old, and nothing that is young, open or needed.

use relay_events::handle;
use serde_json::Value;
use shared::{
    audit::{AuditFilter, store},
    clients::postgres::{SqlState, connect_once},
    types::{Cursor, PageLimit, PageRequest, TimeOrder},
    worker::invoke,
};
use tests::{Api, plans::plans};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{scheduled, stage::RelayStage};

/// A table for each of the last `months` months, instead of the one for all, with one entry at the end of each.
async fn fill_months(owner: &Client, months: i32) {
    owner
        .batch_execute(&format!(
            "SET timezone = 'UTC';
             DROP TABLE audit_past;
             DO $$
             DECLARE
                 month timestamptz;
             BEGIN
                 FOR ago IN 1..{months} LOOP
                     month := date_trunc('month', now()) - make_interval(months => ago);
                     EXECUTE format('CREATE TABLE %I PARTITION OF audit FOR VALUES FROM (%L) TO (%L)',
                                    'audit_' || to_char(month, 'YYYY_MM'), month, month + interval '1 month');
                     INSERT INTO audit (id, at, actor, action)
                     VALUES (gen_random_uuid(), month + interval '1 month' - interval '1 s', 'system', 'tenant.update');
                 END LOOP;
             END
             $$;
             INSERT INTO audit (id, actor, action) VALUES (gen_random_uuid(), 'system', 'tenant.update')"
        ))
        .await
        .unwrap();
}

async fn run(stage: &RelayStage) -> Value {
    invoke(&stage.relay(), handle, scheduled()).await.unwrap()
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM ({sql}) AS rows"), &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn months_of_the_log_are_dropped_when_their_last_entry_is_old_and_created_before_they_begin() {
    let stage = RelayStage::new().await;
    let owner = stage.world.client().await;
    fill_months(&owner, 18).await;
    let future = "SELECT FROM pg_inherits WHERE inhparent = 'audit'::regclass
                  AND inhrelid::regclass::text > 'audit_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')";
    for row in owner.query(&future.replace("SELECT", "SELECT inhrelid::regclass::text"), &[]).await.unwrap() {
        owner.batch_execute(&format!("DROP TABLE {}", row.get::<_, &str>(0))).await.unwrap();
    }

    let report = run(&stage).await;

    assert_eq!(report["audit_months_created"], 3, "{report}");
    assert_eq!(number(&owner, future).await, 3);
    let dropped = report["audit_months_dropped"].as_i64().unwrap();
    // 400 days are more than 13 months, so of 18 months four or five have no younger entry.
    assert!((4..=5).contains(&dropped), "{report}");
    assert_eq!(number(&owner, "SELECT FROM audit").await, 19 - dropped);
    assert_eq!(number(&owner, "SELECT FROM audit WHERE at < now() - interval '431 days'").await, 0);
    let api = Api::of(&stage.world).await;
    let listed = api.get("/audit?limit=100").await;
    assert_eq!(listed.json.as_array().unwrap().len(), usize::try_from(19 - dropped).unwrap());
    let times: Vec<&str> = listed.json.as_array().unwrap().iter().map(|entry| entry["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|newer, older| newer > older), "{times:?}");

    let report = run(&stage).await;
    assert_eq!((&report["audit_months_created"], &report["audit_months_dropped"]), (&0.into(), &0.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_stays_while_the_intent_of_an_open_change_is_in_it() {
    let stage = RelayStage::new().await;
    let owner = stage.world.client().await;
    fill_months(&owner, 18).await;
    owner
        .batch_execute(
            "INSERT INTO tenant_changes (id, tenant_id, kind, intent_id, due_at)
             SELECT gen_random_uuid(), gen_random_uuid(), 'user.update', id, 'infinity' FROM audit ORDER BY at LIMIT 1",
        )
        .await
        .unwrap();
    let oldest = "SELECT min(at)::text FROM audit";
    let before: String = owner.query_one(oldest, &[]).await.unwrap().get(0);
    assert!(run(&stage).await["audit_months_dropped"].as_i64().unwrap() >= 3);
    assert_eq!(owner.query_one(oldest, &[]).await.unwrap().get::<_, String>(0), before);
    owner.batch_execute("DELETE FROM tenant_changes").await.unwrap();
    assert_eq!(run(&stage).await["audit_months_dropped"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_service_can_change_an_entry_of_the_log_or_remove_a_young_one() {
    let stage = RelayStage::new().await;
    let owner = stage.world.client().await;
    fill_months(&owner, 6).await;
    for login in [stage.world.api(), stage.world.provisioner()] {
        let service = connect_once(&login, None).await.unwrap();
        let table: String = owner
            .query_one("SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'audit'::regclass", &[])
            .await
            .unwrap()
            .get(0);
        for statement in [
            "UPDATE audit SET actor = 'nobody'".to_owned(),
            "DELETE FROM audit".to_owned(),
            "TRUNCATE audit".to_owned(),
            "DROP TABLE audit".to_owned(),
            format!("DELETE FROM {table}"),
            format!("DROP TABLE {table}"),
            format!("ALTER TABLE audit DETACH PARTITION {table}"),
            "DELETE FROM operations".to_owned(),
            "DELETE FROM impersonations".to_owned(),
        ] {
            let refused = service.batch_execute(&statement).await.unwrap_err();
            assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{statement}: {refused:?}");
        }
    }
    let api = connect_once(&stage.world.api(), None).await.unwrap();
    let provisioner = connect_once(&stage.world.provisioner(), None).await.unwrap();
    let young = "SELECT FROM audit WHERE at > now() - interval '30 days'";
    let before = number(&owner, young).await;
    for days in ["0", "-2000000000"] {
        let call = format!("SELECT drop_old_audit_partitions({days})");
        api.batch_execute(&call).await.unwrap();
        assert!(provisioner.batch_execute(&call).await.is_err());
    }
    assert_eq!(number(&owner, young).await, before);
    assert!(number(&owner, "SELECT FROM audit").await < 7, "the older months were dropped");
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
async fn a_page_of_the_log_is_read_from_the_indexes_of_its_months() {
    let stage = RelayStage::new().await;
    let owner = stage.world.patient_client().await;
    fill_months(&owner, 12).await;
    owner
        .batch_execute(
            "INSERT INTO audit (id, at, actor, action, tenant_id)
             SELECT gen_random_uuid(), now() - n * interval '15 min', 'actor-' || n % 50, 'tenant.update',
                    ('00000000-0000-0000-0000-' || lpad((n % 100)::text, 12, '0'))::uuid
             FROM generate_series(1, 30000) AS n;
             ANALYZE audit",
        )
        .await
        .unwrap();
    let pool = stage.world.api_pool();
    let limit = PageLimit::parse("100").unwrap();
    let tenant = "00000000-0000-0000-0000-000000000007";
    let of_tenant = AuditFilter { tenant_id: Some(tenant.parse().unwrap()), ..AuditFilter::default() };
    let action = AuditFilter { action: Some("tenant.update".parse().unwrap()), ..AuditFilter::default() };
    let middle = time::OffsetDateTime::now_utc() - time::Duration::days(100);
    for (filter, values) in [
        (AuditFilter::default(), vec![]),
        (of_tenant, vec!["'00000000-0000-0000-0000-000000000007'"]),
        (action, vec!["'tenant.update'"]),
    ] {
        for after in [None, Some(Cursor { created_at: middle, id: Uuid::max() })] {
            let connection = pool.get().await.unwrap();
            let rows =
                store::list(&connection, &filter, PageRequest { order: TimeOrder::default(), limit, cursor: after })
                    .await
                    .unwrap();
            assert_eq!(rows.len(), 101);
            let at = format!("'{middle}'");
            let max = format!("'{}'", Uuid::max());
            let mut given = vec!["101"];
            given.extend(&values);
            if after.is_some() {
                given.extend([&*at, &*max]);
            }
            for plan in plans(&connection, "FROM audit", &given).await {
                let lines: Vec<&str> = plan.lines().map(|line| line.trim_start_matches([' ', '-', '>'])).collect();
                let limit = lines.iter().position(|line| *line == "Limit").expect(&plan);
                let in_order = ["Append", "Merge Append", "Index Scan"].iter();
                assert!(in_order.clone().any(|node| lines[limit + 1].starts_with(node)), "{plan}");
                assert!(plan.contains("Index Scan using audit_"), "{plan}");
                for slow in ["Seq Scan on audit", "Bitmap", "Incremental Sort"] {
                    assert!(!plan.contains(slow), "{plan}");
                }
            }
            connection.batch_execute("DEALLOCATE ALL").await.unwrap();
        }
    }
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
    for (status, days) in [("failed", 31), ("failed", 29), ("provisioning", 31), ("failed", 31)] {
        let id = tenant(&owner, status, "dropped").await;
        operation(&owner, id, days, if status == "failed" { "failed" } else { "running" }).await;
        let user = format!(
            "INSERT INTO pending_admins (tenant_id, user_id, email, password_hash)
             VALUES ('{id}', gen_random_uuid(), 'sari@kopi.example', '$argon2id$')"
        );
        owner.batch_execute(&user).await.unwrap();
        tenants.push(id);
    }
    let [old, young, waiting, retried] = tenants[..] else { unreachable!() };
    let api = Api::of(&stage.world).await;
    let retry =
        async |id: Uuid| tests::api::answer(api.request(reqwest::Method::POST, &format!("/tenants/{id}/retry"))).await;
    assert_eq!(retry(retried).await.status, 202);

    assert_eq!(run(&stage).await["passwords_erased"], 1);

    let erased = owner.query("SELECT tenant_id FROM pending_admins WHERE password_hash IS NULL", &[]).await.unwrap();
    assert_eq!(erased.iter().map(|row| row.get::<_, Uuid>(0)).collect::<Vec<_>>(), [old], "{young} {waiting}");
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
