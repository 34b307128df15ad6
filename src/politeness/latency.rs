//! Whether a host answers more slowly than it used to: the sign of load that comes before any refusal.
//!
//! Medians of twenty answers are compared with a base that follows them quickly downwards and slowly upwards. Two medians in
//! a row above twice the base mean that the server is busy; one above one and a half times means that it is no time to ask
//! for more.
//!
//! Pure: times come in, a judgement goes out. What follows from it is the pace's business.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Answers in a median.
const SAMPLE: usize = 20;
/// Share of the difference by which the base follows a lower median.
const FALLS: f32 = 0.3;
/// Share of the difference by which the base follows a higher median.
const RISES: f32 = 0.01;
/// A server that answers within this many seconds is not slow, whatever it used to do.
const QUICK: f32 = 0.05;

/// What the last answers say of the host's load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum Load {
    /// As quick as usual, as far as is known.
    #[default]
    Usual,
    /// Slower: no time to ask for more.
    Raised,
    /// Twice as slow, twice in a row: time to ask for less. Said once for the two medians.
    Doubled,
}

/// The medians of one host.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct LatencyGuard {
    sample: Vec<f32>,
    base: Option<f32>,
    /// What the last median said.
    load: Load,
    /// Medians above twice the base in a row.
    doubled: u8,
}

impl LatencyGuard {
    /// Takes the time of one answer and tells what the host's load is.
    pub(super) fn hear(&mut self, took: Duration) -> Load {
        self.sample.push(took.as_secs_f32().max(QUICK));
        if self.sample.len() < SAMPLE {
            // What was said of the last median is acted upon once.
            return if self.load == Load::Doubled { Load::Raised } else { self.load };
        }
        let median = self.median();
        self.load = self.judge(median);
        self.load
    }

    fn median(&mut self) -> f32 {
        self.sample.sort_unstable_by(f32::total_cmp);
        let median = f32::midpoint(self.sample[SAMPLE / 2 - 1], self.sample[SAMPLE / 2]);
        self.sample.clear();
        median
    }

    fn judge(&mut self, median: f32) -> Load {
        let base = *self.base.get_or_insert(median);
        let follows = if median < base { FALLS } else { RISES };
        self.base = Some(base + (median - base) * follows);
        self.doubled = if median > 2.0 * base { self.doubled + 1 } else { 0 };
        if self.doubled == 2 {
            self.doubled = 0;
            return Load::Doubled;
        }
        if median > 1.5 * base { Load::Raised } else { Load::Usual }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn median_of(guard: &mut LatencyGuard, millis: u64) -> Load {
        (0..SAMPLE).map(|_| guard.hear(Duration::from_millis(millis))).last().unwrap()
    }

    fn told(medians: &[u64]) -> Vec<Load> {
        let mut guard = LatencyGuard::default();
        medians.iter().map(|millis| median_of(&mut guard, *millis)).collect()
    }

    #[test]
    fn two_doubled_medians_in_a_row_mean_load() {
        use Load::{Doubled, Raised, Usual};
        assert_eq!(told(&[200, 450, 200, 450, 450]), [Usual, Raised, Usual, Raised, Doubled]);
        assert_eq!(told(&[200, 350, 250]), [Usual, Raised, Usual]);
    }

    #[test]
    fn load_is_acted_upon_once() {
        let mut guard = LatencyGuard::default();
        for millis in [200, 900, 900] {
            median_of(&mut guard, millis);
        }
        assert_eq!(guard.hear(Duration::from_millis(900)), Load::Raised);
    }

    #[test]
    fn one_slow_answer_in_twenty_says_nothing() {
        let mut guard = LatencyGuard::default();
        for n in 0..400 {
            let took = if n % 20 == 0 { 60_000 } else { 200 };
            assert_eq!(guard.hear(Duration::from_millis(took)), Load::Usual);
        }
    }

    #[test]
    fn a_server_that_is_quick_is_not_slow() {
        assert_eq!(told(&[2, 40, 40, 45]), [Load::Usual; 4]);
    }

    #[test]
    fn the_base_falls_quickly_and_rises_slowly() {
        use Load::{Doubled, Raised, Usual};
        let told = told(&[1_000, 200, 200, 200, 200, 200, 200, 900, 900]);
        assert_eq!(told[7..], [Raised, Doubled]);
        let mut guard = LatencyGuard::default();
        median_of(&mut guard, 200);
        let after = (0..200).map(|_| median_of(&mut guard, 500)).last();
        assert_eq!(after, Some(Usual));
    }
}
