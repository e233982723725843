//! Thresholds: shares of a limit that a tenant's usage may reach.

use serde::Serialize;
use uuid::Uuid;

use crate::{
    tenants::OnLimit,
    types::{Limits, Month, TenantId},
    usage::Figure,
};

/// Figures of a tenant, to be compared with its limits.
#[derive(Debug, Clone)]
pub struct ObservedUsage {
    pub tenant_id: TenantId,
    pub limits: Limits,
    pub on_limit: OnLimit,
    pub figures: Vec<(Figure, i64)>,
}

/// A share of a limit that a tenant's usage has reached. Each is announced at most once a month, and the whole limit also when it is
/// reached again after the usage was below it, and when `on_limit` has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = UsageThreshold))]
pub struct Threshold {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The figure that has reached the threshold.
    pub figure: Figure,
    /// The share, in percent of the limit: 80 or 100.
    #[cfg_attr(feature = "http", schema(minimum = 1, example = 80))]
    pub percent: i16,
    /// The figure when the threshold was reached.
    #[cfg_attr(feature = "http", schema(minimum = 0, example = 20))]
    pub value: i64,
    /// The limit when the threshold was reached.
    #[cfg_attr(feature = "http", schema(minimum = 0, example = 25))]
    pub limit: i64,
    /// The calendar month in UTC.
    pub month: Month,
    /// The setting of the tenant. `block_new`: at 100 percent, services refuse more of the figure, until the event
    /// `tenant.usage_below_limit`.
    pub on_limit: OnLimit,
    /// At 100 percent: the id with which services confirm that they act on the limit; null otherwise.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub limit_id: Option<Uuid>,
}

impl Threshold {
    /// The shares that are announced.
    pub const PERCENTS: [i16; 2] = [80, 100];

    /// The thresholds that a tenant with these figures has reached. A figure of 0 reaches none, even with a limit of 0.
    pub fn reached(observed: &ObservedUsage, month: Month) -> impl Iterator<Item = Self> {
        let ObservedUsage { tenant_id, limits, on_limit, ref figures } = *observed;
        figures.iter().flat_map(move |(figure, value)| {
            let limit = figure.limit(&limits).filter(|_| *value > 0);
            let reached =
                move |percent: &i16, limit: i64| i128::from(*value) * 100 >= i128::from(limit) * i128::from(*percent);
            limit.into_iter().flat_map(move |limit| {
                let percents = Self::PERCENTS.into_iter().filter(move |percent| reached(percent, limit));
                let (figure, value) = (*figure, *value);
                percents.map(move |percent| Self {
                    tenant_id,
                    figure,
                    percent,
                    value,
                    limit,
                    month,
                    on_limit,
                    limit_id: None,
                })
            })
        })
    }

    /// Whether it is the whole limit.
    pub(super) fn is_whole(&self) -> bool {
        self.percent == 100
    }

    pub(super) fn limit_key(&self) -> (TenantId, Figure) {
        (self.tenant_id, self.figure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [i16; 0] = [];

    fn reached(limit: Option<i64>, value: i64) -> Vec<i16> {
        let observed = ObservedUsage {
            tenant_id: TenantId::generate(),
            limits: Limits { max_agents: limit, max_contacts: None, max_messages_month: None },
            on_limit: OnLimit::Notify,
            figures: vec![(Figure::Agents, value), (Figure::StorageBytes, i64::MAX)],
        };
        Threshold::reached(&observed, Month::current()).map(|threshold| threshold.percent).collect()
    }

    #[test]
    fn a_threshold_is_reached_at_exactly_its_share_and_not_below() {
        assert_eq!(reached(Some(10), 7), NONE);
        assert_eq!(reached(Some(10), 8), [80]);
        assert_eq!(reached(Some(10), 9), [80]);
        assert_eq!(reached(Some(10), 10), [80, 100]);
        assert_eq!(reached(Some(1), 1), [80, 100]);
        assert_eq!(reached(Some(i64::MAX), i64::MAX), [80, 100]);
    }

    #[test]
    fn a_figure_of_zero_and_an_unlimited_figure_reach_no_threshold() {
        assert_eq!(reached(Some(0), 0), NONE);
        assert_eq!(reached(Some(0), 1), [80, 100]);
        assert_eq!(reached(None, i64::MAX), NONE);
    }
}
