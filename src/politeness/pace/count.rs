//! Servers that count requests, and not the time in which they come.
//!
//! Such a one refuses every n-th request, however slowly they come. It shows when a rate is lowered: as many requests as before pass until
//! the next refusal, in a longer time. A limit in time would let the same pass in the same time.

use serde::{Deserialize, Serialize};

/// Share of what was borne before, up to which the same number of requests in a row shows that they are counted, not timed.
const SLOWER: f64 = 0.95;
/// Requests by which two such numbers may differ: robots.txt and probes are requests too.
const ABOUT: u32 = 2;
/// Fewer requests may be as many by chance.
const TRUSTED: u32 = 20;

/// What passed from one refusal to the next.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Count {
    /// Successes the last time; none in the first epoch.
    last: u32,
    /// Requests a second in that time, waits included.
    rate: f32,
    /// Successes between two refusals of a server that counts; 0 if it does not.
    every: u32,
}

impl Count {
    /// Takes in a refusal after so many successes. What was borne before the `first` one has another beginning, and tells nothing later.
    pub(super) fn hear(&mut self, successes: u32, borne: f64, first: bool) {
        let is_as_many = |before: u32| successes >= TRUSTED && successes.abs_diff(before) <= ABOUT;
        let shows = is_as_many(self.last) && borne <= f64::from(self.rate) * SLOWER;
        self.every = if shows || is_as_many(self.every) { successes } else { 0 };
        (self.last, self.rate) = if first { (0, 0.0) } else { (successes, borne as f32) };
    }

    /// Whether the server counts requests, as far as is known.
    pub(super) const fn is_kept(self) -> bool {
        self.every > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_in_a_longer_time_are_counted_and_as_many_in_the_same_time_are_not() {
        for (borne, is_kept) in [(2.0, true), (2.9, false)] {
            let mut count = Count::default();
            count.hear(49, 2.9, false);
            count.hear(49, borne, false);
            assert_eq!(count.is_kept(), is_kept);
        }
    }
}
