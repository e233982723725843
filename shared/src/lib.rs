//! Everything that two functions of the control plane need.
//!
//! Who may use whom: `domain` and `error` use nothing inside; `clients` uses `config`; `store` uses `domain` and the
//! PostgreSQL client; `counters` uses `domain` and the Redis client; `provisioning` and `health` use `domain`, `store` and
//! `clients`, never `http`. The environment is read in [`config`] alone, SQL lives in `store` alone, HTTP status codes in
//! `http` alone.
//!
//! Each room is behind a cargo feature, so that a function links only what it uses.

#[cfg(feature = "http")]
pub mod auth;
pub mod clients;
pub mod config;
#[cfg(feature = "redis")]
pub mod counters;
#[cfg(all(feature = "postgres", feature = "redis"))]
pub mod deny_list;
#[cfg(all(feature = "postgres", feature = "sqs"))]
pub mod dispatch;
pub mod domain;
pub mod error;
pub mod events;
#[cfg(feature = "health")]
pub mod health;
#[cfg(feature = "http")]
pub mod http;
pub mod invocation;
#[cfg(feature = "passwords")]
pub mod passwords;
#[cfg(feature = "provisioning")]
pub mod provisioning;
#[cfg(feature = "postgres")]
pub mod store;
pub mod telemetry;
#[cfg(feature = "postgres")]
pub mod tenant_change;
#[cfg(feature = "redis")]
pub mod throttle;
