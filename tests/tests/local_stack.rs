//! End to end: the functions under `cargo lambda watch`, the queues and schedules as `cargo dev up` plays them.

use std::time::{Duration, Instant};

use rdkafka::{
    ClientConfig, Message,
    consumer::{BaseConsumer, Consumer},
};
use reqwest::{Client, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::{
    clients::postgres::connect_once,
    config::{FromEnv, KafkaConfig, PostgresConfig},
};
use tests::{platform::mongo, variable};
use uuid::Uuid;

/// The API of the running stack.
struct Stack {
    client: Client,
    base: String,
    token: String,
}

impl Stack {
    /// Signs in as the first super-admin.
    async fn sign_in() -> Self {
        let (client, base) = (Client::new(), format!("{}/api/super-admin", variable("API_URL")));
        let credentials = json!({"email": variable("FIRST_ADMIN_EMAIL"), "password": variable("FIRST_ADMIN_PASSWORD")});
        let response = client.post(format!("{base}/auth/login")).json(&credentials).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let answer: Value = response.json().await.unwrap();
        Self { client, base, token: answer["access_token"].as_str().unwrap().to_owned() }
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.client.get(format!("{}{path}", self.base)).bearer_auth(&self.token);
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn create(&self, slug: &str, password: &str) -> Value {
        let body = json!({
            "name": "End to end", "slug": slug, "country": "ID",
            "admin_email": "sari@example.com", "admin_password": password,
        });
        let request = self.client.post(format!("{}/tenants", self.base)).bearer_auth(&self.token);
        let response = request.json(&body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        response.json().await.unwrap()
    }

    /// Waits until a tenant is no longer being provisioned.
    async fn settled(&self, id: &str) -> Value {
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

/// The types of the events of a tenant on the topic, in order, by a consumer that has read it to its end.
fn events_of(tenant: &str, everything: &mut Vec<String>) -> Vec<String> {
    let config = KafkaConfig::from_env().unwrap();
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &config.brokers)
        .set("group.id", format!("test-{}", Uuid::now_v7()))
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "false")
        .create()
        .unwrap();
    consumer.subscribe(&[&config.topic]).unwrap();
    let (mut found, mut last) = (Vec::new(), Instant::now());
    // A new group needs a few seconds to be given its partitions.
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

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_goes_from_request_to_active_and_everyone_is_told_once() {
    let stack = Stack::sign_in().await;
    let slug = format!("e2e-{}", Uuid::now_v7().simple());
    let password = "tidal-mango-orbit-42";
    let created = stack.create(&slug, password).await;
    let id = created["id"].as_str().unwrap().to_owned();
    assert_eq!(created["status"], "provisioning");
    let tenant = stack.settled(&id).await;
    assert_eq!(tenant["status"], "active", "{}", stack.get(&format!("/tenants/{id}/operations")).await);
    assert!(tenant["schema_version"].as_i64().unwrap() > 0);

    let operations = stack.get(&format!("/tenants/{id}/operations")).await;
    assert_eq!(operations[0]["status"], "succeeded", "{operations}");
    let steps = operations[0]["steps"].as_array().unwrap();
    assert!(steps.len() >= 5 && steps.iter().all(|step| step["status"] == "succeeded"), "{operations}");

    // Its databases are there, with the first agent in one of them.
    let database = tenant["mongo_database"].as_str().unwrap();
    let collections = mongo().await.database(database).list_collection_names().await.unwrap();
    for name in ["contacts", "conversations", "messages", "channels"] {
        assert!(collections.iter().any(|found| found == name), "{name} is missing in {collections:?}");
    }
    let own =
        connect_once(&PostgresConfig::new(SecretString::from(variable("POSTGRES_PROVISIONER_URL"))), Some(database))
            .await
            .unwrap();
    let agents = own.query("SELECT email, role::text, password_hash FROM users", &[]).await.unwrap();
    assert_eq!(agents.len(), 1);
    assert_eq!(agents[0].get::<_, &str>(0), "sari@example.com");
    assert_eq!(agents[0].get::<_, &str>(1), "admin");
    assert!(agents[0].get::<_, &str>(2).starts_with("$argon2id$"));

    let users = stack.get(&format!("/users?tenant_id={id}&role=admin&search=SARI%40")).await;
    assert_eq!(users.as_array().map(Vec::len), Some(1), "{users}");
    assert_eq!(users[0]["email"], "sari@example.com", "{users}");

    // Every event is on the topic, once, and the platform owes nothing any more.
    let platform = connect_once(&PostgresConfig::from_env().unwrap(), None).await.unwrap();
    let started = Instant::now();
    loop {
        let owed: i64 = platform.query_one("SELECT count(*) FROM outbox WHERE key = $1", &[&id]).await.unwrap().get(0);
        if owed == 0 {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(90), "{owed} messages are still owed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut everything = Vec::new();
    let events = tokio::task::block_in_place(|| events_of(&id, &mut everything));
    assert_eq!(events, ["tenant.requested", "tenant.provisioned"]);
    assert!(everything.iter().all(|event| !event.contains(password)));
    let kept: i64 = platform
        .query_one("SELECT count(*) FROM pending_admins WHERE tenant_id = $1::text::uuid", &[&id])
        .await
        .unwrap()
        .get(0);
    assert_eq!(kept, 0, "the hash is still on the platform's side");
}

#[tokio::test]
async fn many_tenants_at_once_all_become_active() {
    let stack = Stack::sign_in().await;
    let run = Uuid::now_v7().simple().to_string();
    let slugs: Vec<String> = (0..12).map(|n| format!("many-{n}-{run}")).collect();
    let created = futures::future::join_all(slugs.iter().map(|slug| stack.create(slug, "tidal-mango-orbit-42"))).await;
    for tenant in created {
        let settled = stack.settled(tenant["id"].as_str().unwrap()).await;
        assert_eq!(settled["status"], "active", "{settled}");
    }
}

#[tokio::test]
async fn a_new_tenant_is_measured_by_way_of_the_schedule_and_the_queue() {
    let stack = Stack::sign_in().await;
    let created = stack.create(&format!("measured-{}", Uuid::now_v7().simple()), "tidal-mango-orbit-42").await;
    let tenant = stack.settled(created["id"].as_str().unwrap()).await;
    let search = format!("/tenants/usage?search={}", tenant["slug"].as_str().unwrap());
    let started = Instant::now();
    loop {
        // As the clock does it each minute, and not only then.
        let function = format!("{}/2015-03-31/functions/measure-usage/invocations", variable("API_URL"));
        stack.client.post(function).body("{}").send().await.unwrap();
        let usage = &stack.get(&search).await[0]["usage"];
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
async fn an_operator_acts_in_a_users_name_and_everyone_hears_of_its_start_and_its_end() {
    let stack = Stack::sign_in().await;
    let created = stack.create(&format!("acted-{}", Uuid::now_v7().simple()), "tidal-mango-orbit-42").await;
    let id = stack.settled(created["id"].as_str().unwrap()).await["id"].as_str().unwrap().to_owned();
    let users = stack.get(&format!("/users?tenant_id={id}&role=admin")).await;
    let body = json!({"tenant_id": id, "user_id": users[0]["id"], "reason": "Looks at why the inbox stays empty"});
    let request = stack.client.post(format!("{}/impersonations", stack.base)).bearer_auth(&stack.token);
    let response = request.json(&body).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let started: Value = response.json().await.unwrap();
    let (sid, token) = (started["id"].as_str().unwrap(), started["token"].as_str().unwrap());
    // The keys are at the root, and the token's is among them.
    let keys = stack.client.get(format!("{}/.well-known/jwks.json", variable("API_URL"))).send().await.unwrap();
    let keys: Value = keys.json().await.unwrap();
    let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    assert!(keys["keys"].as_array().unwrap().iter().any(|key| key["kid"] == kid.as_str()), "{keys}");
    assert_eq!(stack.get(&format!("/impersonations/{sid}")).await["live"], true);
    let path = format!("{}/impersonations/{sid}", stack.base);
    let ended = stack.client.delete(path).bearer_auth(&stack.token).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    assert_eq!(stack.get(&format!("/impersonations/{sid}")).await["live"], false);
    let platform = connect_once(&PostgresConfig::from_env().unwrap(), None).await.unwrap();
    let begun = Instant::now();
    let owed = "SELECT count(*) FROM outbox WHERE key IN ($1, $2)";
    while platform.query_one(owed, &[&id, &sid]).await.unwrap().get::<_, i64>(0) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(90), "not told");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let events = tokio::task::block_in_place(|| events_of(&id, &mut Vec::new()));
    assert_eq!(events[2..], ["impersonation.started", "impersonation.ended"]);
}

#[tokio::test]
async fn the_platform_tells_how_it_is_and_what_the_schedule_finds_is_written_down() {
    let stack = Stack::sign_in().await;
    let anonymous = stack.client.get(format!("{}/health", stack.base)).send().await.unwrap();
    assert_eq!(anonymous.status(), StatusCode::OK);
    let word: Value = anonymous.json().await.unwrap();
    assert_eq!(word.as_object().unwrap().len(), 1, "{word}");
    let report = stack.get("/health?live=true").await;
    for store in ["postgresql", "mongodb", "redis", "kafka", "minio", "sqs"] {
        let reading = &report["infrastructure"][store];
        // Other tests may leave dead letters.
        assert!(["up", "degraded"].contains(&reading["status"].as_str().unwrap()), "{store}: {reading}");
    }
    for service in ["webhook-ingestor", "ws-server", "ai-agent", "billing-service"] {
        assert!(["up", "down"].contains(&report["services"][service]["status"].as_str().unwrap()), "{report}");
    }
    assert!(report["tenants"]["total"].is_i64(), "{report}");

    // As the schedule does it.
    let invocations = format!("{}/2015-03-31/functions/check-health/invocations", variable("API_URL"));
    let event = json!({"version": "0", "source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"});
    let recorded: Value = stack.client.post(invocations).json(&event).send().await.unwrap().json().await.unwrap();
    assert!(recorded["samples"].is_u64(), "{recorded}");
    let history = stack.get("/health/history?component=kafka&hours=1").await;
    let kafka = &history["components"][0];
    assert!(kafka["samples_total"].as_i64().unwrap() >= 1, "{history}");
    assert_eq!(
        kafka["samples"].as_array().unwrap().len(),
        usize::try_from(kafka["samples_total"].as_i64().unwrap()).unwrap()
    );
}

#[tokio::test]
async fn a_path_that_no_function_serves_is_not_found() {
    let response = Client::new().get(format!("{}/api/super-admin/nowhere", variable("API_URL"))).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}
