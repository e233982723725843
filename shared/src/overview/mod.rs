//! The overview: the figures of the console's first page, in one request that stays fast at 100,000 tenants.
//!
//! Every figure states when it was measured. Most are read from the platform database ([`read`]), each from an index. Dead letters
//! are those of the newest report on health, in Redis, because asking the queues takes longer than everything else together; without
//! that report they are unknown, and the rest is not.

#[cfg(feature = "redis")]
mod dead_letters;
#[cfg(feature = "redis")]
mod read;
pub mod store;

#[cfg(feature = "redis")]
pub use dead_letters::LatestDeadLetters;
#[cfg(feature = "redis")]
pub use read::read;

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    audit::AuditAction,
    health::{Component, ComponentStatus, TenantCounts},
    tenants::TenantStatus,
    types::{TenantId, optional_timestamp, timestamp},
    usage::Figure,
};

/// The state of the platform in figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Overview {
    /// The health of the components.
    pub health: OverviewHealth,
    /// The number of tenants.
    pub tenants: OverviewTenants,
    /// The provisionings that were requested in the last 24 hours.
    pub provisionings: OverviewProvisionings,
    /// The operations on all tenants.
    pub operations: OverviewOperations,
    /// The messages that wait to be delivered.
    pub outbox: OverviewOutbox,
    /// The messages that the queues gave up delivering.
    pub dead_letters: OverviewDeadLetters,
    /// The tenants that use most, and those over a limit.
    pub usage: OverviewUsage,
    /// What super-admins and the platform did today.
    pub actions: OverviewActions,
}

/// The health of the components, as last recorded; once a minute.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct OverviewHealth {
    /// When the newest sample was taken; `null` without samples.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub measured_at: Option<OffsetDateTime>,
    /// The components that are monitored, `system` first.
    pub components: Vec<OverviewComponent>,
}

/// The state of a component: the status of two of its last three samples.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct OverviewComponent {
    /// The component.
    pub component: Component,
    /// Its state.
    pub status: ComponentStatus,
    /// When the state began.
    #[serde(serialize_with = "timestamp")]
    pub since: OffsetDateTime,
    /// When its newest sample was taken.
    #[serde(serialize_with = "timestamp")]
    pub measured_at: OffsetDateTime,
}

/// The number of tenants.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct OverviewTenants {
    /// When they were counted.
    #[serde(serialize_with = "timestamp")]
    pub measured_at: OffsetDateTime,
    /// By status, and in total.
    pub by_status: TenantCounts,
}

/// Provisionings, also repeated ones, that were requested in a period.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct OverviewProvisionings {
    /// When they were counted.
    #[serde(serialize_with = "timestamp")]
    pub measured_at: OffsetDateTime,
    /// The beginning of the period: 24 hours before.
    #[serde(serialize_with = "timestamp")]
    pub since: OffsetDateTime,
    /// All of them.
    pub requested: i64,
    /// Those that have succeeded.
    pub succeeded: i64,
    /// Those that have failed.
    pub failed: i64,
    /// The median of the seconds from the request to the end of those that have succeeded; `null` without any.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub median_seconds: Option<f64>,
    /// The 95th percentile of the same.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub p95_seconds: Option<f64>,
}

/// Operations of all kinds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct OverviewOperations {
    /// When they were counted.
    #[serde(serialize_with = "timestamp")]
    pub measured_at: OffsetDateTime,
    /// The beginning of the period of `failed`: 24 hours before.
    #[serde(serialize_with = "timestamp")]
    pub since: OffsetDateTime,
    /// Those that have not ended, in any status. A deleted tenant has one until its recovery time is over.
    pub open: i64,
    /// Those of them with the status `running`.
    pub running: i64,
    /// Those of them that should have ended, as with `stuck=true` in the list of operations.
    pub stuck: i64,
    /// Those that have failed in the period.
    pub failed: i64,
}

/// Messages that committed changes have left for the relay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct OverviewOutbox {
    /// When they were counted.
    #[serde(serialize_with = "timestamp")]
    pub measured_at: OffsetDateTime,
    /// All of them, counted up to 10,000.
    pub pending: i64,
    /// Whether `pending` is exact. Otherwise there are more.
    #[cfg_attr(feature = "http", schema(example = true))]
    pub is_exact: bool,
    /// The age of the oldest one; `null` without any.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub oldest_age_seconds: Option<f64>,
}

/// Dead letters, as in the newest report on health.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct OverviewDeadLetters {
    /// When that report was made; `null` without one.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub measured_at: Option<OffsetDateTime>,
    /// The number in all queues; `null` if it is unknown.
    #[cfg_attr(feature = "http", schema(required = true, minimum = 0, example = 0))]
    pub number: Option<i64>,
    /// Why the number is unknown; `null` if it is known.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub unknown: Option<UnknownDeadLetters>,
}

keyword_enum!(
    /// Why the number of dead letters is unknown.
    UnknownDeadLetters {
        /// Redis, which holds the newest report on health, does not respond.
        RedisUnavailable = "redis_unavailable",
        /// No report was made in the last hour.
        NoReport = "no_report",
        /// The queues did not respond to the newest report.
        SqsUnavailable = "sqs_unavailable",
    }
);

/// Tenants by their stored usage, which contains the messages counted up to the last minute. Deleted tenants are left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct OverviewUsage {
    /// When it was read. Each tenant has a time of its own measurement.
    #[serde(serialize_with = "timestamp")]
    pub measured_at: OffsetDateTime,
    /// The tenants with the most messages in this month, at most five.
    pub most_messages: Vec<OverviewTenant>,
    /// The tenants with the most storage, at most five.
    pub most_storage: Vec<OverviewTenant>,
    /// The number of tenants that exceed a limit, looked for among the newest 1,000 limits that tenants have reached.
    #[cfg_attr(feature = "http", schema(minimum = 0, example = 1))]
    pub over_limit: i64,
    /// Whether `over_limit` is exact. Otherwise there may be more.
    #[cfg_attr(feature = "http", schema(example = true))]
    pub over_limit_is_exact: bool,
    /// Those that have exceeded one most recently, at most ten.
    pub newest_over_limit: Vec<TenantOverLimit>,
}

/// A tenant with a figure of its usage.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct OverviewTenant {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name.
    #[cfg_attr(feature = "http", schema(example = "Kopi Kenangan"))]
    pub name: String,
    /// Its slug.
    #[cfg_attr(feature = "http", schema(example = "kopi-kenangan"))]
    pub slug: String,
    /// Its status.
    pub status: TenantStatus,
    /// The figure.
    #[cfg_attr(feature = "http", schema(minimum = 0, example = 41_000))]
    pub value: i64,
    /// The limit of the figure; `null` without one.
    #[cfg_attr(feature = "http", schema(required = true, minimum = 0, example = 50_000))]
    pub limit: Option<i64>,
    /// When the tenant was measured; `null` if messages were only counted so far.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub measured_at: Option<OffsetDateTime>,
}

/// A tenant that exceeds a limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct TenantOverLimit {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name.
    #[cfg_attr(feature = "http", schema(example = "Kopi Kenangan"))]
    pub name: String,
    /// Its slug.
    #[cfg_attr(feature = "http", schema(example = "kopi-kenangan"))]
    pub slug: String,
    /// Its status.
    pub status: TenantStatus,
    /// The figures that exceed their limits.
    #[cfg_attr(feature = "http", schema(example = json!(["contacts"])))]
    pub figures: Vec<Figure>,
    /// When it has reached the newest of these limits.
    #[serde(serialize_with = "timestamp")]
    pub since: OffsetDateTime,
    /// When the tenant was measured; `null` if messages were only counted so far.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub measured_at: Option<OffsetDateTime>,
}

/// The entries of today in the audit log. Of an action with an intent, only the outcome counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct OverviewActions {
    /// When they were counted.
    #[serde(serialize_with = "timestamp")]
    pub measured_at: OffsetDateTime,
    /// The beginning of the day, UTC.
    #[serde(serialize_with = "timestamp")]
    pub since: OffsetDateTime,
    /// The actions with an entry, in the order of their names.
    pub by_action: Vec<ActionCount>,
}

/// The number of entries of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ActionCount {
    /// The action.
    pub action: AuditAction,
    /// Entries with the outcome `done`.
    pub done: i64,
    /// Entries with the outcome `failed`.
    pub failed: i64,
    /// Entries with the outcome `refused`.
    pub refused: i64,
    /// Whether the numbers are exact. Otherwise the action has more than 10,000 entries, of which these are the newest.
    #[cfg_attr(feature = "http", schema(example = true))]
    pub is_exact: bool,
}
