//! Erasing the personal data of a user: from every store, once, for good.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    audit::{AuditAction, AuditEntry},
    error::Conflict,
    revocations::live_list,
    tenant_changes::{self, NewChange},
    types::{Actor, SuperAdminRole},
};
use tests::{
    Answer, TestTenant,
    api::answer,
    mentions::{redis_keys_with, tables_with},
    queues, redis_client, tokens,
};
use uuid::Uuid;

use crate::stage::{UsersStage, request};

const REASON: &str = "Request 2026-114 of the person";

/// A user whose name and address contain a word that occurs nowhere else.
struct Person {
    word: String,
    email: String,
    full_name: String,
}

impl Person {
    fn new() -> Self {
        let word = format!("penyu{}", &Uuid::now_v7().simple().to_string()[12..]);
        Self { email: format!("{word}@kopi.example"), full_name: format!("Budi {word}"), word }
    }
}

async fn add(stage: &UsersStage, tenant: &TestTenant, person: &Person, key: &str) -> Answer {
    let mut body = request(tenant, &person.email);
    body["full_name"] = json!(person.full_name);
    answer(stage.api.request(Method::POST, "/users").header("idempotency-key", key).json(&body)).await
}

fn path(tenant: &TestTenant, user: impl std::fmt::Display) -> String {
    format!("/tenants/{}/users/{user}/erase", tenant.id)
}

async fn erase(stage: &UsersStage, tenant: &TestTenant, user: impl std::fmt::Display) -> Answer {
    stage.api.post(&path(tenant, user), &json!({ "reason": REASON })).await
}

fn tables<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[tokio::test]
async fn an_erasure_reaches_every_store_and_keeps_the_history() {
    let stage = UsersStage::new().await;
    let (tenant, person) = (stage.tenant(None).await, Person::new());
    let inside = stage.inside(&tenant).await;
    let created = add(&stage, &tenant, &person, "key-1").await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let id = created.json["id"].as_str().unwrap();
    // Audit entries that contain the address of the person and not the id.
    assert_eq!(add(&stage, &tenant, &person, "key-2").await.status, StatusCode::CONFLICT);
    let renamed = json!({ "full_name": format!("Tono {}", person.word) });
    assert_eq!(stage.change(&tenant, id, &renamed).await.status, StatusCode::OK);
    let body = json!({
        "tenant_id": tenant.id, "user_id": id, "ticket": person.email,
        "reason": format!("Tono {} cannot see the inbox", person.word.to_uppercase()),
    });
    let started = stage.api.post("/impersonations", &body).await;
    assert_eq!(started.status, StatusCode::CREATED, "{}", started.text);
    let impersonation = started.json["id"].as_str().unwrap();
    let (platform, own) = (tables_with(&stage.owner, &person.word).await, tables_with(&inside, &person.word).await);
    assert!(platform.is_superset(&tables(["audit", "idempotency_keys", "impersonations", "outbox"])), "{platform:?}");
    assert!(own.is_superset(&tables(["changes", "impersonations", "users"])), "{own:?}");

    let reason = format!("Tono {} wrote to us from {}", person.word, person.email);
    let erased = stage.api.post(&path(&tenant, id), &json!({ "reason": reason })).await;

    assert_eq!(erased.status, StatusCode::OK, "{}", erased.text);
    assert_eq!(
        (erased.header("etag"), &erased.json["id"], &erased.json["role"]),
        ("\"3\"", &json!(id), &json!("agent"))
    );
    assert_eq!(erased.json["email"], format!("erased-{id}@invalid"));
    assert_eq!((&erased.json["full_name"], &erased.json["status"]), (&json!("Erased user"), &json!("deactivated")));
    assert_eq!(erased.json["created_at"], created.json["created_at"]);
    assert!(erased.json["erased_at"].is_string(), "{}", erased.text);
    assert_eq!(stage.api.get(&format!("/tenants/{}/users/{id}", tenant.id)).await.json, erased.json);
    // No store mentions the person.
    assert_eq!(tables_with(&stage.owner, &person.word).await, tables([]));
    assert_eq!(tables_with(&inside, &person.word).await, tables([]));
    assert_eq!(redis_keys_with(&person.word).await, Vec::<String>::new());
    for queue in [&stage.world.relay_queue_url, &stage.world.provision_queue_url] {
        let messages = format!("{:?}", queues::drain(queue).await);
        assert!(!messages.contains(&person.word), "{messages}");
    }
    assert_eq!(stage.list(&tenant, &[("search", &person.word)]).await, Vec::<Value>::new());
    let hash = format!("SELECT FROM users WHERE id = '{id}' AND password_hash IS NULL AND session_epoch = 1");
    assert_eq!(stage.count(&tenant, &hash).await, 1);
    // The history is complete.
    let audit = stage.audit(&tenant).await;
    let actions: Vec<_> = audit.iter().map(|(action, outcome, ..)| (&**action, &**outcome)).collect();
    let both = |action| vec![(action, "intended"), (action, "done")];
    let expected = [
        both("user.create"),
        vec![("user.create", "intended"), ("user.create", "failed")],
        both("user.update"),
        both("impersonation.start"),
        both("user.erase"),
        vec![("impersonation.end", "done"), ("user.read", "done")],
    ];
    assert_eq!(actions, expected.concat());
    let intent = &audit.iter().find(|(action, ..)| action == "user.erase").unwrap().3;
    assert_eq!(*intent, json!({ "user_id": id, "reason": "[erased] wrote to us from [erased]" }));
    assert_eq!(
        stage.event_types(&tenant).await,
        [
            "user.created",
            "user.updated",
            "impersonation.started",
            "user.deactivated",
            "user.erased",
            "impersonation.ended"
        ]
    );
    for (kind, data) in stage.events(&tenant).await.iter().filter(|(kind, _)| kind.starts_with("user.")) {
        assert_eq!((&data["user"]["id"], &data["user"]["email"]), (&json!(id), &erased.json["email"]), "{kind}");
    }
    let record =
        "SELECT FROM platform_actions WHERE action = 'user_erased' AND reason = '[erased] wrote to us from [erased]'";
    assert_eq!(stage.count(&tenant, record).await, 1);
    // The impersonation has ended, for services, too.
    let shown = stage.api.get(&format!("/impersonations/{impersonation}")).await.json;
    assert_eq!((&shown["live"], &shown["end_reason"]), (&json!(false), &json!("user_deactivated")));
    assert_eq!(
        (&shown["user_email"], &shown["reason"]),
        (&erased.json["email"], &json!("[erased] cannot see the inbox"))
    );
    let mut redis = redis_client().get_multiplexed_async_connection().await.unwrap();
    let exists = redis::cmd("EXISTS").arg(live_list::denial_key(impersonation)).query_async::<bool>(&mut redis).await;
    assert_eq!(exists, Ok(true), "the token is denied");
    let again = stage.api.post("/impersonations", &body).await;
    assert!(again.text.contains("user-deactivated"), "{}", again.text);
    // The stored response is still that of the request, without the data.
    let replayed = add(&stage, &tenant, &person, "key-1").await;
    assert_eq!((replayed.status, replayed.header("idempotent-replayed")), (StatusCode::CREATED, "true"));
    assert_eq!((&replayed.json["id"], &replayed.json["email"]), (&json!(id), &erased.json["email"]));
}

#[tokio::test]
async fn a_repeated_erasure_changes_nothing_and_no_request_changes_the_user() {
    let stage = UsersStage::new().await;
    let (tenant, person) = (stage.tenant(Some(2)).await, Person::new());
    let created = add(&stage, &tenant, &person, "key-1").await.json;
    let id = created["id"].as_str().unwrap();
    let erased = erase(&stage, &tenant, id).await;
    assert_eq!(erased.status, StatusCode::OK, "{}", erased.text);
    let repeated = erase(&stage, &tenant, id).await;
    assert_eq!((repeated.status, repeated.header("etag"), &repeated.json), (StatusCode::OK, "\"2\"", &erased.json));
    assert_eq!(stage.event_types(&tenant).await, ["user.created", "user.deactivated", "user.erased"]);
    assert_eq!(stage.outcomes(&tenant).await, ["intended", "done", "intended", "done"]);
    for patch in
        [json!({"status": "active"}), json!({"full_name": "Budi"}), json!({"status": "deactivated"}), json!({})]
    {
        let refused = stage.change(&tenant, id, &patch).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{patch}: {}", refused.text);
        assert_eq!(refused.json["type"], "/api/super-admin/problems/user-erased", "{patch}");
    }
    // Nor can a service.
    let revive = format!("UPDATE users SET status = 'active' WHERE id = '{id}'");
    let error = stage.inside(&tenant).await.batch_execute(&revive).await.unwrap_err();
    assert_eq!(error.as_db_error().unwrap().constraint(), Some("users_erased"));
    // The seat and the address are free.
    let other = add(&stage, &tenant, &person, "key-3").await;
    assert_eq!(other.status, StatusCode::CREATED, "{}", other.text);
    assert_eq!(erase(&stage, &tenant, id).await.json, erased.json);
    let path = format!("/tenants/{}/users/{}", tenant.id, other.json["id"].as_str().unwrap());
    assert_eq!(stage.api.get(&path).await.json["email"], person.email, "another user is not touched");
}

#[tokio::test]
async fn the_last_active_admin_cannot_be_erased() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let refused = erase(&stage, &tenant, tenant.admin).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert_eq!(refused.json["type"], "/api/super-admin/problems/last-admin");
    assert_eq!(stage.list(&tenant, &[]).await[0]["email"], "sari@kopi.example");
    assert_eq!(stage.world.count("SELECT FROM erased_users").await, 0);
    assert_eq!(stage.outcomes(&tenant).await, ["intended", "failed"]);
    stage.added(&tenant, "siti@kopi.example", "admin").await;
    let erased = erase(&stage, &tenant, tenant.admin).await;
    assert_eq!((erased.status, &erased.json["role"]), (StatusCode::OK, &json!("admin")), "{}", erased.text);
    // One who was deactivated before has no event of that.
    let former = stage.added(&tenant, "tono@kopi.example", "agent").await;
    let former = former["id"].as_str().unwrap();
    stage.change(&tenant, former, &json!({ "status": "deactivated" })).await;
    assert_eq!(erase(&stage, &tenant, former).await.status, StatusCode::OK);
    assert_eq!(stage.event_types(&tenant).await[3..], ["user.created", "user.deactivated", "user.erased"]);
}

#[tokio::test]
async fn an_erasure_needs_an_owner_a_reason_and_the_current_revision() {
    let stage = UsersStage::new().await;
    let (tenant, person) = (stage.tenant(None).await, Person::new());
    let user = add(&stage, &tenant, &person, "key-1").await.json;
    let id = user["id"].as_str().unwrap();
    let operator = stage.world.operator(SuperAdminRole::Operator).await;
    let token = tokens::sign(&tokens::claims(&operator.to_string()));
    let by_operator = stage.api.anonymous(Method::POST, &path(&tenant, id)).bearer_auth(token);
    assert_eq!(answer(by_operator.json(&json!({ "reason": REASON }))).await.status, StatusCode::FORBIDDEN);
    for (body, faults) in [
        (json!({}), vec!["/reason"]),
        (json!({ "reason": "short" }), vec!["/reason"]),
        (json!({ "reason": REASON, "name": "Budi" }), vec!["/name"]),
    ] {
        let refused = stage.api.post(&path(&tenant, id), &body).await;
        assert_eq!((refused.status, refused.faults()), (StatusCode::UNPROCESSABLE_ENTITY, owned(&faults)), "{body}");
    }
    let with_tag = async |tag: &str| {
        let request = stage.api.request(Method::POST, &path(&tenant, id)).header("if-match", tag);
        answer(request.json(&json!({ "reason": REASON }))).await.status
    };
    assert_eq!(with_tag("\"7\"").await, StatusCode::PRECONDITION_FAILED);
    let unknown = erase(&stage, &tenant, Uuid::now_v7()).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{}", unknown.text);
    assert_eq!(stage.outcomes(&tenant).await, ["intended", "done"], "only the creation is recorded");
    assert_eq!(with_tag("\"1\"").await, StatusCode::OK);
    assert_eq!(with_tag("\"1\"").await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(with_tag("\"2\"").await, StatusCode::OK);
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn what_a_late_request_records_about_an_erased_user_is_erased_again() {
    let stage = UsersStage::new().await;
    let (tenant, person) = (stage.tenant(None).await, Person::new());
    let id = add(&stage, &tenant, &person, "key-1").await.json["id"].as_str().unwrap().to_owned();
    assert_eq!(erase(&stage, &tenant, &id).await.status, StatusCode::OK);
    // A request that had found the user before the erasure commits its intent after it, and is refused.
    let details = json!({ "user_id": id, "wanted": { "full_name": person.full_name } });
    let entry = AuditEntry::done(Actor::SYSTEM, AuditAction::UserUpdate, tenant.id, details);
    let mut platform = stage.world.api_pool().get().await.unwrap();
    let change = tenant_changes::begin(&platform, &NewChange::new(tenant.id, entry)).await.unwrap();
    assert_eq!(tables_with(&stage.owner, &person.word).await, tables(["audit"]));
    assert!(change.fail(&mut platform, &Conflict::UserErased.into(), None).await);
    assert_eq!(tables_with(&stage.owner, &person.word).await, tables([]));
    assert_eq!(stage.outcomes(&tenant).await.last().unwrap(), "failed");
}

#[tokio::test]
async fn texts_lose_whole_words_only_and_other_users_keep_theirs() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let mut body = request(&tenant, "ali@kopi.example");
    body["full_name"] = json!("Ali");
    let ali = stage.api.post("/users", &body).await.json["id"].as_str().unwrap().to_owned();
    let other = stage.added(&tenant, "budi@kopi.example", "agent").await;
    let reason = "Ali complains about the quality (ALI@kopi.example)";
    for user in [&*ali, other["id"].as_str().unwrap()] {
        let start = json!({ "tenant_id": tenant.id, "user_id": user, "reason": reason });
        assert_eq!(stage.api.post("/impersonations", &start).await.status, StatusCode::CREATED);
    }
    assert_eq!(erase(&stage, &tenant, &ali).await.status, StatusCode::OK);
    let reasons = async |client: &tokio_postgres::Client| -> Vec<String> {
        let rows = client.query("SELECT reason FROM impersonations ORDER BY started_at", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    let expected = ["[erased] complains about the quality ([erased])", reason];
    assert_eq!(reasons(&stage.owner).await, expected);
    assert_eq!(reasons(&stage.inside(&tenant).await).await, expected);
    let after = "SELECT FROM audit WHERE details #>> '{after,full_name}' = 'Budi Santoso'
                 AND details #>> '{after,email}' = 'budi@kopi.example'";
    assert_eq!(stage.world.count(after).await, 2, "the intent and the outcome of the other user's creation");
}
