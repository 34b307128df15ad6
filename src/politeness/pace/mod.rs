//! How fast one host is asked: what its server announces, else what it was seen to bear.
//!
//! An announced limit comes first, for it is known before it is hit. While one is told it replaces the estimate, unless the
//! server refuses although much was left: then the slower of both counts. Neither is ever above the configured delay.
//!
//! Pure: no clock. The machine of the host asks for a rate and tells what came of it.

mod announced;
mod count;
mod recall;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::latency::{LatencyGuard, Load};
use super::{Guard, Outcome};
use crate::time::Timestamp;
use announced::Heard;
use recall::Recall;

/// The fastest rate that is learned: there is no finer time than a millisecond.
const FASTEST: f64 = 1_000.0;
/// The slowest: a request a day.
const SLOWEST: f64 = 1.0 / 86_400.0;

/// What a host's server was seen to bear, for the next run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// Requests a second in force; `None` before the first answer.
    pub rate: Option<f64>,
    /// The last rate that was held; `None` while it was never refused.
    pub held: Option<f64>,
    /// Seconds for which the next rate is held before a faster one is tried.
    pub hold: u32,
    /// The wait of ours that was long enough after the last refusal without a word.
    pub wait: Option<Duration>,
    /// Requests that may be in flight; 0 before the first answer.
    pub permits: u32,
}

/// What an answer says of the pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// The server bore the request.
    Borne,
    /// The first refusal of an episode.
    Refused,
    /// Nothing.
    None,
}

/// The pace of one host.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Pace {
    recall: Recall,
    guard: LatencyGuard,
    told: Told,
    /// Whether the server has refused although it said that much was left.
    deceived: bool,
}

/// What was learned before a request went out.
#[derive(Debug)]
pub(super) struct Before(Recall);

/// What the last answer announced.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
enum Told {
    #[default]
    Nothing,
    /// Requests a second.
    Rate(f64),
    /// Little is left: so many times more slowly than else.
    Slower(f64),
}

impl Pace {
    /// Goes on from what an earlier run had learned.
    pub(super) fn resume(learned: &Learned, now: Timestamp) -> Self {
        Self { recall: Recall::resume(learned, now), ..Self::default() }
    }

    /// Writes down what the next run should know.
    pub(super) fn note(&self, learned: &mut Learned) {
        self.recall.note(learned);
    }

    /// Requests a second, `ceiling` at most.
    pub(super) fn rate(&self, ceiling: f64) -> f64 {
        let own = self.recall.rate();
        let rate = match self.told {
            Told::Nothing => own,
            Told::Slower(factor) => own.min(ceiling) / factor,
            Told::Rate(told) if self.deceived => told.min(own),
            Told::Rate(told) => told,
        };
        rate.max(SLOWEST).min(ceiling)
    }

    /// Whether the server itself says how fast it may be asked.
    pub(super) const fn is_announced(&self) -> bool {
        matches!(self.told, Told::Rate(_) | Told::Slower(_))
    }

    /// A request goes out after so much time in which the host had nothing to do.
    pub(super) fn begin(&mut self, now: Timestamp, idle: Duration) -> Before {
        let before = Before(self.recall.clone());
        self.recall.begin(now, idle);
        before
    }

    /// No request went out after all, and nothing was learned since.
    pub(super) fn take_back(&mut self, before: Before) {
        self.recall = before.0;
    }

    /// Learns from an answer, and tells what it says of the server's load.
    pub(super) fn hear(&mut self, outcome: &Outcome, sign: Sign, guard: Guard, ceiling: f64) -> Load {
        match sign {
            Sign::None => Load::Usual,
            Sign::Borne => {
                let load = match guard {
                    Guard::On => self.guard.hear(outcome.ended.since(outcome.began)),
                    Guard::Off => Load::Usual,
                };
                self.recall.succeed(outcome.ended, load, ceiling);
                load
            }
            Sign::Refused => {
                self.deceived |= matches!(self.told, Told::Rate(_));
                self.recall.cut(outcome.ended, outcome.told, ceiling);
                Load::Usual
            }
        }
    }

    /// Reads what an answer announces, and tells how long the next request is to wait for the end of the window.
    pub(super) fn announced(&mut self, outcome: &Outcome, in_flight: u32, ceiling: f64) -> Option<Duration> {
        let heard = announced::hear(&outcome.announced, in_flight);
        self.told = match heard {
            Heard::Nothing | Heard::WaitOut(_) => Told::Nothing,
            Heard::Slower(factor) => Told::Slower(factor),
            Heard::Spread(interval) => Told::Rate((1.0 / interval.as_secs_f64()).min(ceiling)),
        };
        if let (Told::Rate(rate), false) = (self.told, self.deceived) {
            self.recall.take_up(rate);
        }
        match heard {
            Heard::WaitOut(wait) => Some(wait),
            _ => None,
        }
    }
}

/// Requests a second that a delay allows.
pub(super) fn ceiling(delay: Duration) -> f64 {
    (1.0 / delay.as_secs_f64()).min(FASTEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::rate_limit::Announced;
    use crate::politeness::Class;

    const CEILING: f64 = 10.0;

    fn answer(class: Class, remaining: Option<u64>, reset: Option<u64>) -> Outcome {
        let announced = Announced { limit: Some(100), remaining, reset: reset.map(Duration::from_secs) };
        let now = Timestamp::from_secs(1_000);
        Outcome { class, status: None, told: None, announced, began: now, ended: now }
    }

    fn hear(pace: &mut Pace, sign: Sign, outcome: &Outcome) {
        pace.begin(outcome.began, Duration::ZERO);
        pace.hear(outcome, sign, Guard::On, CEILING);
        pace.announced(outcome, 0, CEILING);
    }

    #[test]
    fn an_announced_limit_replaces_the_estimate_and_stays_below_the_ceiling() {
        let mut pace = Pace::default();
        hear(&mut pace, Sign::Borne, &answer(Class::Fetched, Some(51), Some(100)));
        assert!((pace.rate(CEILING) - 0.5).abs() < 1e-9);
        hear(&mut pace, Sign::Borne, &answer(Class::Fetched, Some(100), Some(1)));
        assert!((pace.rate(CEILING) - CEILING).abs() < 1e-9);
    }

    #[test]
    fn a_server_that_refuses_although_much_was_left_is_asked_at_the_slower_of_both() {
        let mut pace = Pace::default();
        hear(&mut pace, Sign::Borne, &answer(Class::Fetched, Some(90), Some(1)));
        hear(&mut pace, Sign::Refused, &answer(Class::Throttled, Some(90), Some(1)));
        assert!(pace.rate(CEILING) < CEILING * 0.6, "{}", pace.rate(CEILING));
    }

    #[test]
    fn little_left_without_a_known_end_slows_down() {
        let mut pace = Pace::default();
        let before = pace.rate(CEILING);
        hear(&mut pace, Sign::None, &answer(Class::Fetched, Some(5), None));
        assert!((pace.rate(CEILING) - before / 4.0).abs() < 1e-9);
        hear(&mut pace, Sign::None, &answer(Class::Fetched, Some(80), None));
        assert!((pace.rate(CEILING) - before).abs() < 1e-9);
    }

    #[test]
    fn what_was_announced_is_what_the_next_run_begins_with() {
        let mut pace = Pace::default();
        hear(&mut pace, Sign::Borne, &answer(Class::Fetched, Some(51), Some(100)));
        let mut learned = Learned::default();
        pace.note(&mut learned);
        let next = Pace::resume(&learned, Timestamp::from_secs(2_000));
        assert!((next.rate(CEILING) - 0.5).abs() < 1e-9);
    }
}
