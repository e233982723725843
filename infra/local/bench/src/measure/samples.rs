//! Measured durations, and their quantiles.

use std::time::Duration;

/// Durations of repetitions of one thing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest sample that at least `per_mille` of 1,000 samples do not exceed (nearest rank); zero without samples.
    pub(crate) fn quantile(&self, per_mille: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * per_mille).div_ceil(1000);
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    pub(crate) fn p50(&self) -> Duration {
        self.quantile(500)
    }

    pub(crate) fn p95(&self) -> Duration {
        self.quantile(950)
    }

    pub(crate) fn p99(&self) -> Duration {
        self.quantile(990)
    }

    pub(crate) fn max(&self) -> Duration {
        self.quantile(1000)
    }
}

/// A duration in milliseconds, with about three significant figures.
pub(crate) fn ms(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1000.0;
    let places = match millis {
        small if small < 1.0 => 3,
        few if few < 100.0 => 2,
        _ => 0,
    };
    format!("{millis:.places$} ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(millis: impl IntoIterator<Item = u64>) -> Samples {
        Samples(millis.into_iter().map(Duration::from_millis).collect())
    }

    #[test]
    fn a_quantile_is_one_of_the_samples() {
        let hundred = samples((1..=100).rev());
        assert_eq!(hundred.p50(), Duration::from_millis(50));
        assert_eq!(hundred.p95(), Duration::from_millis(95));
        assert_eq!(hundred.p99(), Duration::from_millis(99));
        assert_eq!(hundred.max(), Duration::from_millis(100));
        assert_eq!(samples([3, 1]).p50(), Duration::from_millis(1));
    }

    #[test]
    fn a_high_quantile_of_few_samples_is_the_maximum_and_of_none_is_zero() {
        assert_eq!(samples([1, 2, 9]).p99(), Duration::from_millis(9));
        assert_eq!(samples([7]).quantile(1), Duration::from_millis(7));
        assert_eq!(samples([]).p99(), Duration::ZERO);
    }

    #[test]
    fn a_short_duration_has_more_decimal_places() {
        assert_eq!(ms(Duration::from_micros(73)), "0.073 ms");
        assert_eq!(ms(Duration::from_micros(2_340)), "2.34 ms");
        assert_eq!(ms(Duration::from_micros(333_333)), "333 ms");
    }
}
