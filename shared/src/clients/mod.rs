//! One module a store: how to connect to it, with timeouts on everything, and what its errors mean. Connections are made
//! at first use, so that a function starts as fast as one that has none.

#[cfg(any(feature = "s3", feature = "sqs"))]
pub mod aws;
#[cfg(all(feature = "mongo", feature = "postgres"))]
pub mod clusters;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "mongo")]
pub mod mongo;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "sqs")]
pub mod sqs;
#[cfg(feature = "postgres")]
pub mod tenant_databases;
#[cfg(any(feature = "health", feature = "http"))]
pub mod web;
