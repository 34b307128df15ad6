//! The rate that a server bears, recalled from what it bore.
//!
//! A rate is held for minutes, then a faster one is tried in steps. The first refusal of an episode ends whatever is tried; what
//! comes after it is decided by what the server bore *between two refusals*, waits included: a bucket was empty and a window was
//! spent at both ends, so that this number is not above the limit, however many requests the server let through in a burst.
//!
//! One episode is one cut, whatever the number of refusals in it. A server that never refuses is never slowed down by this rule
//! except by its own slowness.
//!
//! Pure: times come in, a rate goes out. Waits are not its business.

use std::time::Duration;

use super::Learned;
use crate::politeness::latency::Load;
use crate::time::Timestamp;

/// Requests a second to a host of which nothing is known.
const START: f64 = 1.0;
/// Growth with each success until the first refusal.
const GROWTH: f64 = 1.03;
/// Seconds for which a rate is held before a faster one is tried.
const HOLD: f64 = 300.0;
/// The same after failed probes in a row.
const LONGEST_HOLD: f64 = 1_800.0;
/// A step of a probe is stable after so many pages …
const STABLE_PAGES: u32 = 30;
/// … and so many seconds.
const STABLE_SECONDS: f64 = 60.0;
/// Growth from step to step of a probe.
const STEP: f64 = 1.1;
/// The same after [`BOLD_AFTER`] stable steps.
const BOLD_STEP: f64 = 1.25;
const BOLD_AFTER: u32 = 2;
/// Stable steps after which the next rate is held for the shortest time again.
const FORGIVEN_AFTER: u32 = 4;
/// A probe that gains less than this has found the limit where it was.
const GAIN: f64 = 1.05;
/// Successes from which on the estimate of an epoch is trusted however low it is.
const TRUSTED: u32 = 20;
/// Successes below which there is no estimate.
const TOO_FEW: u32 = 5;
/// Share of the stored rate with which a run begins.
const RESTART: f64 = 0.95;
/// What is left of the rate of a server that has become slow.
const SLOWED: f64 = 0.8;

/// The rate of one host and how it came about.
#[derive(Debug, Clone)]
pub(super) struct Recall {
    /// Requests a second in force.
    rate: f64,
    /// The last rate that was held; what a probe goes back to.
    held: f64,
    stage: Stage,
    /// Seconds of the next hold.
    hold: f64,
    epoch: Epoch,
    /// Whether the host had nothing to do before its last request, which then says nothing of the rate.
    idle: bool,
}

/// What is being done about the rate.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// It was never refused and grows.
    Start,
    /// It stays. If it is on trial, a refusal leads back to the rate behind it.
    Hold { until: Timestamp, back: Option<f64> },
    /// A faster one is tried.
    Probe(Probe),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Probe {
    /// When this step began.
    since: Timestamp,
    /// Successes at this step.
    pages: u32,
    /// Stable steps before it.
    steps: u32,
    /// The rate of the last of them.
    stable: f64,
}

/// The time from one refusal to the next.
#[derive(Debug, Clone, Copy)]
struct Epoch {
    /// Its beginning, idle time left out; `None` before the first request.
    since: Option<Timestamp>,
    successes: u32,
    /// Whether it began without a refusal: the server's burst is in it.
    first: bool,
}

impl Default for Recall {
    fn default() -> Self {
        Self::at(START)
    }
}

impl Recall {
    fn at(rate: f64) -> Self {
        let epoch = Epoch { since: None, successes: 0, first: true };
        Self { rate, held: rate, stage: Stage::Start, hold: HOLD, epoch, idle: false }
    }

    /// Goes on a little below what an earlier run had learned.
    pub(super) fn resume(learned: &Learned, now: Timestamp) -> Self {
        let stored = learned.held.or(learned.rate).filter(|rate| rate.is_finite() && *rate > 0.0);
        let mut recall = stored.map_or_else(Self::default, |rate| Self::at(rate * RESTART));
        if learned.held.is_some() {
            recall.hold = f64::from(learned.hold).clamp(HOLD, LONGEST_HOLD);
            recall.epoch.first = false;
            recall.hold_on(now, None);
        }
        recall
    }

    /// Writes down what the next run should know.
    pub(super) fn note(&self, learned: &mut Learned) {
        learned.rate = Some(self.rate);
        learned.held = match self.stage {
            Stage::Start => None,
            Stage::Hold { back, .. } => Some(back.unwrap_or(self.held)),
            Stage::Probe(_) => Some(self.held),
        };
        learned.hold = self.hold as u32;
    }

    /// Requests a second in force.
    pub(super) const fn rate(&self) -> f64 {
        self.rate
    }

    /// A request goes out after so much time in which the host had nothing to do.
    pub(super) fn begin(&mut self, now: Timestamp, idle: Duration) {
        self.idle = idle.as_secs_f64() * self.rate > 1.0;
        self.epoch.since = Some(self.epoch.since.map_or(now, |since| since + idle));
        if let Stage::Probe(probe) = &mut self.stage {
            probe.since = probe.since + idle;
        }
    }

    /// An answer was good.
    pub(super) fn succeed(&mut self, now: Timestamp, load: Load, ceiling: f64) {
        self.epoch.successes = self.epoch.successes.saturating_add(1);
        self.rate = self.rate.min(ceiling);
        match load {
            Load::Usual if !self.idle => self.grow(now, ceiling),
            Load::Usual | Load::Raised => {}
            Load::Doubled => {
                self.take_up(self.rate * SLOWED);
                self.hold_on(now, None);
            }
        }
    }

    fn grow(&mut self, now: Timestamp, ceiling: f64) {
        match &mut self.stage {
            Stage::Start => self.take_up((self.rate * GROWTH).min(ceiling)),
            Stage::Hold { until, .. } if now >= *until && self.rate < ceiling => {
                self.stage = Stage::Probe(Probe { since: now, pages: 0, steps: 0, stable: self.held });
                self.rate = (self.held * STEP).min(ceiling);
            }
            Stage::Hold { .. } => {}
            Stage::Probe(probe) => {
                probe.pages += 1;
                if probe.pages >= STABLE_PAGES && seconds(probe.since, now) >= STABLE_SECONDS {
                    self.step_up(now, ceiling);
                }
            }
        }
    }

    /// A step of a probe was stable.
    fn step_up(&mut self, now: Timestamp, ceiling: f64) {
        let Stage::Probe(probe) = &mut self.stage else { return };
        *probe = Probe { since: now, pages: 0, steps: probe.steps + 1, stable: self.rate };
        let steps = probe.steps;
        if steps >= FORGIVEN_AFTER {
            self.hold = HOLD;
        }
        if self.rate >= ceiling {
            self.take_up(ceiling);
            self.hold_on(now, None);
        } else {
            let step = if steps >= BOLD_AFTER { BOLD_STEP } else { STEP };
            self.rate = (self.rate * step).min(ceiling);
        }
    }

    /// The first refusal of an episode.
    pub(super) fn cut(&mut self, now: Timestamp, ceiling: f64) {
        self.rate = self.rate.min(ceiling);
        let borne = self.borne(now);
        match self.stage {
            Stage::Probe(probe) => self.end_probe(&probe, borne, now),
            Stage::Hold { until, back: Some(back) } if now < until => {
                self.hold = LONGEST_HOLD;
                self.take_up(back);
                self.hold_on(now, None);
            }
            Stage::Start | Stage::Hold { .. } => {
                self.take_up(self.below(borne));
                self.hold_on(now, None);
            }
        }
        self.epoch = Epoch { since: Some(now), successes: 0, first: false };
    }

    /// What the server bore in this epoch, in requests a second.
    fn borne(&self, now: Timestamp) -> f64 {
        let passed = self.epoch.since.map_or(0.0, |since| seconds(since, now));
        f64::from(self.epoch.successes) / passed.max(0.001)
    }

    /// The rate after a refusal that no probe has provoked.
    fn below(&self, borne: f64) -> f64 {
        let (rate, low) = (self.rate, self.rate.min(borne));
        match self.epoch.successes {
            ..TOO_FEW => rate * 0.5,
            _ if self.epoch.first => low * 0.7,
            // A ban makes a short epoch look worse than the limit is.
            ..TRUSTED => (low * 0.95).max(rate * 0.5),
            _ if borne < rate * 0.7 => low * 0.95,
            _ => rate * 0.9,
        }
    }

    /// A probe has found the limit: back to what was held, or to what the server bore on the whole if that is more.
    fn end_probe(&mut self, probe: &Probe, borne: f64, now: Timestamp) {
        let safe = self.held.max(borne.min(probe.stable));
        // Bold steps are too wide to fall back over all of them; the first rate of the probe is put on trial.
        let first_step = self.held * STEP;
        let on_trial = probe.steps >= BOLD_AFTER && first_step > safe;
        let rate = if on_trial { first_step } else { safe };
        self.hold = if rate > self.held * GAIN { HOLD } else { (self.hold * 2.0).min(LONGEST_HOLD) };
        self.take_up(rate);
        self.hold_on(now, on_trial.then_some(safe));
    }

    /// Takes over a rate that the server announces.
    pub(super) fn take_up(&mut self, rate: f64) {
        (self.rate, self.held) = (rate, rate);
    }

    fn hold_on(&mut self, now: Timestamp, back: Option<f64>) {
        self.stage = Stage::Hold { until: now + Duration::from_secs_f64(self.hold), back };
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.since(from).as_secs_f64()
}
