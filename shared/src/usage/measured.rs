//! What a measurement brings, and the thresholds that it may pass.

use serde::Serialize;
use time::OffsetDateTime;

use crate::types::{Limits, Month, TenantId};
use crate::usage::Figure;

/// Everything that was found in a tenant's own stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurement {
    /// When it was begun.
    pub at: OffsetDateTime,
    /// Agents that are not deactivated.
    pub agents: i64,
    /// Agents that are online.
    pub agents_online: i64,
    /// Contacts.
    pub contacts: i64,
    /// The month that the messages belong to.
    pub month: Month,
    /// Messages of that month.
    pub messages: i64,
    /// Bytes of its databases and objects.
    pub storage_bytes: i64,
    /// Kinds of its connected channels, each once, in order.
    pub channels: Vec<String>,
}

keyword_enum!(
    /// Why a measurement failed.
    MeasurementError {
        /// The PostgreSQL cluster cannot be reached, or does not answer.
        PostgresqlUnavailable = "postgresql_unavailable",
        /// The MongoDB cluster cannot be reached, or does not answer.
        MongodbUnavailable = "mongodb_unavailable",
        /// Object storage cannot be reached, or does not answer.
        ObjectStorageUnavailable = "object_storage_unavailable",
        /// One of the tenant's databases is not there.
        DatabaseMissing = "database_missing",
        /// The tenant is placed nowhere, or on a cluster that is not configured.
        ClusterUnknown = "cluster_unknown",
        /// The stores answer, but counting takes too long.
        DeadlineExceeded = "deadline_exceeded",
        /// Something else, which the log of measure-usage tells.
        Unexpected = "unexpected",
    }
);

/// A share of a limit that a tenant's usage has come to. Each is told once a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Threshold {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Of what.
    pub figure: Figure,
    /// The share, in percent of the limit.
    pub percent: i16,
    /// What was counted then.
    pub value: i64,
    /// The limit then.
    pub limit: i64,
    /// In which month.
    pub month: Month,
}

impl Threshold {
    /// The shares that are told of.
    pub const PERCENTS: [i16; 2] = [80, 100];

    /// What a tenant with these figures has come to. Where nothing is used nothing is, even of a limit of 0.
    pub fn reached(
        tenant_id: TenantId,
        month: Month,
        limits: &Limits,
        figures: &[(Figure, i64)],
    ) -> impl Iterator<Item = Self> {
        figures.iter().flat_map(move |(figure, value)| {
            let limit = figure.limit(limits).filter(|_| *value > 0);
            let reached =
                move |percent: &i16, limit: i64| i128::from(*value) * 100 >= i128::from(limit) * i128::from(*percent);
            limit.into_iter().flat_map(move |limit| {
                let percents = Self::PERCENTS.into_iter().filter(move |percent| reached(percent, limit));
                percents.map(move |percent| Self { tenant_id, figure: *figure, percent, value: *value, limit, month })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [i16; 0] = [];

    fn reached(limit: Option<i64>, value: i64) -> Vec<i16> {
        let limits = Limits { max_agents: limit, max_contacts: None, max_messages_month: None };
        let figures = [(Figure::Agents, value), (Figure::StorageBytes, i64::MAX)];
        Threshold::reached(TenantId::generate(), Month::current(), &limits, &figures)
            .map(|threshold| threshold.percent)
            .collect()
    }

    #[test]
    fn a_threshold_is_reached_with_the_very_figure_and_not_before() {
        assert_eq!(reached(Some(10), 7), NONE);
        assert_eq!(reached(Some(10), 8), [80]);
        assert_eq!(reached(Some(10), 9), [80]);
        assert_eq!(reached(Some(10), 10), [80, 100]);
        assert_eq!(reached(Some(1), 1), [80, 100]);
        assert_eq!(reached(Some(i64::MAX), i64::MAX), [80, 100]);
    }

    #[test]
    fn nothing_used_reaches_nothing_and_no_limit_is_never_reached() {
        assert_eq!(reached(Some(0), 0), NONE);
        assert_eq!(reached(Some(0), 1), [80, 100]);
        assert_eq!(reached(None, i64::MAX), NONE);
    }
}
