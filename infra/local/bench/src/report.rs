//! The summary of a run: each figure with its floor and its goal.

use std::{fmt, time::Duration};

use crate::measure::samples::ms;

#[derive(Debug, Default)]
pub(crate) struct BenchReport(Vec<ReportRow>);

#[derive(Debug)]
struct ReportRow {
    figure: String,
    floor: String,
    measured: String,
    goal: String,
    status: GoalStatus,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum GoalStatus {
    Met,
    Missed,
    NoGoal,
}

impl GoalStatus {
    fn of(met: bool) -> Self {
        if met { Self::Met } else { Self::Missed }
    }
}

impl BenchReport {
    /// Adds a figure that must be at most `limit` times its floor.
    pub(crate) fn at_most_times(&mut self, figure: &str, floor: Duration, measured: Duration, limit: f64) {
        let factor = measured.as_secs_f64() / floor.as_secs_f64();
        self.0.push(ReportRow {
            figure: figure.to_owned(),
            floor: ms(floor),
            measured: format!("{} = {factor:.2} x", ms(measured)),
            goal: format!("<= {limit} x"),
            status: GoalStatus::of(factor <= limit),
        });
    }

    /// Adds a figure that must be at most `limit`.
    pub(crate) fn at_most(&mut self, figure: &str, floor: Option<Duration>, measured: Duration, limit: Duration) {
        self.0.push(ReportRow {
            figure: figure.to_owned(),
            floor: floor.map(ms).unwrap_or_default(),
            measured: ms(measured),
            goal: format!("<= {}", ms(limit)),
            status: GoalStatus::of(measured <= limit),
        });
    }

    /// Adds a condition that must hold.
    pub(crate) fn condition(&mut self, figure: &str, goal: &str, measured: &str, met: bool) {
        self.0.push(ReportRow {
            figure: figure.to_owned(),
            floor: String::new(),
            measured: measured.to_owned(),
            goal: goal.to_owned(),
            status: GoalStatus::of(met),
        });
    }

    /// Adds a figure without a goal.
    pub(crate) fn without_goal(&mut self, figure: &str, floor: &str, measured: &str) {
        self.0.push(ReportRow {
            figure: figure.to_owned(),
            floor: floor.to_owned(),
            measured: measured.to_owned(),
            goal: String::new(),
            status: GoalStatus::NoGoal,
        });
    }

    pub(crate) fn has_misses(&self) -> bool {
        self.0.iter().any(|row| row.status == GoalStatus::Missed)
    }
}

impl fmt::Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<46} {:>12} {:>22} {:>16}", "figure", "floor", "measured", "goal")?;
        for ReportRow { figure, floor, measured, goal, status } in &self.0 {
            let status = match status {
                GoalStatus::Met => "pass",
                GoalStatus::Missed => "MISS",
                GoalStatus::NoGoal => "",
            };
            writeln!(f, "{}", format!("{figure:<46} {floor:>12} {measured:>22} {goal:>16}  {status}").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_above_its_goal_is_a_miss() {
        let mut report = BenchReport::default();
        let millis = Duration::from_millis;
        report.at_most_times("start", millis(10), millis(13), 1.3);
        report.at_most("p99", None, millis(30), millis(30));
        report.without_goal("rate", "", "7/s");
        assert!(!report.has_misses());
        report.at_most_times("list", millis(10), millis(26), 2.5);
        assert!(report.has_misses());
        let text = report.to_string();
        assert!(text.lines().nth(1).unwrap().ends_with("13.00 ms = 1.30 x         <= 1.3 x  pass"), "{text}");
        assert!(text.lines().last().unwrap().ends_with("MISS"), "{text}");
    }
}
