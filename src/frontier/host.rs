//! One host of the frontier: its machine, its origins' queues and gates, and whose turn it is.

use std::collections::VecDeque;

use fastrand::Rng;
use http::HeaderMap;

use super::control::{Control, ControlLease};
use super::gate::{Ask, Gate};
use super::lane::Lane;
use super::lease::{Drop, Errand, HostView};
use crate::politeness::block::{Sections, section};
use crate::politeness::{Class, Host, Outcome, Policy, Reaction};
use crate::request::{Pending, Request};
use crate::response::{Failure, FailureClass};
use crate::robots::{ProductToken, RobotsRecord, RobotsRules, RobotsVerdict, VisitTime};
use crate::time::Timestamp;
use crate::url::{CanonicalUrl, HostKey, Origin};

/// Pages of a host that are held after a 401 or 403.
pub(super) const MAX_HELD: usize = 1_000;

/// A host and everything that waits on it.
#[derive(Debug)]
pub(super) struct HostEntry {
    /// Its own index in the frontier.
    id: usize,
    pub(super) key: HostKey,
    pub(super) policy: Policy,
    pub(super) machine: Host,
    pub(super) lanes: Vec<OriginLane>,
    /// robots.txt of other hosts that were redirected here.
    pub(super) errands: VecDeque<((usize, usize), Ask)>,
    /// Pages that were answered 401 or 403, with their lanes.
    held: VecDeque<(usize, Pending)>,
    pub(super) control: Control,
    pub(super) sections: Sections,
    /// Its place in the timetable.
    pub(super) slot: Option<(Timestamp, u64)>,
    pub(super) pages_out: u64,
    turn: usize,
}

/// One origin's queue behind its gate.
#[derive(Debug)]
pub(super) struct OriginLane {
    pub(super) origin: Origin,
    pub(super) gate: Gate,
    pub(super) queue: Lane,
}

impl OriginLane {
    /// Whether requests should be read from the store now.
    pub(super) fn runs_low(&self, now: Timestamp) -> bool {
        self.gate.rules(now).is_some() && self.queue.needs_load()
    }

    /// When something of this origin may be asked, the host's own pace aside.
    fn ready_at(&self, now: Timestamp, pages_left: bool) -> Option<Timestamp> {
        if !self.queue.has_work() {
            return None;
        }
        match &self.gate {
            Gate::Ask { at, .. } => Some(*at),
            Gate::Open { until, .. } if *until <= now => Some(Timestamp::ZERO),
            Gate::Open { rules, .. } if pages_left => {
                let visit = rules.visit_time().map_or(Timestamp::ZERO, |window| opens_at(window, now));
                self.queue.ready_at().map(|at| at.max(visit))
            }
            _ => None,
        }
    }
}

impl HostEntry {
    pub(super) fn new(id: usize, key: HostKey, policy: Policy) -> Self {
        Self {
            id,
            key,
            policy,
            machine: Host::default(),
            lanes: Vec::new(),
            errands: VecDeque::new(),
            held: VecDeque::new(),
            control: Control::None,
            sections: Sections::default(),
            slot: None,
            pages_out: 0,
            turn: 0,
        }
    }

    pub(super) fn add_lane(
        &mut self,
        origin: &Origin,
        record: Option<RobotsRecord>,
        agent: &ProductToken,
        now: Timestamp,
    ) -> usize {
        let gate = match record {
            Some(record) => Gate::restore(origin, record, &self.policy, agent, now),
            None => Gate::new(origin),
        };
        self.lanes.push(OriginLane { origin: origin.clone(), gate, queue: Lane::new() });
        let lane = self.lanes.len() - 1;
        self.hear_wish(lane, now);
        lane
    }

    /// Takes over the delay that a fresh robots.txt asks for.
    pub(super) fn hear_wish(&mut self, lane: usize, now: Timestamp) {
        let rules = self.lanes[lane].gate.rules(now);
        if let Some(wish) = rules.and_then(RobotsRules::min_delay) {
            self.machine.wish(wish);
        }
    }

    /// When the host may be asked next; `None` if nothing may be, or an answer must come first.
    pub(super) fn ready_at(&self, now: Timestamp, round: u32) -> Option<Timestamp> {
        let eligible = self.machine.eligible_at(&self.policy)?;
        match self.control {
            Control::Out => return None,
            Control::Head | Control::Get => return Some(eligible),
            Control::None => {}
        }
        if !self.errands.is_empty() {
            return Some(eligible);
        }
        let pages_left = self.pages_left(round);
        let lanes = self.lanes.iter().filter_map(|lane| lane.ready_at(now, pages_left));
        lanes.min().map(|at| at.max(eligible))
    }

    /// Whether its place in the timetable is owed to its pace, not to a refusal or to a moment that a request waits for.
    pub(super) fn waits_for_pace(&self) -> bool {
        let at = self.slot.map(|(at, _)| at);
        at == Some(self.machine.state().not_before) && self.machine.is_paced()
    }

    fn pages_left(&self, round: u32) -> bool {
        self.policy.max_pages.is_none_or(|most| self.machine.state().pages_in(round) + self.pages_out < most)
    }

    /// The next thing to ask of this host. Requests that robots.txt forbids are moved to `dropped` on the way.
    pub(super) fn next_errand(
        &mut self,
        now: Timestamp,
        round: u32,
        dropped: &mut Vec<Drop>,
    ) -> Option<Errand> {
        if let Some(control) = self.control_errand() {
            return Some(control);
        }
        if let Some((owner, ask)) = self.errands.pop_front() {
            return Some(Errand::Robots { owner, ask });
        }
        let pages_left = self.pages_left(round);
        for step in 0..self.lanes.len() {
            let at = (self.turn + step) % self.lanes.len();
            if self.lanes[at].ready_at(now, pages_left).is_none_or(|ready| ready > now) {
                continue;
            }
            if let Some(errand) = self.errand_of(at, now, dropped) {
                self.turn = at + 1;
                return Some(errand);
            }
        }
        None
    }

    /// The control request that is called for. Nothing else goes out while it is.
    fn control_errand(&mut self) -> Option<Errand> {
        let method = self.control.method()?;
        let page = self.machine.state().good_page.as_deref().and_then(|url| CanonicalUrl::parse(url).ok());
        let url = page.or_else(|| Some(self.lanes.first()?.origin.robots_url()))?;
        self.control = Control::Out;
        Some(Errand::Control { url, method })
    }

    fn errand_of(&mut self, at: usize, now: Timestamp, dropped: &mut Vec<Drop>) -> Option<Errand> {
        let lane = &mut self.lanes[at];
        lane.gate.expire(&lane.origin, now);
        if let Gate::Ask { ask, .. } = &lane.gate {
            let ask = Ask::clone(ask);
            lane.gate = Gate::Asking;
            return Some(Errand::Robots { owner: (self.id, at), ask });
        }
        let rules = lane.gate.rules(now)?.clone();
        while let Some(pending) = lane.queue.take(now) {
            let RobotsVerdict { allowed, rule } = rules.verdict(pending.request.url.as_url());
            let rule = rule.map(|rule| rule.to_string());
            let path = pending.request.url.as_url().path();
            if self.sections.is_shut(path, &self.policy.block) {
                lane.queue.settle(pending.key);
                let failure = shut_section(path);
                dropped.push(Drop { origin: lane.origin.clone(), pending, failure });
                continue;
            }
            if allowed {
                return Some(Errand::Page { lane: at, pending, rule });
            }
            lane.queue.settle(pending.key);
            let why = rule.unwrap_or_else(|| "robots.txt forbids everything".to_owned());
            dropped.push(Drop { origin: lane.origin.clone(), pending, failure: forbidden_by(why) });
        }
        None
    }

    /// Sets a page aside after a 401 or 403. Of too many the oldest is given up: memory is not the site's to fill.
    pub(super) fn hold(&mut self, lane: usize, pending: Pending) -> Option<Drop> {
        self.held.push_back((lane, pending));
        let (lane, oldest) = (self.held.len() > MAX_HELD).then(|| self.held.pop_front()).flatten()?;
        Some(self.drop_held(lane, oldest))
    }

    /// Takes the answer to a page: for the host's pace, for how we stand with it, and for the section of the page.
    pub(super) fn finish(
        &mut self,
        request: &Request,
        outcome: &Outcome,
        headers: Option<&HeaderMap>,
        rng: &mut Rng,
    ) -> Reaction {
        let waits = self.machine.finish(outcome, &self.policy, rng);
        let page = request.fingerprint().get();
        let stands = self.machine.heed(page, outcome, headers, &self.policy, rng);
        let path = request.url.as_url().path();
        if outcome.class.is_forbidden() {
            self.sections.forbidden(path);
        } else if outcome.class.is_health() {
            self.sections.fine(path);
            self.machine.remember_good(&request.url, &request.method, outcome);
        }
        if self.control == Control::None && self.machine.wants_control(&self.policy) {
            // A challenge shows in a body only. Without a page that was ever there, robots.txt is all that can be asked.
            let head = outcome.class != Class::Challenge && self.machine.state().good_page.is_some();
            self.control = if head { Control::Head } else { Control::Get };
        }
        if stands == Reaction::None { waits } else { stands }
    }

    /// Takes the answer to a control request.
    pub(super) fn finish_control(
        &mut self,
        lease: &ControlLease,
        outcome: &Outcome,
        rng: &mut Rng,
    ) -> Reaction {
        let waits = self.machine.finish(outcome, &self.policy, rng);
        let Some(answer) = Control::judge(&lease.method, outcome) else {
            self.control = Control::Get;
            return waits;
        };
        self.control = Control::None;
        let asked = format!("{} {}", lease.method, lease.url.path_and_query());
        let stands = self.machine.control(asked, answer, outcome, &self.policy, rng);
        if stands == Reaction::SectionRefuses {
            self.sections.confirm();
        }
        if stands == Reaction::None { waits } else { stands }
    }

    /// What becomes of the pages that were refused: the host's fault, their own, or not known yet.
    pub(super) fn sort_held(&mut self, host_is_well: bool, room: usize) -> Vec<Drop> {
        if host_is_well {
            return self.release_held();
        }
        if self.machine.is_doubted() {
            self.put_held_back(self.machine.state().not_before, room);
        }
        Vec::new()
    }

    /// Puts the pages that were held back into their queues: it was the host that refused them.
    fn put_held_back(&mut self, until: Timestamp, room: usize) {
        for (lane, pending) in std::mem::take(&mut self.held) {
            self.lanes[lane].queue.put_back(pending, until, room);
        }
    }

    /// Gives up the pages that were held after a 401 or 403.
    pub(super) fn release_held(&mut self) -> Vec<Drop> {
        let held = std::mem::take(&mut self.held);
        held.into_iter().map(|(lane, pending)| self.drop_held(lane, pending)).collect()
    }

    fn drop_held(&mut self, lane: usize, pending: Pending) -> Drop {
        let lane = &mut self.lanes[lane];
        lane.queue.settle(pending.key);
        let failure =
            Failure { class: FailureClass::Forbidden, status: Some(403), reason: "forbidden".to_owned() };
        Drop { origin: lane.origin.clone(), pending, failure }
    }

    /// What its robots.txt stands in the way of, in words, if it does.
    pub(super) fn view(&self) -> HostView<'_> {
        HostView {
            key: &self.key,
            state: self.machine.state(),
            waiting: self.lanes.iter().map(|lane| lane.queue.waiting()).sum(),
            in_flight: self.machine.in_flight(),
            shut: self.lanes.iter().find_map(|lane| lane.gate.shut()),
        }
    }
}

/// The next moment inside a daily window in UTC (Visit-time).
fn opens_at(window: VisitTime, now: Timestamp) -> Timestamp {
    const MINUTE: u64 = 60_000;
    let minute = now.as_millis() / MINUTE;
    let closed =
        (0..1440).take_while(|ahead| !window.contains(((minute + ahead) % 1440) as u16)).count() as u64;
    if closed == 0 { now } else { Timestamp::from_millis((minute + closed) * MINUTE) }
}

/// A failure of a page in a section whose pages are all refused.
fn shut_section(path: &str) -> Failure {
    let section = section(path).unwrap_or("/");
    let reason = format!("not asked: every page asked below {section} was forbidden");
    Failure { class: FailureClass::Forbidden, status: None, reason }
}

/// A failure of a page that robots.txt forbids.
fn forbidden_by(rule: String) -> Failure {
    Failure { class: FailureClass::Robots, status: None, reason: rule }
}
