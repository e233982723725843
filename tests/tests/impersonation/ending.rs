//! Ends: by an operator, with the tenant, the user, the operator.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    impersonations::store::record,
    revocations,
    revocations::EndReason,
    types::{Actor, SuperAdminId, SuperAdminRole, UserId},
};
use tests::{api::answer, tokens};
use uuid::Uuid;

use super::stage::{Stage, denied, id, request};

#[tokio::test]
async fn an_end_denies_the_token_tells_everyone_and_once_more_changes_nothing() {
    let stage = Stage::new().await;
    let tenant = stage.tenant().await;
    let sid = id(&stage.start(&tenant).await);

    assert_eq!(stage.end(&sid).await.status, StatusCode::NO_CONTENT);

    let over = stage.get(&sid).await;
    assert_eq!(
        [&over["live"], &over["end_reason"], &over["ended_by"]],
        [&json!(false), &json!("ended"), &json!(tokens::OWNER)]
    );
    let seconds = denied(&sid).await.unwrap();
    assert!((1800..=2160).contains(&seconds), "until the token has expired for everyone: {seconds}");
    assert_eq!(stage.denials_owed().await, 0, "it is struck from the outbox");
    let kinds: Vec<_> = stage.events().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["impersonation.started", "impersonation.ended"]);
    let audit = stage.audit("impersonation.end").await;
    assert_eq!(audit.len(), 1);
    assert_eq!([&audit[0].2["impersonation_id"], &audit[0].2["user_id"]], [&json!(sid), &json!(tenant.admin)]);
    assert!(stage.record(&tenant, &sid).await.unwrap().4, "the tenant sees that it is over");

    assert_eq!(stage.end(&sid).await.status, StatusCode::NO_CONTENT);
    assert_eq!(stage.get(&sid).await, over);
    assert_eq!(stage.audit("impersonation.end").await.len(), 1);
    assert_eq!(stage.end(&Uuid::now_v7().to_string()).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.end("x").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_end_can_be_asked_for_of_one_revision_and_by_any_operator_but_a_viewer() {
    let stage = Stage::new().await;
    let tenant = stage.tenant().await;
    let sid = id(&stage.start(&tenant).await);
    let path = format!("/impersonations/{sid}");
    let tag = stage.api.get(&path).await.header("etag").to_owned();
    let end = async |token: &str, tag: &str| {
        answer(stage.api.anonymous(Method::DELETE, &path).bearer_auth(token).header("if-match", tag)).await.status
    };
    let (_, viewer) = stage.operator(SuperAdminRole::Viewer).await;
    let (_, operator) = stage.operator(SuperAdminRole::Operator).await;
    assert_eq!(end(&viewer, &tag).await, StatusCode::FORBIDDEN);
    assert_eq!(end(&operator, "\"0\"").await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(stage.get(&sid).await["live"], true);
    assert_eq!(end(&operator, &tag).await, StatusCode::NO_CONTENT);
    assert_eq!(end(&operator, &tag).await, StatusCode::PRECONDITION_FAILED, "it was changed since");
    assert_eq!(stage.get(&sid).await["live"], false);
}

#[tokio::test]
async fn a_suspension_ends_those_of_its_tenant_and_no_others_and_they_do_not_come_back() {
    let stage = Stage::new().await;
    let (tenant, other) = (stage.tenant().await, stage.tenant().await);
    let (_, token) = stage.operator(SuperAdminRole::Operator).await;
    let ended = [id(&stage.start(&tenant).await), id(&stage.ask_as(&token, &request(&tenant)).await.json)];
    let lives = id(&stage.start(&other).await);
    let path = format!("/tenants/{}", tenant.id);
    assert_eq!(stage.api.patch(&path, &json!({ "name": "Kopi Tua" })).await.status, StatusCode::OK);
    assert_eq!(stage.get(&ended[0]).await["live"], true, "another name ends nothing");

    let suspended = stage.api.patch(&path, &json!({ "status": "suspended" })).await;

    assert_eq!(suspended.status, StatusCode::OK, "{}", suspended.text);
    for sid in &ended {
        assert_eq!(stage.get(sid).await["end_reason"], "tenant_not_active");
        assert!(denied(sid).await.is_some());
    }
    assert_eq!(stage.get(&lives).await["live"], true);
    assert_eq!(denied(&lives).await, None);
    assert_eq!(stage.denials_owed().await, 0);
    assert_eq!(stage.audit("impersonation.end").await.len(), 2);
    // The events come in their order: the tenant's, then those of what ended with it.
    let sql = "SELECT payload ->> 'type' FROM outbox WHERE destination = 'event' AND key = $1 ORDER BY id";
    let rows = stage.owner.query(sql, &[&tenant.id.to_string()]).await.unwrap();
    let kinds: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(kinds[3..], ["tenant.suspended", "impersonation.ended", "impersonation.ended"]);

    assert_eq!(stage.api.patch(&path, &json!({ "status": "active" })).await.status, StatusCode::OK);
    assert_eq!(stage.get(&ended[0]).await["live"], false);
    stage.start(&tenant).await;
}

#[tokio::test]
async fn with_a_deactivated_user_end_those_in_their_name() {
    let stage = Stage::new().await;
    let tenant = stage.tenant().await;
    let other = Uuid::now_v7();
    stage.add_user(&tenant, other, "budi@kopi.example").await;
    let sid = id(&stage.start(&tenant).await);
    let body = json!({ "tenant_id": tenant.id, "user_id": other, "reason": "Looks at the inbox of budi" });
    let lives = id(&stage.ask(&body).await.json);

    let path = format!("/users/{}?tenant_id={}", tenant.admin, tenant.id);
    let deactivated = stage.api.patch(&path, &json!({ "status": "deactivated" })).await;

    assert_eq!(deactivated.status, StatusCode::OK, "{}", deactivated.text);
    assert_eq!(stage.get(&sid).await["end_reason"], "user_deactivated");
    assert!(denied(&sid).await.is_some());
    assert_eq!(stage.get(&lives).await["live"], true);
    assert!(stage.record(&tenant, &sid).await.unwrap().4);
    assert!(!stage.record(&tenant, &lives).await.unwrap().4);
    assert_eq!(stage.ask(&request(&tenant)).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn what_is_ended_for_an_agent_is_ended_in_both_databases() {
    let stage = Stage::new().await;
    let tenant = stage.tenant().await;
    let sid = id(&stage.start(&tenant).await);
    let mut platform = stage.world.api_pool().get().await.unwrap();
    let transaction = platform.transaction().await.unwrap();
    let user = UserId(tenant.admin);
    let ended = revocations::store::end_of_user(&transaction, tenant.id, user, Actor::SYSTEM).await.unwrap();
    assert_eq!(ended.len(), 1);
    assert!(revocations::store::end_of_user(&transaction, tenant.id, user, Actor::SYSTEM).await.unwrap().is_empty());
    transaction.commit().await.unwrap();
    let databases = tests::api::Parts::of(&stage.world).databases;
    record::end_of_user(&databases.get("main", &tenant.database).await.unwrap(), user).await.unwrap();
    assert!(stage.record(&tenant, &sid).await.unwrap().4);
    assert_eq!(stage.get(&sid).await["end_reason"], "user_deactivated");
    assert_eq!(stage.denials_owed().await, 1, "what nobody wrote to Redis is owed");
}

#[tokio::test]
async fn with_a_disabled_operator_end_theirs_however_they_signed_in() {
    let stage = Stage::new().await;
    let (one, two) = (stage.tenant().await, stage.tenant().await);
    let (operator, token) = stage.operator(SuperAdminRole::Operator).await;
    let first = stage.ask_as(&token, &request(&one)).await.json;
    stage.ask_as(&token, &request(&two)).await;
    let owners = id(&stage.start(&one).await);
    // One that was started when nobody here had said anything about the operator yet.
    stage.sql(&format!("UPDATE super_admins SET subject = 'idp|7' WHERE id = '{operator}'")).await;
    stage
        .sql(&format!(
            "UPDATE impersonations SET admin_id = 'idp|7' WHERE tenant_id = '{}' AND admin_id = '{operator}'",
            two.id
        ))
        .await;

    let ended = end_of_super_admin(&stage, operator, EndReason::OperatorDisabled).await;

    assert_eq!(ended, 2);
    assert_eq!(stage.get(&id(&first)).await["end_reason"], "operator_disabled");
    assert_eq!(stage.get(&owners).await["live"], true);
    assert_eq!(end_of_super_admin(&stage, operator, EndReason::OperatorDisabled).await, 0);
    let refused = stage.ask_as(&token, &request(&one)).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
}

/// Disables an operator, as the route that does so: how many impersonations ended.
async fn end_of_super_admin(stage: &Stage, operator: SuperAdminId, reason: EndReason) -> usize {
    let mut platform = stage.world.api_pool().get().await.unwrap();
    let transaction = platform.transaction().await.unwrap();
    let disable = "UPDATE super_admins SET disabled_at = now() WHERE id = $1";
    transaction.execute(disable, &[&operator.0]).await.unwrap();
    let ended = revocations::store::end_of_super_admin(&transaction, operator, reason, Actor::SYSTEM).await.unwrap();
    transaction.commit().await.unwrap();
    ended.len()
}

#[tokio::test]
async fn what_nobody_has_ended_is_not_live_all_the_same_when_its_tenant_or_operator_is_not() {
    let stage = Stage::new().await;
    let tenant = stage.tenant().await;
    let (operator, token) = stage.operator(SuperAdminRole::Operator).await;
    let sid = id(&stage.ask_as(&token, &request(&tenant)).await.json);
    let tag = async || stage.api.get(&format!("/impersonations/{sid}")).await.header("etag").to_owned();
    let before = tag().await;
    let shown = async || {
        let one = stage.get(&sid).await;
        (one["live"].as_bool().unwrap(), one["end_reason"].clone())
    };
    for (off, on, reason) in [
        (
            format!("UPDATE tenants SET status = 'suspended' WHERE id = '{}'", tenant.id),
            format!("UPDATE tenants SET status = 'active' WHERE id = '{}'", tenant.id),
            "tenant_not_active",
        ),
        (
            format!("UPDATE super_admins SET disabled_at = now() WHERE id = '{operator}'"),
            format!("UPDATE super_admins SET disabled_at = NULL WHERE id = '{operator}'"),
            "operator_disabled",
        ),
    ] {
        stage.sql(&off).await;
        assert_eq!(shown().await, (false, json!(reason)));
        assert_ne!(tag().await, before, "what is shown otherwise has another tag");
        let live = stage.api.get("/impersonations?live=true").await;
        assert_eq!(live.json, json!([]), "{reason}");
        stage.sql(&on).await;
        assert_eq!(shown().await, (true, Value::Null));
    }
}
