//! Schemathesis reads the API's description and sends valid and invalid requests. Each response must match the description.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use shared::{clients::redis::Redis, config::RedisConfig, passwords};
use tests::{
    Api, World,
    api::{Parts, answer},
    examples, tokens, variable,
};

/// The owner's password, which no example contains.
const PASSWORD: &str = "a password that no example has";

/// The database of the Redis server in which attempts to sign in are counted, so that they do not count against other tests.
const REDIS_DATABASE: u8 = 9;

#[tokio::test(flavor = "multi_thread")]
async fn every_response_matches_the_description() {
    let world = World::new().await;
    examples::furnish(&world).await;
    // Otherwise the example of a change of password would succeed and end the session.
    let hash = passwords::hash(PASSWORD).await.unwrap();
    let lock = "UPDATE super_admins SET password_hash = $1 WHERE id = $2::text::uuid RETURNING email";
    let email: String = world.client().await.query_one(lock, &[&hash, &tokens::OWNER]).await.unwrap().get(0);
    let parts = parts(&world);
    forget_attempts(&parts).await;
    let api = Api::with(&parts).await;
    let url = api.base.trim_end_matches("/api/super-admin").to_owned();
    let token = api.token.clone();
    let output = tokio::task::spawn_blocking(move || run(&url, &token)).await.unwrap();
    // The output of `print` is shown only if the test fails.
    io::stdout().write_all(&output.stdout).unwrap();
    io::stdout().write_all(&output.stderr).unwrap();
    assert!(output.status.success(), "Schemathesis found the failures above");
    // No request has turned the owner's token against the owner, not even those to /admins/{id} with the owner's id.
    forget_attempts(&parts).await;
    let sign_in = api.anonymous(Method::POST, "/auth/login").json(&json!({"email": email, "password": PASSWORD}));
    let signed_in = answer(sign_in).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.text);
    let own = api.get(&format!("/admins/{}", tokens::OWNER)).await;
    assert_eq!(
        (own.status, &own.json["role"], &own.json["status"]),
        (StatusCode::OK, &json!("owner"), &json!("active"))
    );
}

fn parts(world: &World) -> Parts {
    let parts = Parts::of(world);
    let url = parts.redis.url.expose_secret();
    let server = url.trim_end_matches('/');
    let url = SecretString::from(format!("{server}/{REDIS_DATABASE}"));
    // No worker runs, so that an operation that is waited for would never change.
    Parts { redis: RedisConfig { url, timeout: Duration::from_secs(5), ..parts.redis }, max_waiting: 0, ..parts }
}

/// Deletes the attempts of earlier runs, which would otherwise be answered with 429.
async fn forget_attempts(parts: &Parts) {
    let script =
        redis::Script::new("for _, key in ipairs(redis.call('KEYS', 'login:*')) do redis.call('DEL', key) end");
    Redis::connect(&parts.redis).unwrap().run::<()>(&script.prepare_invoke()).await.unwrap();
}

fn run(url: &str, token: &str) -> Output {
    let program = variable("SCHEMATHESIS");
    // The folder of the package and its dependencies.
    let packages = Path::new(&program).parent().and_then(Path::parent).unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemathesis");
    // Schemathesis stores failures and starts with them in the next run. Without them all runs are the same.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
    let _none = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    Command::new(&program)
        .arg("--config-file")
        .arg(here.join("schemathesis.toml"))
        .args(["run", &format!("{url}/api/super-admin/openapi.json"), "--url", url])
        .current_dir(&folder)
        .env("PYTHONPATH", format!("{}:{}", packages.display(), here.display()))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("TOKEN", token)
        .env("OWNER", tokens::OWNER)
        .output()
        .unwrap()
}
