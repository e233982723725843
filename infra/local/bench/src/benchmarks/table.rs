//! Tables on standard output.

use crate::measure::samples::{Samples, ms};

pub(crate) fn heading(title: &str) {
    println!("\n== {title}");
}

/// Prints the head of a table of [`row`]s.
pub(crate) fn head() {
    println!("{:<36} {:>6} {:>10} {:>10} {:>10} {:>10}", "", "n", "p50", "p95", "p99", "max");
}

pub(crate) fn row(name: &str, samples: &Samples) {
    let [p50, p95, p99, max] = [samples.p50(), samples.p95(), samples.p99(), samples.max()].map(ms);
    println!("{name:<36} {:>6} {p50:>10} {p95:>10} {p99:>10} {max:>10}", samples.len());
}
