//! Granting the role `admin`, and setting a user's password: only an owner may, with a reason, and the tenant's admins can read it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::types::SuperAdminRole;
use tests::{Answer, TestTenant, api::answer, tokens};

use crate::stage::{PASSWORD, REASON, UsersStage, request};

const NEW_PASSWORD: &str = "quiet-lemon-harbor-17";

/// The requests that need an owner and a reason, at both addresses: method, path, body. `agent` is a user of the tenant.
fn requests(tenant: &TestTenant, agent: &Value) -> Vec<(Method, String, Value)> {
    let (id, agent) = (tenant.id, agent["id"].as_str().unwrap());
    let mut nested = request(tenant, "siti@kopi.example");
    nested["role"] = json!("admin");
    let mut flat = nested.clone();
    flat["email"] = json!("tono@kopi.example");
    nested.as_object_mut().unwrap().remove("tenant_id");
    let mut requests =
        vec![(Method::POST, "/users".to_owned(), flat), (Method::POST, format!("/tenants/{id}/users"), nested)];
    for patch in
        [json!({"role": "admin"}), json!({"password": NEW_PASSWORD}), json!({"full_name": "Budi", "role": "admin"})]
    {
        requests.push((Method::PATCH, format!("/users/{agent}?tenant_id={id}"), patch.clone()));
        requests.push((Method::PATCH, format!("/tenants/{id}/users/{agent}"), patch));
    }
    requests
}

fn with_reason(body: &Value, reason: &str) -> Value {
    let mut body = body.clone();
    body["reason"] = json!(reason);
    body
}

async fn send(stage: &UsersStage, token: &str, method: &Method, path: &str, body: &Value) -> Answer {
    answer(stage.api.anonymous(method.clone(), path).bearer_auth(token).json(body)).await
}

async fn token(stage: &UsersStage, role: SuperAdminRole) -> String {
    tokens::sign(&tokens::claims(&stage.world.operator(role).await.to_string()))
}

/// The tenant's own record, oldest first: action, user, super-admin, reason.
async fn record(stage: &UsersStage, tenant: &TestTenant) -> Vec<[String; 4]> {
    let sql = "SELECT action, user_id::text, super_admin, reason FROM platform_actions ORDER BY at, id";
    let rows = stage.inside(tenant).await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| [row.get(0), row.get(1), row.get(2), row.get(3)]).collect()
}

async fn owner_email(stage: &UsersStage) -> String {
    let sql = "SELECT email FROM super_admins WHERE id::text = $1";
    stage.owner.query_one(sql, &[&tokens::OWNER]).await.unwrap().get(0)
}

#[tokio::test]
async fn an_operator_can_neither_grant_the_role_admin_nor_set_a_password() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let operator = token(&stage, SuperAdminRole::Operator).await;
    let added = send(&stage, &operator, &Method::POST, "/users", &request(&tenant, "budi@kopi.example")).await;
    assert_eq!(added.status, StatusCode::CREATED, "an operator creates an agent without a reason: {}", added.text);
    let before = stage.audit(&tenant).await.len();
    let requests = requests(&tenant, &added.json);
    for (method, path, body) in &requests {
        for body in [body.clone(), with_reason(body, REASON)] {
            let refused = send(&stage, &operator, method, path, &body).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path} {body}: {}", refused.text);
            assert_eq!(refused.json["type"], "/api/super-admin/problems/forbidden");
            let detail = refused.json["detail"].as_str().unwrap();
            assert_eq!(detail, "Granting the role admin and setting a user's password need the role owner");
        }
    }
    assert_eq!(stage.count(&tenant, "SELECT FROM users WHERE role = 'admin'").await, 1);
    assert_eq!(
        stage.api.get(&format!("/users/{}?tenant_id={}", added.json["id"].as_str().unwrap(), tenant.id)).await.json,
        added.json
    );
    assert_eq!(record(&stage, &tenant).await, [[""; 4]; 0]);
    let refusals = stage.audit(&tenant).await.split_off(before);
    assert_eq!(refusals.iter().filter(|(_, outcome, ..)| outcome == "refused").count(), requests.len() * 2);

    // What an operator may do.
    let path = format!("/users/{}?tenant_id={}", added.json["id"].as_str().unwrap(), tenant.id);
    for patch in [json!({"full_name": "Budi S."}), json!({"role": "supervisor"}), json!({"status": "deactivated"})] {
        let changed = send(&stage, &operator, &Method::PATCH, &path, &patch).await;
        assert_eq!(changed.status, StatusCode::OK, "{patch}: {}", changed.text);
    }
    let path = format!("/users/{}?tenant_id={}", tenant.admin, tenant.id);
    let same = send(&stage, &operator, &Method::PATCH, &path, &json!({"full_name": "Sari", "role": "admin"})).await;
    assert_eq!(same.status, StatusCode::OK, "an admin who stays one is granted nothing: {}", same.text);
}

#[tokio::test]
async fn an_owner_needs_a_reason() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let user = stage.added(&tenant, "budi@kopi.example", "agent").await;
    for (method, path, body) in requests(&tenant, &user) {
        let missing = send(&stage, &tokens::good(), &method, &path, &body).await;
        assert_eq!(missing.status, StatusCode::UNPROCESSABLE_ENTITY, "{method} {path} {body}: {}", missing.text);
        let fault = &missing.json["errors"][0];
        assert_eq!([&fault["pointer"], &fault["code"]], ["/reason", "required"], "{}", missing.text);
        for (reason, code) in [("because", "invalid_length"), ("looks at\nthe inbox", "invalid_character")] {
            let bad = send(&stage, &tokens::good(), &method, &path, &with_reason(&body, reason)).await;
            assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY, "{method} {path}: {}", bad.text);
            let fault = &bad.json["errors"][0];
            assert_eq!([&fault["pointer"], &fault["code"]], ["/reason", code], "{}", bad.text);
        }
    }
    assert_eq!(stage.event_types(&tenant).await, ["user.created"]);
}

#[tokio::test]
async fn the_tenants_own_database_records_who_did_what_to_whom_and_why() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let user = stage.add(&tenant, "budi@kopi.example").await.json;
    let agent = user["id"].as_str().unwrap();
    let mut body = with_reason(&request(&tenant, "siti@kopi.example"), REASON);
    body["role"] = json!("admin");
    let created = stage.api.post("/users", &body).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let patch = json!({"role": "admin", "password": NEW_PASSWORD, "reason": format!("  {REASON} ")});
    let changed = stage.change(&tenant, agent, &patch).await;
    assert_eq!((changed.status, changed.header("etag")), (StatusCode::OK, "\"2\""), "{}", changed.text);
    // A reason that is not needed is accepted, and only in the audit log.
    let renamed = stage.change(&tenant, agent, &json!({"full_name": "Budi S.", "reason": REASON})).await;
    assert_eq!(renamed.status, StatusCode::OK, "{}", renamed.text);

    let email = owner_email(&stage).await;
    let entry = |action: &str, user: &Value| {
        [action.to_owned(), user["id"].as_str().unwrap().to_owned(), email.clone(), REASON.to_owned()]
    };
    let mut found = record(&stage, &tenant).await;
    found[1..].sort();
    let expected = [entry("admin_granted", &created.json), entry("admin_granted", &user), entry("password_set", &user)];
    assert_eq!(found, expected);
    let reasons: Vec<_> = stage
        .audit(&tenant)
        .await
        .into_iter()
        .map(|(action, outcome, _, details)| (action, outcome, details["reason"].clone()))
        .collect();
    let entry = |action: &str, outcome: &str, reason: Value| (action.to_owned(), outcome.to_owned(), reason);
    assert_eq!(
        reasons[..2],
        [entry("user.create", "intended", Value::Null), entry("user.create", "done", Value::Null)]
    );
    assert_eq!(
        reasons[2..4],
        [entry("user.create", "intended", json!(REASON)), entry("user.create", "done", json!(REASON))]
    );
    for pair in reasons[4..].chunks(2) {
        assert_eq!(
            *pair,
            [entry("user.update", "intended", json!(REASON)), entry("user.update", "done", json!(REASON))]
        );
    }
}

#[tokio::test]
async fn the_record_exists_exactly_when_the_change_was_made() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(Some(2)).await;
    let user = stage.added(&tenant, "budi@kopi.example", "agent").await;
    let agent = user["id"].as_str().unwrap();
    let mut body = with_reason(&request(&tenant, "siti@kopi.example"), REASON);
    body["role"] = json!("admin");
    assert_eq!(stage.api.post("/users", &body).await.status, StatusCode::CONFLICT, "no seat is free");
    assert_eq!(record(&stage, &tenant).await, [[""; 4]; 0]);

    let patch = json!({"role": "admin", "reason": REASON});
    let url = format!("/users/{agent}?tenant_id={}", tenant.id);
    let outdated = answer(stage.api.request(Method::PATCH, &url).header("if-match", "\"7\"").json(&patch)).await;
    assert_eq!(outdated.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(record(&stage, &tenant).await, [[""; 4]; 0]);

    let inside = stage.inside(&tenant).await;
    inside.batch_execute("REVOKE INSERT ON platform_actions FROM landlord_api").await.unwrap();
    let failed = stage.change(&tenant, agent, &patch).await;
    assert!(failed.status.is_server_error(), "{}", failed.text);
    assert_eq!(stage.list(&tenant, &[("role", "admin")]).await.len(), 1, "no change without a record");
    inside.batch_execute("GRANT INSERT ON platform_actions TO landlord_api").await.unwrap();
    assert_eq!(stage.change(&tenant, agent, &patch).await.status, StatusCode::OK);
    assert_eq!(record(&stage, &tenant).await.len(), 1);
    // The functions can neither change nor delete what they recorded.
    let right = "SELECT FROM (VALUES ('UPDATE'), ('DELETE'), ('TRUNCATE')) AS rights (name)
                 WHERE has_table_privilege('landlord_api', 'platform_actions', name)";
    assert_eq!(stage.count(&tenant, right).await, 0);
}

#[tokio::test]
async fn a_repeated_request_makes_one_record() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let mut body = with_reason(&request(&tenant, "siti@kopi.example"), REASON);
    body["role"] = json!("admin");
    let create = async |body: &Value| {
        answer(stage.api.request(Method::POST, "/users").header("idempotency-key", "key-1").json(body)).await
    };
    let first = create(&body).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    let again = create(&body).await;
    assert_eq!((again.status, &again.text), (StatusCode::CREATED, &first.text));
    assert_eq!(record(&stage, &tenant).await.len(), 1);
    let other = create(&with_reason(&body, "Another reason altogether")).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY, "another body: {}", other.text);
}

#[tokio::test]
async fn a_password_that_a_super_admin_sets_is_temporary() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let user = stage.added(&tenant, "budi@kopi.example", "agent").await;
    assert_eq!(user["must_change_password"], true);
    let agent = user["id"].as_str().unwrap();
    // A service of the platform does this when the user chooses a password.
    stage.inside(&tenant).await.batch_execute("UPDATE users SET must_change_password = false").await.unwrap();
    let renamed = stage.change(&tenant, agent, &json!({"full_name": "Budi S."})).await;
    assert_eq!(renamed.json["must_change_password"], false, "{}", renamed.text);
    let reset = stage.change(&tenant, agent, &json!({"password": PASSWORD, "reason": REASON})).await;
    assert_eq!(reset.json["must_change_password"], true, "{}", reset.text);
    assert_eq!(stage.list(&tenant, &[("search", "budi")]).await, [reset.json]);
    let kept = "SELECT FROM users WHERE must_change_password";
    assert_eq!(stage.count(&tenant, kept).await, 1);
}
