//! One host of the frontier: its machine, its origins' queues and gates, and whose turn it is.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;
use http::{HeaderMap, Method};

use super::control::{Control, ControlLease};
use super::gate::{Ask, Gate};
use super::lane::Lane;
use super::lease::{Drop, Errand, HostView};
use super::traps;
use crate::politeness::block::{Sections, section};
use crate::politeness::{Class, Host, Outcome, Policy, Reaction, Verdict};
use crate::request::{Pending, Request};
use crate::response::{Failure, FailureClass};
use crate::robots::{ProductToken, RobotsRecord, RobotsRules, RobotsVerdict, VisitTime};
use crate::time::Timestamp;
use crate::trap::Traps;
use crate::url::{CanonicalUrl, HostKey, Origin};

/// Pages of a host that are held after a refusal.
pub(super) const MAX_HELD: usize = 1_000;

/// A page that was refused.
#[derive(Debug)]
struct Held {
    lane: usize,
    pending: Pending,
    /// What becomes of it if it is refused alone.
    failure: Failure,
}

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
    /// Pages that were refused, until it shows whether they are refused alone.
    held: VecDeque<Held>,
    pub(super) control: Control,
    /// The lane whose refusals called for a control.
    suspicious: usize,
    /// Its place in the timetable.
    pub(super) slot: Option<(Timestamp, u64)>,
    pub(super) pages_out: u64,
    /// Pages that were asked for since it was woken.
    pub(super) asked: u32,
    /// What waits here, as it was last counted.
    pub(super) counted: u64,
    /// The crawl has all the pages that it may have.
    pub(super) files_only: bool,
    turn: usize,
    /// What its pages bring, once somebody looks.
    pub(super) traps: Option<Box<Traps>>,
}

/// One origin's queue behind its gate.
#[derive(Debug)]
pub(super) struct OriginLane {
    pub(super) origin: Origin,
    pub(super) gate: Gate,
    pub(super) queue: Lane,
    pub(super) sections: Sections,
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
            suspicious: 0,
            slot: None,
            pages_out: 0,
            asked: 0,
            counted: 0,
            files_only: false,
            turn: 0,
            traps: None,
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
            Some(record) => Gate::restore(origin, &record, &self.policy, agent, now),
            None => Gate::new(origin),
        };
        self.lanes.push(OriginLane {
            origin: origin.clone(),
            gate,
            queue: Lane::new(),
            sections: Sections::default(),
        });
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

    /// The longest that its pace, with all its jitter, makes a request wait for the one before.
    pub(super) fn longest_rest(&self) -> Duration {
        let paced = Duration::try_from_secs_f64((1.0 + self.policy.jitter) / self.machine.rate(&self.policy));
        let spread = self.policy.rate.map_or(Duration::ZERO, |rate| rate.interval());
        paced.unwrap_or(Duration::MAX).max(spread)
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
        let (pages_left, rest) = (self.pages_left(round), self.longest_rest());
        let lanes = self.lanes.iter().filter_map(|lane| lane.ready_at(now, pages_left, rest));
        lanes.min().map(|at| at.max(eligible))
    }

    /// Whether its place in the timetable is owed to its pace, not to a refusal or to a moment that a request waits for.
    pub(super) fn waits_for_pace(&self) -> bool {
        let at = self.slot.map(|(at, _)| at);
        at == Some(self.machine.state().not_before) && self.machine.is_paced()
    }

    /// The lane that is first to be looked at.
    pub(super) const fn turn(&self) -> usize {
        self.turn
    }

    pub(super) const fn set_turn(&mut self, turn: usize) {
        self.turn = turn;
    }

    /// Whether pages were refused of which nobody knows yet why.
    pub(super) fn holds_pages(&self) -> bool {
        !self.held.is_empty()
    }

    /// The page of this lane was not asked for after all: if no other was leased since, the turn is again where it was.
    pub(super) fn take_turn_back(&mut self, lane: usize, turn: usize) {
        if self.turn == lane + 1 {
            self.turn = turn;
        }
    }

    pub(super) fn pages_left(&self, round: u32) -> bool {
        !self.files_only
            && self
                .policy
                .max_pages
                .is_none_or(|most| self.machine.state().pages_in(round) + self.pages_out < most)
    }

    /// The next thing to ask of this host. Requests that robots.txt forbids are moved to `dropped` on the way.
    pub(super) fn next_errand(
        &mut self,
        now: Timestamp,
        round: u32,
        dropped: &mut Vec<Drop>,
    ) -> Option<Errand> {
        if let Some(control) = self.control_errand(now) {
            return Some(control);
        }
        if let Some((owner, ask)) = self.errands.pop_front() {
            return Some(Errand::Robots { owner, ask });
        }
        let (pages_left, rest) = (self.pages_left(round), self.longest_rest());
        for step in 0..self.lanes.len() {
            let at = (self.turn + step) % self.lanes.len();
            if self.lanes[at].ready_at(now, pages_left, rest).is_none_or(|ready| ready > now) {
                continue;
            }
            if let Some(errand) = self.errand_of(at, now, pages_left, dropped) {
                self.turn = at + 1;
                return Some(errand);
            }
        }
        None
    }

    /// The control request that is called for. Nothing else goes out while it is. Without a page that was ever there, robots.txt
    /// is all that can be asked.
    fn control_errand(&mut self, now: Timestamp) -> Option<Errand> {
        let method = self.control.method()?;
        self.control = Control::Out;
        Some(match self.control_page(now) {
            Some(url) => Errand::Control { url, method },
            None => {
                let url = self.lanes[self.suspicious].origin.robots_url();
                Errand::Control { url, method: Method::GET }
            }
        })
    }

    /// The page that was there, if it may be asked now like any other page.
    fn control_page(&self, now: Timestamp) -> Option<CanonicalUrl> {
        let url = CanonicalUrl::parse(self.machine.state().good_page.as_deref()?).ok()?;
        let origin = url.origin();
        let rules = self.lanes.iter().find(|lane| lane.origin == origin)?.gate.rules(now)?;
        let is_open = rules.visit_time().is_none_or(|window| opens_at(window, now) <= now);
        (is_open && rules.verdict(url.as_url()).allowed).then_some(url)
    }

    fn errand_of(
        &mut self,
        at: usize,
        now: Timestamp,
        pages_left: bool,
        dropped: &mut Vec<Drop>,
    ) -> Option<Errand> {
        let rest = self.longest_rest();
        let lane = &mut self.lanes[at];
        if lane.renewal(now, rest).is_some_and(|moment| moment <= now) {
            lane.gate.expire(&lane.origin);
        }
        if let Gate::Ask { ask, .. } = &lane.gate {
            let ask = Ask::clone(ask);
            lane.gate = Gate::Asking;
            return Some(Errand::Robots { owner: (self.id, at), ask });
        }
        let rules = lane.gate.rules(now)?.clone();
        let next = |queue: &mut Lane| if pages_left { queue.take(now) } else { queue.take_file(now) };
        while let Some(pending) = next(&mut lane.queue) {
            let RobotsVerdict { allowed, rule } = rules.verdict(pending.request.url.as_url());
            let rule = rule.map(|rule| rule.to_string());
            let path = pending.request.url.as_url().path();
            if lane.sections.is_shut(path, &self.policy.block) {
                lane.queue.settle(pending.key);
                let failure = shut_section(path);
                dropped.push(Drop { origin: lane.origin.clone(), pending, failure });
                continue;
            }
            if allowed && let Some(failure) = traps::parked(self.traps.as_deref_mut(), &pending.request) {
                lane.queue.settle(pending.key);
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

    /// Takes the blame off a page where it is the host that refuses, and holds it where nobody knows yet.
    pub(super) fn absolve(&mut self, lane: usize, outcome: &Outcome, verdict: &mut Verdict) {
        let gives_up = matches!(verdict, Verdict::Dropped(_)) && outcome.class == Class::Throttled;
        if outcome.is_refused() && self.machine.is_doubted() {
            *verdict = Verdict::RetryAt(outcome.ended);
        } else if gives_up && self.machine.refuses_everything() {
            *verdict = match self.machine.state().good_page {
                Some(_) => Verdict::Held,
                None => Verdict::RetryAt(outcome.ended),
            };
            self.call_control(Control::Head, lane);
        }
    }

    fn call_control(&mut self, control: Control, lane: usize) {
        if self.control == Control::None && self.machine.state().good_page.is_some() {
            (self.control, self.suspicious) = (control, lane);
        }
    }

    /// Sets a page aside after a refusal. Of too many the oldest is given up: memory is not the site's to fill.
    pub(super) fn hold(&mut self, lane: usize, pending: Pending, outcome: &Outcome) -> Option<Drop> {
        self.held.push_back(Held { lane, pending, failure: refused(outcome) });
        let oldest = (self.held.len() > MAX_HELD).then(|| self.held.pop_front()).flatten()?;
        Some(self.drop_held(oldest))
    }

    /// Takes the answer to a page: for the host's pace, for how we stand with it, and for the section of the page.
    pub(super) fn finish(
        &mut self,
        lane: usize,
        request: &Request,
        outcome: &Outcome,
        headers: Option<&HeaderMap>,
        rng: &mut Rng,
    ) -> Reaction {
        let waits = self.machine.finish(outcome, &self.policy, rng);
        let page = request.fingerprint().get();
        let stands = self.machine.heed(page, outcome, headers, &self.policy, rng);
        let path = request.url.as_url().path();
        if outcome.is_forbidden() {
            self.lanes[lane].sections.forbidden(path);
        } else if outcome.is_health() {
            self.lanes[lane].sections.fine(path);
            self.machine.remember_good(&request.url, &request.method, outcome);
        }
        if self.control == Control::None && self.machine.wants_control(&self.policy) {
            // What is a challenge at 200 shows in a body only.
            let body_alone = outcome.class == Class::Challenge && matches!(outcome.status, Some(200..300));
            self.control = if body_alone { Control::Get } else { Control::Head };
            self.suspicious = lane;
        }
        self.forget_sections();
        if stands == Reaction::None { waits } else { stands }
    }

    /// Takes the answer to a control request.
    pub(super) fn finish_control(
        &mut self,
        lease: &ControlLease,
        outcome: &Outcome,
        room: usize,
        rng: &mut Rng,
    ) -> Reaction {
        let waits = self.machine.finish(outcome, &self.policy, rng);
        let Some(answer) = Control::judge(&lease.method, outcome) else {
            self.control = Control::Get;
            return waits;
        };
        self.control = Control::None;
        if outcome.class == Class::Throttled {
            self.put_held_back(self.machine.state().not_before, room);
        }
        let asked = format!("{} {}", lease.method, lease.url.path_and_query());
        let stands = self.machine.control(asked, answer, outcome, &self.policy, rng);
        if stands == Reaction::SectionRefuses {
            self.lanes.iter_mut().for_each(|lane| lane.sections.confirm());
        }
        self.forget_sections();
        if stands == Reaction::None { waits } else { stands }
    }

    /// Where the host refuses, no section does.
    fn forget_sections(&mut self) {
        if self.machine.is_doubted() {
            self.lanes.iter_mut().for_each(|lane| lane.sections.forget());
        }
    }

    /// What becomes of the pages that were refused: the host's fault, their own, or not known yet.
    pub(super) fn sort_held(&mut self, host_is_well: bool, room: usize) -> Vec<Drop> {
        if host_is_well {
            return self.release_held();
        }
        self.sort_held_back(room);
        Vec::new()
    }

    /// Puts refused pages back where the host is the one that refuses.
    pub(super) fn sort_held_back(&mut self, room: usize) {
        if self.machine.is_doubted() {
            self.put_held_back(self.machine.state().not_before, room);
        }
    }

    /// Puts the pages that were held back into their queues: it was the host that refused them.
    fn put_held_back(&mut self, until: Timestamp, room: usize) {
        for held in std::mem::take(&mut self.held) {
            self.lanes[held.lane].queue.put_back(held.pending, until, room);
        }
    }

    /// Gives up the pages that were held after a refusal.
    pub(super) fn release_held(&mut self) -> Vec<Drop> {
        let held = std::mem::take(&mut self.held);
        held.into_iter().map(|held| self.drop_held(held)).collect()
    }

    fn drop_held(&mut self, Held { lane, pending, failure }: Held) -> Drop {
        let lane = &mut self.lanes[lane];
        lane.queue.settle(pending.key);
        Drop { origin: lane.origin.clone(), pending, failure }
    }

    /// What its robots.txt stands in the way of, in words, if it does.
    pub(super) fn view(&self) -> HostView<'_> {
        HostView {
            key: &self.key,
            state: self.machine.state(),
            waiting: self.waiting(),
            in_flight: self.machine.in_flight(),
            parked: self.parked(),
            shut: self.lanes.iter().find_map(|lane| lane.gate.shut()),
        }
    }
}

/// The next moment inside a daily window in UTC (Visit-time).
pub(super) fn opens_at(window: VisitTime, now: Timestamp) -> Timestamp {
    const MINUTE: u64 = 60_000;
    let minute = now.as_millis() / MINUTE;
    let closed =
        (0..1440).take_while(|ahead| !window.contains(((minute + ahead) % 1440) as u16)).count() as u64;
    if closed == 0 { now } else { Timestamp::from_millis((minute + closed).saturating_mul(MINUTE)) }
}

/// A failure of a page that is refused alone.
fn refused(outcome: &Outcome) -> Failure {
    let class = match outcome.class {
        Class::Challenge => FailureClass::Challenge,
        Class::Throttled => FailureClass::ServerError,
        _ => FailureClass::Forbidden,
    };
    let status = outcome.status;
    let reason = match (class, status) {
        (FailureClass::Forbidden, _) | (_, None) => outcome.class.as_str().to_owned(),
        (_, Some(status)) => format!("{}: status {status}", outcome.class.as_str()),
    };
    Failure { class, status, reason }
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
