//! The router of `cargo lambda watch`, which plays API Gateway: requests that match no route get the same kind of answer as all
//! others.

use std::fs;

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tests::{
    Answer,
    api::answer,
    manifests::repository,
    stack::{base, sign_in},
    variable,
};

/// Methods that reach the functions. The router answers OPTIONS and TRACE itself.
const METHODS: [&str; 6] = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"];

async fn send(method: &str, url: &str) -> Answer {
    answer(Client::new().request(method.parse::<Method>().unwrap(), url)).await
}

fn check_headers(answer: &Answer) {
    assert!(answer.header("x-request-id").len() >= 8, "{:?}", answer.headers);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn an_unknown_path_is_a_problem_with_status_404() {
    let root = variable("API_URL");
    let paths = [
        "/",
        "/nothing",
        "/api/super-admin",
        "/api/super-admin/",
        "/api/super-admin/nothing",
        "/api/super-admin/tenants/",
        "/api/super-admin//tenants",
        "/API/super-admin/tenants",
        "/api/super-admin/Tenants",
        "/api/super-admin/tenants/1/2/3",
        "/api/super-admin/%2e%2e/tenants",
    ];
    for path in paths {
        let url = format!("{root}{path}");
        for method in ["GET", "POST", "DELETE"] {
            let answer = send(method, &url).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {}", answer.text);
            assert_eq!(answer.json["type"], "/api/super-admin/problems/unknown-path", "{method} {path}");
            check_headers(&answer);
        }
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_support_is_a_problem_with_status_405_and_allow() {
    let document = fs::read_to_string(repository().join("infra/openapi.json")).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let mut rejected = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let allowed: Vec<String> = item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        let url = format!("{}{}", variable("API_URL"), path.replace("{id}", "0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee"));
        for method in METHODS.into_iter().filter(|method| !allowed.iter().any(|one| one == method)) {
            let answer = send(method, &url).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}: {}", answer.text);
            assert_eq!(answer.header("allow"), allowed.join(", "), "{method} {path}");
            check_headers(&answer);
            // A response to HEAD has no body.
            if method != "HEAD" {
                assert_eq!(answer.json["type"], "/api/super-admin/problems/method-not-allowed", "{method} {path}");
            }
            rejected += 1;
        }
    }
    assert!(rejected > 100, "only {rejected}");
}

#[tokio::test]
async fn a_bad_body_is_a_problem() {
    let request = Client::new().post(format!("{}/tenants", base())).bearer_auth(sign_in().await);
    let answer = answer(request.header("content-type", "application/json").body("{")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    assert_eq!(answer.json["type"], "/api/super-admin/problems/malformed-request");
    check_headers(&answer);
}
