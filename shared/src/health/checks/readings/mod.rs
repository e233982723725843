//! Readings: what each probe returns, as the report contains it.

mod integrations;
mod services;
mod stores;

pub use integrations::{IntegrationReading, IntegrationStatus, Integrations};
pub use services::{ServiceReading, ServiceStatus, Services};
pub use stores::{
    Infrastructure, KafkaReading, MongoDbReading, PostgreSqlReading, QueueReading, SqsReading, StoreReading,
};
