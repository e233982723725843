//! Who may see what, and what may be asked.

use reqwest::{Method, StatusCode};
use serde_json::json;
use tests::{api::answer, tokens};

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn anyone_is_told_one_word_and_a_super_admin_everything() {
    let stage = Stage::new().await;
    let anonymous = answer(stage.api.anonymous(Method::GET, "/health")).await;
    assert_eq!((anonymous.status, anonymous.json), (StatusCode::OK, json!({ "status": "healthy" })));
    let told = stage.api.get("/health").await;
    assert_eq!(told.status, StatusCode::OK);
    let fields: Vec<_> = told.json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        ["checked_at", "duration_ms", "infrastructure", "integrations", "services", "status", "tenants"]
    );
    for (path, status) in [
        ("/health?live=true", StatusCode::UNAUTHORIZED),
        ("/health?live=false", StatusCode::UNAUTHORIZED),
        ("/health?max_age=0", StatusCode::UNAUTHORIZED),
        ("/health/history", StatusCode::UNAUTHORIZED),
        ("/health?colour=red", StatusCode::BAD_REQUEST),
    ] {
        let refused = answer(stage.api.anonymous(Method::GET, path)).await;
        assert_eq!(refused.status, status, "{path}: {}", refused.text);
        assert_eq!(refused.header("content-type"), "application/problem+json", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_good_is_refused_even_where_none_is_needed() {
    let stage = Stage::new().await;
    let expired = tokens::with(|claims| claims["exp"] = json!(1_700_000_000));
    let role = tokens::with(|claims| claims["role"] = json!("admin"));
    for (token, status) in [
        ("nonsense".to_owned(), StatusCode::UNAUTHORIZED),
        (expired, StatusCode::UNAUTHORIZED),
        (role, StatusCode::FORBIDDEN),
    ] {
        let refused = answer(stage.api.anonymous(Method::GET, "/health").bearer_auth(token)).await;
        assert_eq!(refused.status, status, "{}", refused.text);
        assert!(refused.json["infrastructure"].is_null() && refused.json["title"].is_string(), "{}", refused.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_cannot_be_are_refused_all_at_once() {
    let stage = Stage::new().await;
    for (path, faults) in [
        ("/health?live=maybe&max_age=3601&colour=red", vec!["colour", "live", "max_age"]),
        ("/health?max_age=-1", vec!["max_age"]),
        ("/health?max_age=1e3", vec!["max_age"]),
        ("/health?live=true&live=true", vec!["live"]),
        ("/health/history?hours=0", vec!["hours"]),
        ("/health/history?hours=1e9", vec!["hours"]),
        ("/health/history?hours=721&component=mysql&limit=5", vec!["component", "hours", "limit"]),
        ("/health/history?hours=99999999999999999999", vec!["hours"]),
        ("/health/history?component=PostgreSQL", vec!["component"]),
    ] {
        let refused = stage.api.get(path).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}: {}", refused.text);
        assert_eq!(refused.faults(), faults, "{path}");
    }
    let refused = stage.api.get("/health/history?component=mysql").await;
    assert!(refused.text.contains("postgresql") && refused.text.contains("billing-service"), "{}", refused.text);
}
