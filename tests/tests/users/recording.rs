//! The audit entries and events of a change, and secrets that they never contain.

use reqwest::StatusCode;
use serde_json::json;

use crate::stage::{PASSWORD, REASON, UsersStage, request};

#[tokio::test]
async fn a_change_has_an_intent_and_an_outcome_with_the_user_before_and_after() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let user = stage.added(&tenant, "budi@kopi.example", "agent").await;
    let patch = json!({"full_name": "Budi", "role": "supervisor", "status": "deactivated", "password": "quiet-lemon-harbor-17",
                       "reason": REASON});
    let changed = stage.change(&tenant, user["id"].as_str().unwrap(), &patch).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let after = json!({"email": "budi@kopi.example", "full_name": "Budi Santoso", "role": "agent"});
    let added = json!({"user_id": user["id"], "after": after, "reason": REASON});
    let wanted = json!({"full_name": "Budi", "role": "supervisor", "status": "deactivated", "password_reset": true});
    let done = json!({
        "user_id": user["id"], "password_reset": true, "reason": REASON,
        "before": {"full_name": "Budi Santoso", "role": "agent", "status": "active"},
        "after": {"full_name": "Budi", "role": "supervisor", "status": "deactivated"},
    });
    let entry = |action: &str, outcome: &str, names_intent, details: &serde_json::Value| {
        (action.to_owned(), outcome.to_owned(), names_intent, details.clone())
    };
    assert_eq!(
        stage.audit(&tenant).await,
        [
            entry("user.create", "intended", false, &added),
            entry("user.create", "done", true, &added),
            entry(
                "user.update",
                "intended",
                false,
                &json!({"user_id": user["id"], "wanted": wanted, "reason": REASON})
            ),
            entry("user.update", "done", true, &done),
        ]
    );
    let events = stage.events(&tenant).await;
    let types: Vec<_> = events.iter().map(|(kind, _)| &**kind).collect();
    assert_eq!(types, ["user.created", "user.updated", "user.deactivated", "user.password_reset"]);
    assert_eq!(events[0].1, json!({"tenant_id": tenant.id, "revision": 1, "user": user}));
    for (_, data) in &events[1..] {
        assert_eq!(*data, json!({"tenant_id": tenant.id, "revision": 2, "user": changed.json}));
    }
}

#[tokio::test]
async fn a_refused_change_has_a_failed_outcome_with_the_reason() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(Some(1)).await;
    assert_eq!(stage.add(&tenant, "budi@kopi.example").await.status, StatusCode::CONFLICT);
    assert_eq!(stage.change(&tenant, tenant.admin, &json!({"role": "agent"})).await.status, StatusCode::CONFLICT);
    let entries = stage.audit(&tenant).await;
    let outcomes: Vec<_> = entries.iter().map(|(action, outcome, names, _)| (&**action, &**outcome, *names)).collect();
    assert_eq!(
        outcomes,
        [
            ("user.create", "intended", false),
            ("user.create", "failed", true),
            ("user.update", "intended", false),
            ("user.update", "failed", true),
        ]
    );
    assert!(entries[1].3["error"].as_str().unwrap().contains("max_agents is 1"), "{}", entries[1].3);
    assert!(entries[3].3["error"].as_str().unwrap().contains("last active admin"), "{}", entries[3].3);
    assert_eq!(stage.events(&tenant).await, []);
}

#[tokio::test]
async fn a_password_or_its_hash_is_stored_only_in_the_users_row() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(Some(2)).await;
    let body = request(&tenant, "budi@kopi.example");
    let add = stage.api.request(reqwest::Method::POST, "/users").header("idempotency-key", "key-1").json(&body);
    let added = tests::api::answer(add).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    assert_eq!(stage.add(&tenant, "full@kopi.example").await.status, StatusCode::CONFLICT);
    let id = added.json["id"].as_str().unwrap();
    let reset = stage.change(&tenant, id, &json!({"password": "quiet-lemon-harbor-17", "reason": REASON})).await;
    for text in [&added.text, &reset.text] {
        let text = text.replace("must_change_password", "");
        assert!(!text.contains("password") && !text.contains("argon2"), "{text}");
    }
    for table in ["audit", "outbox", "idempotency_keys", "tenants", "operations"] {
        let rows = stage.owner.query(&format!("SELECT row_to_json(t)::text FROM {table} AS t"), &[]).await.unwrap();
        for row in rows {
            let row: String = row.get(0);
            for secret in [PASSWORD, "quiet-lemon-harbor-17", "$argon2"] {
                assert!(!row.contains(secret), "{table}: {row}");
            }
        }
    }
}
