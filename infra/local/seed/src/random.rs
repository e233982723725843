//! Random choices.

use rand::{Rng, RngExt};
use time::{Duration, OffsetDateTime};
use uuid::{Builder, Uuid};

/// Chooses an item with a probability proportional to its weight.
pub(crate) fn weighted<T: Copy>(rng: &mut impl Rng, weighted: &[(u32, T)]) -> T {
    let mut left = rng.random_range(0..weighted.iter().map(|(weight, _)| weight).sum());
    for (weight, item) in weighted {
        if left < *weight {
            return *item;
        }
        left -= weight;
    }
    weighted[0].1
}

/// Chooses an item; each has the same probability.
pub(crate) fn choose<T: Copy>(rng: &mut impl Rng, items: &[T]) -> T {
    items[rng.random_range(0..items.len())]
}

/// Returns true with a probability of `percent`.
pub(crate) fn chance(rng: &mut impl Rng, percent: u32) -> bool {
    rng.random_range(0..100) < percent
}

/// The used share of a limit, in thousandths: usually small, sometimes close to the limit, rarely above it.
pub(crate) fn used_share(rng: &mut impl Rng) -> i64 {
    match rng.random_range(0..100) {
        0..3 => rng.random_range(1_001..1_300),
        3..8 => rng.random_range(800..=1_000),
        _ => rng.random_range(0..900_i64) * rng.random_range(100..1_000) / 1_000,
    }
}

/// A time between two times.
pub(crate) fn time_between(rng: &mut impl Rng, from: OffsetDateTime, to: OffsetDateTime) -> OffsetDateTime {
    let micros = (to - from).whole_microseconds().clamp(0, i128::from(i64::MAX));
    from + Duration::microseconds(rng.random_range(0..=i64::try_from(micros).unwrap_or(i64::MAX)))
}

/// A `UUIDv7` with that time.
pub(crate) fn id_at(rng: &mut impl Rng, at: OffsetDateTime) -> Uuid {
    let millis = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    Builder::from_unix_timestamp_millis(millis, &rng.random()).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_without_weight_is_never_chosen() {
        let mut rng = rand::rng();
        let chosen: Vec<char> = (0..1_000).map(|_| weighted(&mut rng, &[(0, 'a'), (9, 'b'), (1, 'c')])).collect();
        assert!(!chosen.contains(&'a') && chosen.contains(&'b') && chosen.contains(&'c'));
    }

    #[test]
    fn ids_sort_by_time() {
        let mut rng = rand::rng();
        let at = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
        let (earlier, later) = (id_at(&mut rng, at), id_at(&mut rng, at + Duration::milliseconds(1)));
        assert!(earlier < later);
        assert_eq!(later.get_version_num(), 7);
    }
}
