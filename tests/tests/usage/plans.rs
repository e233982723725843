//! The query plans of a page and of a count: they use an index and sort nothing.

use std::sync::Arc;

use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use shared::{
    clients::postgres::Postgres,
    types::{Cursor, Month, PageLimit, ValueCursor},
    usage::{self, Figure, UsageFilter, UsageSort, store::UsageOrder},
};
use tests::platform::mongo;
use uuid::Uuid;

use crate::stage::{UsageStage, measure};

/// PostgreSQL's plans of the statement that returns a page: the custom plan and the generic one.
async fn plans(stage: &UsageStage, order: UsageOrder, limit: &str) -> Vec<String> {
    // A separate pool, so that its connection has prepared no other statement.
    let connection = Postgres::connect(&stage.world.api()).unwrap().get().await.unwrap();
    let page = PageLimit::parse(limit).unwrap();
    let rows = usage::store::list(&connection, &UsageFilter::default(), Month::current(), order, page).await.unwrap();
    assert_eq!(rows.len(), page.get() + 1, "one statement fills the page");
    let own =
        "SELECT name, parameter_types::text[] FROM pg_prepared_statements WHERE statement LIKE '%JOIN tenant_usage%'";
    let prepared = connection.query_one(&format!("{own} AND statement NOT LIKE '%pg_prepared%'"), &[]).await.unwrap();
    let mut values = vec![limit.to_owned()];
    for kind in prepared.get::<_, Vec<String>>(1).iter().skip(1) {
        values.push(match (kind.as_str(), order) {
            ("uuid", _) => format!("'{MIDDLE}'"),
            ("timestamp with time zone", _) => "'2026-01-01'".to_owned(),
            ("bigint", UsageOrder::Figure { after: Some(ValueCursor { value: Some(value), .. }), .. }) => {
                value.to_string()
            }
            (other, _) => panic!("{other}"),
        });
    }
    let explain = format!("EXPLAIN (COSTS OFF) EXECUTE \"{}\" ({})", prepared.get::<_, &str>(0), values.join(", "));
    let mut plans = Vec::new();
    for mode in ["force_custom_plan", "force_generic_plan"] {
        connection.batch_execute(&format!("SET plan_cache_mode = {mode}")).await.unwrap();
        let lines = connection.query(&explain, &[]).await.unwrap();
        plans.push(lines.iter().map(|line| line.get::<_, &str>(0)).collect::<Vec<_>>().join("\n"));
    }
    plans
}

/// The middle of all random ids.
const MIDDLE: Uuid = Uuid::from_u128(1 << 127);

/// Asserts that the page is read from the index, without a sort and without a full scan.
async fn assert_indexed(stage: &UsageStage, order: UsageOrder, index: &str, limit: &str) {
    for plan in plans(stage, order, limit).await {
        let expected = format!(" using {index} on ");
        assert!(plan.lines().any(|line| line.contains("Index Scan") && line.contains(&expected)), "{order:?}\n{plan}");
        for slow in ["Sort", "Seq Scan", "Hash", "Bitmap"] {
            assert!(!plan.contains(slow), "{order:?}\n{plan}");
        }
    }
}

#[tokio::test]
async fn a_page_in_any_sort_order_is_read_from_an_index() {
    let stage = UsageStage::new().await;
    stage.seed(20_000).await;
    let patient = stage.world.patient_client().await;
    patient
        .batch_execute(
            "UPDATE tenant_usage SET agents = 100 * random(), agents_online = 9 * random(), contacts = 20000 * random(),
                 month = date_trunc('month', now() AT TIME ZONE 'UTC'), messages_measured = 90000 * random(),
                 storage_bytes = 1000000000 * random()
             WHERE random() < 0.9",
        )
        .await
        .unwrap();
    patient.batch_execute("VACUUM ANALYZE tenants, tenant_usage").await.unwrap();
    let middle = time::macros::datetime!(2025-12-31 21:00 UTC);
    for after in [None, Some(Cursor { created_at: middle, id: MIDDLE })] {
        assert_indexed(&stage, UsageOrder::Newest { after }, "tenants_newest", "1000").await;
    }
    for (figure, column, index) in [
        (Figure::Agents, "agents", "tenant_usage_agents"),
        (Figure::AgentsOnline, "agents_online", "tenant_usage_agents_online"),
        (Figure::Contacts, "contacts", "tenant_usage_contacts"),
        (Figure::MessagesMonth, "messages_rank", "tenant_usage_messages"),
        (Figure::StorageBytes, "storage_bytes", "tenant_usage_storage"),
    ] {
        let sql = format!("SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY {column}) FROM tenant_usage");
        let value = Some(stage.owner.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0));
        for descending in [false, true] {
            let order = |after| UsageOrder::Figure { sort: UsageSort { figure, descending }, after };
            assert_indexed(&stage, order(None), index, "1000").await;
            assert_indexed(&stage, order(Some(ValueCursor { value, id: MIDDLE })), index, "1000").await;
            // Only 2,000 tenants lack the figure, so for a large page the planner may prefer to read and sort them all.
            let missing = Some(ValueCursor { value: None, id: MIDDLE });
            assert_indexed(&stage, order(missing), index, "100").await;
        }
    }
}

#[tokio::test]
async fn contacts_and_messages_are_counted_in_an_index() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    let database = mongo().await.database(&tenant.database);
    database.run_command(doc! { "profile": 2 }).await.unwrap();
    measure(&Arc::new(stage.function().await), &[tenant.id]).await;
    database.run_command(doc! { "profile": 0 }).await.unwrap();
    let profiled: Vec<Document> = database
        .collection("system.profile")
        .find(doc! { "command.count": { "$exists": true } })
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let mut plans: Vec<_> = profiled.iter().map(|entry| entry.get_str("planSummary").unwrap()).collect();
    plans.sort_unstable();
    assert_eq!(plans, ["COUNT_SCAN { created_at: -1, _id: -1 }", "COUNT_SCAN { created_at: 1 }"]);
    assert!(profiled.iter().all(|entry| entry.get_document("command").unwrap().contains_key("maxTimeMS")));
}
