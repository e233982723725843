//! Ends of impersonations: on request, and by changes of the tenant, the user or the super-admin.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    http::IfMatch,
    types::{Actor, SuperAdminRole, UserId},
    users::{self, Authority, UpdateUser, UserStatus},
};
use tests::{api::answer, queues, tokens};
use uuid::Uuid;

use super::stage::{ImpersonationStage, denied, id, request};

#[tokio::test]
async fn an_end_denies_the_token_and_emits_an_event_and_a_second_end_changes_nothing() {
    let stage = ImpersonationStage::new().await;
    let tenant = stage.tenant().await;
    let sid = id(&stage.start(&tenant).await);

    assert_eq!(stage.end(&sid).await.status, StatusCode::NO_CONTENT);

    let over = stage.get(&sid).await;
    assert_eq!(
        [&over["live"], &over["end_reason"], &over["ended_by"]],
        [&json!(false), &json!("ended"), &json!(tokens::OWNER)]
    );
    let seconds = denied(&sid).await.unwrap();
    assert!((1800..=2160).contains(&seconds), "until every service considers the token expired: {seconds}");
    assert_eq!(stage.pending_denials().await, 0, "the denial is deleted from the outbox");
    let kinds: Vec<_> = stage.events().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["impersonation.started", "impersonation.ended"]);
    let audit = stage.audit("impersonation.end").await;
    assert_eq!(audit.len(), 1);
    assert_eq!([&audit[0].2["impersonation_id"], &audit[0].2["user_id"]], [&json!(sid), &json!(tenant.admin)]);
    assert!(stage.record(&tenant, &sid).await.unwrap().4, "the tenant's record shows the end");

    assert_eq!(stage.end(&sid).await.status, StatusCode::NO_CONTENT);
    assert_eq!(stage.get(&sid).await, over);
    assert_eq!(stage.audit("impersonation.end").await.len(), 1);
    assert_eq!(stage.end(&Uuid::now_v7().to_string()).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.end("x").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_end_honours_if_match_and_needs_the_role_operator() {
    let stage = ImpersonationStage::new().await;
    let tenant = stage.tenant().await;
    let sid = id(&stage.start(&tenant).await);
    let path = format!("/impersonations/{sid}");
    let tag = stage.api.get(&path).await.header("etag").to_owned();
    let end = async |token: &str, tag: &str| {
        answer(stage.api.anonymous(Method::DELETE, &path).bearer_auth(token).header("if-match", tag)).await.status
    };
    let (_, viewer) = stage.super_admin(SuperAdminRole::Viewer).await;
    let (_, super_admin) = stage.super_admin(SuperAdminRole::Operator).await;
    assert_eq!(end(&viewer, &tag).await, StatusCode::FORBIDDEN);
    assert_eq!(end(&super_admin, "\"0\"").await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(stage.get(&sid).await["live"], true);
    assert_eq!(end(&super_admin, &tag).await, StatusCode::NO_CONTENT);
    assert_eq!(end(&super_admin, &tag).await, StatusCode::PRECONDITION_FAILED, "the revision has changed");
    assert_eq!(stage.get(&sid).await["live"], false);
}

#[tokio::test]
async fn a_suspension_ends_the_impersonations_in_its_tenant_for_good() {
    let stage = ImpersonationStage::new().await;
    let (tenant, other) = (stage.tenant().await, stage.tenant().await);
    let (_, token) = stage.super_admin(SuperAdminRole::Operator).await;
    let ended = [id(&stage.start(&tenant).await), id(&stage.ask_as(&token, &request(&tenant)).await.json)];
    let lives = id(&stage.start(&other).await);
    let path = format!("/tenants/{}", tenant.id);
    assert_eq!(stage.api.patch(&path, &json!({ "name": "Kopi Tua" })).await.status, StatusCode::OK);
    assert_eq!(stage.get(&ended[0]).await["live"], true, "a new name ends nothing");

    let suspended = stage.api.patch(&path, &json!({ "status": "suspended" })).await;

    assert_eq!(suspended.status, StatusCode::OK, "{}", suspended.text);
    for sid in &ended {
        assert_eq!(stage.get(sid).await["end_reason"], "tenant_not_active");
        assert!(denied(sid).await.is_some());
    }
    assert_eq!(stage.get(&lives).await["live"], true);
    assert_eq!(denied(&lives).await, None);
    assert_eq!(stage.pending_denials().await, 0);
    assert_eq!(stage.audit("impersonation.end").await.len(), 2);
    // The tenant's event comes first, then those of the impersonations that it ended.
    let sql = "SELECT payload ->> 'type' FROM outbox WHERE destination = 'event' AND key = $1 ORDER BY id";
    let rows = stage.owner.query(sql, &[&tenant.id.to_string()]).await.unwrap();
    let kinds: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(kinds[3..], ["tenant.suspended", "impersonation.ended", "impersonation.ended"]);

    assert_eq!(stage.api.patch(&path, &json!({ "status": "active" })).await.status, StatusCode::OK);
    assert_eq!(stage.get(&ended[0]).await["live"], false);
    stage.start(&tenant).await;
}

#[tokio::test]
async fn deactivation_of_a_user_ends_their_impersonations() {
    let stage = ImpersonationStage::new().await;
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
async fn deactivation_ends_impersonations_in_both_databases_and_leaves_the_denial_to_the_outbox() {
    let stage = ImpersonationStage::new().await;
    let tenant = stage.tenant().await;
    stage.add_user(&tenant, Uuid::now_v7(), "budi@kopi.example").await;
    let sid = id(&stage.start(&tenant).await);
    let parts = tests::api::Parts::of(&stage.world);
    let deactivate = async || {
        let command = UpdateUser {
            authority: Authority { actor: Actor::SYSTEM, role: SuperAdminRole::Operator, email: None, reason: None },
            tenant_id: tenant.id,
            user_id: UserId(tenant.admin),
            if_match: &IfMatch::default(),
            full_name: None,
            role: None,
            status: Some(UserStatus::Deactivated),
            password: None,
        };
        users::update(&parts.platform, &parts.databases, &command).await.unwrap()
    };

    let updated = deactivate().await;

    assert_eq!((updated.is_changed, updated.ended.len()), (true, 1));
    assert!(stage.record(&tenant, &sid).await.unwrap().4);
    assert_eq!(stage.get(&sid).await["end_reason"], "user_deactivated");
    assert_eq!(stage.pending_denials().await, 1, "no function wrote it to Redis");
    let repeated = deactivate().await;
    assert_eq!((repeated.is_changed, repeated.ended.len()), (false, 0));
}

#[tokio::test]
async fn a_repeated_deactivation_ends_impersonations_that_the_first_one_did_not() {
    let stage = ImpersonationStage::new().await;
    let tenant = stage.tenant().await;
    let sid = id(&stage.start(&tenant).await);
    // The state after a function died between its commit in the tenant's database and the next one.
    stage.inside(&tenant).await.batch_execute("UPDATE users SET status = 'deactivated'").await.unwrap();

    let path = format!("/users/{}?tenant_id={}", tenant.admin, tenant.id);
    let deactivated = stage.api.patch(&path, &json!({ "status": "deactivated" })).await;

    assert_eq!(deactivated.status, StatusCode::OK, "{}", deactivated.text);
    assert_eq!(stage.get(&sid).await["end_reason"], "user_deactivated");
    assert!(denied(&sid).await.is_some());
}

#[tokio::test]
async fn disabling_a_super_admin_ends_their_impersonations_however_they_signed_in() {
    let stage = ImpersonationStage::new().await;
    let (one, two) = (stage.tenant().await, stage.tenant().await);
    let (super_admin, token) = stage.super_admin(SuperAdminRole::Operator).await;
    let first = stage.ask_as(&token, &request(&one)).await.json;
    let second = id(&stage.ask_as(&token, &request(&two)).await.json);
    let owners = id(&stage.start(&one).await);
    // An impersonation that started before the super-admin had a row here.
    stage.sql(&format!("UPDATE super_admins SET subject = 'idp|7' WHERE id = '{super_admin}'")).await;
    stage
        .sql(&format!(
            "UPDATE impersonations SET admin_id = 'idp|7' WHERE tenant_id = '{}' AND admin_id = '{super_admin}'",
            two.id
        ))
        .await;

    queues::drain(&stage.world.relay_queue_url).await;
    assert_eq!(stage.disable(super_admin).await.status, StatusCode::OK);

    for sid in [id(&first), second] {
        assert_eq!(stage.get(&sid).await["end_reason"], "operator_disabled");
        assert!(denied(&sid).await.is_some(), "the function denies the token itself");
    }
    assert_eq!(stage.pending_denials().await, 0);
    assert_eq!(queues::drain(&stage.world.relay_queue_url).await.len(), 1, "the relay is poked for the events");
    assert_eq!(stage.get(&owners).await["live"], true);
    assert_eq!(denied(&owners).await, None);
    assert_eq!(stage.disable(super_admin).await.status, StatusCode::OK);
    assert_eq!(stage.audit("impersonation.end").await.len(), 2, "a second request ends nothing");
    let refused = stage.ask_as(&token, &request(&one)).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
}

#[tokio::test]
async fn a_lower_role_ends_the_impersonations_of_a_super_admin_and_a_higher_one_does_not() {
    let stage = ImpersonationStage::new().await;
    let tenant = stage.tenant().await;
    let (super_admin, token) = stage.super_admin(SuperAdminRole::Operator).await;
    let sid = id(&stage.ask_as(&token, &request(&tenant)).await.json);
    let path = format!("/admins/{super_admin}");

    assert_eq!(stage.api.patch(&path, &json!({ "role": "owner" })).await.status, StatusCode::OK);
    assert_eq!(stage.get(&sid).await["live"], true);
    assert_eq!(denied(&sid).await, None);

    assert_eq!(stage.api.patch(&path, &json!({ "role": "operator" })).await.status, StatusCode::OK);
    assert_eq!(stage.get(&sid).await["end_reason"], "operator_role_changed");
    assert!(denied(&sid).await.is_some());
    assert_eq!(stage.pending_denials().await, 0);
}

#[tokio::test]
async fn an_impersonation_is_not_live_while_its_tenant_or_super_admin_is_not_active() {
    let stage = ImpersonationStage::new().await;
    let tenant = stage.tenant().await;
    let (super_admin, token) = stage.super_admin(SuperAdminRole::Operator).await;
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
            format!("UPDATE super_admins SET disabled_at = now() WHERE id = '{super_admin}'"),
            format!("UPDATE super_admins SET disabled_at = NULL WHERE id = '{super_admin}'"),
            "operator_disabled",
        ),
    ] {
        stage.sql(&off).await;
        assert_eq!(shown().await, (false, json!(reason)));
        assert_ne!(tag().await, before, "changed fields have another entity tag");
        let live = stage.api.get("/impersonations?live=true").await;
        assert_eq!(live.json, json!([]), "{reason}");
        stage.sql(&on).await;
        assert_eq!(shown().await, (true, Value::Null));
    }
}
