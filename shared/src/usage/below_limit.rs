//! Limits that a tenant is below again.

use serde::Serialize;

use crate::{
    tenants::OnLimit,
    types::{Limit, TenantId},
    usage::{Figure, ObservedUsage},
};

/// A tenant is below a limit that it had reached. Whatever services have blocked because of it may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = UsageBelowLimit))]
pub struct BelowLimit {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The figure that is below its limit.
    pub figure: Figure,
    /// The figure now.
    #[cfg_attr(feature = "http", schema(minimum = 0, example = 24))]
    pub value: i64,
    /// The limit now; `null` is unlimited.
    #[cfg_attr(feature = "http", schema(value_type = Option<i64>, required = true, minimum = 0, example = 25))]
    pub limit: Limit,
    /// The setting of the tenant.
    pub on_limit: OnLimit,
}

impl BelowLimit {
    /// The limits that a tenant has not reached.
    pub(super) fn of(observed: &ObservedUsage) -> impl Iterator<Item = Self> {
        let ObservedUsage { tenant_id, limits, on_limit, ref figures } = *observed;
        figures.iter().filter_map(move |(figure, value)| {
            let limit = figure.limit(&limits);
            // As for a threshold, a figure of 0 reaches nothing.
            let is_below = *value == 0 || limit.is_none_or(|limit| *value < limit);
            is_below.then_some(Self { tenant_id, figure: *figure, value: *value, limit, on_limit })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        types::{Limits, Month},
        usage::Threshold,
    };

    #[test]
    fn a_figure_is_either_at_its_limit_or_below_it() {
        for limit in [None, Some(0), Some(1), Some(10)] {
            for value in [0, 1, 9, 10, 11] {
                let observed = ObservedUsage {
                    tenant_id: TenantId::generate(),
                    limits: Limits { max_agents: limit, max_contacts: None, max_messages_month: None },
                    on_limit: OnLimit::BlockNew,
                    figures: vec![(Figure::Agents, value)],
                };
                let below = BelowLimit::of(&observed).count();
                let at = Threshold::reached(&observed, Month::current()).filter(Threshold::is_whole).count();
                assert_eq!(below + at, 1, "{value} of {limit:?}");
                assert_eq!(at == 1, value > 0 && limit.is_some_and(|limit| value >= limit), "{value} of {limit:?}");
            }
        }
    }
}
