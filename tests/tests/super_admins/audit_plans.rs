//! The query plans of pages of the audit log.

use std::{collections::BTreeMap, time::Duration};

use shared::{
    audit::{self, ActorName, AuditAction, AuditFilter, AuditOutcome},
    clients::postgres::Postgres,
    types::{Cursor, PageLimit, PageRequest, TenantId, TimeOrder},
};
use tests::{
    World,
    plans::{assert_found_in_index, assert_page_from_index, plans},
};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

/// A tenant, an actor and an action have one entry in a thousand each, and an outcome every other one.
const SEED: &str = "
    INSERT INTO audit (id, at, actor, action, outcome, tenant_id)
    SELECT gen_random_uuid(), now() - n * interval '1 s',
           CASE WHEN n % 1000 = 7 THEN 'one' ELSE 'actor-' || n % 500 END,
           CASE WHEN n % 1000 = 8 THEN 'tenant.retry' ELSE 'test.' || n % 50 END,
           CASE WHEN n % 2 = 0 THEN 'refused' ELSE 'done' END,
           CASE WHEN n % 1000 = 9 THEN '0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee' ELSE gen_random_uuid() END
    FROM generate_series(1, 20000) AS n";

#[tokio::test]
async fn a_page_by_any_filter_is_read_from_an_index() {
    let world = World::new().await;
    let owner = world.patient_client().await;
    owner.batch_execute(SEED).await.unwrap();
    owner.batch_execute("VACUUM ANALYZE audit, super_admins").await.unwrap();
    // The entries are in the partition of this month, whose indexes have names of their own.
    let table =
        owner.query_one("SELECT tableoid::regclass::text FROM audit ORDER BY at DESC LIMIT 1", &[]).await.unwrap();
    let table: String = table.get(0);
    let sql = "SELECT inhparent::regclass::text, inhrelid::regclass::text
               FROM pg_inherits JOIN pg_index ON indexrelid = inhrelid WHERE indrelid = $1::text::regclass";
    let rows = owner.query(sql, &[&table]).await.unwrap();
    let indexes: BTreeMap<String, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let filter = AuditFilter::default;
    let (since, until) = (datetime!(2020-01-01 0:00 UTC), datetime!(2100-01-01 0:00 UTC));
    // In the middle of the rows.
    let middle = Cursor { created_at: OffsetDateTime::now_utc() - Duration::from_secs(10_000), id: Uuid::max() };
    let after_middle = ["now() - interval '10000 s'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"];
    for order in [TimeOrder::NewestFirst, TimeOrder::OldestFirst] {
        for (filter, index, values) in [
            (filter(), "audit_newest", vec![]),
            (
                AuditFilter { tenant_id: Some(TenantId::EXAMPLE.parse().unwrap()), ..filter() },
                "audit_of_tenant",
                vec!["'0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee'"],
            ),
            (
                AuditFilter { actor: Some(ActorName::parse("one").unwrap()), ..filter() },
                "audit_of_actor",
                vec!["'one'"],
            ),
            (
                AuditFilter { action: Some(AuditAction::TenantRetry), ..filter() },
                "audit_of_action",
                vec!["'tenant.retry'"],
            ),
            (AuditFilter { outcome: Some(AuditOutcome::Refused), ..filter() }, "audit_newest", vec!["'refused'"]),
            (
                AuditFilter { since: Some(since), until: Some(until), ..filter() },
                "audit_newest",
                vec!["'2020-01-01'", "'2100-01-01'"],
            ),
        ] {
            for cursor in [None, Some(middle)] {
                // A connection that has prepared no other statement.
                let connection = Postgres::connect(&world.api()).unwrap().get().await.unwrap();
                let page = PageRequest { order, limit: PageLimit::parse("100").unwrap(), cursor };
                let after = cursor.map_or(vec![], |_| after_middle.to_vec());
                audit::store::list(&connection, &filter, page).await.unwrap();
                let plans = plans(&connection, "FROM audit", &[vec!["101"], values.clone(), after].concat()).await;
                match index {
                    "audit_newest" => assert_page_from_index(&plans, &[&table], &indexes[index]),
                    _ => assert_found_in_index(&plans, &[&table], &indexes[index]),
                }
            }
        }
    }
}
