//! End to end: the functions under `cargo lambda watch`, with the queues and schedules that `cargo dev up` emulates.

use std::time::{Duration, Instant};

use rdkafka::{
    Message,
    consumer::{BaseConsumer, Consumer},
};
use reqwest::{Client, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::{
    clients::postgres::connect_once,
    config::{FromEnv, KafkaConfig, PostgresConfig},
};
use tests::{
    platform::mongo,
    stack::{base, invocations, sign_in},
    until, variable,
};
use uuid::Uuid;

const PASSWORD: &str = "tidal-mango-orbit-42";

/// A client of the running API.
struct ApiClient {
    client: Client,
    base: String,
    token: String,
}

impl ApiClient {
    /// Signs in as the first super-admin.
    async fn sign_in() -> Self {
        Self { client: Client::new(), base: base(), token: sign_in().await }
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.client.get(format!("{}{path}", self.base)).bearer_auth(&self.token);
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn create_tenant(&self, slug: &str) -> Value {
        let body = json!({
            "name": "End to end", "slug": slug, "country": "ID",
            "admin_email": "sari@example.com", "admin_password": PASSWORD,
        });
        let request = self.client.post(format!("{}/tenants", self.base)).bearer_auth(&self.token);
        let response = request.json(&body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        response.json().await.unwrap()
    }

    /// Waits until the tenant is no longer `provisioning`.
    async fn wait_for_provisioning(&self, id: &str) -> Value {
        let started = Instant::now();
        loop {
            let tenant = self.get(&format!("/tenants/{id}")).await;
            if tenant["status"] != "provisioning" {
                return tenant;
            }
            assert!(started.elapsed() < Duration::from_secs(90), "still {tenant}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The types of a tenant's events on the topic, in order. Reads the topic to its end.
fn events_of(tenant: &str, everything: &mut Vec<String>) -> Vec<String> {
    let config = KafkaConfig::from_env().unwrap();
    let consumer: BaseConsumer = shared::clients::kafka::settings(&config)
        .set("group.id", format!("test-{}", Uuid::now_v7()))
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "false")
        .create()
        .unwrap();
    consumer.subscribe(&[&config.topic]).unwrap();
    let (mut found, mut last) = (Vec::new(), Instant::now());
    // A new consumer group needs a few seconds until it has partitions.
    while last.elapsed() < Duration::from_secs(8) {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) {
            last = Instant::now();
            let payload = String::from_utf8(message.payload().unwrap().to_vec()).unwrap();
            let event: Value = serde_json::from_str(&payload).unwrap();
            everything.push(payload);
            if event["subject"] == tenant {
                assert_eq!(message.key(), Some(tenant.as_bytes()));
                found.push(event["type"].as_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// Waits until the outbox contains no message with one of these keys.
async fn wait_for_outbox(platform: &tokio_postgres::Client, keys: &[&str]) {
    until("the outbox is empty", Duration::from_secs(90), async || {
        let pending = platform.query_one("SELECT count(*) FROM outbox WHERE key = ANY ($1)", &[&keys]).await.unwrap();
        pending.get::<_, i64>(0) == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requested_tenant_becomes_active_and_each_event_is_sent_once() {
    let api = ApiClient::sign_in().await;
    let slug = format!("e2e-{}", Uuid::now_v7().simple());
    let created = api.create_tenant(&slug).await;
    let id = created["id"].as_str().unwrap().to_owned();
    assert_eq!(created["status"], "provisioning");
    let tenant = api.wait_for_provisioning(&id).await;
    assert_eq!(tenant["status"], "active", "{}", api.get(&format!("/tenants/{id}/operations")).await);
    assert!(tenant["schema_version"].as_i64().unwrap() > 0);

    let operations = api.get(&format!("/tenants/{id}/operations")).await;
    assert_eq!(operations[0]["status"], "succeeded", "{operations}");
    let steps = operations[0]["steps"].as_array().unwrap();
    assert!(steps.len() >= 5 && steps.iter().all(|step| step["status"] == "succeeded"), "{operations}");

    // Its databases exist, and one contains the first user.
    let database = tenant["mongo_database"].as_str().unwrap();
    let collections = mongo().await.database(database).list_collection_names().await.unwrap();
    for name in ["contacts", "conversations", "messages", "channels"] {
        assert!(collections.iter().any(|found| found == name), "{name} is missing from {collections:?}");
    }
    let own =
        connect_once(&PostgresConfig::new(SecretString::from(variable("POSTGRES_PROVISIONER_URL"))), Some(database))
            .await
            .unwrap();
    let users = own.query("SELECT email, role::text, password_hash FROM users", &[]).await.unwrap();
    assert_eq!(users.len(), 1);
    assert_eq!(users[0].get::<_, &str>(0), "sari@example.com");
    assert_eq!(users[0].get::<_, &str>(1), "admin");
    assert!(users[0].get::<_, &str>(2).starts_with("$argon2id$"));

    let users = api.get(&format!("/users?tenant_id={id}&role=admin&search=SARI%40")).await;
    assert_eq!(users.as_array().map(Vec::len), Some(1), "{users}");
    assert_eq!(users[0]["email"], "sari@example.com", "{users}");

    // Each event is on the topic once, and the outbox contains none.
    let platform = connect_once(&PostgresConfig::from_env().unwrap(), None).await.unwrap();
    wait_for_outbox(&platform, &[&id]).await;
    let mut everything = Vec::new();
    let events = tokio::task::block_in_place(|| events_of(&id, &mut everything));
    assert_eq!(events, ["tenant.requested", "tenant.provisioned"]);
    assert!(everything.iter().all(|event| !event.contains(PASSWORD)));
    let pending: i64 = platform
        .query_one("SELECT count(*) FROM pending_admins WHERE tenant_id = $1::text::uuid", &[&id])
        .await
        .unwrap()
        .get(0);
    assert_eq!(pending, 0, "the platform database still contains the password hash");
}

#[tokio::test]
async fn tenants_that_are_created_concurrently_all_become_active() {
    let api = ApiClient::sign_in().await;
    let run = Uuid::now_v7().simple().to_string();
    let slugs: Vec<String> = (0..12).map(|n| format!("many-{n}-{run}")).collect();
    let created = futures::future::join_all(slugs.iter().map(|slug| api.create_tenant(slug))).await;
    for tenant in created {
        let tenant = api.wait_for_provisioning(tenant["id"].as_str().unwrap()).await;
        assert_eq!(tenant["status"], "active", "{tenant}");
    }
}

#[tokio::test]
async fn a_new_tenant_is_measured_through_the_schedule_and_the_queue() {
    let api = ApiClient::sign_in().await;
    let created = api.create_tenant(&format!("measured-{}", Uuid::now_v7().simple())).await;
    let tenant = api.wait_for_provisioning(created["id"].as_str().unwrap()).await;
    let search = format!("/tenants/usage?search={}", tenant["slug"].as_str().unwrap());
    let started = Instant::now();
    loop {
        // The schedule does the same every minute.
        api.client.post(invocations("measure-usage")).body("{}").send().await.unwrap();
        let usage = &api.get(&search).await[0]["usage"];
        if usage["measured_at"].is_string() {
            assert_eq!([&usage["agents"], &usage["contacts"], &usage["error"]], [&json!(1), &json!(0), &Value::Null]);
            assert!(usage["storage_bytes"].as_i64().unwrap() > 0, "{usage}");
            break;
        }
        assert!(started.elapsed() < Duration::from_mins(2), "still {usage}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impersonation_starts_and_ends_and_both_events_are_sent() {
    let api = ApiClient::sign_in().await;
    let created = api.create_tenant(&format!("acted-{}", Uuid::now_v7().simple())).await;
    let id = api.wait_for_provisioning(created["id"].as_str().unwrap()).await["id"].as_str().unwrap().to_owned();
    let users = api.get(&format!("/users?tenant_id={id}&role=admin")).await;
    let body = json!({"tenant_id": id, "user_id": users[0]["id"], "reason": "Looks at why the inbox stays empty"});
    let request = api.client.post(format!("{}/impersonations", api.base)).bearer_auth(&api.token);
    let response = request.json(&body).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let started: Value = response.json().await.unwrap();
    let (sid, token) = (started["id"].as_str().unwrap(), started["token"].as_str().unwrap());
    // The published keys, at the root, include the token's.
    let keys = api.client.get(format!("{}/.well-known/jwks.json", variable("API_URL"))).send().await.unwrap();
    let keys: Value = keys.json().await.unwrap();
    let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    assert!(keys["keys"].as_array().unwrap().iter().any(|key| key["kid"] == kid.as_str()), "{keys}");
    assert_eq!(api.get(&format!("/impersonations/{sid}")).await["live"], true);
    let path = format!("{}/impersonations/{sid}", api.base);
    let ended = api.client.delete(path).bearer_auth(&api.token).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    assert_eq!(api.get(&format!("/impersonations/{sid}")).await["live"], false);
    let platform = connect_once(&PostgresConfig::from_env().unwrap(), None).await.unwrap();
    wait_for_outbox(&platform, &[&id, sid]).await;
    let events = tokio::task::block_in_place(|| events_of(&id, &mut Vec::new()));
    assert_eq!(events[2..], ["impersonation.started", "impersonation.ended"]);
}

#[tokio::test]
async fn health_is_reported_and_the_schedule_records_samples() {
    let api = ApiClient::sign_in().await;
    let anonymous = api.client.get(format!("{}/health", api.base)).send().await.unwrap();
    assert_eq!(anonymous.status(), StatusCode::OK);
    let summary: Value = anonymous.json().await.unwrap();
    assert_eq!(summary.as_object().unwrap().len(), 1, "{summary}");
    let report = api.get("/health?live=true").await;
    for store in ["postgresql", "mongodb", "redis", "kafka", "minio", "sqs"] {
        let reading = &report["infrastructure"][store];
        // Other tests may leave dead letters.
        assert!(["up", "degraded"].contains(&reading["status"].as_str().unwrap()), "{store}: {reading}");
    }
    for service in ["webhook-ingestor", "ws-server", "ai-agent", "billing-service"] {
        assert!(["up", "down"].contains(&report["services"][service]["status"].as_str().unwrap()), "{report}");
    }
    assert!(report["tenants"]["total"].is_i64(), "{report}");

    // The schedule does the same every minute.
    let event = json!({"version": "0", "source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"});
    let recorded: Value =
        api.client.post(invocations("check-health")).json(&event).send().await.unwrap().json().await.unwrap();
    assert!(recorded["samples"].is_u64(), "{recorded}");
    let history = api.get("/health/history?component=kafka&hours=1").await;
    let kafka = &history["components"][0];
    assert!(kafka["samples_total"].as_i64().unwrap() >= 1, "{history}");
    assert_eq!(
        kafka["samples"].as_array().unwrap().len(),
        usize::try_from(kafka["samples_total"].as_i64().unwrap()).unwrap()
    );
}

#[tokio::test]
async fn a_path_without_a_function_is_not_found() {
    let response = Client::new().get(format!("{}/nowhere", base())).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

/// The memory of the local process of a function, in MiB.
fn memory_of(function: &str) -> Option<u64> {
    let mut processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let is_it = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path.join("cmdline"))
            .is_ok_and(|line| line.trim_end_matches('\0').ends_with(&format!("/{function}")))
    };
    let status = std::fs::read_to_string(processes.find(is_it)?.join("status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_requests_that_wait_at_the_same_time_neither_deadlock_nor_delay_others() {
    let api = ApiClient::sign_in().await;
    let (tenant, operation) = (Uuid::now_v7(), Uuid::now_v7());
    let platform = connect_once(&PostgresConfig::from_env().unwrap(), None).await.unwrap();
    // An operation that no worker has a message for.
    let insert = format!(
        "INSERT INTO tenants (id, name, slug, status, database_name, country, created_at, updated_at)
         VALUES ('{tenant}', 'Waits', 'w-{}', 'provisioning', 'tenant_{}', 'ID', now(), now());
         INSERT INTO operations (id, tenant_id, database_name, kind, status, requested_by, created_at, updated_at,
                                 next_attempt_at)
         VALUES ('{operation}', '{tenant}', 'tenant_{}', 'provision', 'pending', 'test', now(), now(),
                 now() + interval '1 hour')",
        tenant.simple(),
        tenant.simple(),
        tenant.simple()
    );
    platform.batch_execute(&insert).await.unwrap();
    let get = async |query: &str| {
        let request = api.client.get(format!("{}/operations/{operation}{query}", api.base)).bearer_auth(&api.token);
        let begun = Instant::now();
        let response = request.timeout(Duration::from_mins(1)).send().await.unwrap();
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        (response.status(), retry_after, begun.elapsed())
    };
    assert_eq!(get("").await.0, StatusCode::OK);
    let before = memory_of("get-operation");
    let waits = futures::future::join_all((0..200).map(|_| get("?wait=20")));
    let (answers, ()) = tokio::join!(waits, async {
        // By then, the requests that found a place wait, and the others have been answered.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (status, _, elapsed) = get("").await;
        println!(
            "200 waits: memory {before:?} MiB before and {:?} MiB during; another request {elapsed:?}",
            memory_of("get-operation")
        );
        assert_eq!(status, StatusCode::OK);
        assert!(elapsed < Duration::from_secs(3), "{elapsed:?}");
        let end = format!(
            "UPDATE operations SET status = 'failed', finished_at = now(), revision = revision + 1 WHERE id = '{operation}'"
        );
        platform.batch_execute(&end).await.unwrap();
    });
    let waited = answers.iter().filter(|(_, retry_after, _)| retry_after.is_none()).count();
    let slowest = answers.iter().map(|(_, _, elapsed)| *elapsed).max().unwrap();
    println!(
        "200 waits: {waited} waited until the end, the others were answered at once; the slowest took {slowest:?}"
    );
    assert!(answers.iter().all(|(status, _, _)| *status == StatusCode::OK), "{answers:?}");
    assert!(waited >= 20 && slowest < Duration::from_secs(15), "{waited} waited, {slowest:?}");
    let delete = format!(
        "DELETE FROM operations WHERE id = '{operation}'; DELETE FROM tenant_usage WHERE tenant_id = '{tenant}';
         DELETE FROM tenant_databases WHERE tenant_id = '{tenant}'; DELETE FROM tenants WHERE id = '{tenant}'"
    );
    platform.batch_execute(&delete).await.unwrap();
}
