//! How we stand with a host, beside its pace: what its answers say about being shut out, and what follows from that.
//!
//! [`Watch`] judges; here its verdicts become waits. A host that is suspected or blocked gets single probes, each after a pause
//! of its own; a host that refuses persistently gets longer waits than the usual ones.

use fastrand::Rng;
use http::{HeaderMap, Method};

use super::block::{Control, ControlAnswer, Finding, Refusal, RefusalKind, Standing};
use super::{Host, Outcome, Phase, Policy, Reaction};
use crate::time::Timestamp;
use crate::url::CanonicalUrl;

impl Host {
    /// How we stand with it, and what that rests on.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.watch.standing()
    }

    /// Whether it is suspected of shutting us out, or known to: then it refuses, not the page.
    #[must_use]
    pub const fn is_doubted(&self) -> bool {
        self.watch.standing().only_probes()
    }

    /// Whether nothing has been answered between its last refusals, so that they say nothing of single pages.
    #[must_use]
    pub const fn refuses_everything(&self) -> bool {
        self.is_doubted() || matches!(self.state.phase, Phase::Backoff { strikes: 2.., .. })
    }

    /// Whether a page that was there before should be asked now, to tell a forbidden section from a block.
    #[must_use]
    pub fn wants_control(&self, policy: &Policy) -> bool {
        self.watch.wants_control(&policy.block)
    }

    /// Takes the answer to a page, after [`Host::finish`]. `page` is the page's fingerprint; `headers` are those of a refusal.
    pub fn heed(
        &mut self,
        page: u64,
        outcome: &Outcome,
        headers: Option<&HeaderMap>,
        policy: &Policy,
        rng: &mut Rng,
    ) -> Reaction {
        match Refusal::of(outcome, self.pause_before(outcome), headers) {
            Some(refusal) => {
                let finding = self.watch.refused(&refusal, &policy.block);
                self.rest(outcome.ended, policy, rng);
                self.stands(finding)
            }
            None if outcome.is_health() => {
                let finding = self.watch.answered(page, outcome.began);
                if self.is_doubted() {
                    self.rest(outcome.ended, policy, rng);
                }
                self.stands(finding)
            }
            None => Reaction::None,
        }
    }

    /// Takes the answer to robots.txt, after [`Host::finish`]. A refusal to be asked again later says of the host what it says
    /// on a page; that robots.txt may not be seen, or may be, says nothing (RFC 9309 2.3.1.3).
    pub fn heed_robots(&mut self, outcome: &Outcome, policy: &Policy, rng: &mut Rng) -> Reaction {
        let refusal = Refusal::of(outcome, self.pause_before(outcome), None);
        let Some(refusal) = refusal.filter(|refusal| refusal.kind != RefusalKind::Forbidden) else {
            return Reaction::None;
        };
        let finding = self.watch.refused(&refusal, &policy.block);
        self.rest(outcome.ended, policy, rng);
        self.stands(finding)
    }

    /// Takes what a control request came to, after [`Host::finish`]. `asked` names it.
    pub fn control(
        &mut self,
        asked: String,
        answer: ControlAnswer,
        outcome: &Outcome,
        policy: &Policy,
        rng: &mut Rng,
    ) -> Reaction {
        let finding = self.watch.control(Control { at: outcome.ended, asked, answer });
        if self.is_doubted() {
            self.rest(outcome.ended, policy, rng);
        }
        self.stands(finding)
    }

    /// Remembers a page that is there: it may serve as a control.
    pub fn remember_good(&mut self, url: &CanonicalUrl, method: &Method, outcome: &Outcome) {
        if self.state.good_page.is_none() && *method == Method::GET && outcome.status == Some(200) {
            self.state.good_page = Some(url.as_str().to_owned());
        }
    }

    /// For how long the host had been left alone when a request left.
    fn pause_before(&self, outcome: &Outcome) -> std::time::Duration {
        let last = self.end_before.or(self.watch.state().evidence.last);
        last.map_or(std::time::Duration::ZERO, |last| outcome.began.since(last))
    }

    /// The wait that our standing asks for, beside all others.
    fn rest(&mut self, from: Timestamp, policy: &Policy, rng: &mut Rng) {
        let probe = match self.watch.pause(&policy.block, rng.f64()) {
            Some(pause) => from + pause,
            None => Timestamp::MAX,
        };
        let stretch = self.watch.stretch(&policy.block).map_or(from, |wait| from + wait);
        let until = probe.max(stretch);
        if until > from {
            self.hold_until(until);
        }
    }

    fn stands(&mut self, finding: Finding) -> Reaction {
        self.state.watch = self.watch.state().clone();
        match finding {
            Finding::Nothing => Reaction::None,
            Finding::Section => Reaction::SectionRefuses,
            Finding::Suspected | Finding::Blocked | Finding::Down => Reaction::Stands(self.standing()),
            Finding::Cleared => Reaction::Cleared,
        }
    }
}
