//! Token buckets: a ceiling on requests in a time, whatever else would allow.
//!
//! The bucket is governor's. It runs on a clock that is stepped by hand, so that it is as deterministic as everything else here,
//! and it can be asked without taking: several buckets may stand before one request, and none loses a token to a request that
//! does not go out.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, FakeRelativeClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use crate::politeness::Rate;
use crate::time::Timestamp;

/// A full bucket fills in 30 years at most: governor counts in nanoseconds of 64 bits.
const LONGEST: Duration = Duration::from_secs(30 * 365 * 86_400);
/// Tokens that a bucket holds at most.
const DEEPEST: u32 = 10_000;

/// A bucket that requests take tokens from.
#[derive(Debug)]
pub(super) struct Bucket {
    limiter: RateLimiter<NotKeyed, Level, FakeRelativeClock, NoOpMiddleware<Nanos>>,
    level: Level,
    clock: FakeRelativeClock,
    shows: Timestamp,
    rate: Rate,
}

/// A token that was taken: the level before and after.
#[derive(Debug)]
pub(super) struct Token {
    before: u64,
    after: u64,
}

/// How full the bucket is, in governor's terms: the nanosecond at which it is full again.
#[derive(Debug, Clone, Default)]
struct Level(Arc<AtomicU64>);

impl StateStore for Level {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _key: &NotKeyed, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let before = self.0.load(Ordering::Relaxed);
        let (answer, next) = f((before > 0).then(|| before.into()))?;
        self.0.store(next.into(), Ordering::Relaxed);
        Ok(answer)
    }
}

impl Bucket {
    /// A bucket of `burst` tokens, 1 at least. It is full, or empty since `resumed`: after a restart nobody knows how many
    /// tokens were left. `None` for a rate without end.
    pub(super) fn new(rate: Rate, burst: u32, resumed: Option<Timestamp>) -> Option<Self> {
        let interval = rate.interval().min(LONGEST);
        let quota = Quota::with_period(interval)?;
        let room = u32::try_from(LONGEST.as_nanos() / interval.as_nanos()).unwrap_or(u32::MAX);
        let depth = NonZeroU32::new(burst.min(DEEPEST).min(room)).unwrap_or(NonZeroU32::MIN);
        let (clock, level) = (FakeRelativeClock::default(), Level::default());
        let limiter = RateLimiter::new(quota.allow_burst(depth), level.clone(), clock.clone());
        let mut bucket = Self { limiter, level, clock, shows: Timestamp::ZERO, rate };
        if let Some(now) = resumed {
            for _token in 0..depth.get() {
                bucket.take(now);
            }
        }
        Some(bucket)
    }

    /// How fast it fills.
    pub(super) const fn rate(&self) -> Rate {
        self.rate
    }

    /// When it is full again; the epoch if it is now, as far as anybody has looked.
    pub(super) fn full_at(&self) -> Timestamp {
        let level = Duration::from_nanos(self.level.0.load(Ordering::Relaxed));
        let shows = Duration::from_nanos(self.clock.now().into());
        level
            .checked_sub(shows)
            .filter(|left| !left.is_zero())
            .map_or(Timestamp::ZERO, |left| self.shows + left)
    }

    /// Makes a new bucket one that is full again at a moment.
    pub(super) fn fill_at(&mut self, now: Timestamp, full_at: Timestamp) {
        self.check(now);
        let level = Duration::from_nanos(self.clock.now().into()) + full_at.since(now);
        self.level.0.store(u64::try_from(level.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// When there is a token; the epoch if there is one now.
    pub(super) fn ready_at(&mut self, now: Timestamp) -> Timestamp {
        let before = self.level.0.load(Ordering::Relaxed);
        let ready = self.check(now);
        self.level.0.store(before, Ordering::Relaxed);
        ready
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: Timestamp) -> Token {
        let before = self.level.0.load(Ordering::Relaxed);
        self.check(now);
        Token { before, after: self.level.0.load(Ordering::Relaxed) }
    }

    /// Takes back a token that was not used, unless others were taken since: then it stays spent, which never hurries anybody.
    pub(super) fn put_back(&mut self, token: &Token) {
        if self.level.0.load(Ordering::Relaxed) == token.after {
            self.level.0.store(token.before, Ordering::Relaxed);
        }
    }

    fn check(&mut self, now: Timestamp) -> Timestamp {
        self.clock.advance(now.since(self.shows).min(LONGEST));
        self.shows = self.shows.max(now);
        match self.limiter.check() {
            Ok(()) => Timestamp::ZERO,
            Err(wait) => self.shows + wait.wait_time_from(self.clock.now()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    #[test]
    fn ten_a_second_are_a_hundred_milliseconds_apart() {
        let mut now = at(1_000_000);
        let mut bucket = Bucket::new(rate("10/s"), 1, None).unwrap();
        for _ in 0..20 {
            assert_eq!(bucket.ready_at(now), Timestamp::ZERO);
            bucket.take(now);
            let next = bucket.ready_at(now);
            assert_eq!(next.since(now), Duration::from_millis(100));
            now = next;
        }
    }

    #[test]
    fn time_that_passes_unused_is_not_saved_up() {
        let mut bucket = Bucket::new(rate("1/s"), 1, None).unwrap();
        for now in [at(100_000), at(160_000)] {
            assert_eq!(bucket.ready_at(now), Timestamp::ZERO);
            bucket.take(now);
        }
        assert_eq!(bucket.ready_at(at(160_000)), at(161_000));
    }

    #[test]
    fn to_ask_is_not_to_take() {
        let mut bucket = Bucket::new(rate("1/s"), 1, None).unwrap();
        for _ in 0..5 {
            assert_eq!(bucket.ready_at(at(10)), Timestamp::ZERO);
        }
    }

    #[test]
    fn a_burst_goes_at_once_and_fills_again_evenly() {
        let mut bucket = Bucket::new(rate("5/s"), 3, None).unwrap();
        let mut now = at(10_000);
        let mut gone = Vec::new();
        for _ in 0..6 {
            now = now.max(bucket.ready_at(now));
            bucket.take(now);
            gone.push(now.as_millis() - 10_000);
        }
        assert_eq!(gone, [0, 0, 0, 200, 400, 600]);
    }

    #[test]
    fn after_a_restart_the_bucket_is_empty() {
        let mut bucket = Bucket::new(rate("5/s"), 3, Some(at(1_000))).unwrap();
        assert_eq!(bucket.ready_at(at(1_000)), at(1_200));
    }

    #[test]
    fn a_token_that_is_put_back_was_never_taken() {
        let mut bucket = Bucket::new(rate("1/s"), 2, None).unwrap();
        let first = bucket.take(at(500));
        bucket.put_back(&first);
        let spent = [bucket.take(at(500)), bucket.take(at(500))];
        bucket.put_back(&spent[0]);
        assert_eq!(bucket.ready_at(at(500)), at(1_500), "another was taken since");
        bucket.put_back(&spent[1]);
        assert_eq!(bucket.ready_at(at(500)), Timestamp::ZERO);
    }

    #[test]
    fn no_rate_makes_it_panic() {
        let ever = Duration::from_secs(u64::MAX);
        for (per, requests, burst) in [(ever, 1, u32::MAX), (ever, u32::MAX, u32::MAX), (LONGEST, 1, 0)] {
            let requests = NonZeroU32::new(requests).unwrap();
            let mut bucket = Bucket::new(Rate { requests, per }, burst, Some(at(0))).unwrap();
            bucket.take(Timestamp::MAX);
            assert!(bucket.ready_at(Timestamp::MAX) <= Timestamp::MAX);
        }
        assert!(Bucket::new(Rate { requests: NonZeroU32::MIN, per: Duration::ZERO }, 1, None).is_none());
    }
}
