//! Listing users: order, pages, filters, and the tenants whose users can be listed.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::types::TenantId;
use tests::{TestTenant, api::answer};

use crate::stage::{PASSWORD, UsersStage, emails};

/// Inserts 24 users, a minute apart, with every role, status and kind of presence.
async fn crowd(stage: &UsersStage, tenant: &TestTenant) {
    stage
        .inside(tenant)
        .await
        .batch_execute(
            "INSERT INTO users (id, email, full_name, role, status, last_seen_at, online_until, created_at)
             SELECT gen_random_uuid(), 'user' || n || '@kopi.example', 'User ' || n,
                    (ARRAY['admin', 'supervisor', 'agent'])[1 + n % 3],
                    CASE WHEN n % 4 = 0 THEN 'deactivated' ELSE 'active' END,
                    CASE WHEN n % 2 = 0 THEN now() - interval '1 hour' END,
                    -- No presence, an expired one, a current one.
                    (ARRAY[NULL, now() - interval '1 s', now() + interval '1 hour'])[1 + n / 8],
                    timestamptz '2026-02-01' + n * interval '1 min'
             FROM generate_series(0, 23) AS n",
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn users_are_listed_newest_first_in_pages_with_all_fields() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    crowd(&stage, &tenant).await;
    let all = stage.list(&tenant, &[]).await;
    let wanted: Vec<String> = (0..24).rev().map(|n| format!("user{n}@kopi.example")).collect();
    assert_eq!(emails(&all)[..24], wanted);
    assert_eq!(emails(&all)[24..], ["sari@kopi.example"]);
    let mut fields: Vec<_> = all[0].as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "created_at",
            "email",
            "erased_at",
            "full_name",
            "id",
            "is_online",
            "last_seen_at",
            "must_change_password",
            "role",
            "status",
            "updated_at"
        ]
    );
    let first = json!({
        "id": tenant.admin, "email": "sari@kopi.example", "full_name": "Sari Wulandari", "role": "admin", "status": "active",
        "must_change_password": false, "is_online": false, "last_seen_at": null, "created_at": "2026-01-01T00:00:00.000000Z",
        "updated_at": "2026-01-01T00:00:00.000000Z", "erased_at": null,
    });
    assert_eq!(all[24], first);

    let (mut walked, mut path) = (Vec::new(), format!("/users?tenant_id={}&limit=7", tenant.id));
    loop {
        let page = stage.api.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let users = page.json.as_array().unwrap();
        assert!(users.len() <= 7);
        walked.extend(users.iter().cloned());
        let link = page.header("link");
        let Some((target, _)) = link.split_once(">; rel=\"next\"") else { break };
        target.strip_prefix("</api/super-admin").unwrap().clone_into(&mut path);
    }
    assert_eq!(walked, all);
}

#[tokio::test]
async fn filters_restrict_the_list_and_presence_expires() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    crowd(&stage, &tenant).await;
    let all = stage.list(&tenant, &[]).await;
    let matching =
        |wanted: &dyn Fn(&Value) -> bool| -> Vec<Value> { all.iter().filter(|user| wanted(user)).cloned().collect() };
    for role in ["admin", "supervisor", "agent"] {
        assert_eq!(stage.list(&tenant, &[("role", role)]).await, matching(&|user| user["role"] == role));
    }
    for status in ["active", "deactivated"] {
        assert_eq!(stage.list(&tenant, &[("status", status)]).await, matching(&|user| user["status"] == status));
    }
    // Numbers 16 to 23 have a current presence; two of them are deactivated.
    let online = stage.list(&tenant, &[("is_online", "true")]).await;
    assert_eq!(online, matching(&|user| user["is_online"] == true));
    assert_eq!(emails(&online), [23, 22, 21, 19, 18, 17].map(|n| format!("user{n}@kopi.example")),);
    let offline = stage.list(&tenant, &[("is_online", "false")]).await;
    assert_eq!(offline, matching(&|user| user["is_online"] == false));
    assert_eq!(online.len() + offline.len(), all.len());
    let both = [("role", "agent"), ("is_online", "true"), ("status", "active"), ("search", "USER2"), ("limit", "1")];
    assert_eq!(emails(&stage.list(&tenant, &both).await), ["user23@kopi.example"]);
}

#[tokio::test]
async fn a_response_lists_every_invalid_parameter() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let none = stage.api.get("/users").await;
    assert_eq!((none.status, none.faults()), (StatusCode::BAD_REQUEST, vec!["tenant_id".to_owned()]));
    let bad = "tenant_id=7&role=owner&status=gone&is_online=maybe&limit=0&cursor=x&search=%00&colour=red";
    let bad = stage.api.get(&format!("/users?{bad}")).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    let places = ["colour", "cursor", "is_online", "limit", "role", "search", "status", "tenant_id"];
    assert_eq!(bad.faults(), places);
    let page = stage.api.get("/tenants?limit=1").await;
    let other = page.header("link").split("cursor=").nth(1).map(|rest| rest.split('>').next().unwrap().to_owned());
    // A list of one tenant has no next page. With a second tenant it has one, and a cursor.
    assert_eq!(other, None);
    stage.tenant(None).await;
    let page = stage.api.get("/tenants?limit=1").await;
    let cursor = page.header("link").split("cursor=").nth(1).unwrap().split('>').next().unwrap().to_owned();
    let foreign = stage.ask(&tenant, &[("cursor", &cursor)]).await;
    assert_eq!((foreign.status, foreign.faults()), (StatusCode::BAD_REQUEST, vec!["cursor".to_owned()]));
}

#[tokio::test]
async fn a_tenant_that_is_unknown_is_404_and_one_that_is_not_active_is_409_naming_its_status() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let unknown = TestTenant::of(TenantId::generate());
    let requests = async |tenant: &TestTenant| {
        let add = json!({
            "tenant_id": tenant.id, "email": "budi@kopi.example", "full_name": "Budi", "role": "agent", "password": PASSWORD,
        });
        [
            stage.ask(tenant, &[]).await,
            stage.api.post("/users", &add).await,
            stage.change(tenant, tenant.admin, &json!({"full_name": "Sari"})).await,
        ]
    };
    for refused in requests(&unknown).await {
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text);
        assert!(refused.text.contains("tenant"), "{}", refused.text);
    }
    for status in ["provisioning", "suspended", "failed", "deleting", "deleted"] {
        stage.sql(&format!("UPDATE tenants SET status = '{status}'")).await;
        // The users of a suspended tenant can be read.
        for refused in requests(&tenant).await.iter().skip(usize::from(status == "suspended")) {
            assert_eq!(refused.status, StatusCode::CONFLICT, "{status}: {}", refused.text);
            assert!(refused.text.contains(status), "{status}: {}", refused.text);
        }
    }
    stage.sql("UPDATE tenants SET status = 'active', schema_version = 0").await;
    for refused in requests(&tenant).await {
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
        assert!(refused.text.contains("version 0") && refused.text.contains("migrate-platform"), "{}", refused.text);
    }
    stage.sql("UPDATE tenants SET schema_version = 1, postgres_cluster = NULL").await;
    for refused in requests(&tenant).await {
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
        assert!(refused.text.contains("no databases"), "{}", refused.text);
    }
    // Refused before the intent, so the audit log contains nothing.
    assert_eq!(stage.audit(&tenant).await, []);
    assert_eq!(stage.count(&tenant, "SELECT FROM users").await, 1);
}

#[tokio::test]
async fn a_user_of_another_tenant_is_not_found() {
    let stage = UsersStage::new().await;
    let (ours, theirs) = (stage.tenant(None).await, stage.tenant(None).await);
    let refused = stage.change(&ours, theirs.admin, &json!({"full_name": "Someone"})).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text);
    assert!(refused.text.contains("user"), "{}", refused.text);
    assert_eq!(stage.audit(&ours).await, []);
    let malformed = stage.change(&ours, "sari", &json!({"full_name": "Someone"})).await;
    assert_eq!((malformed.status, malformed.faults()), (StatusCode::BAD_REQUEST, vec!["id".to_owned()]));
    let without_tenant = answer(
        stage.api.request(Method::PATCH, &format!("/users/{}", ours.admin)).json(&json!({"full_name": "Someone"})),
    )
    .await;
    assert_eq!(
        (without_tenant.status, without_tenant.faults()),
        (StatusCode::BAD_REQUEST, vec!["tenant_id".to_owned()])
    );
}
