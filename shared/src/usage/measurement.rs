//! The result of measuring a tenant, and when the tenant is measured again.

use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use crate::types::{Month, Placement, TenantId};

/// The figures found in a tenant's own stores. One store may fail while the others are measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurement {
    /// When the measurement began.
    pub at: OffsetDateTime,
    /// From PostgreSQL.
    pub users: MeasuredPart<UserFigures>,
    /// From MongoDB.
    pub collections: MeasuredPart<CollectionFigures>,
    /// From object storage.
    pub objects: MeasuredPart<ObjectListing>,
}

/// What became of measuring one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeasuredPart<T> {
    Measured(T),
    /// The store's figures stay, and it is measured again after `wait`.
    Failed {
        code: MeasurementError,
        wait: Duration,
        /// Whether the wait grows when the next measurement fails too.
        counts: bool,
    },
    /// It is not time yet.
    Skipped,
}

impl<T> MeasuredPart<T> {
    pub fn figures(&self) -> Option<&T> {
        match self {
            Self::Measured(figures) => Some(figures),
            _ => None,
        }
    }
}

/// The figures of a tenant's PostgreSQL database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserFigures {
    /// Active users.
    pub active: i64,
    /// Active users that are online.
    pub online: i64,
    pub database_bytes: i64,
}

/// The figures of a tenant's MongoDB database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionFigures {
    pub contacts: i64,
    /// The month of `messages`.
    pub month: Month,
    pub messages: i64,
    /// Kinds of the connected channels, sorted, without duplicates.
    pub channels: Vec<String>,
    pub database_bytes: i64,
}

/// The objects of a tenant that were listed so far. A tenant may have more objects than can be listed in one measurement: the next
/// one goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectListing {
    pub bytes: i64,
    /// The key of the last listed object; `None` when all are listed.
    pub after: Option<String>,
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

/// The right to record a measurement of a tenant, until the next measurement begins, and what it needs to know.
#[derive(Debug, Clone)]
pub struct MeasurementClaim {
    pub tenant_id: TenantId,
    /// Greater than that of each earlier measurement.
    pub epoch: i64,
    /// When the measurement began, by the clock of the platform database.
    pub at: OffsetDateTime,
    /// The name of the tenant's databases.
    pub database: String,
    pub placement: Option<Placement>,
    /// By store, in the order of [`Measurement`].
    pub states: [StoreState; 3],
    /// How far the objects are listed, if a listing has begun and not ended.
    pub listing: Option<ObjectListing>,
    /// Whether a circuit breaker exists, for any store.
    pub has_breakers: bool,
}

/// How the last measurements of a store went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreState {
    /// Failures since the last success.
    pub failures: i32,
    /// Whether the next measurement must leave it out.
    pub is_waiting: bool,
}

/// The times between a tenant's measurements.
#[derive(Debug, Clone, Copy)]
pub struct MeasurementIntervals {
    /// For an active tenant.
    pub active: Duration,
    /// For a suspended tenant.
    pub suspended: Duration,
    /// After the first failure of a store. The wait doubles with each further one.
    pub retry: Duration,
    /// Between sums of a tenant's objects.
    pub objects: Duration,
}
