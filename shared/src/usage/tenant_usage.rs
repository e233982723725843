//! Usage as the API returns it: stored figures, the live counter and the limits combined.

use serde::Serialize;
use time::OffsetDateTime;

use crate::usage::{Figure, MeasurementError};
use crate::{
    tenants::Tenant,
    types::{Limit, Limits, Month, optional_timestamp},
};

/// The stored figures of a tenant, without the live counter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageRecord {
    pub agents: Option<i64>,
    pub agents_online: Option<i64>,
    pub contacts: Option<i64>,
    pub storage_bytes: Option<i64>,
    /// The month of `messages`.
    pub month: Option<Month>,
    /// Messages as measured.
    pub messages: Option<i64>,
    pub measured_at: Option<OffsetDateTime>,
    /// Why the last measurement failed.
    pub error: Option<MeasurementError>,
}

keyword_enum!(
    /// Where the number of messages comes from.
    UsageSource {
        /// The platform's services count messages as they occur.
        Live = "live",
        /// Messages were counted in the tenant's database at `measured_at`.
        Measured = "measured",
    }
);

/// Usage of a tenant. A figure that was never measured is `null`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Usage {
    /// Active users.
    #[cfg_attr(feature = "http", schema(required = true, minimum = 0, example = 12))]
    pub agents: Option<i64>,
    /// Users that are online.
    #[cfg_attr(feature = "http", schema(required = true, minimum = 0, example = 5))]
    pub agents_online: Option<i64>,
    /// Contacts.
    #[cfg_attr(feature = "http", schema(required = true, minimum = 0, example = 8_200))]
    pub contacts: Option<i64>,
    /// Messages of this month: the larger of the live counter and the measured number.
    #[cfg_attr(feature = "http", schema(required = true, minimum = 0, example = 41_000))]
    pub messages_month: Option<i64>,
    /// Bytes of the tenant's databases and objects.
    #[cfg_attr(feature = "http", schema(required = true, minimum = 0, example = 73_400_320))]
    pub storage_bytes: Option<i64>,
    /// The current calendar month, UTC.
    pub month: Month,
    /// The figures as shares of their limits.
    pub shares: Shares,
    /// The figures that exceed their limits.
    #[cfg_attr(feature = "http", schema(example = json!(["contacts"])))]
    pub over_limit: Vec<Figure>,
    /// Where `messages_month` comes from.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub source: Option<UsageSource>,
    /// When the figures other than live ones were measured; the oldest time if they were not measured together.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub measured_at: Option<OffsetDateTime>,
    /// Why the last measurement of a store failed; its figures are then those of the last successful one.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub error: Option<MeasurementError>,
}

/// Shares of the limits, where 1 is the whole limit, rounded down to four decimals. `null` when the figure is unlimited, the
/// limit is 0, or the figure is missing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Shares {
    /// `agents` as a share of `max_agents`.
    #[cfg_attr(feature = "http", schema(required = true, minimum = 0, example = 0.48))]
    pub agents: Option<f64>,
    /// `contacts` as a share of `max_contacts`.
    #[cfg_attr(feature = "http", schema(required = true, minimum = 0, example = 0.82))]
    pub contacts: Option<f64>,
    /// `messages_month` as a share of `max_messages_month`.
    #[cfg_attr(feature = "http", schema(required = true, minimum = 0, example = 0.82))]
    pub messages_month: Option<f64>,
}

/// Shares are calculated in ten-thousandths.
const WHOLE: i64 = 10_000;

#[expect(clippy::cast_precision_loss, reason = "a share that large need not be exact")]
fn share_of(figure: Option<i64>, limit: Limit) -> Option<f64> {
    Some(parts_of(figure, limit)? as f64 / WHOLE as f64)
}

fn parts_of(figure: Option<i64>, limit: Limit) -> Option<i64> {
    let parts = i128::from(figure?) * i128::from(WHOLE) / i128::from(limit.filter(|limit| *limit > 0)?);
    Some(i64::try_from(parts).unwrap_or(i64::MAX))
}

impl Usage {
    /// Combines the stored figures with the live counter of `month`; `counted` is `None` when the counter is unavailable.
    pub fn new(record: UsageRecord, limits: &Limits, month: Month, counted: Option<i64>) -> Self {
        // Messages of a past month do not count: a new month starts at 0.
        let measured = match record.month {
            Some(of) if of < month => Some(0),
            _ => record.messages,
        };
        let (messages_month, source) = match (measured, counted) {
            (None, None) => (None, None),
            (Some(measured), counted) if counted.is_none_or(|counted| counted <= measured) => {
                (Some(measured), Some(UsageSource::Measured))
            }
            (_, counted) => (counted, Some(UsageSource::Live)),
        };
        let UsageRecord { agents, agents_online, contacts, storage_bytes, measured_at, error, .. } = record;
        let limited = Figure::LIMITED.map(|figure| {
            let value = match figure {
                Figure::Agents => agents,
                Figure::Contacts => contacts,
                _ => messages_month,
            };
            (figure, value, figure.limit(limits))
        });
        let [agents_share, contacts_share, messages_share] = limited.map(|(_, value, limit)| share_of(value, limit));
        let over = |(figure, value, limit): (Figure, Option<i64>, Limit)| (value? > limit?).then_some(figure);
        Self {
            agents,
            agents_online,
            contacts,
            messages_month,
            storage_bytes,
            month,
            shares: Shares { agents: agents_share, contacts: contacts_share, messages_month: messages_share },
            over_limit: limited.into_iter().filter_map(over).collect(),
            source,
            measured_at,
            error,
        }
    }
}

/// A tenant with its usage.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = OrganizationUsage))]
pub struct TenantUsage {
    #[serde(flatten)]
    pub tenant: Tenant,
    /// Usage.
    pub usage: Usage,
    /// The tenant's position in a list that is sorted by a figure.
    #[serde(skip)]
    pub position: Option<i64>,
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    const LIMITS: Limits = Limits { max_agents: Some(3), max_contacts: Some(0), max_messages_month: None };

    fn record(month: Month, messages: Option<i64>) -> UsageRecord {
        UsageRecord { agents: Some(1), contacts: Some(7), month: Some(month), messages, ..UsageRecord::default() }
    }

    fn messages(record: UsageRecord, counted: Option<i64>) -> (Option<i64>, Option<UsageSource>) {
        let usage = Usage::new(record, &LIMITS, Month::current(), counted);
        (usage.messages_month, usage.source)
    }

    #[test]
    fn the_larger_of_counted_and_measured_messages_is_shown() {
        let month = Month::current();
        let (live, measured) = (Some(UsageSource::Live), Some(UsageSource::Measured));
        assert_eq!(messages(record(month, Some(5)), Some(6)), (Some(6), live));
        assert_eq!(messages(record(month, Some(5)), Some(5)), (Some(5), measured));
        assert_eq!(messages(record(month, Some(5)), Some(4)), (Some(5), measured));
        assert_eq!(messages(record(month, Some(5)), None), (Some(5), measured));
        assert_eq!(messages(UsageRecord::default(), Some(0)), (Some(0), live));
        assert_eq!(messages(UsageRecord::default(), None), (None, None));
    }

    #[test]
    fn a_new_month_starts_at_0() {
        let past = Month::current().previous();
        assert_eq!(messages(record(past, Some(5)), None), (Some(0), Some(UsageSource::Measured)));
        assert_eq!(messages(record(past, Some(5)), Some(1)), (Some(1), Some(UsageSource::Live)));
    }

    #[test]
    fn a_share_is_rounded_down_and_is_null_without_a_limit_or_a_figure() {
        let usage = to_value(Usage::new(record(Month::current(), None), &LIMITS, Month::current(), Some(2))).unwrap();
        assert_eq!(usage["shares"], json!({"agents": 0.3333, "contacts": null, "messages_month": null}));
        assert_eq!(usage["over_limit"], json!(["contacts"]));
        assert_eq!(parts_of(Some(2999), Some(3000)), Some(9996));
        assert_eq!(parts_of(Some(29), Some(100)), Some(2900));
        assert_eq!(parts_of(Some(i64::MAX), Some(1)), Some(i64::MAX));
        assert_eq!(parts_of(None, Some(1)), None);
    }
}
