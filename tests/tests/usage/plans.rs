//! What the databases do for a page and for a count: they use an index, and sort nothing.

use std::sync::Arc;

use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use shared::{
    clients::postgres::Postgres,
    types::{Cursor, Month, PageLimit, ValueCursor},
    usage::{
        self, Figure, UsageSort,
        store::{UsageFilter, UsageOrder},
    },
};
use tests::platform::mongo;
use uuid::Uuid;

use crate::stage::{Stage, measure};

/// The plans that PostgreSQL makes of the very statement that gives a page: with the values known, and the one for any.
async fn plans(stage: &Stage, order: UsageOrder, limit: &str) -> Vec<String> {
    // A pool of its own, so that its one connection has prepared nothing else.
    let connection = Postgres::connect(&stage.world.api()).unwrap().get().await.unwrap();
    let page = PageLimit::parse(limit).unwrap();
    let rows = usage::store::list(&connection, &UsageFilter::default(), Month::current(), order, page).await.unwrap();
    assert_eq!(rows.len(), page.get() + 1, "the page is full, by one statement");
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

/// Half of all random ids come before it.
const MIDDLE: Uuid = Uuid::from_u128(1 << 127);

/// The page is read from the index, and nothing is sorted, or read as a whole.
async fn assert_indexed(stage: &Stage, order: UsageOrder, index: &str, limit: &str) {
    for plan in plans(stage, order, limit).await {
        let wanted = format!(" using {index} on ");
        assert!(plan.lines().any(|line| line.contains("Index Scan") && line.contains(&wanted)), "{order:?}\n{plan}");
        for slow in ["Sort", "Seq Scan", "Hash", "Bitmap"] {
            assert!(!plan.contains(slow), "{order:?}\n{plan}");
        }
    }
}

#[tokio::test]
async fn a_page_in_any_order_is_read_from_an_index_and_not_sorted() {
    let stage = Stage::new().await;
    stage.seed(20_000).await;
    stage
        .sql(
            "UPDATE tenant_usage SET agents = 100 * random(), agents_online = 9 * random(), contacts = 20000 * random(),
                 month = date_trunc('month', now() AT TIME ZONE 'UTC'), messages_measured = 90000 * random(),
                 storage_bytes = 1000000000 * random()
             WHERE random() < 0.9",
        )
        .await;
    stage.sql("VACUUM ANALYZE tenants, tenant_usage").await;
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
            // Of those without it there are but 2,000, so that to read and sort them all may be worth it for a large page.
            let missing = Some(ValueCursor { value: None, id: MIDDLE });
            assert_indexed(&stage, order(missing), index, "100").await;
        }
    }
}

#[tokio::test]
async fn contacts_and_messages_are_counted_in_an_index() {
    let stage = Stage::new().await;
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
