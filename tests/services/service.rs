//! A service of the platform, in Rust: verifies impersonations, follows the events, and reports health and usage.
//!
//! service verify TOKEN | follow GROUP | count TENANT | serve PORT

#![expect(clippy::disallowed_methods, reason = "this is another program, with an environment of its own")]

use std::{env, error::Error, fs, time::Duration};

use axum::{Router, http::StatusCode, routing::get};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use rdkafka::{
    ClientConfig, Message,
    consumer::{BaseConsumer, CommitMode, Consumer},
};
use redis::{AsyncCommands, aio::MultiplexedConnection};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

// snippet: verify
#[derive(Serialize, Deserialize)]
struct Claims {
    /// The user of the tenant.
    sub: String,
    /// The super-admin who acts as the user.
    act: Value,
    sid: String,
    tenant_id: String,
    /// `read`, or `read write`.
    scope: String,
}

/// Returns the claims of a live impersonation, or an error. Then the request must be refused.
async fn verify(token: &str, keys: &JwkSet, redis: &mut MultiplexedConnection) -> Result<Claims> {
    let header = decode_header(token)?;
    if header.typ.as_deref() != Some("impersonation+jwt") {
        return Err("this is not the token of an impersonation".into());
    }
    if ![Algorithm::EdDSA, Algorithm::ES256].contains(&header.alg) {
        return Err("this algorithm is not accepted".into());
    }
    let key = keys.find(header.kid.as_deref().unwrap_or_default()).ok_or("the key is not published")?;
    let mut rules = Validation::new(header.alg);
    rules.set_issuer(&["landlord"]);
    rules.set_audience(&["landlord-platform"]);
    rules.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    rules.leeway = 120;
    let claims: Claims = decode(token, &DecodingKey::from_jwk(key)?, &rules)?.claims;
    let sid = &claims.sid;
    let (live, denied): (Option<String>, Option<String>) =
        redis.mget(&[format!("impersonation:live:{sid}"), format!("impersonation:denied:{sid}")]).await?;
    let expected = format!("{}:{}:{}", claims.tenant_id, claims.sub, claims.scope);
    if denied.is_some() || live != Some(expected) {
        return Err("the impersonation has ended".into());
    }
    Ok(claims)
}

// snippet: follow
/// Calls `handle` with each event. If this program dies in between, it gets the same event again.
fn follow(group: &str, handle: impl Fn(&Value) -> Result<()>) -> Result<()> {
    let consumer: BaseConsumer = kafka()?
        .set("group.id", group)
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()?;
    consumer.subscribe(&[&env::var("KAFKA_TOPIC")?])?;
    for message in &consumer {
        let message = message?;
        handle(&serde_json::from_slice(message.payload().unwrap_or_default())?)?;
        consumer.commit_message(&message, CommitMode::Sync)?;
    }
    Ok(())
}

// snippet: count
/// Counts one message of a tenant in this month. The counter is kept for two months.
async fn count_message(tenant_id: &str, redis: &mut MultiplexedConnection) -> Result<()> {
    let now = OffsetDateTime::now_utc();
    let key = format!("usage:{tenant_id}:{}{:02}:messages", now.year(), u8::from(now.month()));
    redis::pipe().incr(&key, 1).expire(&key, 62 * 24 * 3600).exec_async(redis).await?;
    Ok(())
}

// snippet: health
/// Answers 200 while this service can work, and 503 otherwise. The stores that it needs decide.
async fn health() -> StatusCode {
    let ready = async {
        let mut redis = connect().await?;
        redis.ping::<()>().await?;
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    };
    if ready.await.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

// end of the snippets
async fn connect() -> Result<MultiplexedConnection> {
    let root_cert = Some(fs::read(env::var("REDIS_CA_FILE")?)?);
    let certificates = redis::TlsCertificates { client_tls: None, root_cert };
    let client = redis::Client::build_with_tls(env::var("REDIS_URL")?, certificates)?;
    let limits = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(Duration::from_secs(2)))
        .set_response_timeout(Some(Duration::from_secs(2)));
    Ok(client.get_multiplexed_async_connection_with_config(&limits).await?)
}

/// The settings of every client of Kafka.
fn kafka() -> Result<ClientConfig> {
    let mut settings = ClientConfig::new();
    for (setting, variable) in [
        ("bootstrap.servers", "KAFKA_BROKERS"),
        ("security.protocol", "KAFKA_SECURITY_PROTOCOL"),
        ("ssl.ca.location", "KAFKA_CA_FILE"),
        ("sasl.mechanism", "KAFKA_SASL_MECHANISM"),
        ("sasl.username", "KAFKA_SASL_USERNAME"),
        ("sasl.password", "KAFKA_SASL_PASSWORD"),
    ] {
        settings.set(setting, env::var(variable)?);
    }
    Ok(settings)
}

async fn fetch_keys() -> Result<JwkSet> {
    let url = format!("{}/.well-known/jwks.json", env::var("API_URL")?);
    Ok(reqwest::get(url).await?.error_for_status()?.json().await?)
}

#[tokio::main]
async fn main() -> Result<()> {
    // Several libraries bring one, so the process must choose.
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [command, argument] = &arguments[..] else { return Err("two arguments are needed".into()) };
    match command.as_str() {
        "verify" => {
            let claims = verify(argument, &fetch_keys().await?, &mut connect().await?).await?;
            println!("{}", serde_json::to_string(&claims)?);
        }
        "follow" => {
            let group = argument.clone();
            let print = |event: &Value| {
                println!("{event}");
                Ok(())
            };
            tokio::task::spawn_blocking(move || follow(&group, print)).await??;
        }
        "count" => count_message(argument, &mut connect().await?).await?,
        "serve" => {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", argument.parse()?)).await?;
            axum::serve(listener, Router::new().route("/health", get(health))).await?;
        }
        _ => return Err("usage: verify TOKEN | follow GROUP | count TENANT | serve PORT".into()),
    }
    Ok(())
}
