//! How long a host is left alone after it has pushed back.
//!
//! The server's own word comes first: a `Retry-After` is waited out in full and never shortened by our cap. Only when the
//! server gives no word does the wait grow with every strike, up to [`Backoff::cap`], half of it fixed and half at random. The
//! wait that ended the last episode begins the next one, so that a server's way is learned once.
//!
//! Pure: no clock, no I/O, no shared state. Callers pass what they know and get a wait back.

use std::time::Duration;

use super::Backoff;

impl Backoff {
    /// The wait after the given number of strikes in a row.
    ///
    /// `told` is the server's `Retry-After`, if it sent one. `roll` is the jitter draw in `0.0..=1.0`.
    #[must_use]
    pub fn wait(&self, strikes: u32, told: Option<Duration>, roll: f64) -> Duration {
        self.wait_again(strikes, told, Duration::ZERO, roll)
    }

    /// The same for a host of which it is known that the wait `worked` was long enough the last time: ours begin with it.
    #[must_use]
    pub fn wait_again(&self, strikes: u32, told: Option<Duration>, worked: Duration, roll: f64) -> Duration {
        told.unwrap_or_else(|| self.own_wait(strikes, worked, roll))
    }

    fn own_wait(&self, strikes: u32, worked: Duration, roll: f64) -> Duration {
        let doublings = i32::try_from(strikes.saturating_sub(1)).unwrap_or(i32::MAX);
        let cap = self.cap.as_secs_f64();
        let grown = (self.base.as_secs_f64() * self.factor.powi(doublings)).min(cap);
        let own = grown / 2.0 + grown / 2.0 * roll.clamp(0.0, 1.0);
        let again = worked.as_secs_f64() * self.factor.powi(doublings);
        Duration::from_secs_f64(own.max(again).min(cap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff() -> Backoff {
        Backoff::default()
    }

    #[test]
    fn the_word_of_the_server_is_waited_out_even_past_our_cap() {
        let told = Duration::from_hours(1);
        assert_eq!(backoff().wait(1, Some(told), 1.0), told);
    }

    #[test]
    fn without_a_word_the_wait_doubles_with_every_strike() {
        let waits: Vec<_> = (1..=4).map(|strikes| backoff().wait(strikes, None, 1.0).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40]);
    }

    #[test]
    fn half_of_our_own_wait_is_fixed() {
        assert_eq!(backoff().wait(1, None, 0.0), Duration::from_millis(2500));
    }

    #[test]
    fn our_own_wait_never_exceeds_the_cap() {
        assert_eq!(backoff().wait(u32::MAX, None, 1.0), backoff().cap);
    }

    #[test]
    fn the_wait_that_worked_begins_the_next_episode() {
        let worked = Duration::from_secs(50);
        let waits: Vec<_> =
            (1..=6).map(|strikes| backoff().wait_again(strikes, None, worked, 0.3).as_secs()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 900]);
    }
}
