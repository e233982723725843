//! The live counters, in the list and in the platform database.

use std::time::{Duration, Instant};

use serde_json::json;
use shared::{
    clients::redis::Redis,
    config::{FromEnv, RedisConfig},
    types::Month,
    usage::live_counters::LiveCounters,
};
use tests::{
    Api,
    api::Parts,
    proxy::{Mode, Proxy},
    variable,
};

use crate::stage::{UsageStage, count_message, set_counter, tick};

/// Redis behind a proxy.
async fn proxied() -> (Proxy, RedisConfig) {
    let (proxy, url) = Proxy::before(&variable("REDIS_URL").into()).await;
    (proxy, RedisConfig { url, ..RedisConfig::from_env().unwrap() })
}

#[tokio::test]
async fn a_counted_message_is_in_the_list_at_once_and_in_the_sort_order_after_the_next_run() {
    let stage = UsageStage::new().await;
    stage.seed(3).await;
    let month = Month::current().first_day();
    stage.sql(&format!("UPDATE tenant_usage SET month = '{month}', messages_measured = 2, measured_at = now()")).await;
    let tenant = stage.id("t-2").await;
    for messages in 1..=5 {
        count_message(tenant).await;
        let usage = stage.usage(tenant).await;
        let (shown, source) = if messages > 2 { (messages, "live") } else { (2, "measured") };
        assert_eq!((&usage["messages_month"], &usage["source"]), (&json!(shown), &json!(source)));
    }
    let report = tick(stage.function().await).await.unwrap();
    assert_eq!(report["counters_taken"], 1, "{report}");
    assert_eq!(stage.list("sort=-messages_month").await.json[0]["slug"], "t-2");
    assert_eq!(stage.list("sort=messages_month").await.json[2]["slug"], "t-2");
    let again = tick(stage.function().await).await.unwrap();
    assert_eq!(again["counters_taken"], 0, "an unchanged counter is not written: {again}");
}

#[tokio::test]
async fn a_lost_counter_no_longer_counts_in_the_list_or_its_sort_order() {
    let stage = UsageStage::new().await;
    stage.seed(2).await;
    let month = Month::current().first_day();
    stage
        .sql(&format!(
            "UPDATE tenant_usage SET month = '{month}', messages_measured = 2, messages_counted = 9, measured_at = now();
             UPDATE tenant_usage SET messages_measured = 3, messages_counted = NULL
             WHERE tenant_id = (SELECT id FROM tenants WHERE slug = 't-2')"
        ))
        .await;
    assert_eq!(
        stage.list("sort=-messages_month").await.json[0]["slug"],
        "t-1",
        "the last run still stored the counter"
    );
    tick(stage.function().await).await.unwrap();
    let sorted = stage.list("sort=-messages_month").await.json;
    let shown: Vec<_> = (0..2).map(|n| (&sorted[n]["slug"], &sorted[n]["usage"]["messages_month"])).collect();
    assert_eq!(shown, [(&json!("t-2"), &json!(3)), (&json!("t-1"), &json!(2))]);
}

#[tokio::test]
async fn a_new_month_starts_at_zero_whatever_the_last_month_counted() {
    let stage = UsageStage::new().await;
    stage.seed(2).await;
    let last = Month::current().previous();
    let (one, two) = (stage.id("t-1").await, stage.id("t-2").await);
    stage
        .sql(&format!(
            "UPDATE tenant_usage SET month = '{}', messages_measured = 70, messages_counted = 90, measured_at = now()",
            last.first_day()
        ))
        .await;
    set_counter(one, last, "100").await;
    set_counter(two, last, "100").await;
    assert_eq!(stage.usage(one).await["messages_month"], 0);
    count_message(two).await;
    assert_eq!(stage.usage(two).await["messages_month"], 1);
    tick(stage.function().await).await.unwrap();
    let kept = "SELECT month::text, messages_measured, messages_counted FROM tenant_usage WHERE tenant_id = $1";
    let of = async |tenant: shared::types::TenantId| {
        let row = stage.owner.query_one(kept, &[&tenant.0]).await.unwrap();
        (row.get::<_, String>(0), row.get::<_, Option<i64>>(1), row.get::<_, Option<i64>>(2))
    };
    assert_eq!(
        of(one).await,
        (last.first_day().to_string(), Some(70), Some(90)),
        "nothing is counted in the new month yet"
    );
    assert_eq!(of(two).await, (Month::current().first_day().to_string(), Some(0), Some(1)));
    let sorted = stage.list("sort=-messages_month").await.json;
    assert_eq!((&sorted[0]["slug"], &sorted[1]["slug"]), (&json!("t-2"), &json!("t-1")));
}

#[tokio::test]
async fn an_invalid_counter_is_ignored_and_does_not_affect_others() {
    let stage = UsageStage::new().await;
    stage.seed(6).await;
    let month = Month::current();
    for (slug, value) in [("t-1", "many"), ("t-2", "-5"), ("t-3", ""), ("t-4", "99999999999999999999"), ("t-5", "7")] {
        set_counter(stage.id(slug).await, month, value).await;
    }
    let list = stage.list("").await;
    assert_eq!(list.header("x-live-counters"), "available");
    let shown: Vec<_> = (0..6).map(|n| list.json[n]["usage"]["messages_month"].clone()).collect();
    assert_eq!(json!(shown), json!([null, null, null, null, 7, null]));
    let report = tick(stage.function().await).await.unwrap();
    assert_eq!(report["counters_taken"], 1);
}

#[tokio::test]
async fn without_redis_the_list_returns_measured_figures_in_time_and_reports_it() {
    let stage = UsageStage::new().await;
    stage.seed(2).await;
    let month = Month::current().first_day();
    let tenant = stage.id("t-1").await;
    stage
        .sql(&format!(
            "UPDATE tenant_usage SET month = '{month}', messages_measured = 2, agents = 1, measured_at = now()
             WHERE tenant_id = '{tenant}'"
        ))
        .await;
    set_counter(tenant, Month::current(), "9").await;
    let (proxy, redis) = proxied().await;
    let api = Api::with(&Parts { redis, ..Parts::of(&stage.world) }).await;
    let ask = async |mode: Option<Mode>| {
        let begun = Instant::now();
        let answer = api.get("/tenants/usage").await;
        assert_eq!(answer.status, 200, "{mode:?}: {}", answer.text);
        // Redis may take half a second; the rest is for a busy machine. Waiting for Redis would take eight seconds.
        assert!(begun.elapsed() < Duration::from_secs(3), "{mode:?}: {:?}", begun.elapsed());
        let usage = &answer.json[0]["usage"];
        let shown =
            (answer.header("x-live-counters").to_owned(), usage["messages_month"].clone(), usage["source"].clone());
        let missing = answer.json[1]["usage"]["source"].clone();
        assert_eq!((&usage["agents"], missing), (&json!(1), json!(null)));
        shown
    };
    let with_redis = ("available".to_owned(), json!(9), json!("live"));
    let without_redis = ("unavailable".to_owned(), json!(2), json!("measured"));
    assert_eq!(ask(None).await, with_redis);
    for mode in [Mode::Cut, Mode::Hang] {
        proxy.set(mode);
        assert_eq!(ask(Some(mode)).await, without_redis, "{mode:?}");
        // Concurrent requests do not wait for each other.
        let begun = Instant::now();
        futures::future::join_all((0..20).map(|_| ask(Some(mode)))).await;
        assert!(begun.elapsed() < Duration::from_secs(2), "{mode:?}: {:?}", begun.elapsed());
        proxy.set(Mode::Pass);
        assert_eq!(ask(None).await, with_redis, "after {mode:?}");
    }
}

#[tokio::test]
async fn without_redis_due_tenants_are_still_queued() {
    let stage = UsageStage::new().await;
    stage.seed(3).await;
    for mode in [Mode::Cut, Mode::Hang] {
        let (proxy, redis) = proxied().await;
        proxy.set(mode);
        stage.sql("UPDATE tenant_usage SET due_at = now()").await;
        let counters = LiveCounters::new(Redis::connect(&redis).unwrap());
        let begun = Instant::now();
        let failed = tick(measure_usage::App { counters, ..stage.function().await }).await.unwrap_err();
        assert!(failed.to_string().contains("Redis"), "{failed}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{mode:?}: {:?}", begun.elapsed());
        assert_eq!(tests::queues::drain(&stage.queue_url).await.len(), 1, "{mode:?}");
    }
}
