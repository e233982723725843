//! A tenant always keeps an active admin.

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::json;

use crate::stage::{REASON, UsersStage};

const ACTIVE_ADMINS: &str = "SELECT FROM users WHERE role = 'admin' AND status = 'active'";

#[tokio::test]
async fn the_last_active_admin_cannot_be_demoted_or_deactivated() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    stage.added(&tenant, "budi@kopi.example", "supervisor").await;
    let former = stage.added(&tenant, "siti@kopi.example", "admin").await;
    let former = former["id"].as_str().unwrap();
    assert_eq!(stage.change(&tenant, former, &json!({"status": "deactivated"})).await.status, StatusCode::OK);
    for patch in
        [json!({"role": "agent"}), json!({"status": "deactivated"}), json!({"role": "agent", "status": "deactivated"})]
    {
        let refused = stage.change(&tenant, tenant.admin, &patch).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{patch}: {}", refused.text);
        assert!(refused.text.contains("last active admin"), "{}", refused.text);
    }
    // A deactivated admin does not count as an active one, so their role can change.
    assert_eq!(stage.change(&tenant, former, &json!({"role": "agent"})).await.status, StatusCode::OK);
    assert_eq!(stage.change(&tenant, tenant.admin, &json!({"full_name": "Sari"})).await.status, StatusCode::OK);
    assert_eq!(
        stage.change(&tenant, former, &json!({"role": "admin", "status": "active", "reason": REASON})).await.status,
        StatusCode::OK
    );
    assert_eq!(stage.change(&tenant, tenant.admin, &json!({"role": "agent"})).await.status, StatusCode::OK);
    assert_eq!(stage.count(&tenant, ACTIVE_ADMINS).await, 1);
}

#[tokio::test]
async fn when_all_admins_are_removed_concurrently_one_stays() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let mut admins = vec![tenant.admin.to_string()];
    for number in 0..7 {
        let admin = stage.added(&tenant, &format!("admin{number}@kopi.example"), "admin").await;
        admins.push(admin["id"].as_str().unwrap().to_owned());
    }
    let removed = admins.iter().enumerate().map(|(number, id)| {
        let patch = if number % 2 == 0 { json!({"role": "agent"}) } else { json!({"status": "deactivated"}) };
        let (stage, tenant) = (&stage, &tenant);
        async move { stage.change(tenant, id, &patch).await.status }
    });
    let mut answers = join_all(removed).await;
    answers.sort_unstable();
    assert_eq!(answers[..7], [StatusCode::OK; 7]);
    assert_eq!(answers[7], StatusCode::CONFLICT);
    assert_eq!(stage.count(&tenant, ACTIVE_ADMINS).await, 1);
}
