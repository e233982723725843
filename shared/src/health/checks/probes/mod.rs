//! The probes: one file per store, service and integration, and `all`, which runs them at once.

mod all;
mod aws;
mod integrations;
mod kafka;
mod minio;
mod mongodb;
mod platform;
mod postgresql;
mod redis;
mod services;
mod sqs;
mod web;

pub(super) use all::HealthProbes;
