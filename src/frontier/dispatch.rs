//! From a due host to a lease, past everything that it shares with others.
//!
//! The timetable holds hosts that wait for their own time and groups that have somebody in line. What is due is taken out; then
//! the host's address is asked for if it must be known, then come its group, its address, the request. Whoever may not pass
//! stands in line there and is called up by the group.

use std::net::IpAddr;

use super::groups::Pass;
use super::lease::Errand;
use super::stored::{Draws, Slot, Spent, Way};
use super::{AddressRequest, ControlLease, Due, Frontier, Lease, LoadRequest, RobotsLease, Step};
use crate::politeness::Outcome;
use crate::time::Timestamp;

impl Frontier {
    /// What to do now. Called until it no longer says [`Step::Fetch`], [`Step::Robots`], [`Step::Load`],
    /// [`Step::Wake`] or [`Step::Resolve`].
    pub fn next(&mut self, now: Timestamp) -> Step {
        loop {
            if let Some((host, lane)) = self.loads.pop() {
                if let Some(step) = self.start_load(host, lane) {
                    return step;
                }
                continue;
            }
            let busy = self.is_busy();
            if self.in_flight + self.groups.asking >= self.settings.max_in_flight {
                return Step::AwaitFetches;
            }
            if let Some(step) = self.ask_for_held() {
                return step;
            }
            self.sort_due(now);
            let Some(soonest) = self.next_wake() else {
                self.keep_small(now);
                return if busy { Step::AwaitFetches } else { self.last_step() };
            };
            if self.page_limit_is_reached() && !self.files_only {
                if self.has_all_pages() {
                    self.go_on_with_files(now);
                    continue;
                }
                return if busy { Step::AwaitFetches } else { Step::LimitReached };
            }
            if soonest > now {
                self.keep_small(now);
                return self.wait_until(soonest, now);
            }
            let token = self.ceiling.as_mut().map_or(Timestamp::ZERO, |ceiling| ceiling.ready_at(now));
            if token > now {
                return Step::WaitUntil(token);
            }
            if self.wants_breath() {
                return Step::WaitUntil(now);
            }
            if let Some(step) = self.wake_due(now) {
                return step;
            }
            let Some((at, turn, due)) = self.timetable.first().filter(|(at, ..)| *at <= now) else {
                return Step::AwaitFetches;
            };
            self.timetable.take((at, turn, due));
            self.groups_due -= usize::from(matches!(due, Due::Group(_)));
            let step = match due {
                Due::Host(host) => self.host_is_due(now, host, (at, turn)),
                Due::Group(group) => self.group_is_due(now, group, (at, turn)),
            };
            if let Some(step) = step {
                return step;
            }
            self.timetable.nobody_went();
        }
    }

    fn is_busy(&self) -> bool {
        self.in_flight + self.loading + self.waking + self.groups.asking > 0
    }

    fn wait_until(&self, at: Timestamp, now: Timestamp) -> Step {
        if !self.is_busy() && at.since(now) > self.settings.patience && !self.somebody_is_paced(now) {
            return Step::OnlyParkedLeft { until: at };
        }
        Step::WaitUntil(at)
    }

    /// Whether somebody waits for nothing but a delay or a token. A pace that a server announces or was found to bear may be a
    /// request in hours: a run does not sit through more than the longest Crawl-delay that it keeps.
    fn somebody_is_paced(&self, now: Timestamp) -> bool {
        let is_short = |host: usize, at: Timestamp| at.since(now) <= self.hosts[host].policy.max_crawl_delay;
        let somebody_awake = self.timetable.iter().any(|&(at, _, due)| match due {
            Due::Host(host) => {
                self.hosts[host].waits_for_pace() && is_short(host, at)
                    || self.groups.waits_for_token(host, at)
            }
            Due::Group(group) => self.groups.waits_for_pace(group, at),
        });
        somebody_awake || self.a_sleeper_is_paced(now)
    }

    fn page_limit_is_reached(&self) -> bool {
        self.settings.max_pages.is_some_and(|most| self.pages + self.pages_out >= most)
    }

    /// Whether no page that is out could fail and leave its place to another.
    fn has_all_pages(&self) -> bool {
        self.settings.max_pages.is_some_and(|most| self.pages >= most)
    }

    /// From here on only files go out: an item is not complete without them.
    fn go_on_with_files(&mut self, now: Timestamp) {
        self.files_only = true;
        self.sleepers.only_files();
        let hosts: Vec<_> = self.hosts.iter().map(|(host, _)| host).collect();
        for host in hosts {
            self.hosts[host].files_only = true;
            self.touch(host, now);
        }
    }

    /// The end, when nothing that may go out is left.
    fn last_step(&self) -> Step {
        let has_more =
            || self.hosts.iter().any(|(_, host)| host.lanes.iter().any(|lane| lane.queue.has_work()));
        let has_more = || has_more() || self.sleepers.has_work();
        if self.files_only && has_more() { Step::LimitReached } else { Step::Finished }
    }

    fn start_load(&mut self, host: usize, lane: usize) -> Option<Step> {
        let limit = self.head_room();
        let entry = self.hosts.get_mut(host)?.lanes.get_mut(lane)?;
        let from = entry.queue.wants_load()?;
        self.loading += 1;
        Some(Step::Load(LoadRequest { host, lane, origin: entry.origin.clone(), after: from.0, limit }))
    }

    /// Before anything goes out, everybody who shares an address with a host in a wait must be known.
    fn ask_for_held(&mut self) -> Option<Step> {
        match self.groups.held.pop() {
            Some(host) => Some(self.ask_for_address(host)),
            None if self.groups.held_left > 0 => Some(Step::AwaitFetches),
            None => None,
        }
    }

    fn ask_for_address(&mut self, host: usize) -> Step {
        self.groups.ask(host);
        self.leave_timetable(host);
        Step::Resolve(AddressRequest { host, key: self.hosts[host].key.clone() })
    }

    /// What became of a name: its address, or `None` if it has none or nobody knows. The host goes on without one then; what
    /// is wrong with its name shows when it is asked.
    #[expect(clippy::needless_pass_by_value, reason = "a question is answered once")]
    pub fn resolved(&mut self, now: Timestamp, request: AddressRequest, address: Option<IpAddr>) {
        let host = request.host;
        self.groups.answer(now, host, address, &self.hosts[host].machine, self.resumed_at);
        self.touch(host, now);
    }

    fn host_is_due(&mut self, now: Timestamp, host: usize, slot: Slot) -> Option<Step> {
        self.hosts[host].slot = None;
        if self.groups.needs_address(host, now) {
            return Some(self.ask_for_address(host));
        }
        let most = self.most_in_flight(host);
        if let Some(group) = self.groups.of(host).group {
            if !self.groups.get(group).admits(now, host, most) {
                self.line_up(now, group, host);
                return None;
            }
            self.groups.get(group).enter(host);
        }
        self.pass_address(now, host, Way { slot, line: None })
    }

    /// The first in a group's line is called up, if its time has come.
    fn group_is_due(&mut self, now: Timestamp, group: usize, slot: Slot) -> Option<Step> {
        self.groups.get(group).slot = None;
        let host = self.groups.get(group).head()?;
        let most = self.most_in_flight(host);
        let place = self.groups.get(group);
        if !place.has_room(host, most) || place.ready_at(now) > now {
            self.touch_group(now, group);
            return None;
        }
        self.groups.call_up(group);
        let way = Way { slot, line: Some(group) };
        if !self.groups.get(group).is_address() {
            self.groups.get(group).enter(host);
            return self.pass_address(now, host, way);
        }
        // While it stood here, its own group may have been told to wait.
        let first = self.groups.of(host).group;
        if let Some(first) = first.filter(|first| self.groups.get(*first).ready_at(now) > now) {
            self.groups.get(first).leave();
            self.groups.line_up_first(first, host);
            self.touch_group(now, first);
            self.touch_group(now, group);
            return None;
        }
        self.groups.get(group).enter(host);
        self.send(now, host, way)
    }

    /// Its own group lets the host pass: now its address.
    fn pass_address(&mut self, now: Timestamp, host: usize, way: Way) -> Option<Step> {
        if let Some(address) = self.groups.of(host).address {
            let most = self.most_in_flight(host);
            if !self.groups.get(address).admits(now, host, most) {
                self.line_up(now, address, host);
                return None;
            }
            self.groups.get(address).enter(host);
        }
        self.send(now, host, way)
    }

    fn line_up(&mut self, now: Timestamp, group: usize, host: usize) {
        if !self.sleeps_in_line(now, group, host) {
            self.groups.line_up(group, host);
        }
        self.touch_group(now, group);
    }

    fn most_in_flight(&self, host: usize) -> u32 {
        self.hosts[host].policy.max_concurrency.max(1)
    }

    /// Nothing stands in the way of the host: its next request becomes a lease, if it has one after all.
    fn send(&mut self, now: Timestamp, host: usize, way: Way) -> Option<Step> {
        let pass = self.groups.of(host);
        let groups = [pass.group, pass.address];
        let step = self.lease(now, host, pass, way);
        if step.is_none() {
            groups.into_iter().flatten().for_each(|group| self.groups.get(group).leave());
        }
        groups.into_iter().flatten().for_each(|group| self.touch_group(now, group));
        self.touch(host, now);
        step
    }

    /// Makes a due host's next request a lease, or finds that there is none after all.
    fn lease(&mut self, now: Timestamp, host: usize, pass: Pass, way: Way) -> Option<Step> {
        let entry = &mut self.hosts[host];
        // While it stood in line, an answer may have told it to wait.
        let ready = entry.ready_at(now, self.round).is_some_and(|at| at <= now);
        if !ready || self.groups.token_at(host, now) > now {
            return None;
        }
        let (turn, seed) = (entry.turn(), self.rng.get_seed());
        let errand = entry.next_errand(now, self.round, &mut self.dropped)?;
        let machine = entry.machine.begin(now, &entry.policy, &mut self.rng);
        let groups = self.groups.begin(now, host, &pass, &entry.machine);
        let ceiling = self.ceiling.as_mut().map(|ceiling| ceiling.take(now));
        self.in_flight += 1;
        Some(match errand {
            Errand::Page { lane, pending, rule } => {
                let pages = u64::from(pending.request.kind.is_page());
                self.pages_out += pages;
                entry.pages_out += pages;
                entry.asked = entry.asked.saturating_add(1);
                let origin = entry.lanes[lane].origin.clone();
                let draws = Draws { before: seed, after: self.rng.get_seed() };
                let spent = Box::new(Spent { way, turn, machine, groups, ceiling, draws });
                Step::Fetch(Lease { host, pass, spent, lane, origin, pending, rule, began: now })
            }
            Errand::Robots { owner, ask } => Step::Robots(RobotsLease { host, pass, owner, ask, began: now }),
            Errand::Control { url, method } => {
                Step::Control(ControlLease { host, pass, url, method, began: now })
            }
        })
    }

    /// Gives back what a request has taken, and lets its group hear the answer.
    #[expect(clippy::needless_pass_by_value, reason = "a pass is given back once")]
    pub(super) fn give_back(&mut self, now: Timestamp, host: usize, pass: Pass, outcome: &Outcome) {
        let Pass { group, address } = pass;
        self.work.hear(outcome.ended.since(outcome.began));
        if let Some(group) = group {
            self.groups.get(group).hear(&self.hosts[host].machine, outcome);
        }
        for group in [group, address].into_iter().flatten() {
            self.groups.get(group).leave();
            self.touch_group(now, group);
        }
    }

    /// Asks for more of the queues of a host that run low.
    pub(super) fn fill(&mut self, host: usize, now: Timestamp) {
        let files_only = !self.hosts[host].pages_left(self.round);
        for (lane, queue) in self.hosts[host].lanes.iter().enumerate() {
            if queue.runs_low(now, files_only) {
                self.loads.push((host, lane));
            }
        }
    }

    /// Puts a host where it now belongs in the timetable.
    pub(super) fn touch(&mut self, host: usize, now: Timestamp) {
        self.touches += 1;
        self.fill(host, now);
        self.count(host);
        if self.groups.has(host) {
            return;
        }
        let entry = &self.hosts[host];
        let at = entry.ready_at(now, self.round).map(|at| at.max(self.groups.token_at(host, now)));
        if entry.slot.is_some_and(|old| Some(old.0) != at) {
            self.leave_timetable(host);
        }
        if let (None, Some(at)) = (self.hosts[host].slot, at) {
            self.hosts[host].slot = Some(self.enter_timetable(at, Due::Host(host)));
        }
    }

    /// Puts a group where it now belongs in the timetable: nowhere, if nobody is in line or no room is left.
    pub(super) fn touch_group(&mut self, now: Timestamp, group: usize) {
        let head = self.groups.get(group).head();
        let head = head.map(|host| (host, self.most_in_flight(host)));
        let place = self.groups.get(group);
        let ready = head.filter(|(host, most)| place.has_room(*host, *most)).map(|_| place.ready_at(now));
        let old = place.slot;
        if old.is_some_and(|old| ready.is_some_and(|ready| old.0 >= ready)) {
            return;
        }
        self.cancel_group(group);
        self.groups_due += usize::from(ready.is_some());
        let slot = ready.map(|ready| self.enter_timetable(ready.max(now), Due::Group(group)));
        self.groups.get(group).slot = slot;
    }

    /// Takes a group out of the timetable.
    pub(super) fn cancel_group(&mut self, group: usize) {
        if let Some((at, turn)) = self.groups.get(group).slot.take() {
            self.timetable.remove((at, turn, Due::Group(group)));
            self.groups_due -= 1;
        }
    }

    fn enter_timetable(&mut self, at: Timestamp, due: Due) -> Slot {
        self.turn += 1;
        self.timetable.insert((at, self.turn, due));
        (at, self.turn)
    }

    pub(super) fn leave_timetable(&mut self, host: usize) {
        if let Some((at, turn)) = self.hosts[host].slot.take() {
            self.timetable.remove((at, turn, Due::Host(host)));
        }
    }
}
