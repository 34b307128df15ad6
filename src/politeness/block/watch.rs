//! The machine: from one answer to the next standing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::evidence::Unripe;
use super::{BlockPolicy, Control, ControlAnswer, Evidence, Finding, Refusal, RefusalKind, Standing};
use crate::time::Timestamp;

/// Refusals in a row that the usual short waits may answer. From the next one on pauses are long enough to be evidence.
const SHORT_WAITS: u32 = 3;
/// A site that passes every control is asked for one ever more seldom: after 3, 6, 12 ... 96 forbidden pages.
const MOST_DOUBLINGS: u32 = 5;
/// Probes of many hosts that began to refuse together spread over this share of the pause. It only lengthens.
const SPREAD: f64 = 0.1;

/// No answer takes so long.
const LONGEST_ANSWER: Duration = Duration::from_hours(1);

/// One host's standing and what it rests on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Watch {
    state: WatchState,
}

/// What of a [`Watch`] is stored with its host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WatchState {
    /// How we stand with the host.
    pub standing: Standing,
    /// Why.
    pub evidence: Evidence,
}

impl Watch {
    /// Goes on where an earlier run stopped.
    #[must_use]
    pub const fn resume(state: WatchState) -> Self {
        Self { state }
    }

    /// What is to be stored.
    #[must_use]
    pub const fn state(&self) -> &WatchState {
        &self.state
    }

    /// How we stand with the host.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.state.standing
    }

    /// A request was refused. Late answers of a burst (to requests that left before the last refusal had ended) are written
    /// down and count for nothing.
    pub fn refused(&mut self, refusal: &Refusal<'_>, policy: &BlockPolicy) -> Finding {
        let evidence = &mut self.state.evidence;
        let before = match refusal.kind {
            RefusalKind::Failure => evidence.last_failure,
            RefusalKind::Throttled | RefusalKind::Forbidden => evidence.last,
        };
        evidence.note(refusal);
        if is_late(refusal.began, before) {
            evidence.lengthen(refusal);
            return Finding::Nothing;
        }
        self.count_probe();
        match refusal.kind {
            RefusalKind::Failure => self.failed(policy),
            RefusalKind::Throttled => self.pressed(refusal, policy),
            RefusalKind::Forbidden => self.forbidden(refusal, policy),
        }
    }

    fn count_probe(&mut self) {
        let evidence = &mut self.state.evidence;
        evidence.well = None;
        match self.state.standing {
            Standing::Ok | Standing::Limited => {}
            Standing::Suspected | Standing::Down => evidence.probes = evidence.probes.saturating_add(1),
            Standing::Blocked => {
                evidence.probes = evidence.probes.saturating_add(1);
                evidence.daily = evidence.daily.saturating_add(1);
            }
        }
    }

    fn failed(&mut self, policy: &BlockPolicy) -> Finding {
        self.state.evidence.failures = self.state.evidence.failures.saturating_add(1);
        let enough = self.state.evidence.failures >= policy.down_after;
        match self.state.standing {
            Standing::Ok | Standing::Limited if enough => self.becomes(Standing::Down),
            _ => Finding::Nothing,
        }
    }

    /// A forbidden page speaks against the host only where no control can say more.
    fn forbidden(&mut self, refusal: &Refusal<'_>, policy: &BlockPolicy) -> Finding {
        let evidence = &mut self.state.evidence;
        evidence.forbidden = evidence.forbidden.saturating_add(1);
        evidence.failures = 0;
        if self.state.standing == Standing::Down {
            self.state.standing = Standing::Limited;
        }
        if self.state.standing.only_probes() || self.state.evidence.is_unsure() {
            return self.pressed(refusal, policy);
        }
        Finding::Nothing
    }

    fn pressed(&mut self, refusal: &Refusal<'_>, policy: &BlockPolicy) -> Finding {
        let evidence = &mut self.state.evidence;
        evidence.refusals = evidence.refusals.saturating_add(1);
        if refusal.status != Some(503) {
            evidence.failures = 0;
        }
        evidence.weigh(refusal, policy.min_pause);
        match self.state.standing {
            Standing::Suspected => self.judge_suspected(refusal.ended, policy),
            Standing::Blocked => Finding::Nothing,
            Standing::Ok | Standing::Limited | Standing::Down => self.judge_limited(refusal, policy),
        }
    }

    fn judge_limited(&mut self, refusal: &Refusal<'_>, policy: &BlockPolicy) -> Finding {
        let evidence = &mut self.state.evidence;
        let was_down = self.state.standing == Standing::Down;
        if evidence.tested >= policy.suspect_after {
            return self.becomes(Standing::Suspected);
        }
        if was_down && refusal.status == Some(503) {
            return Finding::Nothing;
        }
        if was_down {
            evidence.unavailable = 0;
        }
        if evidence.unavailable >= policy.suspect_after {
            return self.becomes(Standing::Down);
        }
        self.state.standing = Standing::Limited;
        Finding::Nothing
    }

    fn judge_suspected(&mut self, now: Timestamp, policy: &BlockPolicy) -> Finding {
        let evidence = &self.state.evidence;
        let lasted = evidence.first.is_some_and(|first| now.since(first) >= policy.blocked_after);
        if lasted && evidence.paused() >= policy.blocked_refusals {
            return self.becomes(Standing::Blocked);
        }
        Finding::Nothing
    }

    fn becomes(&mut self, standing: Standing) -> Finding {
        self.state.standing = standing;
        match standing {
            Standing::Ok => {
                self.state.evidence = Evidence::default();
                Finding::Cleared
            }
            Standing::Limited => Finding::Nothing,
            Standing::Suspected => {
                self.state.evidence.probes = 0;
                Finding::Suspected
            }
            Standing::Blocked => {
                self.state.evidence.daily = 0;
                Finding::Blocked
            }
            Standing::Down => {
                self.state.evidence.probes = 0;
                Finding::Down
            }
        }
    }

    /// A page (known by its fingerprint) was answered well; its request left at `began`. What left before the last refusal
    /// says nothing about now.
    pub fn answered(&mut self, page: u64, began: Timestamp) -> Finding {
        let evidence = &mut self.state.evidence;
        if is_late(began, evidence.last.max(evidence.last_failure)) {
            return Finding::Nothing;
        }
        match self.state.standing {
            Standing::Ok | Standing::Limited => {
                self.state = WatchState::default();
                Finding::Nothing
            }
            Standing::Down => self.becomes(Standing::Ok),
            Standing::Suspected | Standing::Blocked => match evidence.well {
                Some(other) if other != page => self.becomes(Standing::Ok),
                _ => {
                    evidence.probes = evidence.probes.saturating_add(1);
                    evidence.well = Some(page);
                    Finding::Nothing
                }
            },
        }
    }

    /// Whether a page that was there before should be asked now: HEAD first, then GET if that is refused. If there is none,
    /// its robots.txt may do, else the control is [`ControlAnswer::Inconclusive`]. After such a control the next forbidden
    /// page wants another one.
    #[must_use]
    pub fn wants_control(&self, policy: &BlockPolicy) -> bool {
        let evidence = &self.state.evidence;
        let due = if evidence.is_unsure() {
            1
        } else {
            policy.control_after.saturating_mul(1 << evidence.passed.min(MOST_DOUBLINGS))
        };
        matches!(self.state.standing, Standing::Ok | Standing::Limited) && evidence.forbidden >= due
    }

    /// A control is answered.
    pub fn control(&mut self, control: Control) -> Finding {
        let answer = control.answer;
        let evidence = &mut self.state.evidence;
        evidence.forbidden = 0;
        evidence.note_control(control);
        match answer {
            _ if self.state.standing.only_probes() => Finding::Nothing,
            ControlAnswer::Inconclusive => Finding::Nothing,
            ControlAnswer::Refused(_) => self.becomes(Standing::Suspected),
            ControlAnswer::Passed => {
                evidence.acquit();
                self.state.standing = Standing::Ok;
                Finding::Section
            }
        }
    }

    /// The least wait that is due after refusals that persist, whatever the server told: a minute, doubling to an hour.
    /// `None` while the usual waits do.
    #[must_use]
    pub fn stretch(&self, policy: &BlockPolicy) -> Option<Duration> {
        let evidence = &self.state.evidence;
        let unripe = evidence.unripe.is_some_and(|unripe| unripe.paused);
        let pauses = evidence.paused() + u32::from(unripe);
        (evidence.refusals > SHORT_WAITS).then(|| policy.doubled(pauses))
    }

    /// The time between two probes: zero where the usual waits do, `None` if no more probes go out. `roll` is the jitter
    /// draw in `0.0..=1.0`.
    #[must_use]
    pub fn pause(&self, policy: &BlockPolicy, roll: f64) -> Option<Duration> {
        let evidence = &self.state.evidence;
        let pause = match self.state.standing {
            Standing::Ok | Standing::Limited => Duration::ZERO,
            Standing::Down => policy.doubled(evidence.probes),
            // A blocked host that has begun to answer again need not wait for tomorrow.
            Standing::Blocked if evidence.well.is_none() && evidence.daily >= policy.daily_probes => {
                return None;
            }
            Standing::Blocked if evidence.well.is_none() => policy.daily,
            Standing::Suspected | Standing::Blocked => policy.max_pause,
        };
        Some(pause.mul_f64(1.0 + SPREAD * roll.clamp(0.0, 1.0)))
    }
}

/// Whether a request left before the last refusal had ended. One that seems to have left long before is not late: the
/// machine's clock was set back.
fn is_late(began: Timestamp, last: Option<Timestamp>) -> bool {
    last.is_some_and(|last| began < last && last.since(began) < LONGEST_ANSWER)
}

impl BlockPolicy {
    fn doubled(&self, times: u32) -> Duration {
        let factor = 1_u32.checked_shl(times).unwrap_or(u32::MAX).max(1);
        self.min_pause.saturating_mul(factor).min(self.max_pause)
    }
}

impl Evidence {
    /// Refusals that came after a pause long enough to be evidence, 503 or not.
    #[must_use]
    pub const fn paused(&self) -> u32 {
        self.tested.saturating_add(self.unavailable)
    }

    /// Counts a refusal as evidence, or keeps it until the wait that it tells has passed.
    fn weigh(&mut self, refusal: &Refusal<'_>, min_pause: Duration) {
        let fresh = Unripe {
            until: refusal.ended + refusal.told.unwrap_or_default(),
            status: refusal.status,
            paused: refusal.pause >= min_pause,
        };
        match self.unripe.take() {
            // Somebody asked too early. That it was refused is our own fault.
            Some(earlier) if refusal.began < earlier.until => {
                self.unripe = Some(Unripe { until: earlier.until.max(fresh.until), ..earlier });
                return;
            }
            Some(earlier) => self.ripen(earlier),
            None => {}
        }
        if refusal.told.is_some() {
            self.unripe = Some(fresh);
        } else {
            self.ripen(fresh);
        }
    }

    const fn ripen(&mut self, refusal: Unripe) {
        match refusal.status {
            _ if !refusal.paused => {}
            Some(503) => self.unavailable = self.unavailable.saturating_add(1),
            _ => self.tested = self.tested.saturating_add(1),
        }
    }

    /// A late answer of a burst may lengthen the wait.
    fn lengthen(&mut self, refusal: &Refusal<'_>) {
        if let (Some(unripe), Some(told)) = (&mut self.unripe, refusal.told) {
            unripe.until = unripe.until.max(refusal.ended + told);
        }
    }

    /// The host answers pages: what it refused does not speak against it as a whole.
    const fn acquit(&mut self) {
        self.passed = self.passed.saturating_add(1);
        self.refusals = 0;
        self.tested = 0;
        self.unavailable = 0;
        self.unripe = None;
    }
}
