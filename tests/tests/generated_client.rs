//! A client that is generated from the API's description works on the local stack.

use std::path::Path;

use serde_json::{Value, json};
use tests::{
    manifests::repository,
    python_client::{PythonClient, assert_success},
    stack::sign_in,
    variable,
};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_client_creates_a_tenant_waits_lists_and_reads_a_problem() {
    let (token, slug) = (sign_in().await, format!("generated-{}", Uuid::now_v7().simple()));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated_client");
    let client = PythonClient::generate(&folder);
    let mut session = client.command();
    session.arg(repository().join("tests/descriptions/session.py"));
    session.env("API_URL", variable("API_URL")).env("TOKEN", token).env("SLUG", &slug);
    let output = tokio::task::spawn_blocking(move || session.output().unwrap()).await.unwrap();
    assert_success("the session failed", &output);
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("{seen:#}");
    assert_eq!([&seen["created"], &seen["operation"], &seen["active"]], ["provisioning", "succeeded", "active"]);
    assert_eq!((&seen["listed"], &seen["total"]), (&json!([slug]), &json!("1")));
    let problem = json!([409, "/api/super-admin/problems/slug-taken", "Slug taken", slug]);
    assert_eq!(seen["problem"], problem);
}
