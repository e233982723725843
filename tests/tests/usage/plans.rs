//! What the databases do for a page and for a count: they use an index, and sort nothing.

use std::sync::Arc;

use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use shared::{
    clients::postgres::Postgres,
    domain::{Cursor, Figure, Month, PageLimit, UsageSort, ValueCursor},
    store::usage::{self, UsageFilter, UsageOrder},
};
use tests::platform::mongo;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::stage::{Stage, measure};

/// The plans of everything that is prepared on a connection for a page.
async fn plans(stage: &Stage, order: UsageOrder) -> Vec<String> {
    // A pool of its own, so that its one connection has prepared nothing else.
    let connection = Postgres::connect(&stage.world.api()).unwrap().get().await.unwrap();
    let limit = PageLimit::parse("1000").unwrap();
    usage::list(&connection, &UsageFilter::default(), Month::current(), order, limit).await.unwrap();
    let prepared = connection
        .query(
            "SELECT name, parameter_types::text[] FROM pg_prepared_statements WHERE statement LIKE '%tenant_usage%'
             AND statement NOT LIKE '%pg_prepared%'",
            &[],
        )
        .await
        .unwrap();
    let mut plans = Vec::new();
    for row in prepared {
        let (name, types): (&str, Vec<String>) = (row.get(0), row.get(1));
        let values: Vec<_> = types.iter().enumerate().map(|(at, kind)| value(at, kind)).collect();
        let explain = format!("EXPLAIN (COSTS OFF) EXECUTE \"{name}\" ({})", values.join(", "));
        // One that knows the values, and the one that PostgreSQL keeps for any.
        for mode in ["force_custom_plan", "force_generic_plan"] {
            connection.batch_execute(&format!("SET plan_cache_mode = {mode}")).await.unwrap();
            let lines = connection.query(&explain, &[]).await.unwrap();
            plans.push(lines.iter().map(|line| line.get::<_, &str>(0)).collect::<Vec<_>>().join("\n"));
        }
    }
    plans
}

fn value(at: usize, kind: &str) -> String {
    match (at, kind) {
        (0, _) => "1001".to_owned(),
        (_, "uuid") => format!("'{}'", Uuid::from_u128(1 << 127)),
        (_, "timestamp with time zone") => "'2026-01-01'".to_owned(),
        (_, "bigint") => "3".to_owned(),
        (_, other) => panic!("{other}"),
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
             WHERE random() < 0.9;
             VACUUM ANALYZE organizations, tenant_usage",
        )
        .await;
    let id = Uuid::from_u128(1 << 127);
    let mut orders = vec![
        UsageOrder::Newest { after: None },
        UsageOrder::Newest { after: Some(Cursor { created_at: OffsetDateTime::now_utc(), id }) },
    ];
    for figure in Figure::ALL {
        for descending in [false, true] {
            let sort = UsageSort { figure: *figure, descending };
            // Far on in the list, those come that have no such figure; far enough that the page has both.
            let end = if descending { -1 } else { i64::MAX };
            let cursors = [None, Some(Some(3)), Some(Some(end)), Some(None)];
            orders.extend(
                cursors.map(|value| UsageOrder::Figure { sort, after: value.map(|value| ValueCursor { value, id }) }),
            );
        }
    }
    let mut seen = 0;
    for order in orders {
        for plan in plans(&stage, order).await {
            let index = match order {
                UsageOrder::Newest { .. } => "organizations_newest".to_owned(),
                UsageOrder::Figure { sort: UsageSort { figure, .. }, .. } => {
                    let name = figure.as_str();
                    format!(
                        "tenant_usage_{}",
                        name.strip_suffix("_month").or(name.strip_suffix("_bytes")).unwrap_or(name)
                    )
                }
            };
            let scan = plan
                .lines()
                .find(|line| line.contains(&format!(" using {index} on ")))
                .unwrap_or_else(|| panic!("{order:?}\n{plan}"));
            assert!(scan.contains("Index Scan"), "{plan}");
            for slow in ["Sort", "Seq Scan", "Hash"] {
                assert!(!plan.contains(slow), "{order:?}\n{plan}");
            }
            seen += 1;
        }
    }
    // Two for the newest; five figures in two directions: one each of three starts, two where the page has both kinds.
    assert!(seen >= 2 * (2 + 5 * 2 * 5), "{seen}");
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
