//! `GET /tenants`, `GET /tenants/usage` and `GET /tenants/{id}`: order, several values, ranges, counts, and what `include` adds.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::{
    clients::postgres::Postgres,
    tenants::{self, TenantFilter, TenantStatus},
    types::{Cursor, PageLimit, PageRequest, TimeOrder, Values},
};
use tests::{
    Answer, Api, World,
    plans::{assert_found_in_index, assert_ordered_by_index, assert_page_from_index, plans},
};

async fn seed(world: &World, count: i32) {
    let owner = world.patient_client().await;
    owner
        .execute(
            "INSERT INTO tenants (id, name, slug, status, database_name, country, created_at, updated_at)
             SELECT gen_random_uuid(), 'Tenant ' || n, 'tenant-' || n,
                    CASE WHEN n % 100 = 7 THEN 'failed' WHEN n % 2 = 0 THEN 'active' ELSE 'suspended' END,
                    'tenant_' || n, (ARRAY['ID', 'US', 'DE', 'FR'])[1 + n % 4], t, t
             FROM generate_series(1, $1) AS n, LATERAL (SELECT timestamptz '2026-01-01' + (n / 3) * interval '1 s') AS x (t)",
            &[&count],
        )
        .await
        .unwrap();
    owner.batch_execute("VACUUM ANALYZE tenants, tenant_usage").await.unwrap();
}

fn rows(answer: &Answer) -> &Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json.as_array().unwrap()
}

fn next(answer: &Answer) -> Option<String> {
    let (url, _) = answer.header("link").split_once('>')?;
    Some(url.trim_start_matches('<').trim_start_matches("/api/super-admin").to_owned())
}

#[tokio::test]
async fn a_list_can_be_sorted_in_both_directions_and_filtered_by_several_values_and_by_age() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    seed(&world, 200).await;
    for list in ["/tenants", "/tenants/usage"] {
        let count = async |query: &str| rows(&api.get(&format!("{list}?{query}")).await).len();
        assert_eq!(count("status=active,suspended").await, 198);
        assert_eq!(count("status=active&status=suspended").await, 198);
        assert_eq!(count("status=failed,failed").await, 2);
        assert_eq!(count("country=ID,US").await, 100);
        assert_eq!(count("country=ID,US&status=active,failed").await, 50);
        assert_eq!(count("country=ID,US,DE&status=failed").await, 0);
        assert_eq!(count("country=FR&status=failed,active").await, 2);
        assert_eq!(count("created_since=2026-01-01T00:00:10Z&created_until=2026-01-01T00:00:20Z").await, 30);
        assert_eq!(count("status=active,suspended,failed&search=tenant-19&limit=5").await, 5);
    }
    for query in ["sort=created_at", "sort=created_at&status=active,suspended", "country=ID,DE&sort=-created_at"] {
        let mut seen: Vec<Value> = Vec::new();
        let mut path = Some(format!("/tenants?{query}&limit=9"));
        while let Some(at) = path {
            let page = api.get(&at).await;
            seen.extend(rows(&page).iter().cloned());
            path = next(&page);
        }
        let key = |tenant: &Value| {
            (tenant["created_at"].as_str().unwrap().to_owned(), tenant["id"].as_str().unwrap().to_owned())
        };
        let keys: Vec<_> = seen.iter().map(key).collect();
        assert!(keys.len() >= 100, "{query}: {}", keys.len());
        assert!(keys.is_sorted_by(|a, b| if query.contains("sort=created_at") { a < b } else { a > b }), "{query}");
    }
}

#[tokio::test]
async fn invalid_parameters_are_rejected_and_the_error_names_what_is_allowed() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let countries = vec!["ID"; 50].join(",");
    for (path, name, detail) in [
        ("/tenants?sort=name".to_owned(), "sort", "must be one of created_at, -created_at"),
        ("/tenants?sort=updated_at".to_owned(), "sort", "must be one of created_at, -created_at"),
        ("/tenants/usage?sort=name".to_owned(), "sort", "must be one of agents, agents_online"),
        (
            format!("/tenants?country={countries}"),
            "country",
            "must have at most 10 values, separated by commas, and has 50",
        ),
        ("/tenants?status=active,open".to_owned(), "status", "must be one of provisioning, active"),
        ("/tenants?include=users".to_owned(), "include", "must be one of usage, operation"),
        ("/tenants?include=usage,operation,users".to_owned(), "include", "must be one of usage, operation"),
        (
            "/tenants/0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee?include=users".to_owned(),
            "include",
            "must be one of usage, operation",
        ),
        ("/tenants?created_since=2026".to_owned(), "created_since", "must be a time such as"),
        ("/tenants?count=1".to_owned(), "count", "must be one of true, false"),
        ("/admins?count=true".to_owned(), "count", "unknown parameter"),
    ] {
        let rejected = api.get(&path).await;
        assert_eq!(rejected.status, StatusCode::BAD_REQUEST, "{path}: {}", rejected.text);
        assert_eq!(rejected.faults(), [name], "{path}");
        assert!(rejected.text.contains(detail), "{path}: {}", rejected.text);
    }
}

#[tokio::test]
async fn a_tenant_contains_its_usage_and_its_newest_operation_only_if_the_request_includes_them() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let created = api.create_tenant("kopi-kenangan").await;
    let other = api.create_tenant("teh-botol").await;
    let id = created["id"].as_str().unwrap();
    let sql = format!(
        "UPDATE tenant_usage SET agents = 7, contacts = 20000, storage_bytes = 5, agents_online = 1, measured_at = now(),
             month = date_trunc('month', now() AT TIME ZONE 'UTC'), messages_measured = 10, messages_counted = 12
         WHERE tenant_id = '{id}';
         UPDATE operations SET status = 'failed', reason = 'x', finished_at = now() WHERE tenant_id = '{id}';
         INSERT INTO operations (id, tenant_id, database_name, kind, status, requested_by, created_at, updated_at)
         SELECT gen_random_uuid(), id, database_name, 'retry', 'running', 'x', now() + interval '1 s', now()
         FROM tenants WHERE id = '{id}'"
    );
    world.client().await.batch_execute(&sql).await.unwrap();
    world.leaves_contradictions("an operation has ended without its steps");
    let path = format!("/tenants/{id}");
    let plain = api.get(&path).await;
    assert!(plain.json.get("usage").is_none() && plain.json.get("operation").is_none(), "{}", plain.text);
    let with_usage = api.get(&format!("{path}?include=usage")).await;
    let usage = &with_usage.json["usage"];
    assert_eq!([&usage["agents"], &usage["messages_month"], &usage["source"]], [&json!(7), &json!(12), &json!("live")]);
    assert_eq!(usage["over_limit"], json!(["contacts"]));
    assert!(with_usage.json.get("operation").is_none(), "{}", with_usage.text);
    let both = api.get(&format!("{path}?include=operation,usage")).await;
    assert_eq!(
        [&both.json["operation"]["kind"], &both.json["operation"]["status"]],
        [&json!("retry"), &json!("running")]
    );
    assert_eq!(both.json["usage"], *usage);
    assert_eq!(both.header("etag"), plain.header("etag"));
    // The rest is the same.
    let mut rest = both.json.clone();
    rest.as_object_mut().unwrap().retain(|name, _| name != "usage" && name != "operation");
    assert_eq!(rest, plain.json);
    let list = api.get("/tenants?include=usage,operation").await;
    assert_eq!(rows(&list)[1], both.json);
    let newest = &rows(&list)[0];
    assert_eq!(newest["operation"]["id"], other["operation_id"]);
    assert_eq!(newest["operation"]["steps"].as_array().unwrap().len(), 6);
    assert_eq!(newest["usage"]["agents"], Value::Null);
    let operation = api.get(&format!("/operations/{}", other["operation_id"].as_str().unwrap())).await;
    assert_eq!(newest["operation"], operation.json);
    // A tenant without an operation.
    seed(&world, 1).await;
    let seeded = api.get("/tenants?include=operation&sort=created_at&limit=1").await;
    assert_eq!(rows(&seeded)[0].get("operation"), Some(&Value::Null));
}

#[tokio::test]
async fn a_page_by_several_values_is_merged_from_an_index() {
    let world = World::new().await;
    seed(&world, 20_000).await;
    for order in [TimeOrder::NewestFirst, TimeOrder::OldestFirst] {
        for (filter, index, values) in [
            (
                TenantFilter {
                    status: Some(Values::parse("failed,deleting", str::parse).unwrap()),
                    ..TenantFilter::default()
                },
                "tenants_newest_by_status",
                vec!["'failed'", "'deleting'"],
            ),
            (
                TenantFilter { country: Some(Values::parse("DE,US", str::parse).unwrap()), ..TenantFilter::default() },
                "tenants_newest",
                vec!["'DE'", "'US'"],
            ),
        ] {
            let connection = Postgres::connect(&world.api()).unwrap().get().await.unwrap();
            let page = PageRequest { order, limit: PageLimit::parse("100").unwrap(), cursor: None };
            tenants::store::list(&connection, &filter, page).await.unwrap();
            let plans = plans(&connection, "UNION ALL", &[vec!["101"], values].concat()).await;
            assert_ordered_by_index(&plans, index);
        }
    }
}

#[tokio::test]
async fn a_page_by_one_value_is_read_from_an_index() {
    let world = World::new().await;
    seed(&world, 20_000).await;
    let filter = TenantFilter::default;
    let created_at = time::macros::datetime!(2026-01-01 1:00 UTC);
    let middle = Cursor { created_at, id: uuid::Uuid::max() };
    let after_middle = ["'2026-01-01T01:00:00Z'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"];
    for order in [TimeOrder::NewestFirst, TimeOrder::OldestFirst] {
        for cursor in [None, Some(middle)] {
            for (filter, index, values) in [
                (filter(), "tenants_newest", vec![]),
                (
                    TenantFilter { status: Some(Values::one(TenantStatus::Failed)), ..filter() },
                    "tenants_newest_by_status",
                    vec!["'failed'"],
                ),
                (
                    TenantFilter { country: Some(Values::parse("DE", str::parse).unwrap()), ..filter() },
                    "tenants_newest",
                    vec!["'DE'"],
                ),
            ] {
                let connection = Postgres::connect(&world.api()).unwrap().get().await.unwrap();
                let page = PageRequest { order, limit: PageLimit::parse("100").unwrap(), cursor };
                tenants::store::list(&connection, &filter, page).await.unwrap();
                let values = [vec!["101"], values, cursor.map_or(vec![], |_| after_middle.to_vec())].concat();
                let plans = plans(&connection, "FROM tenants", &values).await;
                // The generic plan does not depend on how rare the value is, so that another index may be the best.
                assert_found_in_index(&plans[..1], &["tenants"], index);
                assert_found_in_index(&plans[1..], &["tenants"], "tenants_");
                if index == "tenants_newest" {
                    assert_page_from_index(&plans, &["tenants"], index);
                }
            }
        }
    }
}

/// The least time in which PostgreSQL looks at every tenant.
async fn scan(world: &World) -> Duration {
    let owner = world.client().await;
    // Without an index, and in one process.
    owner.batch_execute("SET enable_bitmapscan = off; SET max_parallel_workers_per_gather = 0").await.unwrap();
    let mut shortest = Duration::MAX;
    for _ in 0..9 {
        let begun = Instant::now();
        let sql = "SELECT count(*) FROM tenants WHERE name ILIKE '%kopi%' OR slug ILIKE '%kopi%'";
        owner.query_one(sql, &[]).await.unwrap();
        shortest = shortest.min(begun.elapsed());
    }
    println!("a look at every tenant: {shortest:?}");
    shortest
}

/// PostgreSQL plans each text for itself, also after it has planned others: texts of all tenants and of none need different indexes.
async fn search(api: &Api, scan: Duration) {
    const TEXTS: [&str; 5] = ["tenant", "e", "no such tenant", "tenant-99999", "xyz"];
    for path in ["/tenants", "/tenants/usage"] {
        let mut times = BTreeMap::<_, Vec<_>>::new();
        for text in TEXTS.iter().cycle().take(9 * TEXTS.len()) {
            let begun = Instant::now();
            let page = api.get(&format!("{path}?count=true&limit=100&search={text}")).await;
            times.entry(text).or_default().push(begun.elapsed());
            assert_eq!(page.status, reqwest::StatusCode::OK, "{}", page.text);
        }
        for (text, times) in &mut times {
            times.sort();
            println!("{path}, search for {text}: median {:?}", times[4]);
            assert!(times[4] < scan / 3, "{path}: {text} takes {times:?}, and looking at every tenant takes {scan:?}");
        }
    }
}

#[tokio::test]
async fn a_hundred_thousand_tenants_are_searched_fast_and_up_to_ten_thousand_are_counted() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    seed(&world, 100_000).await;
    let scan = scan(&world).await;
    for (query, number, relation) in [
        ("", "10000", "gte"),
        ("status=active,suspended", "10000", "gte"),
        ("country=ID", "10000", "gte"),
        ("search=tenant", "10000", "gte"),
        ("created_until=2026-01-01T00:01:40Z", "299", "eq"),
        ("status=failed&country=FR", "1000", "eq"),
        ("created_until=2026-01-01T00:55:32.4Z", "9998", "eq"),
        ("created_until=2026-01-01T00:55:32.4Z&status=deleted", "0", "eq"),
    ] {
        let mut times = Vec::new();
        for _ in 0..9 {
            let begun = Instant::now();
            let page = api.get(&format!("/tenants?count=true&limit=1&{query}")).await;
            times.push(begun.elapsed());
            assert_eq!(
                [page.header("x-total-count"), page.header("x-total-count-relation")],
                [number, relation],
                "{query}"
            );
        }
        times.sort();
        println!("count of {number} tenants ({query}): {:?}, at least {:?}", times[4], times[0]);
        assert!(times[0] < scan, "{query}: {times:?}, and looking at every tenant takes {scan:?}");
    }
    search(&api, scan).await;
    let usage = api.get("/tenants/usage?count=true&limit=1&over_limit=true").await;
    assert_eq!([usage.header("x-total-count"), usage.header("x-total-count-relation")], ["0", "eq"]);
    for uncounted in ["limit=1", "limit=1&count=false"] {
        assert_eq!(api.get(&format!("/tenants?{uncounted}")).await.header("x-total-count"), "");
    }
}
