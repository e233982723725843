//! The running local stack: the functions under `cargo lambda watch`.

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::variable;

/// `http://127.0.0.1:PORT/api/super-admin`
pub fn base() -> String {
    format!("{}/api/super-admin", variable("API_URL"))
}

/// Where Lambda's `Invoke` of a function is served.
pub fn invocations(function: &str) -> String {
    format!("{}/2015-03-31/functions/{function}/invocations", variable("API_URL"))
}

/// A bearer token of the first super-admin.
pub async fn sign_in() -> String {
    let credentials = json!({"email": variable("FIRST_ADMIN_EMAIL"), "password": variable("FIRST_ADMIN_PASSWORD")});
    let response = Client::new().post(format!("{}/auth/login", base())).json(&credentials).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let session: Value = response.json().await.unwrap();
    session["access_token"].as_str().unwrap().to_owned()
}
