//! Processes that are killed (`SIGKILL`) between two commits of a change of a user.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{TestTenant, api::answer};

use crate::stage::{HeldLock, Stage, send, tick, until_row, user_path};

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivation_whose_process_is_killed_between_the_commits_is_settled() {
    let stage = Stage::new().await;
    let mut cut_off = Vec::new();
    for _ in 0..6 {
        let (tenant, user) = stage.tenant().await;
        let impersonation = stage.impersonation(&tenant, user).await;
        stage.cut_off_deactivation(&tenant, user).await;
        assert!(stage.is_live(&impersonation).await);
        cut_off.push((tenant, impersonation, Instant::now()));
    }
    let relay = stage.relay();
    let mut settled = 0;
    while settled < cut_off.len() {
        settled += usize::try_from(tick(&relay).await["changes_settled"].as_u64().unwrap()).unwrap();
        let since = cut_off[0].2.elapsed();
        println!("{settled} of {} settled, the first {since:?} after it was killed", cut_off.len());
        assert!(since < Duration::from_mins(1), "the relay leaves a change to its request for a few seconds only");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for (tenant, impersonation, _) in &cut_off {
        assert_eq!(stage.event_types(tenant), ["impersonation.started", "user.deactivated", "impersonation.ended"]);
        assert!(!stage.is_live(impersonation).await);
        assert!(stage.is_denied(impersonation).await, "the relay denies the token at once");
        let audit = stage.audit(tenant, "user.update").await;
        assert_eq!([&*audit[0].0, &*audit[1].0], ["intended", "done"]);
        assert_eq!(audit[1].1["before"]["status"], "active");
        assert_eq!(audit[1].1["after"]["status"], "deactivated");
        assert_eq!(stage.outcomes(tenant, "impersonation.end").await, ["done"]);
    }
    assert_eq!(stage.open_changes().await, 0);
    assert_eq!(stage.same_requests("user.update").await, 6, "an outcome names the actor and the request of its intent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivation_whose_process_is_killed_before_the_tenants_commit_has_failed() {
    let stage = Stage::new().await;
    let (tenant, user) = stage.tenant().await;
    let impersonation = stage.impersonation(&tenant, user).await;
    let process = stage.process().await;
    let lock = HeldLock::on_users(&stage, &tenant).await;
    send(process.api.request(Method::PATCH, &user_path(&tenant, user)).json(&json!({ "status": "deactivated" })));
    until_row(&stage.owner, "SELECT FROM tenant_changes WHERE kind = 'user.update'").await;
    process.kill();
    lock.release().await;

    assert_eq!(stage.settle().await["changes_settled"], 1);

    let audit = stage.audit(&tenant, "user.update").await;
    assert_eq!([&*audit[0].0, &*audit[1].0], ["intended", "failed"]);
    assert_eq!(audit[1].1["wanted"], json!({ "status": "deactivated" }));
    assert!(audit[1].1["error"].as_str().unwrap().contains("interrupted"), "{}", audit[1].1);
    assert_eq!(stage.event_types(&tenant), ["impersonation.started"]);
    assert!(stage.is_live(&impersonation).await);
    until_row(&stage.inside(&tenant).await, &format!("SELECT FROM users WHERE id = '{user}' AND status = 'active'"))
        .await;
    // The user can still be changed.
    let changed = stage.api.patch(&user_path(&tenant, user), &json!({ "status": "deactivated" })).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert!(!stage.is_live(&impersonation).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenants_record_of_a_new_admin_exists_exactly_when_a_killed_process_has_made_the_change() {
    let stage = Stage::new().await;
    let grant = json!({ "role": "admin", "reason": "The only admin has left the company" });
    let record = "SELECT FROM platform_actions WHERE action = 'admin_granted'";
    for is_made in [true, false] {
        let (tenant, user) = stage.tenant().await;
        let inside = stage.inside(&tenant).await;
        let process = stage.process().await;
        let lock = if is_made {
            HeldLock::on_tenant(&stage, &tenant).await
        } else {
            HeldLock::on_users(&stage, &tenant).await
        };
        send(process.api.request(Method::PATCH, &user_path(&tenant, user)).json(&grant));
        if is_made {
            until_row(&inside, record).await;
        } else {
            until_row(&stage.owner, &format!("SELECT FROM tenant_changes WHERE tenant_id = '{}'", tenant.id)).await;
        }
        process.kill();
        lock.release().await;

        assert_eq!(stage.settle().await["changes_settled"], 1);

        assert_eq!(inside.query(record, &[]).await.unwrap().len(), usize::from(is_made));
        let admins = "SELECT FROM users WHERE role = 'admin'";
        assert_eq!(inside.query(admins, &[]).await.unwrap().len(), if is_made { 2 } else { 1 });
        let audit = stage.audit(&tenant, "user.update").await;
        assert_eq!([&*audit[0].0, &*audit[1].0], ["intended", if is_made { "done" } else { "failed" }]);
        assert!(audit.iter().all(|(_, details)| details["reason"] == grant["reason"]), "{audit:?}");
    }
}

/// Requests the user in a process that is killed after the commit in the tenant's database.
async fn cut_off_creation(stage: &Stage, tenant: &TestTenant, key: Option<&str>, body: &Value) {
    let process = stage.process().await;
    let lock = HeldLock::on_tenant(stage, tenant).await;
    let request = process.api.request(Method::POST, "/users").json(body);
    send(key.into_iter().fold(request, |request, key| request.header("idempotency-key", key)));
    let committed = format!("SELECT FROM users WHERE email = {}", body["email"].to_string().replace('"', "'"));
    until_row(&stage.inside(tenant).await, &committed).await;
    process.kill();
    lock.release().await;
}

fn user(tenant: &TestTenant, email: &str) -> Value {
    json!({
        "tenant_id": tenant.id, "email": email, "full_name": "Siti", "role": "agent", "password": "tidal-mango-orbit-42",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_whose_process_is_killed_between_the_commits_is_settled_or_finished_by_its_repetition() {
    let stage = Stage::new().await;
    let (tenant, _) = stage.tenant().await;
    let repeat = async |key: &str, body: &Value| {
        answer(stage.api.request(Method::POST, "/users").header("idempotency-key", key).json(body)).await
    };

    // Settled by the relay.
    cut_off_creation(&stage, &tenant, None, &user(&tenant, "one@kopi.example")).await;
    let two = user(&tenant, "two@kopi.example");
    cut_off_creation(&stage, &tenant, Some("key-2"), &two).await;
    assert_eq!(stage.settle().await["changes_settled"], 2);
    assert_eq!(stage.event_types(&tenant), ["user.created", "user.created"]);
    let replayed = repeat("key-2", &two).await;
    assert_eq!((replayed.status, replayed.header("idempotent-replayed")), (StatusCode::CREATED, "true"));
    assert_eq!((&replayed.json["email"], replayed.header("etag")), (&two["email"], "\"1\""));

    // Finished by the repetition.
    let three = user(&tenant, "three@kopi.example");
    cut_off_creation(&stage, &tenant, Some("key-3"), &three).await;
    let finished = repeat("key-3", &three).await;
    assert_eq!(
        (finished.status, finished.header("idempotent-replayed")),
        (StatusCode::CREATED, ""),
        "{}",
        finished.text
    );
    assert_eq!(finished.json["email"], three["email"]);
    assert_eq!(repeat("key-3", &three).await.text, finished.text);

    assert_eq!(stage.settle().await["changes_settled"], 0);
    assert_eq!(stage.event_types(&tenant), ["user.created"; 3]);
    let mut outcomes = stage.outcomes(&tenant, "user.create").await;
    outcomes.sort();
    assert_eq!(outcomes, ["done", "done", "done", "intended", "intended", "intended"]);
    // Neither a password nor its hash is in a marker.
    let secret = "SELECT FROM changes WHERE result::text LIKE '%argon2%' OR result::text LIKE '%mango%'";
    assert!(stage.inside(&tenant).await.query(secret, &[]).await.unwrap().is_empty());
}

/// The types of the events about a user, with the revisions of the user after them, in their order.
fn events(stage: &Stage, tenant: &TestTenant) -> Vec<(String, i64)> {
    let messages = tests::topic::read(&stage.kafka).into_iter().map(|message| message.payload);
    let of_tenant = messages.filter(|event| event["subject"] == json!(tenant.id));
    of_tenant
        .map(|event| (event["type"].as_str().unwrap().to_owned(), event["data"]["revision"].as_i64().unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_change_of_a_user_is_published_after_the_one_whose_process_was_killed() {
    let stage = Stage::new().await;
    let (tenant, user) = stage.tenant().await;
    stage.cut_off_deactivation(&tenant, user).await;

    // The caller repeats the request, which changes nothing any more, and sends others.
    for change in [json!({ "status": "deactivated" }), json!({ "full_name": "Budi S." }), json!({ "status": "active" })]
    {
        let changed = answer(stage.api.request(Method::PATCH, &user_path(&tenant, user)).json(&change)).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    }

    assert_eq!(stage.settle().await["changes_settled"], 0, "the later change has settled the earlier one");
    let expected = [("user.deactivated", 2), ("user.updated", 3), ("user.reactivated", 4)];
    assert_eq!(events(&stage, &tenant), expected.map(|(kind, revision)| (kind.to_owned(), revision)));
    assert_eq!(stage.outcomes(&tenant, "user.update").await.iter().filter(|outcome| *outcome == "done").count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_changes_of_a_user_whose_processes_were_killed_are_published_in_their_order() {
    let stage = Stage::new().await;
    let (tenant, user) = stage.tenant().await;
    for number in 1..=4 {
        let (change, condition) =
            (json!({ "full_name": format!("Budi {number}") }), format!("full_name = 'Budi {number}'"));
        stage.cut_off_change(&tenant, user, &change, &condition).await;
    }
    // Whichever is settled first.
    let newest_first = "UPDATE tenant_changes SET created_at = now() - (created_at - now())";
    stage.owner.batch_execute(newest_first).await.unwrap();

    stage.settle().await;

    let expected: Vec<_> = (2..=5).map(|revision| ("user.updated".to_owned(), revision)).collect();
    assert_eq!(events(&stage, &tenant), expected);
    assert_eq!(stage.open_changes().await, 0);
}
