//! The summary: each figure, its floor, its goal, and whether it is met.

use std::{fmt, time::Duration};

use crate::samples::ms;

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<Line>);

#[derive(Debug)]
struct Line {
    figure: String,
    floor: String,
    ours: String,
    goal: String,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Pass,
    Miss,
    /// There is no goal.
    Seen,
}

impl Verdict {
    fn of(met: bool) -> Self {
        if met { Self::Pass } else { Self::Miss }
    }
}

impl Report {
    /// A figure that may be so many times its floor.
    pub(crate) fn times(&mut self, figure: &str, floor: Duration, ours: Duration, most: f64) {
        let factor = ours.as_secs_f64() / floor.as_secs_f64();
        self.0.push(Line {
            figure: figure.to_owned(),
            floor: ms(floor),
            ours: format!("{} = {factor:.2} x", ms(ours)),
            goal: format!("<= {most} x"),
            verdict: Verdict::of(factor <= most),
        });
    }

    /// A figure that may be so long.
    pub(crate) fn at_most(&mut self, figure: &str, floor: Option<Duration>, ours: Duration, most: Duration) {
        self.0.push(Line {
            figure: figure.to_owned(),
            floor: floor.map(ms).unwrap_or_default(),
            ours: ms(ours),
            goal: format!("<= {}", ms(most)),
            verdict: Verdict::of(ours <= most),
        });
    }

    /// Something that has to be so.
    pub(crate) fn holds(&mut self, figure: &str, goal: &str, seen: &str, met: bool) {
        let line = Line {
            figure: figure.to_owned(),
            floor: String::new(),
            ours: seen.to_owned(),
            goal: goal.to_owned(),
            verdict: Verdict::of(met),
        };
        self.0.push(line);
    }

    /// A figure without a goal.
    pub(crate) fn seen(&mut self, figure: &str, floor: &str, ours: &str) {
        let line = Line {
            figure: figure.to_owned(),
            floor: floor.to_owned(),
            ours: ours.to_owned(),
            goal: String::new(),
            verdict: Verdict::Seen,
        };
        self.0.push(line);
    }

    /// Whether a goal was missed.
    pub(crate) fn missed(&self) -> bool {
        self.0.iter().any(|line| line.verdict == Verdict::Miss)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<44} {:>12} {:>22} {:>16}", "figure", "floor", "ours", "goal")?;
        for Line { figure, floor, ours, goal, verdict } in &self.0 {
            let verdict = match verdict {
                Verdict::Pass => "pass",
                Verdict::Miss => "MISS",
                Verdict::Seen => "",
            };
            writeln!(f, "{}", format!("{figure:<44} {floor:>12} {ours:>22} {goal:>16}  {verdict}").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_held_against_its_goal() {
        let mut report = Report::default();
        let millis = Duration::from_millis;
        report.times("start", millis(10), millis(13), 1.3);
        report.at_most("p99", None, millis(30), millis(30));
        report.seen("rate", "", "7 a second");
        assert!(!report.missed());
        report.times("list", millis(10), millis(26), 2.5);
        assert!(report.missed());
        let text = report.to_string();
        assert!(text.lines().nth(1).unwrap().ends_with("13.00 ms = 1.30 x         <= 1.3 x  pass"), "{text}");
        assert!(text.lines().last().unwrap().ends_with("MISS"), "{text}");
    }
}
