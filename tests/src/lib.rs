//! The harness of the integration tests: real servers, real code paths.
//!
//! The servers are those that the environment names (`cargo dev test` sets it). Each test has a [`World`] of its own: a
//! fresh platform database and fresh queues, so that tests run side by side and never see each other's rows.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

pub mod api;
pub mod examples;
pub mod manifests;
pub mod platform;
pub mod proxy;
pub mod queues;
pub mod requests;
pub mod stack;
pub mod template;
pub mod tenant;
pub mod tokens;

use std::time::Duration;

pub use api::{Answer, Api};
pub use platform::World;
use shared::{
    clients::redis::Redis,
    config::{FromEnv, RedisConfig},
    revocations::DenyList,
};
pub use tenant::Tenant;
use tokio::time::{Instant, sleep};

/// The password of every operator that a test makes.
pub const PASSWORD: &str = "correct horse battery staple";

/// The deny list in the Redis of the environment.
pub fn deny_list() -> DenyList {
    DenyList::new(Redis::connect(&RedisConfig::from_env().unwrap()).unwrap())
}

/// Repeats until it is so; gives how long that took.
pub async fn until(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        sleep(Duration::from_millis(10)).await;
    }
    begun.elapsed()
}

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "the servers to test against are named there")]
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run the tests with `cargo dev test`"))
}

/// Whether a variable of the environment is set.
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says so there")]
pub fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some()
}
