//! Use case: the figures of a tenant by day, and the forecast that follows from them.

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    clients::postgres::Connection,
    error::{Error, InputError, Location, Result},
    tenants,
    types::{Day, FaultCode, InvalidValue, TenantId, timestamp},
    usage::{
        UsageForecast,
        forecast::{BASIS_DAYS, forecast},
        store,
    },
};

/// The longest range of a history.
const MAX_DAYS: i64 = 400;

/// The range if none is requested.
const DEFAULT_DAYS: i64 = 30;

query_parameters! {
    #![cfg(feature = "http")]
    /// The days of a history. Both are included.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct HistoryRange {
        /// The first day, UTC; 29 days before the last one by default. A history has at most 400 days
        pub since: Option<Day>,
        /// The last day, UTC; today by default
        pub until: Option<Day>,
    }
}

impl HistoryRange {
    /// The first and the last day. An error names the parameter.
    fn days(self, today: Day) -> Result<(Day, Day)> {
        let last = self.until.unwrap_or(today);
        let first = self.since.unwrap_or_else(|| last.plus(1 - DEFAULT_DAYS));
        let invalid = |detail: String| {
            let error = InvalidValue::new(FaultCode::OutOfRange, detail);
            Err(Error::Invalid(vec![InputError::new(Location::Query("since".to_owned()), error)]))
        };
        if first > last {
            return invalid(format!("must not be after the last day, {last}"));
        }
        if last.since(first) >= MAX_DAYS {
            return invalid(format!("must be less than {MAX_DAYS} days before the last day, {last}"));
        }
        Ok((first, last))
    }
}

/// The history that is requested.
#[derive(Debug, Clone, Copy)]
pub struct ListHistory {
    pub tenant_id: TenantId,
    pub range: HistoryRange,
}

/// The figures of a tenant by day, and when it will reach its limits.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct UsageHistory {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The first day of the range.
    pub since: Day,
    /// The last day of the range.
    pub until: Day,
    /// The days of the range on which the tenant was measured, in their order.
    pub days: Vec<UsageDay>,
    /// When the tenant will reach its limits, whatever the range.
    pub forecast: UsageForecast,
}

/// What a tenant used at the last measurement of a day. A figure is `null` if its store was not measured on that day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct UsageDay {
    /// The day, UTC.
    pub day: Day,
    /// Active users.
    #[cfg_attr(feature = "http", schema(required = true, minimum = 0, example = 12))]
    pub agents: Option<i64>,
    /// Contacts.
    #[cfg_attr(feature = "http", schema(required = true, minimum = 0, example = 8_200))]
    pub contacts: Option<i64>,
    /// Messages since the calendar month began.
    #[cfg_attr(feature = "http", schema(required = true, minimum = 0, example = 41_000))]
    pub messages_month: Option<i64>,
    /// Bytes of the tenant's databases and objects.
    #[cfg_attr(feature = "http", schema(required = true, minimum = 0, example = 73_400_320))]
    pub storage_bytes: Option<i64>,
    /// When the last measurement of the day began.
    #[serde(serialize_with = "timestamp")]
    pub measured_at: OffsetDateTime,
}

/// The history of a tenant. [`Error::NotFound`] if no such tenant exists.
pub async fn list_history(
    platform: &Connection,
    ListHistory { tenant_id, range }: ListHistory,
) -> Result<UsageHistory> {
    let today = Day::today();
    let (since, until) = range.days(today)?;
    let basis = today.plus(1 - BASIS_DAYS);
    let (tenant, days, recent) = futures::try_join!(
        tenants::store::find(platform, tenant_id),
        store::list_days(platform, tenant_id, since, until),
        store::list_days(platform, tenant_id, basis, today),
    )?;
    Ok(UsageHistory { tenant_id, since, until, days, forecast: forecast(&recent, &tenant.limits, today) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn days(since: Option<&str>, until: Option<&str>) -> Option<(String, String)> {
        let range = HistoryRange { since: since.map(day), until: until.map(day) };
        let (first, last) = range.days(day("2026-11-24")).ok()?;
        Some((first.to_string(), last.to_string()))
    }

    #[test]
    fn a_range_is_the_last_thirty_days_unless_it_is_given_and_never_longer_than_its_maximum() {
        let range = |first: &str, last: &str| Some((first.to_owned(), last.to_owned()));
        assert_eq!(days(None, None), range("2026-10-26", "2026-11-24"));
        assert_eq!(days(None, Some("2026-03-01")), range("2026-01-31", "2026-03-01"));
        assert_eq!(days(Some("2026-11-24"), None), range("2026-11-24", "2026-11-24"));
        assert_eq!(days(Some("2026-11-25"), None), None);
        assert_eq!(days(Some("2026-11-02"), Some("2026-11-01")), None);
        assert_eq!(days(Some("2025-10-21"), None), range("2025-10-21", "2026-11-24"));
        assert_eq!(days(Some("2025-10-20"), None), None);
    }
}
