//! `GET /operations`: filters, order, pages, count and query plans.

use reqwest::StatusCode;
use serde_json::Value;
use shared::{
    clients::postgres::Postgres,
    operations::{self, OperationFilter, OperationKind, OperationStatus},
    types::{PageLimit, PageRequest, TenantId, TimeOrder, Values},
};
use tests::plans::{assert_ordered_by_index, limited, plans};

use crate::stage::OperationsStage;

fn statuses(answer: &tests::Answer) -> Vec<&str> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json.as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect()
}

fn next(answer: &tests::Answer) -> Option<String> {
    let (url, _) = answer.header("link").split_once('>')?;
    Some(url.trim_start_matches('<').trim_start_matches("/api/super-admin").to_owned())
}

#[tokio::test]
async fn operations_of_all_tenants_are_listed_by_status_kind_tenant_and_age() {
    let stage = OperationsStage::new().await;
    let mut ids = Vec::new();
    for slug in ["first", "second", "third"] {
        ids.push(stage.operation(slug).await);
    }
    let lease = stage.take(ids[0]).await;
    stage.fail(lease).await;
    stage.take(ids[1]).await;
    let list = async |query: &str| stage.api.get(&format!("/operations?{query}")).await;
    let all = list("").await;
    assert_eq!(statuses(&all), ["pending", "running", "failed"]);
    assert!(all.json.as_array().unwrap().iter().all(|one| one["steps"].as_array().unwrap().len() == 6));
    assert_eq!(statuses(&list("sort=created_at").await), ["failed", "running", "pending"]);
    assert_eq!(statuses(&list("status=failed").await), ["failed"]);
    assert_eq!(statuses(&list("status=running,pending").await), ["pending", "running"]);
    assert_eq!(statuses(&list("status=running,pending&sort=created_at").await), ["running", "pending"]);
    assert_eq!(statuses(&list("kind=provision").await).len(), 3);
    assert_eq!(statuses(&list("kind=retry").await).len(), 0);
    let second = &all.json[1];
    let (tenant, created) = (second["tenant_id"].as_str().unwrap(), second["created_at"].as_str().unwrap());
    assert_eq!(statuses(&list(&format!("tenant_id={tenant}")).await), ["running"]);
    assert_eq!(statuses(&list(&format!("tenant_id={tenant}&status=failed,pending")).await).len(), 0);
    assert_eq!(statuses(&list(&format!("created_until={created}")).await), ["failed"]);
    assert_eq!(statuses(&list(&format!("created_since={created}")).await), ["pending", "running"]);
    let counted = list("status=running,failed&limit=1&count=true").await;
    assert_eq!([counted.header("x-total-count"), counted.header("x-total-count-relation")], ["2", "eq"]);
    assert_eq!(all.header("x-total-count"), "");
    // Each operation of a page is the same as by its id.
    for one in all.json.as_array().unwrap() {
        assert_eq!(stage.api.get(&format!("/operations/{}", one["id"].as_str().unwrap())).await.json, *one);
    }
}

#[tokio::test]
async fn the_pages_of_several_statuses_contain_each_operation_once_in_order() {
    let stage = OperationsStage::new().await;
    seed(&stage, 60).await;
    for sort in ["-created_at", "created_at"] {
        let mut seen: Vec<Value> = Vec::new();
        let mut path = Some(format!("/operations?status=failed,succeeded&limit=7&sort={sort}"));
        while let Some(at) = path {
            let page = stage.api.get(&at).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.text);
            seen.extend(page.json.as_array().unwrap().iter().cloned());
            path = next(&page);
        }
        let keys: Vec<_> =
            seen.iter().map(|one| (one["created_at"].as_str().unwrap(), one["id"].as_str().unwrap())).collect();
        assert_eq!(keys.len(), 60);
        assert!(keys.is_sorted_by(|a, b| if sort == "created_at" { a < b } else { a > b }), "{sort}");
    }
}

#[tokio::test]
async fn invalid_parameters_are_reported_by_name_and_the_error_names_what_is_allowed() {
    let stage = OperationsStage::new().await;
    let many = vec!["pending"; 50].join(",");
    for (query, name, detail) in [
        ("status=open".to_owned(), "status", "must be one of pending, running"),
        ("status=pending,".to_owned(), "status", "must be one of pending, running"),
        (format!("status={many}"), "status", "at most 10 values, separated by commas, and has 50"),
        ("kind=provision&kind=retry".to_owned(), "kind", "more than once"),
        ("kind=delete".to_owned(), "kind", "must be one of provision, retry"),
        ("sort=finished_at".to_owned(), "sort", "must be one of created_at, -created_at"),
        ("created_until=yesterday".to_owned(), "created_until", "must be a time such as"),
        ("count=yes".to_owned(), "count", "must be one of true, false"),
        ("include=usage".to_owned(), "include", "expected one of status, kind, tenant_id"),
    ] {
        let rejected = stage.api.get(&format!("/operations?{query}")).await;
        assert_eq!(rejected.status, StatusCode::BAD_REQUEST, "{query}: {}", rejected.text);
        assert_eq!(rejected.faults(), [name], "{query}");
        assert!(rejected.text.contains(detail), "{query}: {}", rejected.text);
    }
}

/// Inserts tenants with one operation each, of which one in a hundred failed.
async fn seed(stage: &OperationsStage, count: i32) {
    stage.world.leaves_contradictions("the operations were inserted");
    let owner = stage.world.patient_client().await;
    let sql = "WITH new AS (
                   INSERT INTO tenants (id, name, slug, status, database_name, country, created_at, updated_at)
                   SELECT gen_random_uuid(), 'T', 't' || n, 'active', 't_' || n, 'ID', t, t
                   FROM generate_series(1, $1) AS n, LATERAL (SELECT timestamptz '2026-01-01' + (n / 3) * interval '1 s') AS x (t)
                   RETURNING id, slug, database_name, created_at
               )
               INSERT INTO operations (id, tenant_id, database_name, kind, status, requested_by, created_at, updated_at,
                                       finished_at)
               SELECT gen_random_uuid(), id, database_name, CASE WHEN right(slug, 2) = '07' THEN 'retry' ELSE 'provision' END,
                      CASE WHEN right(slug, 2) = '07' THEN 'failed' ELSE 'succeeded' END, 'x', created_at, now(), now()
               FROM new";
    owner.execute(sql, &[&count]).await.unwrap();
    owner.batch_execute("VACUUM ANALYZE tenants, operations").await.unwrap();
}

#[tokio::test]
async fn a_page_by_any_filter_is_read_from_an_index() {
    let stage = OperationsStage::new().await;
    seed(&stage, 20_000).await;
    let several = || Some(Values::parse("failed,running,undoing", str::parse).unwrap());
    let filter = OperationFilter::default;
    let tenant = || Some(TenantId::EXAMPLE.parse().unwrap());
    for order in [TimeOrder::NewestFirst, TimeOrder::OldestFirst] {
        for (filter, index, containing, values) in [
            (filter(), "operations_newest", "FROM operations  ORDER BY", vec![]),
            (
                OperationFilter { status: Some(Values::one(OperationStatus::Failed)), ..filter() },
                "operations_newest_by_status",
                "WHERE status = $2 ORDER BY",
                vec!["'failed'"],
            ),
            (
                OperationFilter { status: several(), ..filter() },
                "operations_newest_by_status",
                "UNION ALL",
                vec!["'failed'", "'running'", "'undoing'"],
            ),
            (
                OperationFilter { kind: Some(OperationKind::Retry), ..filter() },
                "operations_newest_by_kind",
                "WHERE kind = $2 ORDER BY",
                vec!["'retry'"],
            ),
            (
                OperationFilter { tenant_id: tenant(), ..filter() },
                "operations_of_tenant",
                "WHERE tenant_id = $2 ORDER BY",
                vec!["'0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee'"],
            ),
        ] {
            let connection = Postgres::connect(&stage.world.api()).unwrap().get().await.unwrap();
            let page = PageRequest { order, limit: PageLimit::parse("100").unwrap(), cursor: None };
            operations::store::list(&connection, &filter, page).await.unwrap();
            let values = [vec!["101"], values].concat();
            // Only the page itself must be ordered; its steps are joined and sorted afterwards.
            let inner: Vec<String> =
                plans(&connection, containing, &values).await.iter().map(|plan| limited(plan)).collect();
            assert_ordered_by_index(&inner, index);
        }
    }
}
