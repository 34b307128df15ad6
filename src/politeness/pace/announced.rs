//! The pace that a server announces itself, read before its limit is hit.
//!
//! What is left of a window is spread over the time to its end; with one request left or none, the end is waited for. A server
//! that tells no end but that little is left is asked more and more slowly.
//!
//! Pure: the numbers come in, a pause goes out. Where they stand in the headers is read elsewhere.

use std::time::Duration;

use crate::headers::rate_limit::Announced;

/// The longest end of a window that is believed. A server that names a date for the seconds must not park a host for ever.
const LONGEST: Duration = Duration::from_hours(7 * 24);
/// Ends of windows are told in whole seconds, rounded by the server in whatever direction.
const ROUNDING: Duration = Duration::from_secs(1);
/// Share of the limit below which a server that tells no end is asked more slowly.
const LITTLE: f64 = 0.2;
/// What "little" is if the limit is not told either.
const LITTLE_OF_UNKNOWN: f64 = 5.0;
/// How much more slowly at most.
const SLOWEST: f64 = 10.0;

/// What follows from an announcement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Heard {
    /// It says nothing.
    Nothing,
    /// One request in so much time; zero if there is no hurry to slow down.
    Spread(Duration),
    /// The next request is to wait for the end of the window.
    WaitOut(Duration),
    /// Little is left, the end is not known: so many times more slowly than else.
    Slower(f64),
}

/// Reads an announcement while so many other requests are in flight, which it may not have counted.
pub(super) fn hear(announced: &Announced, in_flight: u32) -> Heard {
    let Some(remaining) = announced.remaining else {
        return Heard::Nothing;
    };
    let left = remaining.saturating_sub(u64::from(in_flight));
    let Some(reset) = announced.reset else {
        return slower(left, announced.limit);
    };
    let reset = reset.min(LONGEST);
    if left <= 1 {
        return Heard::WaitOut(reset + ROUNDING);
    }
    Heard::Spread(reset.div_f64((left - 1) as f64))
}

fn slower(left: u64, limit: Option<u64>) -> Heard {
    let little = limit.map_or(LITTLE_OF_UNKNOWN, |limit| limit as f64 * LITTLE);
    let factor = little / (left as f64).max(0.1);
    Heard::Slower(factor.clamp(1.0, SLOWEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(limit: Option<u64>, remaining: u64, reset: Option<u64>) -> Announced {
        Announced { limit, remaining: Some(remaining), reset: reset.map(Duration::from_secs) }
    }

    #[test]
    fn what_is_left_is_spread_over_the_time_to_the_reset() {
        let heard = hear(&announced(None, 11, Some(20)), 0);
        assert_eq!(heard, Heard::Spread(Duration::from_secs(2)));
        assert_eq!(hear(&announced(None, 11, Some(20)), 5), Heard::Spread(Duration::from_secs(4)));
    }

    #[test]
    fn the_last_request_and_none_wait_for_the_reset() {
        for remaining in [0, 1] {
            let heard = hear(&announced(Some(9), remaining, Some(20)), 0);
            assert_eq!(heard, Heard::WaitOut(Duration::from_secs(21)));
        }
    }

    #[test]
    fn no_reset_is_held_longer_than_seven_days() {
        let heard = hear(&announced(None, 0, Some(1_790_000_000)), 0);
        assert_eq!(heard, Heard::WaitOut(LONGEST + ROUNDING));
    }

    #[test]
    fn without_a_reset_little_left_slows_down() {
        let factor = |left| hear(&announced(Some(100), left, None), 0);
        assert_eq!([50, 20, 10, 0].map(factor), [1.0, 1.0, 2.0, 10.0].map(Heard::Slower));
    }

    #[test]
    fn an_answer_without_a_remainder_says_nothing() {
        assert_eq!(hear(&Announced::default(), 0), Heard::Nothing);
    }
}
