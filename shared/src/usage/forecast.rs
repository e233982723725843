//! When a tenant will reach its limits: a straight line through the figures of the last days.

use serde::Serialize;

use crate::{
    types::{Day, Limit, Limits, Month},
    usage::UsageDay,
};

/// The days that a forecast is based on, the last of which is today.
pub(super) const BASIS_DAYS: i64 = 30;

/// A line through fewer days would show chance, and no trend.
const MIN_DAYS: usize = 3;

/// A limit that is further away than this is not forecast: ten years.
const HORIZON_DAYS: f64 = 3650.0;

/// When a tenant will reach its limits, by the straight line that fits its figures of the last 30 days best. A forecast is `null` for
/// an unlimited figure, and for one with fewer than three measured days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct UsageForecast {
    /// For `max_agents`.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub agents: Option<FigureForecast>,
    /// For `max_contacts`.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub contacts: Option<FigureForecast>,
    /// For `max_messages_month`. The figure begins at 0 with each month, so the line goes through the sum of messages over both months.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub messages_month: Option<FigureForecast>,
}

/// When a figure will reach its limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct FigureForecast {
    /// The limit now.
    #[cfg_attr(feature = "http", schema(minimum = 0, example = 10_000))]
    pub limit: i64,
    /// The figure of the newest measured day.
    #[cfg_attr(feature = "http", schema(minimum = 0, example = 8_200))]
    pub value: i64,
    /// The slope of the line: by how much the figure grows in a day; negative if it falls.
    #[cfg_attr(feature = "http", schema(example = 60.0))]
    pub per_day: f64,
    /// The number of measured days on which the line is based.
    #[cfg_attr(feature = "http", schema(minimum = 3, maximum = 30, example = 30))]
    pub days: usize,
    /// The day on which the limit is reached, today if the figure has reached it; `null` if it is not reached within ten years, and for
    /// messages, if it is reached neither in this month nor in the next one.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub reached_on: Option<Day>,
}

/// The forecast from the figures of the last days, in their order.
pub(super) fn forecast(days: &[UsageDay], limits: &Limits, today: Day) -> UsageForecast {
    let of = |limit: Limit, figure: fn(&UsageDay) -> Option<i64>| {
        let points: Vec<_> = days.iter().filter_map(|day| Some((day.day, figure(day)?))).collect();
        forecast_level(&points, limit?, today)
    };
    let messages: Vec<_> = days.iter().filter_map(|day| Some((day.day, day.messages_month?))).collect();
    UsageForecast {
        agents: of(limits.max_agents, |day| day.agents),
        contacts: of(limits.max_contacts, |day| day.contacts),
        messages_month: limits.max_messages_month.and_then(|limit| forecast_month(&messages, limit, today)),
    }
}

/// A figure that does not begin anew.
fn forecast_level(points: &[(Day, i64)], limit: i64, today: Day) -> Option<FigureForecast> {
    let (line, value) = (Line::through(points, today)?, points.last()?.1);
    let reached_on = if is_reached(value, limit) {
        Some(today)
    } else {
        // The line may be above the newest figure, and cross the limit in the past.
        let days = || ((number(limit) - line.today) / line.per_day).max(0.0);
        (line.per_day > 0.0).then(days).and_then(|days| after(today, days))
    };
    Some(FigureForecast { limit, value, per_day: rounded(line.per_day), days: points.len(), reached_on })
}

/// A figure that begins at 0 with each month.
fn forecast_month(points: &[(Day, i64)], limit: i64, today: Day) -> Option<FigureForecast> {
    let (mut total, mut before) = (0, None);
    let sums: Vec<_> = points
        .iter()
        .map(|&(day, value)| {
            let is_same_month = |(earlier, _): &(Day, i64)| Month::with(earlier.0) == Month::with(day.0);
            // What a month had before its first measured day belongs to the days in between.
            total += value - before.filter(is_same_month).map_or(0, |(_, value)| value);
            before = Some((day, value));
            (day, total)
        })
        .collect();
    let line = Line::through(&sums, today)?;
    let month = Month::with(today.0);
    let newest = *points.last()?;
    let is_of_this_month = Month::with(newest.0.0) == month;
    let value = if is_of_this_month { newest.1 } else { 0 };
    let reached_on = if is_reached(value, limit) {
        Some(today)
    } else if line.per_day > 0.0 {
        let next = Day(month.next().first_day());
        // The first day of a month counts its own messages.
        let from_first = |first: Day| after(first, (number(limit) / line.per_day).ceil() - 1.0);
        let this_month = if is_of_this_month {
            after(newest.0, number(limit - value) / line.per_day)
        } else {
            from_first(Day(month.first_day()))
        };
        // The tenant may not have been measured since the day of the line.
        let this_month = this_month.map(|day| day.max(today)).filter(|day| *day < next);
        let next_month = || from_first(next).filter(|day| *day < Day(month.next().next().first_day()));
        this_month.or_else(next_month)
    } else {
        None
    };
    Some(FigureForecast { limit, value, per_day: rounded(line.per_day), days: points.len(), reached_on })
}

/// As the platform decides whether a threshold is reached: a figure of 0 reaches no limit, not even one of 0.
fn is_reached(value: i64, limit: i64) -> bool {
    value > 0 && value >= limit
}

/// The straight line with the least squares of differences.
struct Line {
    /// The value of the line today.
    today: f64,
    per_day: f64,
}

impl Line {
    /// `None` if there are too few points. Their days differ.
    fn through(points: &[(Day, i64)], today: Day) -> Option<Self> {
        if points.len() < MIN_DAYS {
            return None;
        }
        let points = || points.iter().map(|(day, value)| (number(day.since(today)), number(*value)));
        let count = number(i64::try_from(points().count()).ok()?);
        let mean_day = points().map(|(day, _)| day).sum::<f64>() / count;
        let mean_value = points().map(|(_, value)| value).sum::<f64>() / count;
        let spread: f64 = points().map(|(day, _)| (day - mean_day).powi(2)).sum();
        let common: f64 = points().map(|(day, value)| (day - mean_day) * (value - mean_value)).sum();
        let per_day = common / spread;
        Some(Self { today: mean_value - per_day * mean_day, per_day })
    }
}

/// The day after this many days, whole or begun. An error of rounding begins no day.
#[expect(clippy::cast_possible_truncation, reason = "at most the horizon")]
fn after(day: Day, days: f64) -> Option<Day> {
    (days <= HORIZON_DAYS).then(|| day.plus((days - 1e-6).ceil() as i64))
}

#[expect(clippy::cast_precision_loss, reason = "a figure that large need not be exact")]
fn number(value: i64) -> f64 {
    value as f64
}

/// With two decimals.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    /// Figures of the days up to one, the last of them first.
    fn figures(last: &str, values: &[i64]) -> Vec<(Day, i64)> {
        let mut points: Vec<_> = (0..).zip(values).map(|(back, value)| (day(last).plus(-back), *value)).collect();
        points.reverse();
        points
    }

    fn reached(forecast: Option<FigureForecast>) -> Option<String> {
        forecast.unwrap().reached_on.map(|day| day.to_string())
    }

    const TODAY: &str = "2026-11-24";

    #[test]
    fn a_figure_that_grows_by_the_same_number_each_day_reaches_its_limit_on_the_day_of_the_line() {
        let points = figures(TODAY, &[80, 70, 60, 50]);
        let level = |limit| forecast_level(&points, limit, day(TODAY));
        let ten = level(100).unwrap();
        assert_eq!((ten.limit, ten.value, ten.days), (100, 80, 4));
        assert!((ten.per_day - 10.0).abs() < 1e-9);
        assert_eq!(reached(level(100)).as_deref(), Some("2026-11-26"));
        // On the third day it is above.
        assert_eq!(reached(level(101)).as_deref(), Some("2026-11-27"));
        assert_eq!(reached(level(80)).as_deref(), Some(TODAY));
        assert_eq!(reached(level(0)).as_deref(), Some(TODAY));
        assert_eq!(reached(level(100_000)), None, "more than ten years");
    }

    #[test]
    fn a_figure_that_does_not_grow_reaches_no_limit() {
        for values in [[50, 50, 50], [40, 50, 60]] {
            assert_eq!(reached(forecast_level(&figures(TODAY, &values), 100, day(TODAY))), None, "{values:?}");
        }
    }

    #[test]
    fn a_line_above_the_newest_figure_never_reaches_the_limit_in_the_past() {
        let points = figures(TODAY, &[98, 130, 120, 110, 100, 10]);
        assert_eq!(reached(forecast_level(&points, 99, day(TODAY))).as_deref(), Some(TODAY));
    }

    #[test]
    fn too_few_days_are_no_trend_and_an_unlimited_figure_has_no_forecast() {
        assert_eq!(forecast_level(&figures(TODAY, &[2, 1]), 100, day(TODAY)), None);
        let days: Vec<_> = figures(TODAY, &[3, 2, 1])
            .into_iter()
            .map(|(day, value)| UsageDay {
                day,
                agents: Some(value),
                contacts: None,
                messages_month: Some(value),
                storage_bytes: None,
                measured_at: OffsetDateTime::UNIX_EPOCH,
            })
            .collect();
        let limits = Limits { max_agents: Some(5), max_contacts: Some(5), max_messages_month: None };
        let forecast = forecast(&days, &limits, day(TODAY));
        assert_eq!(reached(forecast.agents).as_deref(), Some("2026-11-26"));
        assert_eq!((forecast.contacts, forecast.messages_month), (None, None));
    }

    #[test]
    fn messages_are_added_over_two_months_and_the_limit_applies_to_each() {
        // Ten a day: 280 to 300 in the previous month, and 10 to 30 in this one.
        let points = figures("2026-11-03", &[30, 20, 10, 310, 300, 290, 280]);
        let month = |limit| forecast_month(&points, limit, day("2026-11-03"));
        assert!((month(100).unwrap().per_day - 10.0).abs() < 1e-9);
        assert_eq!(month(100).unwrap().value, 30);
        assert_eq!(reached(month(100)).as_deref(), Some("2026-11-10"));
        assert_eq!(reached(month(300)).as_deref(), Some("2026-11-30"));
        // December has a day more.
        assert_eq!(reached(month(301)).as_deref(), Some("2026-12-31"));
        assert_eq!(reached(month(311)), None, "in neither month");
        assert_eq!(reached(month(30)).as_deref(), Some("2026-11-03"));
    }

    #[test]
    fn messages_of_the_previous_month_do_not_count_in_a_new_one() {
        let points = figures("2026-10-31", &[300, 290, 280]);
        let new = forecast_month(&points, 100, day("2026-11-01")).unwrap();
        assert_eq!((new.value, new.reached_on), (0, Some(day("2026-11-10"))));
    }

    #[test]
    fn days_without_a_measurement_count_too() {
        let month = |today| reached(forecast_month(&figures("2026-11-10", &[100, 90, 80]), 150, day(today)));
        assert_eq!(month("2026-11-10").as_deref(), Some("2026-11-15"));
        assert_eq!(month("2026-11-12").as_deref(), Some("2026-11-15"));
        assert_eq!(month("2026-11-20").as_deref(), Some("2026-11-20"), "the day of the line is over");
        let new_month = |today| reached(forecast_month(&figures("2026-10-31", &[300, 290, 280]), 100, day(today)));
        assert_eq!(new_month("2026-11-08").as_deref(), Some("2026-11-10"));
        assert_eq!(new_month("2026-11-20").as_deref(), Some("2026-11-20"));
    }

    #[test]
    fn a_figure_of_zero_reaches_no_limit() {
        let none = figures(TODAY, &[0, 0, 0]);
        assert_eq!(reached(forecast_level(&none, 0, day(TODAY))), None);
        assert_eq!(reached(forecast_month(&none, 0, day(TODAY))), None);
        let one = figures(TODAY, &[1, 0, 0]);
        assert_eq!(reached(forecast_level(&one, 0, day(TODAY))).as_deref(), Some(TODAY));
    }
}
