//! Listing and reading impersonations.

use reqwest::StatusCode;
use serde_json::json;
use shared::types::SuperAdminRole;
use tests::tokens;

use super::stage::{ImpersonationStage, id, request};

#[tokio::test]
async fn the_list_is_newest_first_in_pages_and_restricted_by_each_filter() {
    let stage = ImpersonationStage::new().await;
    let (one, two) = (stage.tenant().await, stage.tenant().await);
    let (super_admin, token) = stage.super_admin(SuperAdminRole::Operator).await;
    let first = id(&stage.start(&one).await);
    let second = id(&stage.start(&two).await);
    let third = id(&stage.ask_as(&token, &request(&two)).await.json);
    stage.end(&second).await;
    let list = async |query: String| {
        let answer = stage.api.get(&format!("/impersonations?{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text);
        let ids: Vec<String> = answer.json.as_array().unwrap().iter().map(id).collect();
        (ids, answer.header("link").to_owned())
    };
    let all = [third.clone(), second.clone(), first.clone()];
    assert_eq!(list(String::new()).await.0, all);
    assert_eq!(list(format!("tenant_id={}", one.id)).await.0, std::slice::from_ref(&first));
    assert_eq!(list(format!("user_id={}", two.admin)).await.0, [third.clone(), second.clone()]);
    assert_eq!(list(format!("admin_id={super_admin}")).await.0, std::slice::from_ref(&third));
    assert_eq!(list(format!("admin_id={}", tokens::OWNER)).await.0, [second.clone(), first.clone()]);
    assert_eq!(list("live=true".to_owned()).await.0, [third.clone(), first.clone()]);
    assert_eq!(list("live=false".to_owned()).await.0, std::slice::from_ref(&second));
    assert_eq!(
        list(format!("live=true&admin_id={}&tenant_id={}", tokens::OWNER, one.id)).await.0,
        std::slice::from_ref(&first)
    );

    let (mut walked, mut query) = (Vec::new(), "limit=1".to_owned());
    loop {
        let (ids, link) = list(query).await;
        walked.extend(ids);
        let Some((_, rest)) = link.split_once('?') else { break };
        query = rest.split_once('>').unwrap().0.to_owned();
    }
    assert_eq!(walked, all);

    let refused = stage
        .api
        .get("/impersonations?live=maybe&tenant_id=x&user_id=1&limit=0&cursor=z&admin_id=%00&colour=red")
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(refused.faults(), ["admin_id", "colour", "cursor", "limit", "live", "tenant_id", "user_id"]);
    let (_, viewer) = stage.super_admin(SuperAdminRole::Viewer).await;
    let read = stage.api.anonymous(reqwest::Method::GET, "/impersonations").bearer_auth(viewer);
    assert_eq!(read.send().await.unwrap().status(), StatusCode::OK, "a viewer may read");
    assert_eq!(stage.api.get("/impersonations/x").await.status, StatusCode::BAD_REQUEST);
    let unknown = stage.api.get(&format!("/impersonations/{}", uuid::Uuid::now_v7())).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(unknown.json["title"], json!("Not found"));
}
