//! How many requests may be in flight to a host that bears more than one.
//!
//! The window begins at one, grows by one after as many successes as it is wide that were really held up by it, and is halved
//! once for each burst of refusals or doubled latency. It never passes what is configured.
//!
//! Under a fixed pace nothing is learned as long as all goes well: [`Bearing`] begins with everything that is configured, forgives
//! one burst of refusals, is halved at each further one and opens again much more slowly than it was closed.
//!
//! Pure: counts in, a count out.

use serde::{Deserialize, Serialize};

use super::pace::Sign;

/// Good answers under a fixed pace, each of them held up by the window, after which it is opened by one. Where the limit is below
/// what two connections do, about one request of so many is then refused for nothing.
const GOOD_BEFORE_OPENING: u32 = 64;

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
        self.open_after(self.now, used, most);
    }

    fn open_after(&mut self, good: u32, used: Used, most: u32) {
        if used == Used::InPart || self.now >= most {
            return;
        }
        self.held_up += 1;
        if self.held_up >= good {
            *self = Self::remembered(self.now + 1);
        }
    }

    /// The host has pushed back.
    pub(super) fn halve(&mut self) {
        *self = Self::remembered(self.now / 2);
    }
}

/// How many requests at once a host was seen to bear under a fixed pace; nothing, as long as it has refused once at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bearing(Option<Permits>);

impl Bearing {
    /// Requests that may be in flight, `most` at most.
    pub(super) fn within(self, most: u32) -> u32 {
        self.0.map_or(most.max(1), |permits| permits.within(most))
    }

    /// Takes what an answer says. The first refusal may have been an accident.
    pub(super) fn hear(&mut self, sign: Sign, used: Used, most: u32) {
        match (sign, &mut self.0) {
            (Sign::Refused, None) => self.0 = Some(Permits::remembered(most)),
            (Sign::Refused, Some(permits)) => permits.halve(),
            (Sign::Borne, Some(permits)) => permits.open_after(GOOD_BEFORE_OPENING, used, most),
            (Sign::Borne, None) | (Sign::None, _) => {}
        }
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

    #[test]
    fn under_a_fixed_pace_the_second_refusal_halves_what_is_configured_and_sixty_four_good_answers_add_one() {
        let mut bearing = Bearing::default();
        let mut widths = vec![bearing.within(8)];
        for _ in 0..5 {
            bearing.hear(Sign::Refused, Used::Fully, 8);
            widths.push(bearing.within(8));
        }
        assert_eq!(widths, [8, 8, 4, 2, 1, 1]);
        let mut good = |answers: u32| {
            (0..answers).for_each(|_| bearing.hear(Sign::Borne, Used::Fully, 8));
            bearing.within(8)
        };
        assert_eq!([good(63), good(1), good(64), good(64 * 20)], [1, 2, 3, 8]);
    }

    #[test]
    fn a_host_that_never_refused_twice_has_what_is_configured_whatever_it_answers() {
        let mut bearing = Bearing::default();
        for _ in 0..1_000 {
            bearing.hear(Sign::Borne, Used::Fully, 4);
        }
        assert_eq!((bearing.within(4), bearing.within(9), bearing.within(0)), (4, 9, 1));
    }
}
