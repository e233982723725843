//! Everything that two functions of the control plane need.
//!
//! Who may use whom: `domain` and `error` use nothing inside; `clients` uses `config`; `store` uses `domain` and the
//! PostgreSQL client; `counters` uses `domain` and the Redis client; `provisioning` and `health` use `domain`, `store` and
//! `clients`, never `http`. The environment is read in [`config`] alone, SQL lives in `store` alone, HTTP status codes in
//! `http` alone.
//!
//! Each room is behind a cargo feature, so that a function links only what it uses.

#[macro_use]
pub mod types;
pub mod audit;
#[cfg(feature = "http")]
pub mod auth;
pub mod clients;
pub mod config;
pub mod error;
pub mod events;
#[cfg(feature = "postgres")]
pub mod health;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "postgres")]
pub mod idempotency;
pub mod impersonations;
pub mod operations;
#[cfg(feature = "passwords")]
pub mod passwords;
#[cfg(feature = "provisioning")]
pub mod provisioning;
pub mod revocations;
#[cfg(feature = "postgres")]
pub mod sql;
pub mod super_admins;
pub mod telemetry;
pub mod tenants;
#[cfg(all(feature = "postgres", feature = "redis"))]
pub mod usage;
pub mod users;
pub mod worker;
