//! The simple rule that the learned pace is compared with: a slow additive rise and a multiplicative cut. Its waits are those
//! of the host machine: one cut an episode, the wait that worked is remembered, slack after it, one probe.

use std::time::Duration;

use crawl::politeness::{Class, Outcome, Policy};
use crawl::time::Timestamp;
use fastrand::Rng;

use crate::drive::Rule;

/// Requests a second that are added each second.
const RISE: f64 = 0.000_1;

#[derive(Debug, Clone)]
pub struct Aimd {
    /// Share of the rate that is left after a cut.
    left: f64,
    rate: f64,
    refused: bool,
    since: Timestamp,
    not_before: Timestamp,
    strikes: u32,
    wait: Duration,
    worked: Duration,
    busy: bool,
}

impl Aimd {
    pub fn new(left: f64) -> Self {
        Self {
            left,
            rate: 1.0,
            refused: false,
            since: Timestamp::ZERO,
            not_before: Timestamp::ZERO,
            strikes: 0,
            wait: Duration::ZERO,
            worked: Duration::ZERO,
            busy: false,
        }
    }

    fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate)
    }

    fn wait_until(&mut self, moment: Timestamp) {
        self.not_before = self.not_before.max(moment);
    }

    fn succeed(&mut self, outcome: &Outcome, ceiling: f64) {
        let passed = outcome.ended.since(self.since).as_secs_f64().min(60.0);
        self.since = outcome.ended;
        let grown = if self.refused { self.rate } else { self.rate * 1.03 };
        self.rate = (grown + RISE * passed).min(ceiling);
        if self.strikes > 0 {
            self.strikes = 0;
            self.worked = self.worked.max(std::mem::take(&mut self.wait));
            self.wait_until(outcome.began + self.interval() * 2);
        }
    }

    fn refuse(&mut self, outcome: &Outcome, policy: &Policy, rng: &mut Rng) {
        self.strikes += 1;
        if self.strikes == 1 {
            (self.rate, self.refused) = (self.rate * self.left, true);
        }
        let wait = policy.backoff.wait_again(self.strikes, outcome.told, self.worked, rng.f64());
        self.wait_until(outcome.ended + wait);
        if outcome.told.is_none() {
            self.wait = wait;
            let slack = (self.interval() * 3).min(Duration::from_secs(60));
            self.wait_until(outcome.ended + wait + slack);
        }
    }
}

impl Rule for Aimd {
    fn eligible_at(&self, _: &Policy) -> Option<Timestamp> {
        (!self.busy).then_some(self.not_before)
    }

    fn begin(&mut self, now: Timestamp, _: &Policy, _: &mut Rng) {
        self.busy = true;
        self.wait_until(now + self.interval());
    }

    fn finish(&mut self, outcome: &Outcome, policy: &Policy, rng: &mut Rng) {
        self.busy = false;
        self.wait_until(outcome.ended + policy.delay.mul_f64(1.0 + policy.jitter * rng.f64()));
        match outcome.class {
            Class::Throttled => self.refuse(outcome, policy, rng),
            _ => self.succeed(outcome, 1.0 / policy.delay.as_secs_f64()),
        }
    }
}
