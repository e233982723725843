//! Users have two addresses: `/tenants/{id}/users`, and the flat `/users`. The users of a suspended tenant can be read.

use reqwest::{Method, StatusCode};
use serde_json::json;
use tests::api::answer;

use crate::stage::{PASSWORD, UsersStage, assert_unavailable, request};

#[tokio::test]
async fn both_addresses_of_users_lead_to_the_same_users() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let base = format!("/tenants/{}/users", tenant.id);
    let body = json!({"email": "budi@kopi.example", "full_name": "Budi", "role": "agent", "password": PASSWORD});
    let create = || stage.api.request(Method::POST, &base).header("idempotency-key", "budi").json(&body);
    let created = answer(create()).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let location = created.header("location").trim_start_matches("/api/super-admin").to_owned();
    let id = created.json["id"].as_str().unwrap();
    assert_eq!(location, format!("{base}/{id}"));
    let repeated = answer(create()).await;
    assert_eq!((repeated.header("idempotent-replayed"), &repeated.json), ("true", &created.json));

    let flat = format!("/users/{id}?tenant_id={}", tenant.id);
    let nested = stage.api.get(&location).await;
    for read in [&nested, &stage.api.get(&flat).await] {
        assert_eq!(
            (read.status, &read.json, read.header("etag")),
            (StatusCode::OK, &created.json, "\"1\""),
            "{}",
            read.text
        );
    }
    let change = answer(
        stage.api.request(Method::PATCH, &location).header("if-match", "\"1\"").json(&json!({"full_name": "Budi S"})),
    );
    let changed = change.await;
    assert_eq!((changed.status, changed.header("etag")), (StatusCode::OK, "\"2\""), "{}", changed.text);
    let outdated =
        stage.api.request(Method::PATCH, &location).header("if-match", "\"1\"").json(&json!({"role": "admin"}));
    assert_eq!(answer(outdated).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(stage.api.get(&flat).await.json, changed.json);

    for query in ["", "role=agent", "role=agent,admin&sort=created_at", "search=budi", "limit=1", "count=true"] {
        let nested = stage.api.get(&format!("{base}?{query}")).await;
        let flat = stage.api.get(&format!("/users?tenant_id={}&{query}", tenant.id)).await;
        assert_eq!((nested.status, &nested.json), (StatusCode::OK, &flat.json), "{query}: {}", nested.text);
        assert_eq!(nested.header("x-total-count"), if query == "count=true" { "2" } else { "" });
    }
    // A cursor of one address is valid at the other.
    let page = stage.api.get(&format!("{base}?limit=1")).await;
    let link = page.header("link").trim_start_matches("</api/super-admin").split_once('>').unwrap().0.to_owned();
    assert!(link.starts_with(&base), "{link}");
    let cursor = link.split_once("cursor=").unwrap().1;
    let rest = stage.api.get(&format!("/users?tenant_id={}&cursor={cursor}", tenant.id)).await;
    assert_eq!(rest.json, stage.api.get(&link).await.json);
}

#[tokio::test]
async fn a_nested_address_is_checked_like_any_other() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let unknown = "0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee";
    let body = request(&tenant, "budi@kopi.example");
    for (method, path, status, faults) in [
        (Method::GET, format!("/tenants/{unknown}/users"), StatusCode::NOT_FOUND, vec![]),
        (Method::GET, format!("/tenants/{unknown}/users/{}", tenant.admin), StatusCode::NOT_FOUND, vec![]),
        (Method::GET, format!("/tenants/{}/users/{unknown}", tenant.id), StatusCode::NOT_FOUND, vec![]),
        (Method::GET, "/tenants/42/users".to_owned(), StatusCode::BAD_REQUEST, vec!["id"]),
        (Method::GET, "/tenants/42/users/%FF".to_owned(), StatusCode::BAD_REQUEST, vec!["id", "user_id"]),
        (Method::GET, format!("/tenants/{}/users/43", tenant.id), StatusCode::BAD_REQUEST, vec!["user_id"]),
        (
            Method::GET,
            format!("/tenants/{0}/users?tenant_id={0}", tenant.id),
            StatusCode::BAD_REQUEST,
            vec!["tenant_id"],
        ),
        (Method::GET, format!("/users/{}", tenant.admin), StatusCode::BAD_REQUEST, vec!["tenant_id"]),
        // The tenant is in the path, and not in the body.
        (Method::POST, format!("/tenants/{}/users", tenant.id), StatusCode::UNPROCESSABLE_ENTITY, vec!["/tenant_id"]),
    ] {
        let mut sent = stage.api.request(method.clone(), &path);
        if method == Method::POST {
            sent = sent.json(&body);
        }
        let answered = answer(sent).await;
        assert_eq!(answered.status, status, "{method} {path}: {}", answered.text);
        assert_eq!(answered.faults(), faults, "{method} {path}");
    }
}

#[tokio::test]
async fn the_users_of_a_suspended_tenant_can_be_read_and_not_changed() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let base = format!("/tenants/{}/users", tenant.id);
    let user = format!("{base}/{}", tenant.admin);
    let before = stage.api.get(&user).await;
    for (status, is_readable) in [("suspended", true), ("provisioning", false), ("failed", false), ("deleting", false)]
    {
        stage.sql(&format!("UPDATE tenants SET status = '{status}'")).await;
        for path in [base.clone(), user.clone(), format!("/users?tenant_id={}", tenant.id)] {
            let read = stage.api.get(&path).await;
            if is_readable {
                assert_eq!(read.status, StatusCode::OK, "{status} {path}: {}", read.text);
            } else {
                assert_eq!(read.status, StatusCode::CONFLICT, "{status} {path}: {}", read.text);
                assert!(
                    read.text.contains(&format!("The tenant is {status}; it must be active or suspended")),
                    "{}",
                    read.text
                );
            }
        }
        let body = json!({"email": "budi@kopi.example", "full_name": "Budi", "role": "agent", "password": PASSWORD});
        for write in [
            stage.api.post(&base, &body).await,
            stage.api.patch(&user, &json!({"full_name": "Other"})).await,
            stage.add(&tenant, "other@kopi.example").await,
        ] {
            assert_eq!(write.status, StatusCode::CONFLICT, "{status}: {}", write.text);
            assert!(write.text.contains(&format!("The tenant is {status}; it must be active")), "{}", write.text);
        }
    }
    stage.sql("UPDATE tenants SET status = 'suspended'").await;
    assert_eq!(stage.api.get(&user).await.json, before.json);
    stage.drop_database(&tenant).await;
    assert_unavailable(&stage.api.get(&user).await);
}
