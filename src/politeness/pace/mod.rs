//! The pace of one host: what its server announces, else what it was seen to bear.

mod announced;
mod recall;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::latency::{LatencyGuard, Load};
use super::{Guard, Outcome, Policy};
use crate::time::Timestamp;
use announced::Heard;
use recall::Recall;

/// The fastest pace that is learned: a millisecond is the finest time there is.
const FASTEST: f64 = 1_000.0;

/// What a host's server was seen to bear, for the next run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// Requests a second in force.
    pub rate: Option<f64>,
    /// The last rate that was stable; `None` if it was never refused.
    pub stable: Option<f64>,
    /// Seconds for which a stable rate is held before a faster one is tried.
    pub hold: u32,
    /// The wait of ours that was long enough after the last refusal without a word.
    pub wait: Option<Duration>,
    /// Requests that may be in flight.
    pub permits: u32,
}

/// What an answer means for the pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Well,
    /// The first refusal of a burst.
    Refused,
    Nothing,
}

#[derive(Debug, Default)]
pub(super) struct Pace {
    recall: Recall,
    guard: LatencyGuard,
    /// Interval that the server announces.
    announced: Option<Duration>,
    slower: f64,
    /// refused while much was left
    deceived: bool,
    left: bool,
}

impl Pace {
    pub(super) fn resume(learned: &Learned, now: Timestamp) -> Self {
        Self { recall: Recall::resume(learned, now), ..Self::default() }
    }
    pub(super) fn learn(&self, learned: &mut Learned) { self.recall.learn(learned); }

    /// Requests a second
    pub(super) fn rate(&self, ceiling: f64) -> f64 {
        let learned = self.recall.rate.min(ceiling);
        let own = learned / self.slower.max(1.0);
        match self.announced {
            Some(interval) => {
                let told = (1.0 / interval.as_secs_f64()).min(ceiling);
                if self.deceived { told.min(own) } else { told }
            }
            None => own,
        }
    }
    pub(super) fn is_announced(&self) -> bool { self.announced.is_some() && !self.deceived }
    /// load
    pub(super) fn hear(&mut self, outcome: &Outcome, sign: Sign, guard: Guard, ceiling: f64) -> Load {
        let now = outcome.ended;
        match sign {
            Sign::Nothing => Load::Usual,
            Sign::Well => {
                let load = if guard == Guard::On { self.guard.hear(now.since(outcome.began)) } else { Load::Usual };
                self.recall.succeed(now, load, ceiling);
                load
            }
            Sign::Refused => { self.deceived |= self.left; self.recall.cut(now, ceiling); Load::Usual }
        }
    }
    /// wait
    pub(super) fn announce(&mut self, outcome: &Outcome, in_flight: u32, ceiling: f64) -> Option<Duration> {
        let heard = announced::hear(&outcome.announced, in_flight);
        (self.announced, self.slower, self.left) = (None, 1.0, false);
        match heard {
            Heard::Nothing => None,
            Heard::Slower(factor) => { self.slower = factor; None }
            Heard::WaitOut(wait) => Some(wait),
            Heard::Spread(interval) => {
                self.announced = Some(interval);
                self.left = true;
                if !self.deceived { self.recall.adopt((1.0 / interval.as_secs_f64()).min(ceiling)); }
                None
            }
        }
    }
}

/// 1/delay
pub(super) fn ceiling(policy: &Policy, wish: Duration) -> f64 {
    (1.0 / policy.delay.max(wish).as_secs_f64()).min(FASTEST)
}
