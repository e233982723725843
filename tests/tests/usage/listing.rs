//! `GET /tenants/usage`.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::types::Month;
use tests::Answer;

use crate::stage::{UsageStage, set_counter};

const FIGURES: [&str; 5] = ["agents", "agents_online", "contacts", "messages_month", "storage_bytes"];

fn next(answer: &Answer) -> Option<String> {
    let (url, relation) = answer.header("link").split_once('>')?;
    assert_eq!(relation, "; rel=\"next\"");
    Some(url.split_once('?').unwrap().1.to_owned())
}

/// All items of a list, page by page.
async fn walk(stage: &UsageStage, query: &str, limit: usize) -> Vec<Value> {
    let mut seen = Vec::new();
    let mut at = Some(format!("{query}&limit={limit}"));
    while let Some(query) = at {
        let page = stage.list(&query).await;
        let items = page.json.as_array().unwrap();
        at = next(&page);
        assert!(items.len() == limit || (at.is_none() && items.len() <= limit), "{query}");
        seen.extend(items.iter().cloned());
    }
    seen
}

/// Seeds 60 tenants: figures with many ties, some missing, messages of this month and of the last.
async fn fill(stage: &UsageStage) {
    stage.seed(60).await;
    let (this, last) = (Month::current().first_day(), Month::current().previous().first_day());
    stage
        .sql(&format!(
            "UPDATE tenants SET max_agents = 5, max_contacts = CASE WHEN slug LIKE '%7' THEN 0 END,
                                      max_messages_month = 3;
             UPDATE tenant_usage u
             SET agents = n % 7, agents_online = n % 3, contacts = n % 11, storage_bytes = n * 1000000007 % 5,
                 month = CASE WHEN n % 4 = 0 THEN DATE '{last}' ELSE DATE '{this}' END,
                 messages_measured = n % 5, messages_counted = CASE WHEN n % 10 = 1 THEN 4 END,
                 measured_at = now() - n * interval '1 min'
             FROM tenants o, LATERAL (SELECT substring(o.slug FROM 3)::bigint) AS x (n)
             WHERE o.id = u.tenant_id AND n <= 50"
        ))
        .await;
    for slug in ["t-1", "t-11", "t-21", "t-31", "t-41"] {
        set_counter(stage.id(slug).await, Month::current(), "4").await;
    }
}

#[tokio::test]
async fn an_item_contains_the_tenant_and_its_figures_shares_and_age() {
    let stage = UsageStage::new().await;
    stage.seed(2).await;
    let this = Month::current();
    stage
        .sql(&format!(
            "UPDATE tenants SET max_agents = 10, max_contacts = 0, max_messages_month = NULL WHERE slug = 't-1';
             UPDATE tenant_usage
             SET agents = 8, agents_online = 3, contacts = 1, storage_bytes = 73400320, month = '{}', messages_measured = 42,
                 measured_at = '2026-11-24 09:30:00.123456+00', error = 'mongodb_unavailable', failed_at = now()
             WHERE tenant_id = (SELECT id FROM tenants WHERE slug = 't-1')",
            this.first_day()
        ))
        .await;
    let page = stage.list("").await;
    let one = &page.json[0];
    let tenant = stage.api.get(&format!("/tenants/{}", one["id"].as_str().unwrap())).await.json;
    let mut expected = tenant.clone();
    expected["usage"] = json!({
        "agents": 8, "agents_online": 3, "contacts": 1, "messages_month": 42, "storage_bytes": 73_400_320,
        "month": this.to_string(),
        "shares": {"agents": 0.8, "contacts": null, "messages_month": null},
        "over_limit": ["contacts"],
        "source": "measured",
        "measured_at": "2026-11-24T09:30:00.123456Z",
        "error": "mongodb_unavailable",
    });
    assert_eq!(*one, expected);
    assert_eq!(
        page.json[1]["usage"],
        json!({
            "agents": null, "agents_online": null, "contacts": null, "messages_month": null, "storage_bytes": null,
            "month": this.to_string(),
            "shares": {"agents": null, "contacts": null, "messages_month": null},
            "over_limit": [], "source": null, "measured_at": null, "error": null,
        }),
        "unmeasured figures are null"
    );
    assert_eq!(page.header("x-live-counters"), "available");
}

#[tokio::test]
async fn every_sort_order_is_correct_in_both_directions_with_ties_and_missing_figures_last() {
    let stage = UsageStage::new().await;
    fill(&stage).await;
    for figure in FIGURES {
        for sign in ["", "-"] {
            let sort = format!("sort={sign}{figure}");
            let whole = walk(&stage, &sort, 100).await;
            let values: Vec<_> = whole.iter().map(|item| item["usage"][figure].as_i64()).collect();
            assert_eq!(values.len(), 60, "{sort}");
            let known: Vec<_> = values.iter().take_while(|value| value.is_some()).map(|value| value.unwrap()).collect();
            assert_eq!(known.len(), 50, "{sort}: missing figures are last");
            assert!(values[50..].iter().all(Option::is_none), "{sort}: {values:?}");
            let in_order = |a: &i64, b: &i64| if sign == "-" { a >= b } else { a <= b };
            assert!(known.is_sorted_by(in_order), "{sort}: {known:?}");
            for limit in [1, 7, 10, 50, 59, 60] {
                assert_eq!(walk(&stage, &sort, limit).await, whole, "{sort} in pages of {limit}");
            }
        }
    }
    let newest = walk(&stage, "country=ID", 7).await;
    assert_eq!(newest.len(), 30);
    assert!(newest.is_sorted_by(|a, b| a["created_at"].as_str() > b["created_at"].as_str()));
}

#[tokio::test]
async fn a_list_is_filtered_by_tenant_and_by_exceeded_limits() {
    let stage = UsageStage::new().await;
    fill(&stage).await;
    let all = walk(&stage, "", 100).await;
    let over: BTreeSet<_> = all
        .iter()
        .filter(|item| !item["usage"]["over_limit"].as_array().unwrap().is_empty())
        .map(|item| item["slug"].as_str().unwrap().to_owned())
        .collect();
    assert!(over.len() > 10 && over.len() < 50, "{over:?}");
    for sort in ["", "sort=-contacts", "sort=messages_month"] {
        let slugs = async |query: &str| -> BTreeSet<String> {
            let items = walk(&stage, &format!("{sort}&{query}"), 9).await;
            items.iter().map(|item| item["slug"].as_str().unwrap().to_owned()).collect()
        };
        let (yes, no) = (slugs("over_limit=true").await, slugs("over_limit=false").await);
        assert_eq!(yes, over, "{sort}");
        assert_eq!(no.len(), 60 - over.len(), "{sort}");
        assert!(yes.is_disjoint(&no), "{sort}");
        assert_eq!(slugs("search=t-1").await.len(), 11, "{sort}");
        assert_eq!(slugs("status=suspended").await.len(), 0, "{sort}");
        let narrowed = slugs("country=US&status=active&search=TENANT%204&over_limit=true").await;
        assert!(!narrowed.is_empty() && narrowed.iter().all(|slug| slug.starts_with("t-4")), "{sort}: {narrowed:?}");
    }
}

#[tokio::test]
async fn messages_of_a_past_month_count_as_zero() {
    let stage = UsageStage::new().await;
    stage.seed(3).await;
    let (this, last) = (Month::current().first_day(), Month::current().previous().first_day());
    stage
        .sql(&format!(
            "UPDATE tenants SET max_messages_month = 10;
             UPDATE tenant_usage u SET month = '{last}', messages_measured = 999, agents = 1, measured_at = now()
             FROM tenants o WHERE o.id = u.tenant_id AND o.slug = 't-1';
             UPDATE tenant_usage u SET month = '{this}', messages_measured = 1, measured_at = now()
             FROM tenants o WHERE o.id = u.tenant_id AND o.slug = 't-2'"
        ))
        .await;
    let sorted = stage.list("sort=-messages_month").await.json;
    let shown: Vec<_> =
        (0..3).map(|n| (sorted[n]["slug"].clone(), sorted[n]["usage"]["messages_month"].clone())).collect();
    assert_eq!(shown, [(json!("t-2"), json!(1)), (json!("t-1"), json!(0)), (json!("t-3"), json!(null))]);
    let over = stage.list("over_limit=true").await.json;
    assert_eq!(over, json!([]), "messages of a past month exceed no limit");
    let old = stage.usage(stage.id("t-1").await).await;
    assert_eq!(
        (&old["agents"], &old["source"], &old["shares"]["messages_month"]),
        (&json!(1), &json!("measured"), &json!(0.0))
    );
}

#[tokio::test]
async fn all_errors_of_a_query_are_returned_at_once() {
    let stage = UsageStage::new().await;
    fill(&stage).await;
    let reject = async |query: &str, names: &[&str]| {
        let response = stage.api.get(&format!("/tenants/usage?{query}")).await;
        assert_eq!(response.status, 400, "{query}: {}", response.text);
        assert_eq!(response.header("content-type"), "application/problem+json");
        assert_eq!(response.faults(), names, "{query}: {}", response.text);
        response
    };
    for sort in ["name", "-", "--agents", "agents,contacts", "Agents", "created_at", "agents;DROP"] {
        let response = reject(&format!("sort={sort}"), &["sort"]).await;
        assert!(response.text.contains("messages_month"), "{}", response.text);
    }
    for (query, name) in [
        ("over_limit=yes", "over_limit"),
        ("over_limit=1", "over_limit"),
        ("colour=red", "colour"),
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("sort=agents&sort=-agents", "sort"),
    ] {
        reject(query, &[name]).await;
    }
    let everything = "sort=x&over_limit=x&limit=x&status=x&country=x&search=%00&x=x&cursor=x";
    reject(everything, &["country", "limit", "over_limit", "search", "sort", "status", "x"]).await;
    reject("sort=agents&cursor=x&limit=x", &["cursor", "limit"]).await;
}

#[tokio::test]
async fn a_cursor_is_valid_for_its_own_list_and_sort_order_only() {
    let stage = UsageStage::new().await;
    fill(&stage).await;
    let cursor = async |path: &str| {
        let answer = stage.api.get(path).await;
        next(&answer).unwrap().split_once("cursor=").unwrap().1.to_owned()
    };
    let of_tenants = cursor("/tenants?limit=1").await;
    let newest = cursor("/tenants/usage?limit=1").await;
    let ascending = cursor("/tenants/usage?limit=1&sort=agents").await;
    let descending = cursor("/tenants/usage?limit=1&sort=-agents").await;
    let missing = cursor("/tenants/usage?limit=55&sort=-agents").await;
    let contacts = cursor("/tenants/usage?limit=1&sort=contacts").await;
    let lists =
        [("", &newest), ("sort=agents", &ascending), ("sort=-agents", &descending), ("sort=contacts", &contacts)];
    let invalid = ["x", "AAAA", "dXNhZ2U6YWdlbnRzIHggeA", "%00", "dXNhZ2U6YWdlbnRzIDE"].map(str::to_owned);
    for (sort, own) in lists {
        assert_eq!(stage.api.get(&format!("/tenants/usage?{sort}&cursor={own}")).await.status, 200, "{sort}");
        let others =
            [&of_tenants, &newest, &ascending, &descending, &contacts].into_iter().filter(|other| *other != own);
        for other in others.chain(&invalid) {
            let response = stage.api.get(&format!("/tenants/usage?{sort}&cursor={other}")).await;
            assert_eq!(
                (response.status.as_u16(), response.faults()),
                (400, vec!["cursor".to_owned()]),
                "{sort} {other}"
            );
        }
    }
    assert_eq!(stage.list(&format!("sort=-agents&cursor={missing}")).await.json.as_array().unwrap().len(), 5);
    assert_eq!(stage.api.get(&format!("/tenants?cursor={newest}")).await.status, 400);
}
