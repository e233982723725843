//! Limits on the starts of one super-admin, under concurrent requests.

use std::collections::BTreeSet;

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::json;
use shared::types::SuperAdminRole;
use tests::{Answer, TestTenant};
use uuid::Uuid;

use super::stage::{ImpersonationStage, id, request, request_with};

async fn users(stage: &ImpersonationStage, tenant: &TestTenant, count: usize) -> Vec<Uuid> {
    let ids: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
    for user in &ids {
        stage.add_user(tenant, *user, &format!("{user}@kopi.example")).await;
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn of_concurrent_starts_for_one_user_by_one_super_admin_one_succeeds() {
    let stage = ImpersonationStage::new().await;
    let tenant = stage.tenant().await;
    let body = request(&tenant);
    let answers = join_all((0..20).map(|_| stage.ask(&body))).await;
    let started: Vec<_> = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).collect();
    assert_eq!(started.len(), 1);
    assert!(answers.iter().all(|answer| [201, 409].contains(&answer.status.as_u16())), "{answers:?}");
    let sid = id(&started[0].json);
    let refused = stage.ask(&body).await;
    assert!(refused.json["detail"].as_str().unwrap().contains(&sid), "the response names it: {}", refused.text);
    // Another super-admin can start one.
    let (_, token) = stage.super_admin(SuperAdminRole::Operator).await;
    assert_eq!(stage.ask_as(&token, &body).await.status, StatusCode::CREATED);
    // After its end the next can start.
    assert_eq!(stage.end(&sid).await.status, StatusCode::NO_CONTENT);
    assert_eq!(stage.ask(&body).await.status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_super_admin_starts_at_most_ten_a_minute_under_concurrent_requests() {
    let stage = ImpersonationStage::new().await;
    let tenant = stage.tenant().await;
    let users = users(&stage, &tenant, 25).await;
    let ask = async |user: &Uuid| stage.ask(&request_with(&tenant, |body| body["user_id"] = json!(user))).await;
    let answers = join_all(users[..20].iter().map(ask)).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!(count(StatusCode::CREATED), 10, "{answers:?}");
    assert_eq!(count(StatusCode::TOO_MANY_REQUESTS), 10);
    let refused = answers.iter().find(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS).unwrap();
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // The responses state what is left: 9 after the first start, 0 after the tenth and in each refusal.
    let left = |answer: &Answer| {
        let field = answer.header("ratelimit").trim_start_matches("\"impersonations_per_super_admin\";r=").to_owned();
        field.split(';').next().unwrap().parse::<u64>().unwrap()
    };
    let started = answers.iter().filter(|answer| answer.status == StatusCode::CREATED);
    assert_eq!(started.map(left).collect::<BTreeSet<_>>(), (0..10).collect());
    assert_eq!(left(refused), 0);
    assert!(refused.header("ratelimit").ends_with(&format!(";t={wait}")), "{}", refused.header("ratelimit"));
    assert_eq!(refused.header("ratelimit-policy"), "\"impersonations_per_super_admin\";q=10;w=60");
    assert_eq!(stage.world.count("SELECT FROM impersonations").await, 10);
    // The limit is per super-admin.
    let (_, token) = stage.super_admin(SuperAdminRole::Operator).await;
    let body = request_with(&tenant, |body| body["user_id"] = json!(users[20]));
    assert_eq!(stage.ask_as(&token, &body).await.status, StatusCode::CREATED);
    // Move the first start a minute back.
    stage
        .sql("UPDATE impersonations SET started_at = started_at - interval '1 minute' WHERE id = (SELECT id FROM impersonations ORDER BY started_at LIMIT 1)")
        .await;
    let next = join_all(users[21..].iter().map(ask)).await;
    assert_eq!(next.iter().filter(|answer| answer.status == StatusCode::CREATED).count(), 1, "{next:?}");
}

#[tokio::test]
async fn an_expired_impersonation_does_not_block_the_next() {
    let stage = ImpersonationStage::new().await;
    let tenant = stage.tenant().await;
    let first = id(&stage.start(&tenant).await);
    stage.sql("UPDATE impersonations SET started_at = now() - interval '2 minutes', expires_at = now() - interval '1 second'").await;
    let expired = stage.get(&first).await;
    assert_eq!([&expired["live"], &expired["end_reason"]], [&json!(false), &json!("expired")]);
    assert_eq!([&expired["ended_at"], &expired["ended_by"]], [&expired["expires_at"], &json!("system")]);

    stage.start(&tenant).await;

    let mut swept = stage.get(&first).await;
    assert_eq!(swept, expired, "the end that was derived is now recorded");
    swept["live"] = json!(false);
    let denied = stage.end(&first).await;
    assert_eq!(denied.status, StatusCode::NO_CONTENT);
    assert_eq!(stage.get(&first).await["end_reason"], "expired");
    assert_eq!(stage.events().await.iter().filter(|(kind, _)| kind == "impersonation.ended").count(), 0);
}
