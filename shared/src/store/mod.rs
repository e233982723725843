//! All SQL: a module a noun, a function a query. Each takes a connection or a transaction, so that the caller decides what
//! commits together. It is on the platform database, but for `users`, which is on that of a tenant.

mod conditions;

pub mod audit;
pub mod health;
pub mod idempotency;
pub mod impersonations;
pub mod journal;
pub mod operations;
pub mod outbox;
pub mod placement;
pub mod super_admins;
pub mod tenants;
pub mod usage;
pub mod users;
