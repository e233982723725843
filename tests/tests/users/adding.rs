//! Creating users: seats, e-mail addresses, and validation.

use std::collections::BTreeSet;

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::json;
use shared::passwords;
use tests::{Api, api::Parts};

use crate::stage::{PASSWORD, UsersStage, request};

#[tokio::test]
async fn a_user_is_created_with_a_hash_of_the_password() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(Some(2)).await;
    let mut body = request(&tenant, " Budi.Santoso@Kopi.example ");
    let refused = stage.api.post("/users", &body).await;
    assert_eq!((refused.status, refused.faults()), (StatusCode::UNPROCESSABLE_ENTITY, vec!["/email".to_owned()]));
    body["email"] = json!("Budi.Santoso@Kopi.example");
    body["full_name"] = json!("  Budi Santoso ");
    body["role"] = json!("supervisor");
    let created = stage.api.post("/users", &body).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    assert_eq!(created.header("etag"), "\"1\"");
    let user = &created.json;
    assert_eq!(user["email"], "budi.santoso@kopi.example");
    assert_eq!(user["full_name"], "Budi Santoso");
    assert_eq!((&user["role"], &user["status"]), (&json!("supervisor"), &json!("active")));
    assert_eq!((&user["is_online"], &user["last_seen_at"]), (&json!(false), &json!(null)));
    assert_eq!(stage.list(&tenant, &[]).await[0], *user);
    let sql = "SELECT password_hash, session_epoch FROM users WHERE email = 'budi.santoso@kopi.example'";
    let row = stage.inside(&tenant).await.query_one(sql, &[]).await.unwrap();
    let (hash, epoch): (String, i32) = (row.get(0), row.get(1));
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert!(passwords::verify(&PASSWORD.into(), Some(&hash)).await.unwrap());
    assert_eq!(epoch, 0);
}

#[tokio::test]
async fn of_fifty_concurrent_requests_for_three_free_seats_three_succeed() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(Some(4)).await;
    // Two instances, because Lambda runs more than one.
    let other = Api::with(&Parts::of(&stage.world)).await;
    let requests = (0..50).map(|number| {
        let api = if number % 2 == 0 { &stage.api } else { &other };
        let body = request(&tenant, &format!("user{number}@kopi.example"));
        async move { api.post("/users", &body).await }
    });
    let answers = join_all(requests).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(StatusCode::CREATED), count(StatusCode::CONFLICT)), (3, 47));
    let refused = answers.iter().find(|answer| answer.status == StatusCode::CONFLICT).unwrap();
    assert!(refused.text.contains("max_agents is 4"), "{}", refused.text);
    assert_eq!(stage.count(&tenant, "SELECT FROM users WHERE status = 'active'").await, 4);
    assert_eq!(stage.event_types(&tenant).await, ["user.created"; 3]);
    let outcomes = stage.outcomes(&tenant).await;
    let count = |outcome: &str| outcomes.iter().filter(|entry| *entry == outcome).count();
    assert_eq!((count("intended"), count("done"), count("failed")), (50, 3, 47));
}

#[tokio::test]
async fn a_tenant_without_a_limit_accepts_every_user_and_a_limit_of_zero_accepts_none() {
    let stage = UsersStage::new().await;
    let (open, closed) = (stage.tenant(None).await, stage.tenant(Some(0)).await);
    for number in 0..5 {
        assert_eq!(stage.add(&open, &format!("user{number}@kopi.example")).await.status, StatusCode::CREATED);
    }
    assert_eq!(stage.add(&closed, "budi@kopi.example").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn an_e_mail_address_is_unique_in_its_tenant_regardless_of_case() {
    let stage = UsersStage::new().await;
    let (tenant, other) = (stage.tenant(None).await, stage.tenant(None).await);
    let refused = stage.add(&tenant, "SARI@Kopi.example").await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert!(refused.text.contains("sari@kopi.example"), "{}", refused.text);
    let answers = join_all((0..8).map(|_| stage.add(&tenant, "Budi@kopi.example"))).await;
    let created = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    let refused = answers.iter().filter(|answer| answer.status == StatusCode::CONFLICT).count();
    assert_eq!((created, refused), (1, 7));
    assert_eq!(stage.add(&other, "budi@kopi.example").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_response_lists_every_invalid_field() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let empty = stage.api.post("/users", &json!({})).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(empty.faults(), ["/email", "/full_name", "/password", "/role", "/tenant_id"]);
    let bad = json!({
        "tenant_id": "7", "email": "Ada <ada@kopi.example>", "full_name": "a\u{202e}b", "role": "owner", "password": "short",
        "status": "active",
    });
    let bad = stage.api.post("/users", &bad).await;
    let places: BTreeSet<_> = bad.faults().into_iter().collect();
    let wanted = ["/email", "/full_name", "/password", "/role", "/status", "/tenant_id"].map(ToOwned::to_owned);
    assert_eq!(places, wanted.into());
    let mut guessable = request(&tenant, "budi.santoso@kopi.example");
    guessable["password"] = json!("budisantoso12");
    let guessable = stage.api.post("/users", &guessable).await;
    assert_eq!(
        (guessable.status, guessable.faults()),
        (StatusCode::UNPROCESSABLE_ENTITY, vec!["/password".to_owned()])
    );
    assert!(!guessable.text.contains("budisantoso12"), "{}", guessable.text);
    assert_eq!(stage.count(&tenant, "SELECT FROM users").await, 1);
}
