//! Clusters: the servers on which tenants' databases are placed, as a super-admin may see them.
//!
//! The lists of clusters contain logins, so only the functions that use them have them. Those record everything else here
//! ([`record()`]), and a list of clusters needs no secret of any of them.

mod record;
pub mod store;

pub use record::{ClusterLists, record};

use serde::Serialize;
use time::OffsetDateTime;

use crate::types::{optional_timestamp, timestamp};

keyword_enum!(
    /// A kind of cluster.
    ClusterKind {
        /// `PostgreSQL` servers, with the users and settings of tenants.
        Postgresql = "postgresql",
        /// `MongoDB` replica sets, with the conversations of tenants.
        Mongodb = "mongodb",
    }
);

keyword_enum!(
    /// The state of a circuit breaker.
    BreakerState {
        /// The cluster works, or has failed for fewer than three in a row.
        Closed = "closed",
        /// The cluster fails, and is not tried for now.
        Open = "open",
        /// The cluster has failed, and the next one tries it.
        HalfOpen = "half_open",
    }
);

/// A cluster of tenants' databases.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Cluster {
    /// The kind.
    pub kind: ClusterKind,
    /// The name, unique among clusters of the kind.
    #[cfg_attr(feature = "http", schema(example = "main"))]
    pub name: String,
    /// The number of tenants that are placed on it.
    #[cfg_attr(feature = "http", schema(minimum = 0, example = 214))]
    pub tenants: i64,
    /// The number of tenants that may be placed on it; `null` if it is not configured any more.
    #[cfg_attr(feature = "http", schema(required = true, minimum = 0, example = 1_250))]
    pub max_tenants: Option<i64>,
    /// Whether new tenants are placed on it.
    pub open: bool,
    /// Whether it is configured. Tenants on another cluster cannot be reached.
    #[cfg_attr(feature = "http", schema(example = true))]
    pub is_configured: bool,
    /// When its configuration was recorded; `null` if it is not configured.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub recorded_at: Option<OffsetDateTime>,
    /// The circuit breaker of operations.
    pub operations: Breaker,
    /// The circuit breaker of the measurement of usage, which uses other logins.
    pub measuring: Breaker,
    /// When the tenants were counted.
    #[serde(serialize_with = "timestamp")]
    pub measured_at: OffsetDateTime,
}

/// A circuit breaker of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Breaker {
    /// Its state.
    pub state: BreakerState,
    /// The number of operations or tenants that met a fault since the last success.
    #[cfg_attr(feature = "http", schema(minimum = 0, example = 0))]
    pub faults: i32,
    /// Until when the cluster is not tried; `null` unless it is open.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub open_until: Option<OffsetDateTime>,
}
