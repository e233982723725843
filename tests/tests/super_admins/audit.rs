//! `GET /audit`.

use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::{
    clients::postgres::{SqlState, connect_once},
    types::SuperAdminRole::{Operator, Viewer},
};
use tests::{Api, World};

use crate::SignedIn;

fn actions(entries: &Value) -> Vec<&str> {
    entries.as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_log_contains_every_write_and_every_refusal_with_before_and_after() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let operator = SignedIn::with(&world, &api, Operator).await;
    let viewer = SignedIn::with(&world, &api, Viewer).await;
    let tenant = operator.post("/tenants", &tests::api::tenant_request("kopi-kenangan")).await.json;
    let id = tenant["id"].as_str().unwrap();
    assert_eq!(viewer.patch(&format!("/tenants/{id}"), &json!({"name": "X"})).await.status, StatusCode::FORBIDDEN);
    api.patch(&format!("/admins/{}", viewer.id), &json!({"role": "operator"})).await;
    let all = viewer.get("/audit").await;
    assert_eq!(all.status, StatusCode::OK, "{}", all.text);
    assert_eq!(actions(&all.json), ["admin.update", "access.refused", "tenant.create"]);
    let [update, refusal, create] = all.json.as_array().unwrap().as_slice() else { panic!("{}", all.text) };
    assert_eq!(update["details"]["before"]["role"], "viewer");
    assert_eq!(update["details"]["after"]["role"], "operator");
    assert_eq!((&refusal["outcome"], &refusal["actor"]), (&json!("refused"), &json!(viewer.id)));
    assert_eq!(
        refusal["details"],
        json!({"method": "PATCH", "path": format!("/api/super-admin/tenants/{id}"), "needed": "operator"})
    );
    assert_eq!((&create["tenant_id"], &create["outcome"]), (&json!(id), &json!("done")));
    assert!(create["actor_email"].as_str().unwrap().starts_with("operator-"));
    assert!(create["request_id"].is_string() && create["source_address"].is_string());
    assert!(!all.text.contains("tidal-mango"), "{}", all.text);
}

#[tokio::test]
async fn the_log_is_filtered_and_paged() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let operator = SignedIn::with(&world, &api, Operator).await;
    for number in 0..5 {
        let (sender, slug) = (if number % 2 == 0 { &operator.token } else { &api.token }, format!("tenant-{number}"));
        let request = api.anonymous(reqwest::Method::POST, "/tenants").bearer_auth(sender);
        let created = tests::api::answer(request.json(&tests::api::tenant_request(&slug))).await;
        assert_eq!(created.status, StatusCode::CREATED);
    }
    let count = async |query: String| api.get(&format!("/audit?{query}")).await.json.as_array().unwrap().len();
    assert_eq!(count(format!("actor={}", operator.id)).await, 3);
    assert_eq!(count("action=tenant.create&outcome=done".to_owned()).await, 5);
    assert_eq!(count("action=tenant.retry".to_owned()).await, 0);
    assert_eq!(count("outcome=refused".to_owned()).await, 0);
    let all = api.get("/audit").await.json;
    let (tenant, at) = (all[2]["tenant_id"].as_str().unwrap(), all[2]["at"].as_str().unwrap());
    assert_eq!(count(format!("tenant_id={tenant}")).await, 1);
    assert_eq!(count(format!("since={at}")).await, 3);
    assert_eq!(count(format!("until={at}")).await, 2);
    let mut paged = Vec::new();
    let mut path = "/audit?limit=2".to_owned();
    loop {
        let page = api.get(&path).await;
        paged.extend(page.json.as_array().unwrap().clone());
        let link = page.header("link");
        if link.is_empty() {
            break;
        }
        path = link.trim_start_matches("</api/super-admin").split('>').next().unwrap().to_owned();
    }
    assert_eq!(Value::Array(paged), all);
    for query in ["since=yesterday", "tenant_id=1", "outcome=odd", "actor=a%20b", "who=me", "cursor=x"] {
        assert_eq!(api.get(&format!("/audit?{query}")).await.status, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn no_service_can_change_or_remove_an_entry() {
    let world = World::new().await;
    Api::of(&world).await.create_tenant("kopi-kenangan").await;
    let owner = world.client().await;
    // With its partitions, if it has any.
    let sql = "SELECT oid::regclass::text FROM pg_class
               WHERE oid = 'audit'::regclass OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'audit'::regclass)";
    let tables: Vec<String> = owner.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    for login in [world.api(), world.provisioner()] {
        let session = connect_once(&login, None).await.unwrap();
        let insert = "INSERT INTO audit (id, actor, action) VALUES (gen_random_uuid(), 'test', 'tenant.update')";
        session.batch_execute(insert).await.unwrap();
        for table in &tables {
            for statement in [
                format!("UPDATE {table} SET outcome = 'failed'"),
                format!("DELETE FROM {table}"),
                format!("{insert} ON CONFLICT (id, at) DO UPDATE SET outcome = 'failed'"),
                format!("TRUNCATE {table}"),
                format!("ALTER TABLE {table} ALTER COLUMN details DROP NOT NULL"),
                format!("DROP TABLE {table}"),
            ] {
                let refused = session.batch_execute(&statement).await.unwrap_err();
                assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{statement}: {refused}");
            }
        }
    }
    assert_eq!(world.count("SELECT FROM audit WHERE outcome = 'done'").await, 3);
    // No other role may do more than these two.
    let others = "SELECT FROM pg_class c, aclexplode(c.relacl) AS granted
                  WHERE c.oid = 'audit'::regclass AND granted.grantee <> c.relowner
                  AND granted.privilege_type NOT IN ('SELECT', 'INSERT')";
    assert_eq!(world.count(others).await, 0);
    let of_columns = "SELECT FROM pg_attribute WHERE attrelid = 'audit'::regclass AND attacl IS NOT NULL";
    assert_eq!(world.count(of_columns).await, 0);
}
