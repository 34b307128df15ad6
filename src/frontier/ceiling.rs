//! A ceiling on the requests of the whole crawl, whatever the single hosts would allow.
//!
//! The token bucket is governor's; it runs on a clock that is stepped by hand, so that it is as deterministic as everything
//! else here. It holds back the crawl as a whole and knows nothing of hosts: their pace is their own machine's.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, FakeRelativeClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::time::Timestamp;

/// So many requests in so much time, one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests.
    pub requests: NonZeroU32,
    /// The time for them.
    pub per: Duration,
}

/// The bucket that every request takes a token from.
pub(super) struct Ceiling {
    limiter: RateLimiter<NotKeyed, InMemoryState, FakeRelativeClock, NoOpMiddleware<Nanos>>,
    clock: FakeRelativeClock,
    shows: Timestamp,
}

impl Ceiling {
    /// A bucket of one token: requests are spread evenly, there is no burst. `None` for a rate without end.
    pub(super) fn new(rate: Rate) -> Option<Self> {
        let clock = FakeRelativeClock::default();
        let quota = Quota::with_period(rate.per / rate.requests.get())?;
        Some(Self {
            limiter: RateLimiter::direct_with_clock(quota, clock.clone()),
            clock,
            shows: Timestamp::ZERO,
        })
    }

    /// Takes a token.
    ///
    /// # Errors
    /// When there will be one, if there is none now.
    pub(super) fn take(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        if self.shows == Timestamp::ZERO {
            self.shows = now;
        }
        self.clock.advance(now.since(self.shows));
        self.shows = self.shows.max(now);
        self.limiter.check().map_err(|wait| now + wait.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_second_are_a_hundred_milliseconds_apart() {
        let rate = Rate { requests: NonZeroU32::new(10).unwrap(), per: Duration::from_secs(1) };
        let mut ceiling = Ceiling::new(rate).unwrap();
        let mut now = Timestamp::from_secs(1_000);
        for _ in 0..20 {
            assert_eq!(ceiling.take(now), Ok(()));
            let next = ceiling.take(now).unwrap_err();
            assert_eq!(next.since(now), Duration::from_millis(100));
            now = next;
        }
    }

    #[test]
    fn time_that_passes_unused_is_not_saved_up() {
        let rate = Rate { requests: NonZeroU32::new(1).unwrap(), per: Duration::from_secs(1) };
        let mut ceiling = Ceiling::new(rate).unwrap();
        assert_eq!(ceiling.take(Timestamp::from_secs(100)), Ok(()));
        assert_eq!(ceiling.take(Timestamp::from_secs(160)), Ok(()));
        assert!(ceiling.take(Timestamp::from_secs(160)).is_err());
    }
}
