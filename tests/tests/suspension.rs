//! End to end, with the functions under `cargo lambda watch`: how soon a service that ignores every event is cut off, from the request to the
//! end of its last session, and to the event.

use std::time::Duration;

use mongodb::{
    Client as Mongo,
    bson::{Document, doc},
    options::{ClientOptions, Credential},
};
use reqwest::{Client, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::{
    clients::{postgres::connect_once, service_logins::ServiceLogins},
    config::{FromEnv, KafkaConfig, PostgresConfig, ServiceLoginConfig},
};
use tests::{
    stack::{base, sign_in},
    topic::Arrivals,
    variable,
};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

/// Suspensions of one tenant, one after the other.
const ROUNDS: usize = 100;

/// The limit for 99 of 100.
const LIMIT: Duration = Duration::from_secs(1);

struct Stage {
    client: Client,
    token: String,
    path: String,
    database: String,
    role: String,
}

impl Stage {
    async fn new() -> Self {
        let (client, token) = (Client::new(), sign_in().await);
        let slug = format!("cut-off-{}", &Uuid::now_v7().simple().to_string()[..16]);
        let body = json!({ "name": "Cut off", "slug": slug, "country": "ID", "admin_email": "sari@example.com",
                           "admin_password": "tidal-mango-orbit-42" });
        let request = client.post(format!("{}/tenants", base())).bearer_auth(&token).json(&body);
        let created: Value = request.send().await.unwrap().json().await.unwrap();
        let path = format!("{}/tenants/{}", base(), created["id"].as_str().unwrap());
        let database = created["mongo_database"].as_str().unwrap().to_owned();
        let role = format!("service_{}", Uuid::now_v7().simple());
        let owner = connect_once(&PostgresConfig::from_env().unwrap(), None).await.unwrap();
        let create = format!("CREATE ROLE {role} LOGIN PASSWORD 'secret' IN ROLE landlord_service");
        owner.batch_execute(&create).await.unwrap();
        let stage = Self { client, token, path, database, role };
        let active = async || stage.get().await["status"] == "active";
        tests::until("the tenant is active", Duration::from_secs(90), active).await;
        stage
    }

    /// Removes the login of the service.
    async fn end(&self) {
        let owner = connect_once(&PostgresConfig::from_env().unwrap(), None).await.unwrap();
        owner.batch_execute(&format!("DROP ROLE {}", self.role)).await.unwrap();
    }

    async fn get(&self) -> Value {
        self.client.get(&self.path).bearer_auth(&self.token).send().await.unwrap().json().await.unwrap()
    }

    async fn set(&self, status: &str) {
        let request = self.client.patch(&self.path).bearer_auth(&self.token).json(&json!({ "status": status }));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{}", response.text().await.unwrap());
    }

    async fn postgres(&self) -> shared::error::Result<tokio_postgres::Client> {
        let config = PostgresConfig::from_env().unwrap();
        let (_, server) = config.url.expose_secret().rsplit_once('@').unwrap();
        let url = format!("postgres://{}:secret@{server}", self.role).into();
        connect_once(&PostgresConfig { url, ..config }, Some(&self.database)).await
    }

    async fn mongo(&self) -> Mongo {
        let mut options = ClientOptions::parse(variable("MONGODB_URL")).await.unwrap();
        let logins = ServiceLogins::new(&ServiceLoginConfig::from_env().unwrap());
        let password = logins.mongodb_password(&self.database).unwrap().expose_secret().to_owned();
        let credential = Credential::builder().username(self.database.clone()).password(password);
        options.credential = Some(credential.source("admin".to_owned()).build());
        Mongo::with_options(options).unwrap()
    }
}

/// Until a session of PostgreSQL ends that is in the middle of a statement.
async fn until_ended(session: &tokio_postgres::Client) {
    session.query("SELECT pg_sleep(30)", &[]).await.expect_err("the session goes on");
}

/// Until MongoDB refuses what it has allowed before.
async fn until_refused(mongo: &Mongo, database: &str) {
    let contacts = mongo.database(database).collection::<Document>("contacts");
    while contacts.find_one(doc! {}).await.is_ok() {
        sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_request_to_the_end_of_the_last_session_and_to_the_event_a_suspension_takes_less_than_a_second() {
    let stage = Stage::new().await;
    let mongo = stage.mongo().await;
    let tenant = stage.path.rsplit('/').next().unwrap();
    let arrivals = Arrivals::of(tenant, &KafkaConfig::from_env().unwrap());
    let (mut times, mut event_times) = (Vec::new(), Vec::new());
    // The first one is not measured: `cargo lambda watch` starts a function at its first invocation.
    for round in 0..=ROUNDS {
        // A new tenant's databases, and after a reactivation, are open as soon as the operation has ended.
        let begun = Instant::now();
        let session = loop {
            match stage.postgres().await {
                Ok(session) => break session,
                Err(error) => assert!(begun.elapsed() < Duration::from_secs(20), "{round}: {}", error.chain()),
            }
            sleep(Duration::from_millis(50)).await;
        };
        let contacts = mongo.database(&stage.database).collection::<Document>("contacts");
        while contacts.find_one(doc! {}).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{round}: MongoDB stays closed");
            sleep(Duration::from_millis(50)).await;
        }
        let begun = Instant::now();
        let cut_off = async { tokio::join!(until_ended(&session), until_refused(&mongo, &stage.database)) };
        let ((), ended) = tokio::join!(stage.set("suspended"), timeout(Duration::from_secs(20), cut_off));
        ended.expect("the sessions end");
        let ended = begun.elapsed();
        let arrived = arrivals.wait_for("tenant.suspended", round).await;
        if round > 0 {
            times.push(ended);
            event_times.push(arrived.saturating_duration_since(begun.into_std()));
        }
        stage.set("active").await;
    }
    stage.end().await;
    for (what, mut times) in [("the end of the last session", times), ("the event at a consumer", event_times)] {
        times.sort_unstable();
        let (median, p99) = (times[ROUNDS / 2], times[ROUNDS * 99 / 100 - 1]);
        println!("from the request to {what}: median {median:?}, p99 {p99:?}, of {ROUNDS}");
        assert!(p99 < LIMIT, "{what}: {times:?}");
    }
}
