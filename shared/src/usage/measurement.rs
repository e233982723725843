//! The result of measuring a tenant, and when the tenant is measured again.

use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use crate::types::{Month, Placement, TenantId};

/// The figures found in a tenant's own stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurement {
    /// When the measurement began.
    pub at: OffsetDateTime,
    /// Active users.
    pub agents: i64,
    /// Users that are online.
    pub agents_online: i64,
    pub contacts: i64,
    /// The month of `messages`.
    pub month: Month,
    pub messages: i64,
    /// Bytes of the tenant's databases and objects.
    pub storage_bytes: i64,
    /// The objects in it.
    pub objects: ObjectSum,
    /// Kinds of the tenant's connected channels, sorted, without duplicates.
    pub channels: Vec<String>,
}

/// The bytes of a tenant's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectSum {
    pub bytes: i64,
    pub listed_at: OffsetDateTime,
}

keyword_enum!(
    /// Why a measurement failed.
    MeasurementError {
        /// The PostgreSQL cluster is unreachable or does not respond.
        PostgresqlUnavailable = "postgresql_unavailable",
        /// The MongoDB cluster is unreachable or does not respond.
        MongodbUnavailable = "mongodb_unavailable",
        /// Object storage is unreachable or does not respond.
        ObjectStorageUnavailable = "object_storage_unavailable",
        /// One of the tenant's databases does not exist.
        DatabaseMissing = "database_missing",
        /// The tenant has no placement, or is placed on a cluster that is not configured.
        ClusterUnknown = "cluster_unknown",
        /// The stores respond, but counting takes too long.
        DeadlineExceeded = "deadline_exceeded",
        /// Any other failure; the log of measure-usage contains the details.
        Unexpected = "unexpected",
    }
);

/// A tenant to measure, and the location of its databases.
#[derive(Debug, Clone)]
pub struct MeasurementTarget {
    pub tenant_id: TenantId,
    /// The name of the tenant's databases.
    pub database: String,
    pub placement: Option<Placement>,
    /// The latest sum of its objects, if they were listed before.
    pub objects: Option<ObjectSum>,
}

/// The times between a tenant's measurements.
#[derive(Debug, Clone, Copy)]
pub struct MeasurementIntervals {
    /// For an active tenant.
    pub active: Duration,
    /// For a suspended tenant.
    pub suspended: Duration,
    /// After a failed measurement.
    pub retry: Duration,
}
