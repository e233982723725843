//! One module per store: connections with timeouts, and the conversion of its errors. Connections are opened at first use, so
//! that a function starts as fast as one without stores.

mod authorities;
#[cfg(any(feature = "s3", feature = "sqs"))]
pub mod aws;
#[cfg(feature = "mongo")]
pub mod clusters;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "mongo")]
pub mod mongo;
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "s3")]
pub mod s3;
pub mod service_logins;
#[cfg(feature = "sqs")]
pub mod sqs;
pub mod tenant_databases;
mod tls_problem;
#[cfg(feature = "web")]
pub mod web;

pub use tls_problem::tls_problem;
