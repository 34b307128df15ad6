//! When something of an origin may be asked, the pace of its host aside.

use std::time::Duration;

use super::gate::Gate;
use super::host::{OriginLane, opens_at};
use crate::robots::RobotsRules;
use crate::time::Timestamp;
impl OriginLane {
    /// Whether requests should be read from the store now. Where only files may go out, it must be known whether there are any.
    pub(super) fn runs_low(&self, now: Timestamp, files_only: bool) -> bool {
        (files_only || self.gate.rules(now).is_some()) && self.queue.needs_load()
    }

    /// When something of this origin may be asked, the host's own pace aside; `rest` is [`HostEntry::longest_rest`].
    pub(super) fn ready_at(&self, now: Timestamp, pages_left: bool, rest: Duration) -> Option<Timestamp> {
        if !self.queue.has_work() {
            return None;
        }
        match &self.gate {
            _ if !pages_left && self.queue.file_ready_at().is_none() => None,
            Gate::Ask { at, .. } => Some(*at),
            Gate::Open { rules, .. } => self.renewal(now, rest).or_else(|| {
                let visit = self.next_visit(rules, now).unwrap_or_default();
                let ready = if pages_left { self.queue.ready_at() } else { self.queue.file_ready_at() };
                ready.map(|at| at.max(visit))
            }),
            _ => None,
        }
    }

    /// When robots.txt is to be asked again before the next page, if it is too old for it (RFC 9309 2.4). For a page that waits
    /// for the hours of Visit-time that is one rest before: asked in the hours, it could use them up.
    pub(super) fn renewal(&self, now: Timestamp, rest: Duration) -> Option<Timestamp> {
        let Gate::Open { rules, until, .. } = &self.gate else { return None };
        match self.next_visit(rules, now) {
            Some(visit) if *until <= visit => Some(visit - rest),
            _ => (*until <= now).then_some(Timestamp::ZERO),
        }
    }

    /// The first moment within the hours of Visit-time at which a page may be asked, if that is not now.
    fn next_visit(&self, rules: &RobotsRules, now: Timestamp) -> Option<Timestamp> {
        let page = self.queue.ready_at().unwrap_or_default().max(now);
        Some(opens_at(rules.visit_time()?, page)).filter(|visit| *visit > now)
    }
}
