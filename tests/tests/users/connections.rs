//! The number of connections of a function to tenants' databases has a limit, regardless of the number of tenants.

use std::time::{Duration, Instant};

use futures::{StreamExt, future::join_all, stream};
use reqwest::StatusCode;
use shared::{
    clients::tenant_databases::TenantDatabases,
    config::{Clusters, PostgresConfig},
};
use tests::{TestTenant, api::Parts};
use tokio::time::sleep;

use crate::stage::UsersStage;

const CAP: usize = 6;

/// A stage whose functions have at most `cap` connections to tenants' databases, and close them after `idle`.
async fn stage(cap: usize, idle: Duration) -> UsersStage {
    UsersStage::with(|parts| Parts { databases: databases(&parts, cap, idle), ..parts }).await
}

fn databases(parts: &Parts, cap: usize, idle: Duration) -> TenantDatabases {
    let config = PostgresConfig { tenant_connections: cap, tenant_idle: idle, ..parts.health.postgres.clone() };
    TenantDatabases::connect(&Clusters::single(config.url.clone()), &config).unwrap()
}

async fn tenants(stage: &UsersStage, count: usize) -> Vec<TestTenant> {
    stream::iter(0..count).map(|_| stage.tenant(None)).buffered(4).collect().await
}

/// The number of open connections to the databases of tenants. The lowest of three counts, because the server takes a moment to
/// notice that a connection was closed.
async fn open(stage: &UsersStage, tenants: &[TestTenant]) -> usize {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = ANY($1) AND usename <> current_user";
    let names: Vec<&str> = tenants.iter().map(|tenant| &*tenant.database).collect();
    let mut least = usize::MAX;
    for _ in 0..3 {
        let count: i64 = stage.owner.query_one(sql, &[&names]).await.unwrap().get(0);
        least = least.min(usize::try_from(count).unwrap());
        if least <= CAP {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    least
}

#[tokio::test]
async fn requests_for_a_hundred_tenants_use_no_more_connections_than_the_limit() {
    let stage = stage(CAP, Duration::from_mins(1)).await;
    let tenants = tenants(&stage, 100).await;
    let mut most = 0;
    for tenant in &tenants {
        assert_eq!(stage.list(tenant, &[]).await.len(), 1);
        most = most.max(open(&stage, &tenants).await);
    }
    assert_eq!(most, CAP, "idle connections are kept, up to the limit");
    let done = std::sync::atomic::AtomicBool::new(false);
    let watch = async {
        let mut most = 0;
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            most = most.max(open(&stage, &tenants).await);
            sleep(Duration::from_millis(5)).await;
        }
        most
    };
    let requests = async {
        let answers = join_all(tenants.iter().map(|tenant| stage.ask(tenant, &[]))).await;
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        answers
    };
    let (answers, most) = tokio::join!(requests, watch);
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    assert!((1..=CAP).contains(&most), "{most}");
}

#[tokio::test]
async fn requests_for_one_tenant_reuse_its_connection() {
    let stage = stage(CAP, Duration::from_mins(1)).await;
    let tenants = tenants(&stage, 2).await;
    let pids = async || {
        let sql =
            "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE datname = $1 AND usename <> current_user";
        stage.owner.query_one(sql, &[&tenants[0].database]).await.unwrap().get::<_, Option<Vec<i32>>>(0)
    };
    stage.list(&tenants[0], &[]).await;
    let first = pids().await;
    assert_eq!(first.as_ref().map(Vec::len), Some(1));
    for _ in 0..5 {
        stage.list(&tenants[1], &[]).await;
        stage.list(&tenants[0], &[]).await;
    }
    assert_eq!(pids().await, first);
}

#[tokio::test]
async fn idle_connections_are_closed_by_the_function_or_by_the_server_if_it_is_frozen() {
    let stage = stage(CAP, Duration::from_secs(1)).await;
    let tenants = tenants(&stage, 3).await;
    for tenant in &tenants {
        stage.list(tenant, &[]).await;
    }
    assert_eq!(open(&stage, &tenants).await, 3);
    sleep(Duration::from_millis(1200)).await;
    // The next request closes the idle connections to other databases.
    stage.list(&tenants[0], &[]).await;
    sleep(Duration::from_millis(50)).await;
    assert_eq!(open(&stage, &tenants).await, 1);
    // Without further requests, as in a frozen process, the server closes the last one.
    let begun = Instant::now();
    while open(&stage, &tenants).await > 0 {
        assert!(begun.elapsed() < Duration::from_secs(5), "the connection was not closed");
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(stage.list(&tenants[0], &[]).await.len(), 1, "a new connection is opened");
}

#[tokio::test]
async fn requests_for_one_tenant_leave_half_of_the_connections_to_other_tenants() {
    let stage = stage(CAP, Duration::from_mins(1)).await;
    let tenants = tenants(&stage, 2).await;
    let inside = stage.inside(&tenants[0]).await;
    inside.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let delayed = join_all((0..12).map(|_| stage.ask(&tenants[0], &[])));
    let others = async {
        sleep(Duration::from_millis(500)).await;
        let begun = Instant::now();
        for _ in 0..10 {
            assert_eq!(stage.list(&tenants[1], &[]).await.len(), 1);
        }
        let took = begun.elapsed();
        inside.batch_execute("ROLLBACK").await.unwrap();
        took
    };
    let (delayed, took) = tokio::join!(delayed, others);
    assert!(took < Duration::from_secs(2), "the other tenant took {took:?}");
    assert!(delayed.iter().all(|answer| answer.status == StatusCode::OK));
}

#[tokio::test]
async fn a_limit_of_one_connection_still_serves_every_request() {
    let stage = stage(1, Duration::from_mins(1)).await;
    let tenants = tenants(&stage, 4).await;
    let answers = join_all(tenants.iter().chain(&tenants).map(|tenant| stage.ask(tenant, &[]))).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
}
