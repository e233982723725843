//! The bounds on requests that wait: they hold no connections, and their number is limited.

use std::{fs, time::Duration};

use futures::future::join_all;
use reqwest::StatusCode;
use shared::{
    clients::{postgres::Postgres, redis::Redis},
    config::{FromEnv, PostgresConfig, RedisConfig},
    operations::{StepChange, StepName, WaitSlots, store::journal},
};
use tests::{api::Parts, until};

use crate::stage::OperationsStage;

/// The memory of this process in MiB, of the clients and the function together.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test]
async fn two_hundred_waits_share_a_few_connections_and_do_not_delay_other_requests() {
    let stage = OperationsStage::with(|parts| Parts { max_waiting: 200, ..parts }).await;
    let id = stage.operation("kopi-kenangan").await;
    let before = memory();
    let waits = join_all((0..200).map(|_| stage.get(id, "wait=20", None)));
    let others = async {
        stage.until_waiting(200).await;
        let during = memory();
        for _ in 0..10 {
            assert_eq!(stage.api.get("/tenants").await.status, StatusCode::OK);
        }
        assert_eq!(stage.waiting().await, 200, "the others were answered before any of them");
        let sessions = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND usename LIKE '%api%'";
        let sessions = stage.world.count(sessions).await;
        println!("200 waits: {before} MiB before, {during} MiB during; {sessions} connections");
        assert!((1..=4).contains(&sessions), "{sessions} connections");
        stage.take(id).await;
    };
    let (answers, ()) = tokio::join!(waits, others);
    let slowest = answers.iter().map(|(_, elapsed)| *elapsed).max().unwrap();
    println!("200 waits: all answered after {slowest:?}");
    for (answer, _) in answers {
        assert_eq!(
            (answer.status, answer.json["status"].as_str()),
            (StatusCode::OK, Some("running")),
            "{}",
            answer.text
        );
    }
    assert_eq!(stage.waiting().await, 0);
}

#[tokio::test]
async fn a_request_that_waits_leaves_the_only_connection_to_others() {
    let stage = OperationsStage::new().await;
    let platform = Postgres::connect(&PostgresConfig { pool_size: 1, ..stage.world.api() }).unwrap();
    let api = tests::Api::with(&Parts { platform, ..Parts::of(&stage.world) }).await;
    let id = stage.operation("kopi-kenangan").await;
    let path = format!("/operations/{id}?wait=20");
    let (waited, ()) = tokio::join!(api.get(&path), async {
        stage.until_waiting(1).await;
        for _ in 0..5 {
            assert_eq!(api.get("/tenants").await.status, StatusCode::OK);
        }
        stage.take(id).await;
    });
    assert_eq!(waited.json["status"], "running", "{}", waited.text);
}

#[tokio::test]
async fn when_too_many_requests_wait_the_others_get_the_present_state_at_once() {
    let stage = OperationsStage::with(|parts| Parts { max_waiting: 3, ..parts }).await;
    let id = stage.operation("kopi-kenangan").await;
    let waits = join_all((0..10).map(|_| stage.get(id, "wait=20", None)));
    let (answers, ()) = tokio::join!(waits, async {
        stage.until_waiting(3).await;
        // The other seven have been answered by the time that a later one is.
        let (late, elapsed) = stage.get(id, "wait=20", None).await;
        assert_eq!((late.status, late.header("retry-after")), (StatusCode::OK, "5"), "{}", late.text);
        assert_eq!(late.header("ratelimit-policy"), "\"waiting_requests\";q=3;qu=\"concurrent-requests\"");
        assert_eq!(late.header("ratelimit"), "\"waiting_requests\";r=0");
        assert_eq!(stage.waiting().await, 3, "it was answered before those that wait, after {elapsed:?}");
        stage.take(id).await;
    });
    let count = |status: &str, retry_after: &str| {
        let is_such =
            |answer: &tests::Answer| answer.json["status"] == status && answer.header("retry-after") == retry_after;
        answers.iter().filter(|(answer, _)| answer.status == StatusCode::OK && is_such(answer)).count()
    };
    assert_eq!((count("running", "0"), count("pending", "5")), (3, 7));
    // The places are free again.
    assert_eq!(stage.get(id, "wait=1", None).await.0.header("retry-after"), "0");
}

#[tokio::test]
async fn a_process_that_ended_while_it_waited_frees_its_place() {
    let stage = OperationsStage::new().await;
    let prefix = format!("{}:killed:", stage.world.database);
    let slots = WaitSlots::new(Redis::connect(&RedisConfig::from_env().unwrap()).unwrap(), 1).with_prefix(&prefix);
    // The process ends without freeing it.
    assert!(slots.take(Duration::ZERO).await.is_some());
    assert!(slots.take(Duration::ZERO).await.is_none());
    let taken = async || slots.take(Duration::ZERO).await.is_some();
    let elapsed = until("the place is free", Duration::from_secs(15), taken).await;
    println!("the place of a killed waiter is free after {elapsed:?}");
}

#[tokio::test]
async fn the_steps_of_a_worker_change_no_index() {
    let stage = OperationsStage::new().await;
    let id = stage.operation("kopi-kenangan").await;
    let lease = stage.take(id).await;
    let mut client = stage.workers.get().await.unwrap();
    let transaction = client.transaction().await.unwrap();
    // All updates of the session that are not reported yet, and those that changed no index.
    let updates = async || {
        let sql = "SELECT pg_stat_get_xact_tuples_updated(oid), pg_stat_get_xact_tuples_hot_updated(oid)
                   FROM pg_class WHERE relname IN ('operations', 'operation_steps') ORDER BY relname";
        let rows = transaction.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| (row.get::<_, i64>(0), row.get::<_, i64>(1))).collect::<Vec<_>>()
    };
    let before = updates().await;
    for change in [StepChange::Started, StepChange::Succeeded] {
        journal::record(&transaction, lease, StepName::Placement, change).await.unwrap();
    }
    let after = before.iter().map(|(all, without_index)| (all + 2, without_index + 2)).collect::<Vec<_>>();
    assert_eq!(updates().await, after);
}
