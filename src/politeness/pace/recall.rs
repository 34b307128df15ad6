//! The rate that a server bears, recalled from what it bore.
//!
//! A rate is held for minutes, then a faster one is tried in steps. The first refusal of an episode ends whatever is tried; what
//! comes after it is decided by what the server bore *between two refusals*, waits included: a bucket was empty and a window was
//! spent at both ends, so that this number is not above the limit, however many requests the server let through in a burst.
//!
//! One episode is one cut, whatever the number of refusals in it. A server that never refuses is never slowed down by this rule
//! except by its own slowness.
//!
//! What was borne until the *first* refusal has the server's burst in it and the slow beginning, and says little. So a search goes
//! on from there, upwards by little, and the next refusal settles it.
//!
//! Where the server counts requests and not the time ([`Count`]), the rate stays.
//!
//! Pure: times come in, a rate goes out. Waits are not its business.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::count::Count;
use super::{FASTEST, Learned, SLOWEST};
use crate::politeness::latency::Load;
use crate::time::Timestamp;

/// Requests a second to a host of which nothing is known.
const START: f64 = 1.0;
/// Requests a second that each success adds until the first refusal: in time, a rate that doubles about three times a second.
const RISE: f64 = 2.0;
/// Growth with each success in the search that follows the first refusal.
const CREEP: f64 = 1.001;
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
/// What is left of what was borne in the first epoch, whose end does not show how much of it was the server's burst, and its
/// beginning how much more would have been borne.
const AFTER_BURST: f64 = 0.8;
/// The same where the server named the wait itself: one refusal more costs little.
const AFTER_BURST_TOLD: f64 = 0.95;
/// The same where the wait was dear.
const AFTER_DEAR: f64 = 0.7;
/// Requests that would have gone out in a wait that is a dear one.
const DEAR: f64 = 30.0;
/// What is left of what was borne in another.
const BELOW: f64 = 0.95;
/// The same where the server named the wait itself: keeping to it is what it wants.
const TOLD: f64 = 0.8;
/// Share of what was borne before it up to which a wait that the server names is a slight one.
const SLIGHT: f64 = 0.1;
/// Successes beyond which more of them do not make a wait slighter.
const ENOUGH: u32 = 50;
/// What is left of a rate of which there is no better estimate.
const HALF: f64 = 0.5;
/// The least that is left of a rate in the search, where the server named the wait.
const SEARCHED: f64 = 0.6;
/// The most that is left of a rate in the search.
const BELOW_REFUSED: f64 = 0.97;
/// Times what was borne, waits included, up to which what was borne without them is looked at too.
const NARROW: f64 = 1.5;
/// Share of the rate from which on an epoch has borne it.
const AS_BEFORE: f64 = 0.7;
/// How long a limit that may have fallen is asked for half.
const DOUBT: Duration = Duration::from_secs(120);
/// What is left of a rate that was refused although it had been borne.
const UNPROVOKED: f64 = 0.9;
/// Share of the stored rate with which a run begins, once the server has refused.
const RESTART: f64 = 0.95;
/// What is left of the rate of a server that has become slow.
const SLOWED: f64 = 0.8;

/// The rate of one host and how it came about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Recall {
    /// Requests a second in force.
    rate: f64,
    /// The last rate that was held; what a probe goes back to.
    held: f64,
    stage: Stage,
    /// Seconds of the next hold.
    hold: f64,
    epoch: Epoch,
    /// Whether the server counts requests.
    count: Count,
    /// Whether the host had nothing to do before its last request, which then says nothing of the rate.
    idle: bool,
    /// When the last request went out.
    left: Option<Timestamp>,
    /// Requests a second at which the last two went out.
    asked: f64,
}

/// What is being done about the rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Stage {
    /// It was never refused and grows.
    Start,
    /// It was refused once and goes on growing, by little.
    Search { until: Timestamp },
    /// It stays.
    Hold { until: Timestamp, why: Why },
    /// A faster one is tried.
    Probe(Probe),
}

/// Why a rate is held.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Why {
    /// The server bears it.
    Settled,
    /// The server may bear it: a refusal leads back to this rate.
    OnTrial { back: f64 },
    /// The server refused what it had borne for long. Half of it is asked for until it is clear whether the limit has fallen;
    /// then what it bore before is put on trial.
    InDoubt { before: f64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Epoch {
    /// Its beginning, idle time left out; `None` before the first request.
    since: Option<Timestamp>,
    successes: u32,
    /// Whether it began without a refusal: the server's burst is in it.
    first: bool,
    /// The wait that the refusal named with which it began.
    named: Option<Duration>,
}

impl Default for Recall {
    fn default() -> Self {
        Self::at(START)
    }
}

impl Recall {
    fn at(rate: f64) -> Self {
        let epoch = Epoch { since: None, successes: 0, first: true, named: None };
        let stage = Stage::Start;
        Self {
            rate,
            held: rate,
            stage,
            hold: HOLD,
            epoch,
            count: Count::default(),
            idle: false,
            left: None,
            asked: FASTEST,
        }
    }

    /// Goes on where an earlier run was, or a little below what it had found the server to bear.
    pub(super) fn resume(learned: &Learned, now: Timestamp) -> Self {
        let stored = learned.held.or(learned.rate).filter(|rate| rate.is_finite() && *rate > 0.0);
        let mut recall = stored.map_or_else(Self::default, Self::at);
        if learned.held.is_some() {
            recall.take_up(recall.rate * RESTART);
            recall.hold = f64::from(learned.hold).clamp(HOLD, LONGEST_HOLD);
            recall.epoch.first = false;
            recall.hold_on(now, Why::Settled);
        }
        recall
    }

    /// Writes down what the next run should know.
    pub(super) fn note(&self, learned: &mut Learned) {
        learned.rate = Some(self.rate);
        learned.held = match self.stage {
            Stage::Start => None,
            Stage::Hold { why: Why::OnTrial { back }, .. } => Some(back.max(self.rate * UNPROVOKED)),
            Stage::Hold { why: Why::InDoubt { before }, .. } => Some(before * UNPROVOKED),
            Stage::Search { .. } | Stage::Hold { .. } | Stage::Probe(_) => Some(self.held),
        };
        learned.hold = self.hold as u32;
    }

    /// Requests a second in force.
    pub(super) const fn rate(&self) -> f64 {
        self.rate
    }

    /// A request goes out after so much time in which the host had nothing to do.
    pub(super) fn begin(&mut self, now: Timestamp, idle: Duration) {
        if let Some(left) = self.left.replace(now) {
            self.asked = 1.0 / seconds(left, now).max(1.0 / FASTEST);
        }
        self.idle = self.epoch.since.is_some() && idle.as_secs_f64() * self.rate > 1.0;
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
                self.settle(self.rate * SLOWED, now);
            }
        }
    }

    fn grow(&mut self, now: Timestamp, ceiling: f64) {
        match &mut self.stage {
            Stage::Start => self.take_up((self.rate + RISE).min(ceiling)),
            Stage::Search { until } if now < *until => self.take_up((self.rate * CREEP).min(ceiling)),
            Stage::Hold { until, why: Why::InDoubt { before } } if now >= *until => {
                let (before, back) = (*before, self.rate);
                self.take_up((before * UNPROVOKED).min(ceiling));
                self.hold_on(now, Why::OnTrial { back });
            }
            Stage::Search { until } | Stage::Hold { until, .. } if now >= *until && self.rate < ceiling => {
                self.stage = Stage::Probe(Probe { since: now, pages: 0, steps: 0, stable: self.held });
                self.rate = (self.held * STEP).min(ceiling);
            }
            Stage::Search { .. } | Stage::Hold { .. } => {}
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
            self.settle(ceiling, now);
        } else {
            let step = if steps >= BOLD_AFTER { BOLD_STEP } else { STEP };
            self.rate = (self.rate * step).min(ceiling);
        }
    }

    /// The first refusal of an episode.
    pub(super) fn cut(&mut self, now: Timestamp, told: Option<Duration>, ceiling: f64) {
        self.rate = self.rate.min(ceiling);
        let borne = self.borne(now);
        self.count.hear(self.epoch.successes, borne, self.epoch.first);
        match self.stage {
            Stage::Hold { why, .. } if self.count.is_kept() => self.keep(why, now),
            Stage::Probe(probe) => self.end_probe(&probe, borne, now),
            Stage::Hold { until, why: Why::OnTrial { back } } if now < until => {
                self.hold = LONGEST_HOLD;
                self.settle(back.max(borne.min(self.rate * UNPROVOKED)), now);
            }
            Stage::Hold { why: Why::Settled | Why::OnTrial { .. }, .. } if self.is_surprise(borne) => {
                if self.is_slight(told) {
                    self.settle(self.rate * UNPROVOKED, now);
                } else {
                    self.doubt(now);
                }
            }
            Stage::Start | Stage::Search { .. } => self.search(told, now),
            Stage::Hold { .. } => self.settle(self.below(borne, told), now),
        }
        self.epoch = Epoch { since: Some(now), successes: 0, first: false, named: told };
    }

    /// The rate is not what was refused.
    fn keep(&mut self, why: Why, now: Timestamp) {
        let rate = match why {
            Why::InDoubt { before } => before * UNPROVOKED,
            Why::Settled | Why::OnTrial { .. } => self.rate,
        };
        self.settle(rate, now);
    }

    /// A refusal before a rate was settled. The rate may have grown past what was really asked: our own floor and the answers'
    /// time hold requests up.
    fn search(&mut self, told: Option<Duration>, now: Timestamp) {
        self.rate = self.rate.min(self.asked);
        let borne = self.borne(now);
        let dear = told.is_some_and(|told| told.as_secs_f64() * self.rate.min(borne) > DEAR);
        if self.epoch.first && dear {
            self.settle(self.rate.min(borne) * AFTER_DEAR, now);
        } else if !self.epoch.first && self.epoch.successes >= TRUSTED {
            self.settle((self.between(borne, now) * BELOW).min(self.rate * BELOW_REFUSED), now);
        } else {
            let rate = if self.epoch.first {
                self.first_guess(borne, told)
            } else {
                self.guess(borne, told, dear, now)
            };
            self.take_up(rate);
            self.stage = Stage::Search { until: now + Duration::from_secs_f64(HOLD) };
        }
    }

    /// The rate after the first refusal.
    fn first_guess(&self, borne: f64, told: Option<Duration>) -> f64 {
        let told = told.is_some();
        match self.epoch.successes {
            ..TOO_FEW => self.rate * if told { TOLD } else { HALF },
            _ => self.rate.min(borne) * if told { AFTER_BURST_TOLD } else { AFTER_BURST },
        }
    }

    /// The rate after few successes: between what was borne with the wait and what was borne without it lie orders of magnitude.
    fn guess(&self, borne: f64, told: Option<Duration>, dear: bool, now: Timestamp) -> f64 {
        let middle = (self.rate.min(borne) * self.borne_asking(now)).sqrt() * BELOW;
        match told {
            Some(_) if dear => self.rate * TOLD,
            Some(_) => middle.min(self.rate * UNPROVOKED).max(self.rate * SEARCHED),
            None => middle.min(self.rate * UNPROVOKED).max(self.rate * HALF),
        }
    }

    /// What the limit is in this epoch. A bucket that is full before the wait is over bears more than the whole epoch shows.
    fn between(&self, borne: f64, now: Timestamp) -> f64 {
        let asking = self.borne_asking(now);
        let both = self.epoch.named.is_some() && asking <= borne * NARROW;
        if both { f64::midpoint(borne, asking) } else { borne }
    }

    /// Whether the server names a wait that costs little beside what it bore before: then the rate cannot be far off.
    fn is_slight(&self, told: Option<Duration>) -> bool {
        let borne = f64::from(self.epoch.successes.min(ENOUGH));
        told.is_some_and(|told| told.as_secs_f64() * self.rate <= borne * SLIGHT)
    }

    /// What the server bore in this epoch, in requests a second.
    fn borne(&self, now: Timestamp) -> f64 {
        f64::from(self.epoch.successes) / self.passed(now).max(0.001)
    }

    /// The same without the wait that it named at the epoch's beginning.
    fn borne_asking(&self, now: Timestamp) -> f64 {
        let asking = self.passed(now) - self.epoch.named.unwrap_or_default().as_secs_f64();
        f64::from(self.epoch.successes) / asking.max(0.001)
    }

    fn passed(&self, now: Timestamp) -> f64 {
        self.epoch.since.map_or(0.0, |since| seconds(since, now))
    }

    /// Whether this rate was borne for long, so that the limit may just have fallen.
    fn is_surprise(&self, borne: f64) -> bool {
        self.epoch.successes >= TRUSTED && borne >= self.rate * AS_BEFORE
    }

    /// Asks for half until it is clear whether the limit has fallen: a window does not show it before it is spent again.
    fn doubt(&mut self, now: Timestamp) {
        let before = self.rate;
        self.take_up(before * HALF);
        self.stage = Stage::Hold { until: now + DOUBT, why: Why::InDoubt { before } };
    }

    /// The rate after a refusal of a rate that was not known to be borne.
    fn below(&self, borne: f64, told: Option<Duration>) -> f64 {
        let low = self.rate.min(borne) * BELOW;
        if self.epoch.successes >= TRUSTED {
            return low;
        }
        // A ban makes a short epoch look worse than the limit is. And a server that refuses every n-th request, however slowly
        // they come, must not be asked ever more slowly than what it bore on the whole.
        low.max(self.rate * if told.is_some() { TOLD } else { HALF })
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
        let why = if on_trial { Why::OnTrial { back: safe } } else { Why::Settled };
        self.hold_on(now, why);
    }

    /// Takes over a rate that is not a probe.
    pub(super) fn take_up(&mut self, rate: f64) {
        let rate = rate.max(SLOWEST);
        (self.rate, self.held) = (rate, rate);
    }

    fn settle(&mut self, rate: f64, now: Timestamp) {
        self.take_up(rate);
        self.hold_on(now, Why::Settled);
    }

    fn hold_on(&mut self, now: Timestamp, why: Why) {
        self.stage = Stage::Hold { until: now + Duration::from_secs_f64(self.hold), why };
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.since(from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CEILING: f64 = 5.0;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(1_000 + seconds)
    }

    /// Successes at a second each.
    fn succeed(recall: &mut Recall, seconds: std::ops::Range<u64>) {
        for second in seconds {
            recall.begin(at(second), Duration::ZERO);
            recall.succeed(at(second), Load::Usual, CEILING);
        }
    }

    /// A rate that was held since `at(0)`, after a first refusal.
    fn held(rate: f64) -> Recall {
        let learned =
            Learned { rate: Some(rate), held: Some(rate / RESTART), hold: 300, ..Learned::default() };
        Recall::resume(&learned, at(0))
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 0.001
    }

    #[test]
    fn until_the_first_refusal_the_rate_grows_with_each_success_to_the_ceiling() {
        let mut recall = Recall::default();
        succeed(&mut recall, 0..1);
        assert!(close(recall.rate(), 3.0));
        succeed(&mut recall, 1..100);
        assert!(close(recall.rate(), CEILING));
    }

    #[test]
    fn after_the_first_refusal_it_is_a_share_of_what_was_borne_and_goes_on_growing_by_little() {
        let after = |told| {
            let mut recall = Recall::default();
            succeed(&mut recall, 0..50);
            recall.cut(at(100), told, CEILING);
            recall
        };
        assert!(close(after(None).rate(), 0.8 * 0.5));
        assert!(close(after(Some(Duration::from_mins(10))).rate(), 0.7 * 0.5), "the wait is dear");
        let mut recall = after(Some(Duration::from_secs(2)));
        assert!(close(recall.rate(), 0.95 * 0.5));
        succeed(&mut recall, 110..210);
        assert!(close(recall.rate(), 0.95 * 0.5 * CREEP.powi(100)));
    }

    #[test]
    fn the_second_refusal_ends_the_search_between_what_was_borne_with_the_wait_and_without() {
        let mut recall = Recall::default();
        succeed(&mut recall, 0..50);
        recall.cut(at(50), Some(Duration::from_secs(10)), CEILING);
        succeed(&mut recall, 60..90);
        recall.cut(at(90), Some(Duration::from_secs(10)), CEILING);
        assert!(close(recall.rate(), 0.95 * f64::midpoint(30.0 / 40.0, 30.0 / 30.0)), "{}", recall.rate());
        assert!(matches!(recall.stage, Stage::Hold { why: Why::Settled, .. }));
    }

    #[test]
    fn what_was_really_asked_is_what_is_cut_and_not_what_the_rate_had_grown_to() {
        let mut recall = Recall::default();
        for second in (0..8).step_by(2) {
            recall.begin(at(second), Duration::ZERO);
            recall.succeed(at(second), Load::Usual, CEILING);
        }
        recall.begin(at(8), Duration::ZERO);
        recall.cut(at(8), Some(Duration::from_secs(1)), CEILING);
        assert!(close(recall.rate(), 0.8 * 0.5), "{}", recall.rate());
    }

    #[test]
    fn a_refusal_after_few_successes_halves_but_goes_little_below_what_was_borne() {
        let after = |seconds| {
            let mut recall = held(1.0);
            succeed(&mut recall, 0..4);
            recall.cut(at(seconds), None, CEILING);
            recall.rate()
        };
        assert!(close(after(40), 0.5));
        assert!(close(after(5), 0.95 * 4.0 / 5.0), "{}", after(5));
    }

    #[test]
    fn a_server_that_names_the_wait_is_not_asked_much_more_slowly_beside() {
        let mut recall = held(1.0);
        succeed(&mut recall, 0..3);
        recall.cut(at(40), Some(Duration::from_secs(2)), CEILING);
        assert!(close(recall.rate(), 0.8));
    }

    #[test]
    fn a_rate_is_held_for_five_minutes_before_a_faster_one_is_tried() {
        let mut recall = held(1.0);
        succeed(&mut recall, 0..300);
        assert!(close(recall.rate(), 1.0));
        succeed(&mut recall, 300..301);
        assert!(close(recall.rate(), 1.1));
        succeed(&mut recall, 301..361);
        assert!(close(recall.rate(), 1.21));
    }

    #[test]
    fn a_probe_that_fails_goes_back_to_what_was_held_and_waits_twice_as_long_for_the_next() {
        let mut recall = held(1.0);
        succeed(&mut recall, 0..310);
        recall.cut(at(320), None, CEILING);
        assert!(close(recall.rate(), 1.0));
        succeed(&mut recall, 330..919);
        assert!(close(recall.rate(), 1.0));
        succeed(&mut recall, 919..921);
        assert!(close(recall.rate(), 1.1));
    }

    #[test]
    fn a_bold_probe_that_fails_leaves_its_first_step_on_trial() {
        let mut recall = held(1.0);
        succeed(&mut recall, 0..440);
        assert!(recall.rate() > 1.5, "{}", recall.rate());
        recall.cut(at(441), None, CEILING);
        assert!(close(recall.rate(), 1.1));
        let mut learned = Learned::default();
        recall.note(&mut learned);
        assert!(close(learned.held.unwrap(), 1.0), "a next run begins with what is certain");
        succeed(&mut recall, 450..480);
        recall.cut(at(480), None, CEILING);
        assert!(close(recall.rate(), 1.0));
    }

    #[test]
    fn a_server_that_refuses_every_fiftieth_request_is_not_asked_ever_more_slowly() {
        let mut recall = Recall::default();
        let (mut now, mut rates) = (Timestamp::from_secs(1_000), Vec::new());
        for _ in 0..12 {
            for _ in 0..49 {
                recall.begin(now, Duration::ZERO);
                recall.succeed(now, Load::Usual, CEILING);
                now = now + Duration::from_secs_f64(1.0 / recall.rate());
            }
            recall.cut(now, Some(Duration::from_secs(2)), CEILING);
            now = now + Duration::from_secs(2);
            rates.push(recall.rate());
        }
        assert!(rates.iter().all(|rate| *rate > CEILING / 2.0), "{rates:?}");
    }

    #[test]
    fn a_window_that_is_spent_with_as_many_requests_each_time_is_a_limit_all_the_same() {
        let mut recall = Recall::default();
        let (mut now, mut refusals) = (Timestamp::from_secs(1_000), 0);
        let (mut window, mut used) = (now, 0);
        for _ in 0..5_000 {
            if now.since(window) >= Duration::from_mins(1) {
                (window, used) = (now, 0);
            }
            used += 1;
            if used > 60 {
                let left = Duration::from_mins(1).saturating_sub(now.since(window));
                recall.cut(now, Some(left), CEILING);
                (now, refusals) = (now + left, refusals + 1);
            } else {
                recall.begin(now, Duration::ZERO);
                recall.succeed(now, Load::Usual, CEILING);
                now = now + Duration::from_secs_f64(1.0 / recall.rate());
            }
        }
        assert!(refusals < 15, "{refusals}");
    }

    #[test]
    fn a_refusal_of_what_was_borne_for_long_halves_for_two_minutes() {
        let mut recall = held(1.0);
        succeed(&mut recall, 0..200);
        recall.cut(at(200), None, CEILING);
        assert!(close(recall.rate(), 0.5));
        succeed(&mut recall, 201..320);
        assert!(close(recall.rate(), 0.5));
        succeed(&mut recall, 320..321);
        assert!(close(recall.rate(), 0.9));
    }

    #[test]
    fn an_answer_after_idle_time_says_nothing_of_the_rate() {
        let mut recall = Recall::default();
        for second in (0..1_000).step_by(10) {
            recall.begin(at(second), Duration::from_secs(9));
            recall.succeed(at(second), Load::Usual, CEILING);
        }
        assert!(close(recall.rate(), START + RISE), "only the very first answer, which nothing came before");
        assert!(recall.borne(at(1_000)) > 0.9, "the idle time is not in the estimate");
    }

    #[test]
    fn load_slows_down_and_stops_growth() {
        let mut recall = Recall::default();
        recall.begin(at(0), Duration::ZERO);
        recall.succeed(at(0), Load::Raised, CEILING);
        assert!(close(recall.rate(), 1.0));
        recall.succeed(at(1), Load::Doubled, CEILING);
        assert!(close(recall.rate(), 0.8));
        succeed(&mut recall, 2..300);
        assert!(close(recall.rate(), 0.8));
    }

    #[test]
    fn refusals_without_end_leave_a_rate_that_can_grow_again() {
        let mut recall = Recall::default();
        for n in 0..10_000 {
            recall.cut(at(n), None, CEILING);
        }
        assert!(close(recall.rate(), SLOWEST));
    }

    #[test]
    fn a_run_begins_where_the_last_one_was_and_a_little_below_once_it_was_refused() {
        let mut learned = Learned::default();
        Recall::default().note(&mut learned);
        assert_eq!((learned.rate, learned.held), (Some(START), None));
        assert!(close(Recall::resume(&learned, at(0)).rate(), START));
        learned.held = Some(START);
        assert!(close(Recall::resume(&learned, at(0)).rate(), START * RESTART));
        for broken in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            let learned = Learned { rate: Some(broken), ..Learned::default() };
            assert!(close(Recall::resume(&learned, at(0)).rate(), START));
        }
    }
}
