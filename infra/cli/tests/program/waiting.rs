//! `--wait`.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::{
    Computer, Ended,
    server::{Received, Reply, Server},
};

const CREATE: [&str; 12] = [
    "tenants",
    "create",
    "--name",
    "Kopi",
    "--slug",
    "kopi",
    "--country",
    "ID",
    "--wait",
    "--admin-email",
    "sari@kopi.example",
    "-ojson",
];

fn created() -> Reply {
    Reply::json(201, &json!({"id": "t-1", "slug": "kopi", "status": "provisioning", "operation_id": "o-1"}))
        .with("location", "/api/super-admin/tenants/t-1")
        .with("operation-location", "/api/super-admin/operations/o-1")
}

fn operation(status: &str, step: &str, reason: Option<&str>) -> Reply {
    let body = json!({"id": "o-1", "kind": "provision", "status": status, "reason": reason, "steps": [
        {"name": "create_postgresql", "status": step, "attempts": 1, "error": null},
    ]});
    let reply = Reply::json(200, &body).with("etag", &format!("\"{status}-{step}\""));
    if ["succeeded", "failed"].contains(&status) { reply } else { reply.with("retry-after", "0") }
}

/// An API whose operation passes through `course`, one for each request, and stays in the last one. Then the tenant has `status`.
fn api(course: Vec<fn() -> Reply>, status: &'static str) -> Server {
    let asked = AtomicUsize::new(0);
    Server::start(move |request: &Received| {
        match (request.method.as_str(), request.target.split('?').next().unwrap()) {
            ("POST", "/api/super-admin/tenants") => created(),
            ("GET", "/api/super-admin/operations/o-1") => {
                let at = asked.fetch_add(1, Ordering::Relaxed).min(course.len() - 1);
                course[at]()
            }
            ("GET", "/api/super-admin/tenants/t-1") => {
                Reply::json(200, &json!({"id": "t-1", "slug": "kopi", "status": status}))
            }
            other => panic!("{other:?}"),
        }
    })
}

fn create(server: &Server, more: &[&str]) -> Ended {
    Computer::signed_in(&server.url).run(&[&CREATE, more].concat())
}

#[test]
fn a_tenant_that_becomes_active_is_a_success_and_its_steps_are_shown() {
    let states: Vec<fn() -> Reply> = vec![
        || operation("pending", "pending", None),
        || Reply::text(304, "text/plain", "").with("retry-after", "0"),
        || operation("running", "running", None),
        || Reply::problem(503, &json!({"title": "Temporarily unavailable", "status": 503})).with("retry-after", "0"),
        || Reply::problem(503, &json!({"title": "Temporarily unavailable", "status": 503})).with("retry-after", "0"),
        || operation("succeeded", "succeeded", None),
    ];
    let server = api(states, "active");
    let ended = create(&server, &[]);
    assert_eq!((ended.code, &ended.json()["status"]), (0, &json!("active")), "{}", ended.stderr);
    let progress = "provision o-1: pending\nprovision o-1: running\n  create_postgresql running\n\
                    error: Temporarily unavailable (503)\n  Try again after 0 s\nStill following the operation.\n\
                    provision o-1: succeeded\n  create_postgresql succeeded\n";
    assert_eq!(ended.stderr, progress);

    let received = server.received();
    let body = received[0].json();
    assert_eq!(body, json!({"name": "Kopi", "slug": "kopi", "country": "ID", "admin_email": "sari@kopi.example"}));
    assert!(received[0].headers["idempotency-key"].len() > 30);
    assert_eq!(received[0].headers["content-type"], "application/json");
    assert_eq!((received[1].query("wait"), received[1].headers.get("if-none-match")), (Some("20"), None));
    assert_eq!(received[2].headers["if-none-match"], "\"pending-pending\"");
    assert_eq!(received[6].headers["if-none-match"], "\"running-running\"");
}

#[test]
fn an_operation_that_fails_has_its_own_exit_code_and_shows_the_reason() {
    let states: Vec<fn() -> Reply> = vec![|| operation("undoing", "failed", Some("disk is full")), || {
        operation("failed", "undone", Some("disk is full"))
    }];
    let server = api(states, "failed");
    let ended = create(&server, &[]);
    assert_eq!((ended.code, &ended.json()["status"]), (3, &json!("failed")), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("  disk is full\nprovision o-1: failed\n  create_postgresql undone\n"),
        "{}",
        ended.stderr
    );
}

#[test]
fn an_operation_that_takes_too_long_goes_on_and_has_its_own_exit_code() {
    let server = api(vec![|| operation("running", "running", None).with("retry-after", "1")], "provisioning");
    let ended = create(&server, &["--wait-timeout", "1"]);
    assert_eq!((ended.code, &ended.json()["status"]), (4, &json!("provisioning")), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("The operation goes on: landlord operations get o-1\n"), "{}", ended.stderr);
}

#[test]
fn a_session_that_ends_meanwhile_is_no_outcome_and_the_response_is_not_lost() {
    let unauthenticated: fn() -> Reply = || Reply::problem(401, &json!({"title": "Unauthenticated", "status": 401}));
    let server = api(vec![unauthenticated], "active");
    let ended = create(&server, &[]);
    assert_eq!((ended.code, &ended.json()["id"]), (5, &json!("t-1")), "{}", ended.stderr);
    assert!(ended.stderr.contains("Sign in: landlord login"), "{}", ended.stderr);
}

#[test]
fn without_wait_the_response_is_printed_at_once() {
    let server = api(Vec::new(), "active");
    let without: Vec<&str> = CREATE.into_iter().filter(|word| *word != "--wait").collect();
    let ended = Computer::signed_in(&server.url).run(&without);
    assert_eq!((ended.code, ended.json()["operation_id"].clone()), (0, Value::from("o-1")), "{}", ended.stderr);
    assert_eq!(server.received().len(), 1);
}
