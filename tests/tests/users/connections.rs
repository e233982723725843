//! The number of connections of a function to tenants' databases has a limit, regardless of the number of tenants.

use std::time::Duration;

use futures::{StreamExt, future::join_all, stream};
use reqwest::StatusCode;
use shared::{
    clients::tenant_databases::TenantDatabases,
    config::{Clusters, PostgresConfig},
};
use tests::{TestTenant, api::Parts, proxy::Proxy, until, variable};
use tokio::time::sleep;

use crate::stage::UsersStage;

const CAP: usize = 6;

/// After this time, a request closes connections that were not used, and the server those of a frozen process after twice.
const IDLE: Duration = Duration::from_secs(1);

const SOON: Duration = Duration::from_secs(10);

/// A stage whose functions have at most `cap` connections to tenants' databases, and close them after `idle`. They go through a
/// proxy, which counts them.
async fn stage(cap: usize, idle: Duration) -> (UsersStage, Proxy) {
    let (proxy, url) = Proxy::before(&variable("POSTGRES_API_URL").into()).await;
    let change = |parts: Parts| {
        let settings = PostgresConfig { tenant_connections: cap, tenant_idle: idle, ..parts.health.postgres.clone() };
        Parts { databases: TenantDatabases::connect(&Clusters::single(url), &settings).unwrap(), ..parts }
    };
    (UsersStage::with(change).await, proxy)
}

async fn tenants(stage: &UsersStage, count: usize) -> Vec<TestTenant> {
    stream::iter(0..count).map(|_| stage.tenant(None)).buffered(4).collect().await
}

#[tokio::test]
async fn requests_for_a_hundred_tenants_use_no_more_connections_than_the_limit() {
    let (stage, proxy) = stage(CAP, Duration::from_mins(1)).await;
    let tenants = tenants(&stage, 100).await;
    for (served, tenant) in tenants.iter().enumerate() {
        assert_eq!(stage.list(tenant, &[]).await.len(), 1);
        assert_eq!(proxy.open(), CAP.min(served + 1), "idle connections are kept, up to the limit");
    }
    // More at once could wait for longer than a request may.
    let answers = stream::iter(&tenants).map(|tenant| stage.ask(tenant, &[])).buffer_unordered(4 * CAP);
    answers.for_each(async |answer| assert_eq!(answer.status, StatusCode::OK, "{}", answer.text)).await;
    assert_eq!(proxy.most_open(), CAP);
}

#[tokio::test]
async fn requests_for_one_tenant_reuse_its_connection() {
    let (stage, _) = stage(CAP, Duration::from_mins(1)).await;
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
    let (stage, proxy) = stage(CAP, IDLE).await;
    let tenants = tenants(&stage, 3).await;
    for tenant in &tenants {
        stage.list(tenant, &[]).await;
    }
    assert_eq!(proxy.open(), 3);
    sleep(IDLE + Duration::from_millis(200)).await;
    assert_eq!(proxy.open(), 3, "nothing closes connections between requests");
    // The next request closes the idle connections to other databases.
    stage.list(&tenants[0], &[]).await;
    until("the others are closed", SOON, async || proxy.open() == 1).await;
    // Without further requests, as in a frozen process, the server closes the last one.
    until("the server closes the connection", SOON, async || proxy.open() == 0).await;
    assert_eq!(stage.list(&tenants[0], &[]).await.len(), 1, "a new connection is opened");
}

#[tokio::test]
async fn requests_for_one_tenant_leave_half_of_the_connections_to_other_tenants() {
    let (stage, proxy) = stage(CAP, Duration::from_mins(1)).await;
    let tenants = tenants(&stage, 2).await;
    let inside = stage.inside(&tenants[0]).await;
    inside.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let delayed = join_all((0..2 * CAP).map(|_| stage.ask(&tenants[0], &[])));
    let others = async {
        until("requests wait for the lock", SOON, async || proxy.open() == CAP / 2).await;
        // A request that found no connection would be answered with 503, because the lock is held until all have ended.
        let answers = join_all((0..2 * CAP).map(|_| stage.ask(&tenants[1], &[]))).await;
        inside.batch_execute("ROLLBACK").await.unwrap();
        answers
    };
    let (delayed, others) = tokio::join!(delayed, others);
    for answer in others.iter().chain(&delayed) {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    assert_eq!(proxy.most_open(), CAP);
}

#[tokio::test]
async fn a_limit_of_one_connection_still_serves_every_request() {
    let (stage, proxy) = stage(1, Duration::from_mins(1)).await;
    let tenants = tenants(&stage, 4).await;
    let answers = join_all(tenants.iter().chain(&tenants).map(|tenant| stage.ask(tenant, &[]))).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    assert_eq!(proxy.most_open(), 1);
}
