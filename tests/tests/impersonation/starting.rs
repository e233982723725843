//! Starts of impersonations: the token, the records, and the requests that are refused.

use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::types::SuperAdminRole;
use tests::tokens;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use super::stage::{ImpersonationStage, REASON, claims, denied, id, request, request_with};

fn time(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().unwrap(), &Rfc3339).unwrap()
}

#[tokio::test]
async fn a_start_returns_a_token_and_is_recorded_in_both_databases_the_audit_log_and_an_event() {
    let stage = ImpersonationStage::new().await;
    let tenant = stage.tenant().await;
    let body = request_with(&tenant, |body| {
        body["ticket"] = json!(" HELP-4711 ");
        body["duration_minutes"] = json!(10);
    });

    let started = stage.ask(&body).await;

    assert_eq!(started.status, StatusCode::CREATED, "{}", started.text);
    let sid = id(&started.json);
    assert_eq!(started.header("location"), format!("/api/super-admin/impersonations/{sid}"));
    assert_eq!(started.header("cache-control"), "no-store");
    assert_eq!(started.json["tenant_id"], json!(tenant.id));
    assert_eq!(started.json["access"], "read");
    let user =
        json!({ "id": tenant.admin, "email": "sari@kopi.example", "full_name": "Sari Wulandari", "role": "admin" });
    assert_eq!(started.json["user"], user);

    let token = started.json["token"].as_str().unwrap();
    let actual = claims(token);
    let expected = json!({
        "iss": "landlord", "aud": "landlord-platform", "sub": tenant.admin, "act": { "sub": tokens::OWNER }, "sid": sid,
        "tenant_id": tenant.id, "scope": "read", "iat": actual["iat"], "exp": actual["exp"], "jti": sid,
    });
    assert_eq!(actual, expected, "no other claims, such as nbf or role");
    assert_eq!(jsonwebtoken::decode_header(token).unwrap().typ.as_deref(), Some("impersonation+jwt"));

    // The times are those of the database.
    let shown = stage.get(&sid).await;
    let (start, end) = (time(&shown["started_at"]), time(&shown["expires_at"]));
    assert_eq!(actual["iat"], start.unix_timestamp());
    assert_eq!(actual["exp"], end.unix_timestamp());
    assert_eq!(started.json["expires_at"], shown["expires_at"]);
    assert!(end - start > Duration::seconds(599) - Duration::SECOND && end - start <= Duration::minutes(10));
    assert_eq!([&shown["live"], &shown["end_reason"]], [&json!(true), &Value::Null]);
    assert!(shown["recorded_at"].is_string());

    let recorded = stage.record(&tenant, &sid).await.unwrap();
    let email: String = stage
        .owner
        .query_one("SELECT email FROM super_admins WHERE id::text = $1", &[&tokens::OWNER])
        .await
        .unwrap()
        .get(0);
    assert_eq!(recorded, (email, REASON.to_owned(), Some("HELP-4711".to_owned()), "read".to_owned(), false));
    let events = stage.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].0, "impersonation.started");
    assert_eq!([&events[0].1["id"], &events[0].1["user_id"]], [&json!(sid), &json!(tenant.admin)]);
    let audit = stage.audit("impersonation.start").await;
    let outcomes: Vec<_> = audit.iter().map(|(outcome, names_intent, _)| (outcome.as_str(), *names_intent)).collect();
    assert_eq!(outcomes, [("intended", false), ("done", true)]);
    for (_, _, details) in &audit {
        assert_eq!(
            [&details["reason"], &details["ticket"], &details["user_id"]],
            [REASON, "HELP-4711", &tenant.admin.to_string()]
        );
    }
    let address: Option<String> = stage
        .owner
        .query_one("SELECT source_address FROM audit WHERE action = 'impersonation.start' LIMIT 1", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(address.as_deref(), Some("127.0.0.1"));
    assert_eq!(denied(&sid).await, None);
    // The token is stored nowhere.
    for table in ["audit", "outbox", "impersonations", "idempotency_keys"] {
        let sql = format!("SELECT FROM {table} AS row WHERE row::text LIKE '%{}%'", token.rsplit('.').next().unwrap());
        assert_eq!(stage.world.count(&sql).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_response_lists_every_invalid_field() {
    let stage = ImpersonationStage::new().await;
    let tenant = stage.tenant().await;
    let refused = stage.ask(&json!({})).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.faults(), ["/reason", "/tenant_id", "/user_id"]);
    let body = json!({
        "tenant_id": 1, "user_id": "x", "reason": "short", "ticket": "", "duration_minutes": 61, "access": "all", "why": 1,
    });
    assert_eq!(
        stage.ask(&body).await.faults(),
        ["/access", "/duration_minutes", "/reason", "/tenant_id", "/ticket", "/user_id", "/why"]
    );
    for reason in [
        "",
        "          ",
        "               x",
        "looks at the\u{202E} inbox of sari",
        "looks at\u{0}the inbox",
        "a line\nand another",
    ] {
        let refused = stage.ask(&request_with(&tenant, |body| body["reason"] = json!(reason))).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{reason:?}: {}", refused.text);
        assert_eq!(refused.faults(), ["/reason"], "{reason:?}");
    }
    for minutes in [json!(0), json!(-1), json!(1.5), json!("30"), json!(null), json!(1e300)] {
        let refused = stage.ask(&request_with(&tenant, |body| body["duration_minutes"] = minutes.clone())).await;
        assert_eq!(refused.faults(), ["/duration_minutes"], "{minutes}: {}", refused.text);
    }
    assert_eq!(stage.world.count("SELECT FROM impersonations").await, 0);
    assert_eq!(stage.world.count("SELECT FROM audit").await, 0);
}

#[tokio::test]
async fn a_user_who_is_unknown_in_another_tenant_or_not_active_cannot_be_impersonated() {
    let stage = ImpersonationStage::new().await;
    let (tenant, other) = (stage.tenant().await, stage.tenant().await);
    let asked = async |change: &dyn Fn(&mut Value)| {
        let answer = stage.ask(&request_with(&tenant, |body| change(body))).await;
        (answer.status, answer.json["detail"].as_str().unwrap_or_default().to_owned())
    };
    let unknown = Uuid::now_v7();
    assert_eq!(asked(&|body| body["tenant_id"] = json!(unknown)).await.0, StatusCode::NOT_FOUND);
    assert_eq!(asked(&|body| body["user_id"] = json!(unknown)).await.0, StatusCode::NOT_FOUND);
    assert_eq!(asked(&|body| body["user_id"] = json!(other.admin)).await.0, StatusCode::NOT_FOUND, "another tenant's");
    stage.inside(&tenant).await.batch_execute("UPDATE users SET status = 'deactivated'").await.unwrap();
    let (status, detail) = asked(&|_| {}).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(detail.contains("deactivated"), "{detail}");
    for status in ["suspended", "provisioning", "failed", "deleting", "deleted"] {
        stage.sql(&format!("UPDATE tenants SET status = '{status}' WHERE id = '{}'", tenant.id)).await;
        let (code, detail) = asked(&|_| {}).await;
        assert_eq!(code, StatusCode::CONFLICT, "{status}");
        assert!(detail.contains(status), "{detail}");
    }
    assert_eq!(stage.world.count("SELECT FROM impersonations").await, 0);
    let audit = stage.audit("impersonation.start").await;
    assert_eq!(audit.len(), 9);
    for (outcome, _, details) in audit {
        assert_eq!(outcome, "refused");
        assert_eq!([&details["reason"], &details["access"]], [REASON, "read"]);
        assert!(details["status"].is_number() && details["error"].is_string(), "{details}");
    }
}

#[tokio::test]
async fn write_access_needs_an_owner_and_a_viewer_cannot_impersonate() {
    let stage = ImpersonationStage::new().await;
    let tenant = stage.tenant().await;
    let write = request_with(&tenant, |body| body["access"] = json!("write"));
    let (super_admin, operators) = stage.super_admin(SuperAdminRole::Operator).await;
    let (_, viewers) = stage.super_admin(SuperAdminRole::Viewer).await;

    let refused = stage.ask_as(&operators, &write).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    assert_eq!(stage.outcomes("impersonation.start").await, ["refused"]);
    assert_eq!(stage.ask_as(&viewers, &request(&tenant)).await.status, StatusCode::FORBIDDEN);
    assert_eq!(stage.outcomes("access.refused").await, ["refused"]);

    let started = stage.ask_as(&operators, &request(&tenant)).await;
    assert_eq!(started.status, StatusCode::CREATED, "{}", started.text);
    assert_eq!(claims(started.json["token"].as_str().unwrap())["act"]["sub"], json!(super_admin));
    let owners = stage.ask(&write).await;
    assert_eq!(owners.status, StatusCode::CREATED, "{}", owners.text);
    assert_eq!(owners.json["access"], "write");
    assert_eq!(claims(owners.json["token"].as_str().unwrap())["scope"], "read write");
    assert_eq!(stage.record(&tenant, &id(&owners.json)).await.unwrap().3, "write");
}
