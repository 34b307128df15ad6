//! The only door to the machine's clock.
//!
//! The wall clock is read once, when the clock is started; from then on time is that moment plus what tokio's monotonic
//! clock has counted. So it never jumps when somebody sets the machine's date, its moments can be stored and read by the
//! next run, and it follows tokio's paused time: an hour of crawling is a test of milliseconds.
//!
//! A [`Timestamp`] holds whole milliseconds. Whoever measures a wait *from* a moment takes [`Clock::now_up`], whoever asks
//! whether a moment has come takes [`Clock::now`]: rounding then only ever lengthens a wait.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::time::Timestamp;

/// A running clock. Clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Since the Unix epoch, when it was started.
    wall: Duration,
    started: Instant,
}

impl Clock {
    /// A clock that shows the machine's time. A machine whose date lies before 1970 starts at the epoch.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the door to the machine's clock")]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self::showing(wall.unwrap_or_default())
    }

    /// A clock that shows `moment` now: simulations start at a date of their own.
    #[must_use]
    pub fn starting_at(moment: Timestamp) -> Self {
        Self::showing(Duration::from_millis(moment.as_millis()))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door to the machine's clock")]
    fn showing(wall: Duration) -> Self {
        Self { wall, started: Instant::now() }
    }

    /// The last full millisecond: no moment is shown before it has come.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(whole_millis(self.reading()))
    }

    /// The next full millisecond: a wait that is counted from here is never short.
    #[must_use]
    pub fn now_up(&self) -> Timestamp {
        Timestamp::ZERO + self.reading()
    }

    /// How long it has run, as finely as the machine counts: for measurements, which take the difference of two readings.
    /// All its clones agree.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the door to the machine's clock")]
    pub fn elapsed(&self) -> Duration {
        Instant::now() - self.started
    }

    /// Waits until [`Clock::now`] shows `moment` or later; returns at once if it already does.
    ///
    /// [`Timestamp::MAX`] means "never": the future then does not end.
    #[expect(clippy::disallowed_methods, reason = "this is the door to the machine's clock")]
    pub async fn sleep_until(&self, moment: Timestamp) {
        while self.now() < moment {
            match self.instant_of(moment) {
                Some(instant) => tokio::time::sleep_until(instant).await,
                None => std::future::pending().await,
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door to the machine's clock")]
    fn reading(&self) -> Duration {
        self.wall.saturating_add(Instant::now() - self.started)
    }

    /// `None` for moments that lie beyond what the machine can count.
    fn instant_of(&self, moment: Timestamp) -> Option<Instant> {
        let ahead = Duration::from_millis(moment.as_millis()).saturating_sub(self.wall);
        self.started.checked_add(ahead)
    }
}

/// Adds up how long some work takes. What is measured inside of something measured counts once.
#[derive(Debug)]
pub struct Spent {
    clock: Clock,
    total: Cell<Duration>,
    is_running: Cell<bool>,
}

impl Spent {
    /// Nothing was spent yet.
    #[must_use]
    pub const fn new(clock: Clock) -> Self {
        Self { clock, total: Cell::new(Duration::ZERO), is_running: Cell::new(false) }
    }

    /// Does some work, and adds how long it took.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        if self.is_running.replace(true) {
            return work();
        }
        let from = self.clock.elapsed();
        let done = work();
        self.total.set(self.total.get() + self.clock.elapsed().saturating_sub(from));
        self.is_running.set(false);
        done
    }

    /// All that was spent.
    #[must_use]
    pub const fn total(&self) -> Duration {
        self.total.get()
    }
}

/// Counts how long something takes on this machine, whatever the date. Not for waits: those belong to a [`Clock`].
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Begins to count.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the door to the machine's clock")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// What was counted so far.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Lets this thread rest while another one works. Who waits for a moment asks a [`Clock`], and never blocks a thread.
#[expect(clippy::disallowed_methods, reason = "this is the door to the machine's clock")]
pub(crate) fn nap(time: Duration) {
    std::thread::sleep(time);
}

fn whole_millis(reading: Duration) -> u64 {
    u64::try_from(reading.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_000);

    #[tokio::test(start_paused = true)]
    async fn it_follows_tokios_time() {
        let clock = Clock::starting_at(START);
        tokio::time::advance(Duration::from_mins(60)).await;
        assert_eq!(clock.now(), START + Duration::from_mins(60));
        assert_eq!(clock.clone().now(), clock.now());
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_of_a_millisecond_has_not_come_yet_and_is_counted_in_full() {
        let clock = Clock::starting_at(START);
        tokio::time::advance(Duration::from_micros(1_500)).await;
        assert_eq!(clock.now(), START + Duration::from_millis(1));
        assert_eq!(clock.now_up(), START + Duration::from_millis(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleep_never_ends_early() {
        let clock = Clock::starting_at(START);
        for wait in [1_u64, 7, 999, 86_400_000] {
            tokio::time::advance(Duration::from_micros(333)).await;
            let target = clock.now_up() + Duration::from_millis(wait);
            clock.sleep_until(target).await;
            assert!(clock.now() >= target, "{} < {target}", clock.now());
            assert!(clock.now() <= target + Duration::from_millis(2));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_past_is_not_waited_for_and_never_does_not_come() {
        let clock = Clock::starting_at(START);
        clock.sleep_until(Timestamp::ZERO).await;
        assert_eq!(clock.now(), START);
        let never = tokio::time::timeout(Duration::from_hours(1), clock.sleep_until(Timestamp::MAX));
        assert!(never.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn readings_are_finer_than_moments_and_clones_agree() {
        let clock = Clock::starting_at(START);
        let (other, from) = (clock.clone(), clock.elapsed());
        tokio::time::advance(Duration::from_nanos(1_500)).await;
        assert_eq!(clock.elapsed() - from, Duration::from_nanos(1_500));
        assert_eq!(other.elapsed(), clock.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn work_inside_of_work_is_counted_once() {
        let spent = Spent::new(Clock::starting_at(START));
        let wait = |micros| {
            let advance = tokio::time::advance(Duration::from_micros(micros));
            futures_util::FutureExt::now_or_never(advance);
        };
        let answer = spent.during(|| {
            wait(3);
            spent.during(|| wait(4));
            9
        });
        wait(100);
        spent.during(|| wait(5));
        assert_eq!((answer, spent.total()), (9, Duration::from_micros(12)));
    }

    #[test]
    fn it_starts_outside_of_a_runtime_with_the_date_of_the_machine() {
        assert!(Clock::start().now() > Timestamp::from_secs(1_700_000_000));
    }
}
