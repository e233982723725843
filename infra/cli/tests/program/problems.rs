//! Requests that are refused, and APIs that cannot be reached.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Computer,
    server::{Reply, Server},
};

fn invalid() -> Value {
    json!({
        "type": "/api/super-admin/problems/invalid-input", "title": "Invalid input", "status": 422,
        "detail": "The request has 3 errors", "instance": "urn:landlord:request:r-1",
        "errors": [
            {"pointer": "/slug", "code": "pattern", "detail": "must match ^[a-z0-9]"},
            {"pointer": "/limits/max_agents", "code": "minimum", "detail": "must be at least 0"},
            {"pointer": "/admin_password", "code": "required", "detail": "is missing"},
        ],
    })
}

#[test]
fn every_error_of_the_input_is_shown_with_its_pointer_and_its_option() {
    let server = Server::always(|| Reply::problem(422, &invalid()).with("x-request-id", "r-1"));
    let computer = Computer::signed_in(&server.url);
    let refused = computer.run(&["tenants", "create", "--slug", "-Bad-", "--limits.max-agents", "-1"]);
    let expected = "error: Invalid input (422)\n  The request has 3 errors\n  /slug (--slug): must match ^[a-z0-9]\n  \
                    /limits/max_agents (--limits.max-agents): must be at least 0\n  \
                    /admin_password (--admin-password-file): is missing\n  request r-1\n";
    assert_eq!((refused.code, refused.stdout.as_str(), refused.stderr.as_str()), (1, "", expected));
    assert_eq!(server.received()[0].json(), json!({"slug": "-Bad-", "limits": {"max_agents": -1}}));
    let as_json = computer.run(&["tenants", "create", "-o", "json"]);
    assert_eq!((as_json.code, serde_json::from_str::<Value>(&as_json.stderr).unwrap()), (1, invalid()));
}

#[test]
fn an_error_of_a_parameter_and_the_members_of_a_problem_are_shown() {
    let problem = json!({
        "type": "/api/super-admin/problems/tenant-not-active", "title": "Tenant not active", "status": 409,
        "detail": "The tenant is suspended", "tenant_status": "suspended", "allowed": ["active"],
        "errors": [{"parameter": "created_since", "code": "format", "detail": "must be a time\u{1b}[2J"}],
    });
    let server = Server::always(move || Reply::problem(409, &problem));
    let refused = Computer::signed_in(&server.url).run(&["tenants", "list", "--created-since", "x"]);
    let expected = "error: Tenant not active (409)\n  The tenant is suspended\n  \
                    created_since (--created-since): must be a time\\u{1b}[2J\n  allowed: [\"active\"]\n  tenant_status: suspended\n";
    assert_eq!((refused.code, refused.stderr.as_str()), (1, expected));
}

#[test]
fn too_many_requests_are_shown_with_the_pause_and_the_key_of_the_request() {
    let server = Server::always(|| {
        let problem = json!({"title": "Too many requests", "status": 429, "detail": "5 starts per minute"});
        Reply::problem(429, &problem).with("retry-after", "42")
    });
    let arguments = ["impersonations", "start", "--idempotency-key", "k-1", "--reason", "Looks at her inbox"];
    let refused = Computer::signed_in(&server.url).run(&arguments);
    let expected = "error: Too many requests (429)\n  5 starts per minute\n  Try again after 42 s\n\
                    The request may have been processed. Repeat it safely with --idempotency-key k-1\n";
    assert_eq!((refused.code, refused.stderr.as_str()), (1, expected));
    assert_eq!(server.received().len(), 1, "nothing is repeated by itself");
}

#[test]
fn answers_that_are_no_problems_are_shown_too() {
    for (reply, expected) in [
        (|| Reply::json(429, &json!({"message": "Too Many Requests"})), "error: Too Many Requests (429)\n"),
        (
            || Reply::text(502, "text/html", "<h1>Bad gateway\u{7}</h1>"),
            "error: The request failed (502)\n  <h1>Bad gateway\\u{7}</h1>\n",
        ),
    ] as [(fn() -> Reply, &str); 2]
    {
        let server = Server::always(reply);
        let refused = Computer::signed_in(&server.url).run(&["tenants", "get", "1"]);
        assert_eq!((refused.code, refused.stderr.as_str()), (1, expected));
    }
}

#[test]
fn a_redirect_is_not_followed_and_the_token_stays_here() {
    let other = Server::always(|| Reply::json(200, &json!({"id": "1"})));
    let target = format!("{}/api/super-admin/tenants/1", other.url);
    let shown = target.clone();
    let server = Server::always(move || Reply::text(307, "text/plain", "").with("location", &target));
    for arguments in
        [&["tenants", "get", "1"][..], &["tenants", "update", "1", "--name", "x"], &["impersonations", "end", "1"]]
    {
        let refused = Computer::signed_in(&server.url).run(arguments);
        assert_eq!(refused.code, 1);
        assert!(refused.stderr.contains(&format!("The server redirects to {shown}.")), "{}", refused.stderr);
    }
    assert_eq!(other.received().len(), 0);
}

#[test]
fn an_api_that_cannot_be_reached_has_its_own_exit_code() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let computer = Computer::signed_in(&url);
    let begun = Instant::now();
    // It accepts the connection, and never answers.
    let silent = computer.run(&["--timeout", "1", "tenants", "create", "--idempotency-key", "k-1"]);
    assert_eq!(silent.code, 6, "{}", silent.stderr);
    let expected = format!(
        "error: {url} cannot be reached: no response within 1 s\n\
         The request may have been processed. Repeat it safely with --idempotency-key k-1\n"
    );
    assert_eq!(silent.stderr, expected);
    assert!(begun.elapsed() < Duration::from_secs(10));
    drop(listener);
    let refused = computer.run(&["tenants", "list"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (6, ""));
}

#[test]
fn wrong_arguments_send_nothing() {
    let server = Server::always(|| Reply::json(200, &json!([])));
    let computer = Computer::signed_in(&server.url);
    for arguments in [
        &["tenants", "list", "--colour", "red"][..],
        &["tenants", "get"],
        &["users", "list"],
        &["tenants", "list", "--limit", "0"],
        &["tenants", "list", "-o", "xml"],
        &["tenants", "list", "-o", "json", "--columns", "id"],
        &["tenants", "update", "1", "--limits.max-agents", "x"],
        &["tenants", "create", "--body", r#"{"admin_password": "tidal-mango-orbit-42"}"#],
        &["--url", "http://landlord.example.com", "tenants", "list"],
        &["tenant", "list"],
    ] {
        let refused = computer.run(arguments);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{arguments:?}: {}", refused.stderr);
    }
    assert!(server.received().is_empty());
}
