//! How what is generated is drawn.

use rand::{Rng, RngExt};
use time::{Duration, OffsetDateTime};
use uuid::{Builder, Uuid};

/// One of several, each as likely as its weight says.
pub(crate) fn pick<T: Copy>(rng: &mut impl Rng, weighted: &[(u32, T)]) -> T {
    let mut left = rng.random_range(0..weighted.iter().map(|(weight, _)| weight).sum());
    for (weight, item) in weighted {
        if left < *weight {
            return *item;
        }
        left -= weight;
    }
    weighted[0].1
}

/// One of several, each as likely as the others.
pub(crate) fn any<T: Copy>(rng: &mut impl Rng, items: &[T]) -> T {
    items[rng.random_range(0..items.len())]
}

/// Whether something happens that happens so often in a hundred.
pub(crate) fn percent(rng: &mut impl Rng, chance: u32) -> bool {
    rng.random_range(0..100) < chance
}

/// How much of a whole is used, in thousandths: mostly little, sometimes nearly all, rarely more than there is.
pub(crate) fn share(rng: &mut impl Rng) -> i64 {
    match rng.random_range(0..100) {
        0..3 => rng.random_range(1_001..1_300),
        3..8 => rng.random_range(800..=1_000),
        _ => rng.random_range(0..900_i64) * rng.random_range(100..1_000) / 1_000,
    }
}

/// A moment of a time.
pub(crate) fn moment(rng: &mut impl Rng, from: OffsetDateTime, to: OffsetDateTime) -> OffsetDateTime {
    let micros = (to - from).whole_microseconds().clamp(0, i128::from(i64::MAX));
    from + Duration::microseconds(rng.random_range(0..=i64::try_from(micros).unwrap_or(i64::MAX)))
}

/// A `UUIDv7` that was made at that time.
pub(crate) fn id_at(rng: &mut impl Rng, at: OffsetDateTime) -> Uuid {
    let millis = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    Builder::from_unix_timestamp_millis(millis, &rng.random()).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_weighs_nothing_is_never_picked_and_the_rest_is() {
        let mut rng = rand::rng();
        let picked: Vec<char> = (0..1_000).map(|_| pick(&mut rng, &[(0, 'a'), (9, 'b'), (1, 'c')])).collect();
        assert!(!picked.contains(&'a') && picked.contains(&'b') && picked.contains(&'c'));
    }

    #[test]
    fn an_id_is_in_the_order_of_its_time() {
        let mut rng = rand::rng();
        let at = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
        let (earlier, later) = (id_at(&mut rng, at), id_at(&mut rng, at + Duration::milliseconds(1)));
        assert!(earlier < later);
        assert_eq!(later.get_version_num(), 7);
    }
}
