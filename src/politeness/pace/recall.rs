//! The rate that a host bears, recalled from what it bore.
use std::time::Duration;
use super::super::latency::Load;
use super::Learned;
use crate::time::Timestamp;

const START: f64 = 1.0;
const GROWTH: f64 = 1.03;
const HOLD: f64 = 300.0;
const LONGEST_HOLD: f64 = 1_800.0;
const STABLE_PAGES: u32 = 30;
const STABLE_TIME: f64 = 60.0;
const STEP: f64 = 1.1;
const BOLD: f64 = 1.25;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Start,
    Hold { until: Timestamp },
    Probe { since: Timestamp, pages: u32, steps: u32 },
}

#[derive(Debug, Clone)]
pub(super) struct Recall {
    pub rate: f64,
    stable: f64,
    stage: Stage,
    hold: f64,
    epoch: Option<Timestamp>,
    successes: u32,
    first: bool,
}

impl Default for Recall {
    fn default() -> Self {
        Self { rate: START, stable: START, stage: Stage::Start, hold: HOLD, epoch: None, successes: 0, first: true }
    }
}

fn secs(from: Timestamp, to: Timestamp) -> f64 { to.since(from).as_secs_f64() }

impl Recall {
    pub(super) fn resume(learned: &Learned, now: Timestamp) -> Self {
        let Some(rate) = learned.rate else { return Self::default() };
        let rate = rate * 0.95;
        let fresh = Self { rate, stable: rate, epoch: Some(now), ..Self::default() };
        if learned.stable.is_none() { return fresh }
        let hold = f64::from(learned.hold).clamp(HOLD, LONGEST_HOLD);
        Self { hold, stage: Stage::Hold { until: now + Duration::from_secs_f64(hold) }, first: false, ..fresh }
    }
    pub(super) fn learn(&self, learned: &mut Learned) {
        learned.rate = Some(self.rate);
        learned.stable = (self.stage != Stage::Start).then_some(self.stable);
        learned.hold = self.hold as u32;
    }
    pub(super) fn succeed(&mut self, now: Timestamp, load: Load, ceiling: f64) {
        self.epoch.get_or_insert(now);
        self.successes += 1;
        self.rate = self.rate.min(ceiling);
        let calm = load == Load::Usual;
        match &mut self.stage {
            Stage::Start => { if calm { self.rate = (self.rate * GROWTH).min(ceiling); } self.stable = self.rate; }
            Stage::Hold { until } => if now >= *until && self.stable < ceiling && calm {
                self.stage = Stage::Probe { since: now, pages: 0, steps: 0 };
                self.rate = (self.stable * STEP).min(ceiling);
            }
            Stage::Probe { since, pages, steps } => {
                *pages += 1;
                if *pages >= STABLE_PAGES && secs(*since, now) >= STABLE_TIME && calm {
                    self.stable = self.rate;
                    *steps += 1; *pages = 0; *since = now;
                    if *steps >= 4 { self.hold = HOLD; }
                    let step = if *steps >= 2 { BOLD } else { STEP };
                    if self.rate >= ceiling { self.stage = Stage::Hold { until: now }; }
                    else { self.rate = (self.rate * step).min(ceiling); }
                }
            }
        }
        if load == Load::Doubled { self.slow(now); }
    }
    fn slow(&mut self, now: Timestamp) {
        self.rate *= 0.8;
        self.stable = self.rate;
        self.stage = Stage::Hold { until: now + Duration::from_secs_f64(self.hold) };
    }
    pub(super) fn cut(&mut self, now: Timestamp, ceiling: f64) {
        self.rate = self.rate.min(ceiling);
        let n = self.successes;
        let est = self.epoch.map_or(0.0, |epoch| f64::from(n) / secs(epoch, now).max(0.001));
        let low = self.rate.min(est);
        let probing = matches!(self.stage, Stage::Probe { .. });
        let rate = if probing && n >= 5 { self.hold = (self.hold * 2.0).min(LONGEST_HOLD); self.stable }
            else if n < 5 { self.rate * 0.5 }
            else if self.first { 0.7 * low }
            else if n < 20 || est < 0.7 * self.rate { 0.95 * low }
            else { 0.9 * self.rate };
        self.rate = rate; self.stable = rate;
        self.stage = Stage::Hold { until: now + Duration::from_secs_f64(self.hold) };
        self.epoch = Some(now); self.successes = 0; self.first = false;
    }
    pub(super) fn adopt(&mut self, rate: f64) { self.rate = rate; self.stable = rate; }
}
