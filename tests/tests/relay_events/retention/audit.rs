//! Months of the audit log.

use shared::{
    audit::{AuditFilter, store},
    clients::postgres::{SqlState, connect_once},
    types::{Cursor, PageLimit, PageRequest, TimeOrder},
};
use tests::{Api, plans::plans};
use tokio_postgres::Client;
use uuid::Uuid;

use super::{number, run};
use crate::stage::RelayStage;

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
