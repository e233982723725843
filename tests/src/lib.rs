//! The harness of the integration tests, which use real servers.
//!
//! The environment names the servers; `cargo dev test` sets it. Each test has a [`World`] of its own, with a fresh platform
//! database and fresh queues, so that tests can run at the same time.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot continue fails"
)]

pub mod api;
pub mod captured_log;
pub mod certificates;
mod cleanup;
pub mod consistency;
pub mod examples;
pub mod gateway;
pub mod manifests;
pub mod mentions;
pub mod mongo_logins;
pub mod own_servers;
pub mod plans;
pub mod platform;
pub mod problems;
pub mod process;
pub mod processes;
pub mod produced_events;
pub mod proxy;
pub mod python_client;
pub mod queues;
pub mod recorded;
pub mod requests;
pub mod sample_events;
pub mod second_server;
pub mod soak;
pub mod stack;
pub mod template;
pub mod tenant;
pub mod token_endpoint;
pub mod tokens;
pub mod topic;
mod upstream;
pub mod verifier;
pub mod worker;

use std::time::Duration;

pub use api::{Answer, Api};
pub use gateway::Gateway;
pub use platform::World;
use shared::{
    clients::redis::Redis,
    config::{FromEnv, RedisConfig},
    revocations::live_list::LiveList,
};
pub use tenant::TestTenant;
use tokio::time::{Instant, sleep};

/// The password of every super-admin that a test creates.
pub const PASSWORD: &str = "correct horse battery staple";

/// A client of the environment's Redis, as a service of the platform has one.
pub fn redis_client() -> redis::Client {
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let root_cert = Some(std::fs::read(variable("REDIS_CA_FILE")).unwrap());
    let certificates = redis::TlsCertificates { client_tls: None, root_cert };
    redis::Client::build_with_tls(variable("REDIS_URL"), certificates).unwrap()
}

/// The live list in the environment's Redis.
pub fn live_list() -> LiveList {
    LiveList::new(Redis::connect(&RedisConfig::from_env().unwrap()).unwrap())
}

/// Waits until the condition holds, and returns the elapsed time.
pub async fn until(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        sleep(Duration::from_millis(10)).await;
    }
    begun.elapsed()
}

#[expect(clippy::disallowed_methods, reason = "the environment names the servers")]
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run the tests with `cargo dev test`"))
}

/// A variable that may be absent.
#[expect(clippy::disallowed_methods, reason = "the environment configures the tests")]
pub fn optional_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(clippy::disallowed_methods, reason = "the environment configures the tests")]
pub fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some()
}
