//! Access to the report, and validation of the parameters.

use reqwest::{Method, StatusCode};
use serde_json::json;
use tests::{api::answer, tokens};

use crate::stage::HealthStage;

#[tokio::test(flavor = "multi_thread")]
async fn an_anonymous_caller_gets_the_status_and_a_super_admin_the_full_report() {
    let stage = HealthStage::new().await;
    let anonymous = answer(stage.api.anonymous(Method::GET, "/health")).await;
    assert_eq!((anonymous.status, anonymous.json), (StatusCode::OK, json!({ "status": "healthy" })));
    let report = stage.api.get("/health").await;
    assert_eq!(report.status, StatusCode::OK);
    let fields: Vec<_> = report.json.as_object().unwrap().keys().map(String::as_str).collect();
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
        let response = answer(stage.api.anonymous(Method::GET, path)).await;
        assert_eq!(response.status, status, "{path}: {}", response.text);
        assert_eq!(response.header("content-type"), "application/problem+json", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_token_is_rejected_even_where_none_is_required() {
    let stage = HealthStage::new().await;
    let expired = tokens::with(|claims| claims["exp"] = json!(1_700_000_000));
    let role = tokens::with(|claims| claims["role"] = json!("admin"));
    for (token, status) in [
        ("nonsense".to_owned(), StatusCode::UNAUTHORIZED),
        (expired, StatusCode::UNAUTHORIZED),
        (role, StatusCode::FORBIDDEN),
    ] {
        let response = answer(stage.api.anonymous(Method::GET, "/health").bearer_auth(token)).await;
        assert_eq!(response.status, status, "{}", response.text);
        assert!(response.json["infrastructure"].is_null() && response.json["title"].is_string(), "{}", response.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_invalid_parameters_are_reported_at_once() {
    let stage = HealthStage::new().await;
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
        let response = stage.api.get(path).await;
        assert_eq!(response.status, StatusCode::BAD_REQUEST, "{path}: {}", response.text);
        assert_eq!(response.faults(), faults, "{path}");
    }
    let response = stage.api.get("/health/history?component=mysql").await;
    assert!(response.text.contains("postgresql") && response.text.contains("billing-service"), "{}", response.text);
}
