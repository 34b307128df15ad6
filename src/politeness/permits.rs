//! How many requests may be in flight to a host that bears more than one.
//!
//! The window begins at one, grows by one after as many successes as it is wide that were really held up by it, and is halved
//! once for each burst of refusals or doubled latency. It never passes what is configured.
//!
//! Pure: counts in, a count out.

use serde::{Deserialize, Serialize};

/// The window of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Permits {
    now: u32,
    /// Successes since it last changed that it held up.
    held_up: u32,
}

impl Default for Permits {
    fn default() -> Self {
        Self::remembered(1)
    }
}

/// Whether it was the window, and not the pace, that the next request waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    /// All permits were out when the pace would have let another request go.
    Fully,
    /// Something else was waited for.
    InPart,
}

impl Permits {
    /// The window of an earlier run.
    pub(super) const fn remembered(permits: u32) -> Self {
        Self { now: if permits == 0 { 1 } else { permits }, held_up: 0 }
    }

    /// Requests that may be in flight, `most` at most.
    pub(super) fn within(self, most: u32) -> u32 {
        self.now.min(most).max(1)
    }

    /// A request was answered well.
    pub(super) fn succeed(&mut self, used: Used, most: u32) {
        if used == Used::InPart || self.now >= most {
            return;
        }
        self.held_up += 1;
        if self.held_up >= self.now {
            *self = Self::remembered(self.now + 1);
        }
    }

    /// The host has pushed back.
    pub(super) fn halve(&mut self) {
        *self = Self::remembered(self.now / 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_of_successes_that_used_it_adds_one() {
        let mut permits = Permits::default();
        let widths: Vec<u32> = (0..7)
            .map(|_| {
                permits.succeed(Used::Fully, 3);
                permits.within(8)
            })
            .collect();
        assert_eq!(widths, [2, 2, 3, 3, 3, 3, 3]);
    }

    #[test]
    fn successes_that_waited_for_the_pace_add_nothing() {
        let mut permits = Permits::remembered(2);
        for _ in 0..100 {
            permits.succeed(Used::InPart, 8);
        }
        assert_eq!(permits.within(8), 2);
    }

    #[test]
    fn a_burst_halves_the_window_down_to_one() {
        let mut permits = Permits::remembered(9);
        let widths: Vec<u32> = (0..5)
            .map(|_| {
                permits.halve();
                permits.within(8)
            })
            .collect();
        assert_eq!(widths, [4, 2, 1, 1, 1]);
    }

    #[test]
    fn what_is_configured_is_never_passed() {
        assert_eq!(Permits::remembered(9).within(4), 4);
        assert_eq!(Permits::remembered(0).within(4), 1);
    }
}
