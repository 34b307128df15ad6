//! How fast one host is asked: what its server announces, else what it was seen to bear.
//!
//! An announced limit comes first, for it is known before it is hit. While one is told it replaces the estimate, unless the
//! server refuses although much was left: then the slower of both counts. Neither is ever above the configured delay.
//!
//! Pure: no clock. The machine of the host asks for a rate and tells what came of it.

mod announced;
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
#[derive(Debug, Default)]
pub(super) struct Pace {
    recall: Recall,
    guard: LatencyGuard,
    told: Told,
    /// Whether the server has refused although it said that much was left.
    deceived: bool,
}

/// What the last answer announced.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
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
    pub(super) fn begin(&mut self, now: Timestamp, idle: Duration) {
        self.recall.begin(now, idle);
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
                self.recall.cut(outcome.ended, ceiling);
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
