//! What answers change: of pages, of control requests, of robots.txt.

use http::HeaderMap;

use super::gate::{Ask, Gate, Heard};
use super::{
    ControlLease, ControlSettlement, Frontier, Lease, RobotsLease, RobotsReply, RobotsSettlement, Settlement,
};
use crate::politeness::{Class, History, Outcome, Phase, Reaction, Repeat, Verdict};
use crate::request::Pending;
use crate::robots::RobotsRules;
use crate::time::Timestamp;
use crate::url::Origin;

impl Frontier {
    /// Takes the outcome of a page. `headers` are those of a refusal: a few of them are kept as evidence.
    pub fn settle(
        &mut self,
        now: Timestamp,
        lease: Lease,
        outcome: &Outcome,
        headers: Option<&HeaderMap>,
    ) -> Settlement {
        let Lease { host, pass, lane, origin, mut pending, .. } = lease;
        self.in_flight -= 1;
        let pages = u64::from(pending.request.kind.is_page());
        self.pages_out -= pages;
        let room = self.head_room();
        let entry = &mut self.hosts[host];
        entry.pages_out -= pages;
        let owed = entry.machine.owes_time();
        let reaction = entry.finish(lane, &pending.request, outcome, headers, &mut self.rng);
        let Pending { tries, refusals, missing, known, .. } = pending;
        let repeat = Repeat::of(&pending.request.method);
        // Where nothing is answered it is the host: its pages keep their tries.
        let owed = owed && entry.machine.state().phase == Phase::Open;
        let before = History { tries, refusals, missing, known, owed, repeat };
        let mut verdict = Verdict::of(outcome, before, &entry.policy.retry, self.rng.f64());
        if pages > 0 && matches!(outcome.class, Class::Fetched | Class::NotModified) {
            self.pages += 1;
            entry.machine.count_page(self.round);
        }
        entry.absolve(lane, outcome, &mut verdict);
        let mut released = Vec::new();
        // In a row: whatever else comes in between, the page may be there.
        pending.missing = if outcome.is_missing() { pending.missing } else { 0 };
        match &mut verdict {
            Verdict::RetryAt(moment) => {
                let count = match outcome.class {
                    Class::Gone => &mut pending.missing,
                    Class::Throttled => &mut pending.refusals,
                    class if class.is_forbidden() => &mut pending.refusals,
                    _ => &mut pending.tries,
                };
                *count = count.saturating_add(1);
                let host = entry.machine.state().not_before;
                if host < Timestamp::MAX {
                    *moment = (*moment).max(host);
                }
                pending.request.not_before = Some(*moment);
                entry.lanes[lane].queue.put_back(pending.clone(), *moment, room);
            }
            Verdict::Held => released.extend(entry.hold(lane, pending.clone(), outcome)),
            Verdict::Done | Verdict::Dropped(_) => entry.lanes[lane].queue.settle(pending.key),
        }
        released.extend(entry.sort_held(outcome.is_health(), room));
        let host_state = (entry.key.clone(), entry.machine.state().clone());
        self.give_back(now, host, pass, outcome);
        self.touch(host, now);
        Settlement { verdict, origin, pending, host: host_state, reaction, released }
    }

    /// Takes the outcome of a control request.
    pub fn settle_control(
        &mut self,
        now: Timestamp,
        lease: ControlLease,
        outcome: &Outcome,
    ) -> ControlSettlement {
        self.in_flight -= 1;
        let room = self.head_room();
        let entry = &mut self.hosts[lease.host];
        let reaction = entry.finish_control(&lease, outcome, room, &mut self.rng);
        let passed = reaction == Reaction::SectionRefuses;
        let released = entry.sort_held(passed, room);
        let host = (entry.key.clone(), entry.machine.state().clone());
        self.give_back(now, lease.host, lease.pass, outcome);
        self.touch(lease.host, now);
        ControlSettlement { host, reaction, released }
    }

    /// Takes what came back for robots.txt.
    pub fn settle_robots(
        &mut self,
        now: Timestamp,
        lease: RobotsLease,
        outcome: &Outcome,
        reply: &RobotsReply,
    ) -> RobotsSettlement {
        let RobotsLease { host, pass, owner: (owner, lane), ask, .. } = lease;
        self.in_flight -= 1;
        let room = self.head_room();
        let asked = &mut self.hosts[host];
        let waits = asked.machine.finish(outcome, &asked.policy, &mut self.rng);
        let stands = asked.machine.heed_robots(outcome, &asked.policy, &mut self.rng);
        let reaction = if stands == Reaction::None { waits } else { stands };
        asked.sort_held_back(room);
        let not_before = asked.machine.state().not_before;
        let roll = self.rng.f64();
        let entry = &mut self.hosts[owner];
        let (agent, policy, rest) = (&self.settings.agent, &entry.policy, entry.longest_rest());
        let (began, told) = (outcome.began, outcome.told);
        let heard = Heard { reply, began, now, not_before, told, policy, rest, agent, roll };
        let record = entry.lanes[lane].gate.hear(ask, &heard);
        let origin = entry.lanes[lane].origin.clone();
        entry.hear_wish(lane, now);
        self.note_sitemaps(owner, lane, now);
        self.forward_hop(owner, lane, now);
        self.give_back(now, host, pass, outcome);
        self.touch(host, now);
        self.touch(owner, now);
        let asked = &self.hosts[host];
        RobotsSettlement {
            origin: origin.clone(),
            host: (asked.key.clone(), asked.machine.state().clone()),
            reaction,
            record: record.map(|r| (origin, r)),
        }
    }

    /// Remembers a robots.txt that names sitemaps.
    pub(super) fn note_sitemaps(&mut self, host: usize, lane: usize, now: Timestamp) {
        let lane = &self.hosts[host].lanes[lane];
        if let Some(rules) = lane.gate.rules(now).filter(|rules| !rules.sitemaps().is_empty()) {
            self.opened.push((lane.origin.clone(), rules.clone()));
        }
    }

    /// Origins whose robots.txt has become known since the last call and names sitemaps.
    pub fn take_opened(&mut self) -> Vec<(Origin, RobotsRules)> {
        std::mem::take(&mut self.opened)
    }

    /// A robots.txt that was redirected to another host is asked there, at that host's pace.
    fn forward_hop(&mut self, owner: usize, lane: usize, now: Timestamp) {
        let entry = &mut self.hosts[owner];
        let Gate::Ask { ask, .. } = &entry.lanes[lane].gate else {
            return;
        };
        let target = ask.url.host_key();
        if target == entry.key {
            return;
        }
        let ask = Ask::clone(ask);
        entry.lanes[lane].gate = Gate::Asking;
        let errand = ((owner, lane), ask);
        match self.seek(&target) {
            Some(host) => {
                self.hosts[host].errands.push_back(errand);
                self.touch(host, now);
            }
            None => {
                let id = self.sleeper_of(&target);
                self.sleepers.brought(id).errands.push(errand);
                self.call_soon(id, now);
            }
        }
    }
}
