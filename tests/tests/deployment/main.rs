//! The stack of infra/template.yaml is deployed to an emulator of AWS, with the parameters of samconfig.toml for production and
//! with the binaries of the functions, on the local PostgreSQL, MongoDB, Redis and Kafka.

mod emulator;

use std::collections::BTreeSet;

use emulator::Emulator;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::{
    clients::redis::Redis,
    config::{FromEnv, RedisConfig},
};
use tests::{
    World, platform,
    sample_events::{self, SampleRun},
    template, topic, variable,
};

/// The database of the Redis server that the deployed functions use, so that they count nothing against other tests.
const REDIS_DATABASE: u8 = 8;

const SECOND_OWNER: &str = "second-owner@landlord.example";

#[tokio::test(flavor = "multi_thread")]
async fn the_stack_is_deployed_twice_and_every_function_answers() {
    let world = World::empty().await;
    let kafka = world.topic();
    let redis_url = format!("{}/{REDIS_DATABASE}", variable("REDIS_URL").trim_end_matches('/'));
    empty_redis(&redis_url).await;
    let servers = [
        ("POSTGRES_URL", world.owner().url.expose_secret().to_owned()),
        ("POSTGRES_API_URL", world.api().url.expose_secret().to_owned()),
        ("POSTGRES_PROVISIONER_URL", world.provisioner().url.expose_secret().to_owned()),
        ("REDIS_URL", redis_url),
        ("KAFKA_TOPIC", kafka.topic.clone()),
    ];
    let emulator = Emulator::start().await;

    let first = emulator.deploy(&servers, &[]);
    assert_eq!(first["status"], "CREATE_COMPLETE");
    assert_all_complete(&first, "CREATE_COMPLETE");
    assert_environments_are_those_of_the_template(&first);
    let stack = first["stack"].as_str().unwrap();
    let invoke = async |function: &str, event: &str| emulator.invoke(&format!("{stack}-{function}"), event).await;

    let migrated = invoke("migrate-platform", "{}").await;
    assert_eq!(migrated["tenants"]["failed"], json!([]), "{migrated}");
    // Another owner is let in as in the runbook, and the first one signs in with the configured password.
    let recovery = json!({"recover_owner": {"email": SECOND_OWNER, "reason": "The deployment is tested"}}).to_string();
    let recovered = invoke("migrate-platform", &recovery).await;
    sign_in(&invoke, SECOND_OWNER, recovered["temporary_password"].as_str().unwrap()).await;
    let token = sign_in(&invoke, &variable("FIRST_ADMIN_EMAIL"), &variable("FIRST_ADMIN_PASSWORD")).await;

    // `create-tenant` puts a message into the deployed queue, whose mapping wakes `provision-tenant`.
    let tenant = SampleRun::new(token.clone(), &invoke).send_all().await;
    assert_tenant_is_on_the_servers(&world, &tenant).await;
    let events = topic::read(&kafka);
    assert!(events.iter().any(|event| event.payload["type"] == "tenant.provisioned"), "{events:?}");

    // Every function gets a new environment.
    let second = emulator.deploy(&servers, &["LogLevel=warn"]);
    assert_eq!(second["status"], "UPDATE_COMPLETE");
    invoke("migrate-platform", "{}").await;
    let tenant = SampleRun::new(token, &invoke).send_all().await;
    assert_tenant_is_on_the_servers(&world, &tenant).await;
    drop(emulator);
}

fn assert_all_complete(deployment: &Value, status: &str) {
    let resources = deployment["resources"].as_array().unwrap();
    assert!(resources.len() > 100 && resources.iter().all(|resource| resource == status), "{resources:?}");
}

/// Each function has the variables of `Globals` and its own, and each value is resolved.
fn assert_environments_are_those_of_the_template(deployment: &Value) {
    let template = template::read();
    let globals = &template["Globals"]["Function"]["Environment"]["Variables"];
    for (name, properties) in template::functions(&template) {
        let mut expected = globals.as_object().unwrap().clone();
        expected.extend(properties["Environment"]["Variables"].as_object().cloned().unwrap_or_default());
        expected.retain(|_, value| value != "AWS::NoValue");
        let deployed = deployment["environments"][&name].as_object().unwrap();
        let [expected, names] = [&expected, deployed].map(|map| map.keys().collect::<BTreeSet<_>>());
        assert_eq!(names, expected, "{name}");
        for (variable, value) in deployed {
            let text = value.as_str().unwrap_or_else(|| panic!("{name}: {variable} is not text"));
            assert!(!text.contains("resolve:") && !text.contains("${"), "{name}: {variable} is not resolved");
        }
    }
}

/// Signs in by the deployed function and returns the bearer token.
async fn sign_in(invoke: &impl AsyncFn(&str, &str) -> Value, email: &str, password: &str) -> String {
    let mut event: Value = serde_json::from_str(&sample_events::read("login")).unwrap();
    event["body"] = json!({"email": email, "password": password}).to_string().into();
    let answer = invoke("login", &event.to_string()).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let session: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    session["access_token"].as_str().unwrap().to_owned()
}

/// Forgets what an earlier run of this test counted.
async fn empty_redis(url: &str) {
    let redis = RedisConfig { url: SecretString::from(url), ..RedisConfig::from_env().unwrap() };
    let _ok: String = Redis::connect(&redis).unwrap().query(&redis::cmd("FLUSHDB")).await.unwrap();
}

async fn assert_tenant_is_on_the_servers(world: &World, tenant: &str) {
    let select = "SELECT status, database_name, EXISTS (SELECT FROM pg_database WHERE datname = database_name) \
                  FROM tenants WHERE id = $1::text::uuid";
    let row = world.client().await.query_one(select, &[&tenant]).await.unwrap();
    let (status, database, in_postgres): (String, String, bool) = (row.get(0), row.get(1), row.get(2));
    assert_eq!((&*status, in_postgres), ("active", true));
    assert!(platform::mongo().await.list_database_names().await.unwrap().contains(&database));
}
