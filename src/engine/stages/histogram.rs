//! How long waits are, in classes: enough for a median, a few hundred bytes, one addition a wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Classes between a number of microseconds and its double.
const FINENESS: u32 = 8;
/// Doublings that are told apart: up to 2^30 µs, some 18 minutes. Whatever is longer counts as that.
const DOUBLINGS: u32 = 28;

/// Waits by length. A class is at most an eighth wider than it is long.
#[derive(Debug)]
pub(super) struct Histogram {
    counts: [AtomicU64; (FINENESS * DOUBLINGS) as usize],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl Histogram {
    pub(super) fn add(&self, wait: Duration) {
        self.counts[class_of(wait)].fetch_add(1, Ordering::Relaxed);
    }

    /// A length that this share of the waits does not exceed: the upper end of its class. Zero if there are no waits.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let rank = ((all as f64 * share).ceil() as u64).max(1);
        let mut met = 0;
        let class = counts.iter().position(|count| {
            met += count;
            met >= rank
        });
        class.map_or(Duration::ZERO, end_of)
    }
}

/// Lengths below [`FINENESS`] µs have a class each; above, each doubling has as many.
fn class_of(wait: Duration) -> usize {
    let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
    let class = match micros.max(1).ilog2().checked_sub(FINENESS.ilog2()) {
        None => micros as u32,
        Some(shift) => (shift + 1) * FINENESS + ((micros >> shift) as u32 - FINENESS),
    };
    class.min(FINENESS * DOUBLINGS - 1) as usize
}

/// The longest of a class.
fn end_of(class: usize) -> Duration {
    let (doubling, step) = (class as u64 / u64::from(FINENESS), class as u64 % u64::from(FINENESS));
    let micros = match doubling.checked_sub(1) {
        None => step,
        Some(shift) => ((u64::from(FINENESS) + step + 1) << shift) - 1,
    };
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: impl IntoIterator<Item = u64>) -> Histogram {
        let histogram = Histogram::default();
        micros.into_iter().for_each(|wait| histogram.add(Duration::from_micros(wait)));
        histogram
    }

    #[test]
    fn a_quantile_is_never_too_short_and_at_most_an_eighth_too_long() {
        for micros in (0..4_096).chain((12..28).flat_map(|power| [(1 << power) - 1, 1 << power, 3 << power]))
        {
            let told = of([micros]).quantile(0.5).as_micros() as u64;
            assert!((micros..=micros + micros / 8).contains(&told), "{micros} µs are told as {told}");
        }
    }

    #[test]
    fn half_of_the_waits_are_no_longer_than_the_median_and_one_in_twenty_is_longer_than_the_95th_percentile()
    {
        let histogram = of((0..95).map(|_| 1_000).chain((0..5).map(|_| 900_000)));
        let told = [0.5, 0.95, 0.96].map(|share| histogram.quantile(share).as_millis());
        assert_eq!(told, [1, 1, 917]);
    }

    #[test]
    fn without_waits_there_is_nothing_to_tell_and_the_longest_class_has_no_end() {
        assert_eq!(of([]).quantile(0.5), Duration::ZERO);
        assert!(of([u64::MAX]).quantile(0.5) > Duration::from_mins(15));
    }
}
