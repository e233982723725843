//! What two or more functions of the control plane share.
//!
//! The crate has a folder per **noun** (what the system does) and **plumbing** below it (what the nouns stand on).
//! `shared/README.md` describes both. A test (`tests/tests/architecture`) reads the tables of this page and fails on a
//! use that they do not allow.
//!
//! Every noun may use all plumbing. Plumbing uses no noun, so that it can be understood and tested without them. Neither
//! table nor sources contain a cycle.
//!
//! | module | kind | may use |
//! | --- | --- | --- |
//! | `types` | plumbing | |
//! | `error` | plumbing | `types` |
//! | `config` | plumbing | `types` |
//! | `sql` | plumbing | `error`, `types` |
//! | `passwords` | plumbing | `error`, `types` |
//! | `precondition` | plumbing | `error` |
//! | `quota` | plumbing | |
//! | `telemetry` | plumbing | `config`, `types` |
//! | `clients` | plumbing | `config`, `error`, `types` |
//! | `auth` | plumbing | `clients`, `config`, `error`, `types` |
//! | `idempotency` | plumbing | `error`, `sql`, `types` |
//! | `http` | plumbing | `auth`, `clients`, `config`, `error`, `idempotency`, `precondition`, `quota`, `telemetry`, `types`, `worker` |
//! | `worker` | plumbing | `clients`, `config`, `error`, `telemetry`, `types` |
//! | `query_parameters` | plumbing | `http`, `types` |
//! | `audit` | noun | |
//! | `events` | noun | |
//! | `operations` | noun | `audit`, `events` |
//! | `exports` | noun | `audit` |
//! | `revocations` | noun | `audit`, `events` |
//! | `super_admins` | noun | `audit`, `events`, `revocations` |
//! | `tenants` | noun | `audit`, `events`, `exports`, `operations`, `revocations`, `super_admins` |
//! | `user_directory` | noun | |
//! | `tenant_changes` | noun | `audit`, `events`, `revocations`, `tenants`, `user_directory` |
//! | `users` | noun | `audit`, `events`, `revocations`, `super_admins`, `tenant_changes`, `tenants` |
//! | `user_search` | noun | `audit`, `tenants`, `users` |
//! | `impersonations` | noun | `audit`, `events`, `revocations`, `super_admins`, `tenant_changes`, `tenants`, `users` |
//! | `clusters` | noun | `operations`, `tenants` |
//! | `restores` | noun | `audit`, `events`, `exports`, `operations`, `tenants` |
//! | `usage` | noun | `events`, `operations`, `super_admins`, `tenants`, `user_directory` |
//! | `tenant_views` | noun | `operations`, `tenants`, `usage` |
//! | `health` | noun | `events`, `operations`, `tenants`, `usage` |
//! | `provisioning` | noun | `audit`, `events`, `exports`, `operations`, `restores`, `tenants`, `user_directory`, `users` |
//! | `dead_letters` | noun | `audit`, `events`, `operations`, `super_admins` |
//! | `reconciliation` | noun | `audit`, `dead_letters`, `events`, `exports`, `operations`, `revocations`, `tenants` |
//! | `overview` | noun | `audit`, `health`, `operations`, `tenants`, `usage` |
//! | `releases` | noun | `tenants` |
//! | `retention` | noun | |
//! | `event_catalog` | noun | `events`, `health`, `impersonations`, `revocations`, `tenants`, `usage`, `users` |
//!
//! The same test enforces these rules:
//!
//! - SQL is in `store` files only (`store.rs`, or files of a folder `store`), and in `sql`, which builds conditions. The
//!   next table lists the exceptions.
//! - Only `config` reads the environment.
//! - Only `http` and the functions contain HTTP status codes.
//! - No function depends on another function.
//!
//! | file | reason for SQL outside `store` |
//! | --- | --- |
//! | `shared/src/clients/postgres.rs` | sets the limits of a session |
//! | `shared/src/provisioning/steps/postgresql/` | creates and drops databases, and lets services connect to them; names, counts and terminates sessions of the server |
//! | `functions/migrate-platform/src/` | creates roles and template databases, and locks migrations |
//!
//! A statement that writes to a table of a tenant's own database can be interrupted between two databases. So each of these
//! is settled (`tenant_changes`), and the next table says how. It has a row for every file with a statement that writes to a
//! table of such a name.
//!
//! | statements in | number | how they are settled |
//! | --- | --- | --- |
//! | `shared/src/impersonations/store/start.rs` | 2 | writes to the platform database |
//! | `shared/src/impersonations/store/tenant_record.rs` | 2 | inserts the marker, in the same statement |
//! | `shared/src/provisioning/store.rs` | 1 | before the tenant is active: a step of its operation, which is fenced and repeated |
//! | `shared/src/retention/store.rs` | 1 | writes to the platform database |
//! | `shared/src/revocations/store/mod.rs` | 1 | writes to the platform database |
//! | `shared/src/revocations/store/tenant_record.rs` | 2 | an end, which an open change repeats; or part of the user's deactivation |
//! | `shared/src/tenant_changes/store/impersonation.rs` | 2 | writes to the platform database |
//! | `shared/src/tenant_changes/store/marker.rs` | 3 | the markers themselves |
//! | `shared/src/users/store/change.rs` | 2 | committed with a marker |
//! | `shared/src/users/store/erase.rs` | 1 | committed with a marker, like what `erase_mentions_of` changes |
//! | `shared/src/users/store/platform_actions.rs` | 1 | committed with a marker |
//!
//! Parts of the crate are behind cargo features, so that a function links only the clients that it uses.

#[macro_use]
mod query_parameters;
#[macro_use]
pub mod types;
pub mod audit;
#[cfg(feature = "http")]
pub mod auth;
pub mod clients;
pub mod clusters;
pub mod config;
pub mod dead_letters;
pub mod error;
#[cfg(feature = "http")]
pub mod event_catalog;
pub mod events;
pub mod exports;
pub mod health;
#[cfg(feature = "http")]
pub mod http;
pub mod idempotency;
#[cfg(feature = "http")]
pub mod impersonations;
pub mod operations;
pub mod overview;
pub mod passwords;
pub mod precondition;
#[cfg(feature = "provisioning")]
pub mod provisioning;
pub mod quota;
pub mod reconciliation;
pub mod releases;
pub mod restores;
pub mod retention;
pub mod revocations;
pub mod sql;
pub mod super_admins;
pub mod telemetry;
pub mod tenant_changes;
#[cfg(feature = "http")]
pub mod tenant_views;
pub mod tenants;
pub mod usage;
pub mod user_directory;
#[cfg(feature = "http")]
pub mod user_search;
#[cfg(feature = "http")]
pub mod users;
pub mod worker;
