//! `POST /tenants`: accepted requests, rejected requests, and that no request is written in part.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::types::SuperAdminRole;
use tests::{
    Api, World,
    api::{answer, tenant_request},
    queues, tokens,
};

const TABLES: [&str; 6] = ["tenants", "pending_admins", "operations", "outbox", "idempotency_keys", "audit"];

async fn rows(world: &World) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in TABLES {
        counts.push(world.count(&format!("SELECT FROM {table}")).await);
    }
    counts
}

#[tokio::test]
async fn a_tenant_is_committed_with_its_operation_message_event_and_audit_entry() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let mut request = tenant_request("kopi-kenangan");
    request["limits"] = json!({"max_agents": 25, "max_contacts": null});
    let created = answer(api.request(Method::POST, "/tenants").header("idempotency-key", "k-1").json(&request)).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let id = created.json["id"].as_str().unwrap();
    assert_eq!(created.header("location"), format!("/api/super-admin/tenants/{id}"));
    assert_eq!(created.header("etag"), "\"1\"");
    assert_eq!(created.json["status"], "provisioning");
    assert_eq!(created.json["schema_version"], 0);
    assert_eq!(created.json["limits"], json!({"max_agents": 25, "max_contacts": null, "max_messages_month": 50_000}));
    let database = created.json["mongo_database"].as_str().unwrap();
    assert!(database.starts_with("tenant_") && !database.contains("kopi"), "{database}");
    // The outbox contains the event. The row of the message was deleted when the message was in the queue.
    assert_eq!(rows(&world).await, [1, 1, 1, 1, 1, 1]);
    let bodies = queues::drain(&world.provision_queue_url).await;
    assert_eq!(bodies.len(), 1);
    let body: Value = serde_json::from_str(&bodies[0]).unwrap();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["operation_id", "trace_id"]);
    assert_eq!(
        world.count(&format!("SELECT FROM operations WHERE id = '{}'", body["operation_id"].as_str().unwrap())).await,
        1
    );
    let fetched = api.get(&format!("/tenants/{id}")).await;
    let mut tenant = created.json.clone();
    assert_eq!(tenant.as_object_mut().unwrap().remove("operation_id"), Some(body["operation_id"].clone()));
    assert_eq!(fetched.json, tenant);
    let operations = api.get(&format!("/tenants/{id}/operations")).await;
    assert_eq!(operations.json[0]["kind"], "provision");
    assert_eq!(operations.json[0]["status"], "pending");
    assert_eq!(operations.json[0]["tenant_id"], id);
}

#[tokio::test]
async fn the_password_is_stored_only_as_a_hash() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let request = tenant_request("kopi-kenangan");
    let password = request["admin_password"].as_str().unwrap();
    let sent = api.request(Method::POST, "/tenants").header("idempotency-key", "k-1").json(&request);
    assert_eq!(answer(sent).await.status, StatusCode::CREATED);
    for table in TABLES {
        let found = world.count(&format!("SELECT FROM {table} AS t WHERE t::text LIKE '%{password}%'")).await;
        assert_eq!(found, 0, "{table}");
    }
    assert!(queues::drain(&world.provision_queue_url).await.iter().all(|body| !body.contains(password)));
    assert_eq!(world.count("SELECT FROM pending_admins WHERE password_hash LIKE '$argon2id$%'").await, 1);
}

#[tokio::test]
async fn all_errors_of_a_body_are_reported_at_once_and_nothing_is_written() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let invalid = json!({
        "name": "evil\u{202E}name", "slug": "-Bad-", "country": "XX", "limits": {"max_agents": -1, "max_contacts": 1e99, "x": 1},
        "admin_email": "a@example.com\r\nBcc: b@example.com", "admin_password": "password1234", "colour": "red",
    });
    let rejected = api.post("/tenants", &invalid).await;
    assert_eq!(rejected.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(rejected.header("content-type"), "application/problem+json");
    assert_eq!(
        rejected.faults(),
        [
            "/admin_email",
            "/admin_password",
            "/colour",
            "/country",
            "/limits/max_agents",
            "/limits/max_contacts",
            "/limits/x",
            "/name",
            "/slug"
        ]
    );
    assert_eq!(rejected.json["type"], "/api/super-admin/problems/invalid-input");
    assert!(rejected.json["instance"].as_str().unwrap().ends_with(rejected.header("x-request-id")));
    let nothing = api.post("/tenants", &json!({})).await;
    assert_eq!(nothing.faults(), ["/admin_email", "/admin_password", "/country", "/name", "/slug"]);
    assert_eq!(rows(&world).await, [0; 6]);
}

#[tokio::test]
async fn an_invalid_value_is_reported_with_its_pointer() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let long_email = format!("{}@example.com", "a".repeat(250));
    let cases = [
        ("/name", json!("")),
        ("/name", json!("   ")),
        ("/name", json!("x".repeat(121))),
        ("/name", json!("line\nbreak")),
        ("/name", json!("\u{2066}isolated")),
        ("/name", json!(7)),
        ("/name", json!(null)),
        ("/slug", json!("admin")),
        ("/slug", json!("a")),
        ("/slug", json!("x".repeat(49))),
        ("/slug", json!("a--b")),
        ("/country", json!("id")),
        ("/country", json!("ZZ")),
        ("/limits", json!([])),
        ("/limits", json!(null)),
        ("/limits/max_agents", json!(-1)),
        ("/limits/max_agents", json!(1.5)),
        ("/limits/max_agents", json!("5")),
        ("/limits/max_messages_month", json!(9_007_199_254_740_993_i64)),
        ("/admin_email", json!("nobody")),
        ("/admin_email", json!(long_email)),
        ("/admin_email", json!("Bcc: x <a@example.com>")),
        ("/admin_password", json!("short")),
        ("/admin_password", json!("aaaaaaaaaaaaaaaa")),
        ("/admin_password", json!("x9!Q".repeat(33))),
        ("/admin_password", json!("kopi-kenangan kopi")),
    ];
    for (pointer, value) in cases {
        let mut request = tenant_request("kopi-kenangan");
        if let Some(limit) = pointer.strip_prefix("/limits/") {
            request["limits"] = json!({limit: value});
        } else {
            request[&pointer[1..]] = value.clone();
        }
        let rejected = api.post("/tenants", &request).await;
        assert_eq!(rejected.status, StatusCode::UNPROCESSABLE_ENTITY, "{pointer} = {value}: {}", rejected.text);
        assert_eq!(rejected.faults(), [pointer], "{pointer} = {value}");
    }
    assert_eq!(rows(&world).await, [0; 6]);
}

#[tokio::test]
async fn an_unreadable_body_gets_the_matching_status_code() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let send = async |content_type: Option<&str>, body: Vec<u8>| {
        let mut request = api.request(Method::POST, "/tenants").body(body);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answer = answer(request).await;
        assert_eq!(answer.header("content-type"), "application/problem+json", "{}", answer.text);
        answer.status
    };
    let valid = tenant_request("kopi-kenangan").to_string().into_bytes();
    let json = Some("application/json");
    assert_eq!(send(None, valid.clone()).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(send(Some("text/plain"), valid.clone()).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(send(Some("application/json; charset=latin1"), valid).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(send(json, b"{".to_vec()).await, StatusCode::BAD_REQUEST);
    assert_eq!(send(json, Vec::new()).await, StatusCode::BAD_REQUEST);
    assert_eq!(send(json, b"\xff\xfe".to_vec()).await, StatusCode::BAD_REQUEST);
    assert_eq!(send(json, "[".repeat(60_000).into_bytes()).await, StatusCode::BAD_REQUEST);
    assert_eq!(send(json, vec![b' '; 64 * 1024 + 1]).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(send(json, b"null".to_vec()).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(rows(&world).await, [0; 6]);
}

#[tokio::test]
async fn a_taken_slug_is_a_conflict_and_nothing_is_written() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    api.create_tenant("kopi-kenangan").await;
    let before = rows(&world).await;
    let second = api.post("/tenants", &tenant_request("kopi-kenangan")).await;
    assert_eq!(second.status, StatusCode::CONFLICT);
    assert!(second.json["detail"].as_str().unwrap().contains("kopi-kenangan"));
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn exactly_one_of_200_concurrent_requests_for_a_slug_succeeds() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let request = tenant_request("kopi-kenangan");
    // 200 password hashes may take longer than the deadline of a request, so a request that timed out is sent again.
    let send_until_answered = || async {
        for attempt in 0..10 {
            let answer = api.post("/tenants", &request).await;
            if answer.status != StatusCode::SERVICE_UNAVAILABLE {
                return (answer.status, attempt);
            }
        }
        panic!("no answer in ten attempts")
    };
    let answers = join_all((0..200).map(|_| send_until_answered())).await;
    let with = |status| answers.iter().filter(|answer| answer.0 == status).count();
    let (created, conflicts) = (with(StatusCode::CREATED), with(StatusCode::CONFLICT));
    assert_eq!(created + conflicts, 200);
    // The request that succeeded may be one that timed out.
    let some_timed_out = answers.iter().any(|answer| answer.1 > 0);
    assert!(created == 1 || (created == 0 && some_timed_out), "{created} of 200 succeeded");
    assert_eq!(rows(&world).await, [1, 1, 1, 1, 0, 1]);
    assert_eq!(queues::drain(&world.provision_queue_url).await.len(), 1);
}

#[tokio::test]
async fn an_idempotency_key_replays_the_response_and_rejects_another_body() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let send = async |key: &str, body: &Value, token: &str| {
        let request = api.anonymous(Method::POST, "/tenants").bearer_auth(token).header("idempotency-key", key);
        answer(request.json(body)).await
    };
    let (request, token) = (tenant_request("kopi-kenangan"), tokens::good());
    let first = send("k-1", &request, &token).await;
    let again = send("k-1", &request, &token).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(first.json, again.json);
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(again.header("idempotent-replayed"), "true");
    let other = send("k-1", &tenant_request("other"), &token).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    // The keys of different super-admins are independent.
    let other_token = tokens::sign(&tokens::claims(&world.operator(SuperAdminRole::Operator).await.to_string()));
    assert_eq!(send("k-1", &tenant_request("other"), &other_token).await.status, StatusCode::CREATED);
    // An error response is not stored: the corrected request may use the same key.
    assert_eq!(send("k-2", &request, &token).await.status, StatusCode::CONFLICT);
    assert_eq!(send("k-2", &tenant_request("third"), &token).await.status, StatusCode::CREATED);
    let bad = answer(api.request(Method::POST, "/tenants").header("idempotency-key", "").json(&request)).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.count("SELECT FROM tenants").await, 3);
}

#[tokio::test]
async fn concurrent_requests_with_the_same_key_create_one_tenant() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let request = tenant_request("kopi-kenangan");
    let send = || answer(api.request(Method::POST, "/tenants").header("idempotency-key", "k-1").json(&request));
    let answers = join_all((0..20).map(|_| send())).await;
    for answer in &answers {
        assert!([StatusCode::CREATED, StatusCode::CONFLICT].contains(&answer.status), "{}", answer.text);
        if answer.status == StatusCode::CONFLICT {
            assert_eq!(answer.json["type"], "/api/super-admin/problems/request-in-progress", "{}", answer.text);
        }
    }
    assert!(answers.iter().any(|answer| answer.status == StatusCode::CREATED));
    assert_eq!(send().await.status, StatusCode::CREATED);
    assert_eq!(world.count("SELECT FROM tenants").await, 1);
}
