//! Pages whose answer is known already: their lease is given back, and nobody has lost time or a turn by it.
//!
//! Whether a page must be asked for is found out late, when its host may be asked: until then the stored answer may have become
//! too old. So the lease has already spent what a request spends. All of it is given back: the host's delay and pace, its turn
//! among hosts and origins, tokens, the place in a line, even the random draws. Where something else has happened to the
//! same host or group in between, its time stays spent: a page that was not asked for never brings two requests nearer. The turn of
//! a band among those that are due stays spent too (see [`super::ready`]): known pages without end would keep all others out.

use super::bucket::Token;
use super::{Due, Frontier, Lease, Settlement, groups};
use crate::politeness::{Begun, Reaction, Verdict};
use crate::time::Timestamp;

/// After so many the caller is told to look for answers.
const BREATH: u32 = 256;

/// A place in the timetable.
pub(super) type Slot = (Timestamp, u64);

/// How a host came to its lease.
#[derive(Debug)]
pub(super) struct Way {
    /// Its place in the timetable, or that of the group that called it up.
    pub(super) slot: Slot,
    /// The group in whose line it stood last.
    pub(super) line: Option<usize>,
}

/// What a lease has spent, to be given back if nothing is asked.
#[derive(Debug)]
pub(super) struct Spent {
    pub(super) way: Way,
    /// The origin whose turn it was to be looked at first.
    pub(super) turn: usize,
    pub(super) machine: Begun,
    pub(super) groups: groups::Spent,
    pub(super) ceiling: Option<Token>,
    pub(super) draws: Draws,
}

/// The random numbers before and after.
#[derive(Debug)]
pub(super) struct Draws {
    pub(super) before: u64,
    pub(super) after: u64,
}

impl Frontier {
    /// The answer to a page is known already, so that nothing is asked. It counts as a page of the round; its host and everybody
    /// else may be asked as if there had been no such lease, also in the same order, if the lease is settled before anything else
    /// happens. Otherwise what happened in between holds, and the host waits as if it had been asked.
    ///
    /// After each 256 such pages [`Frontier::next`] says once to wait until this very moment, so that the caller can take in
    /// answers and stop requests before it goes on.
    pub fn settle_stored(&mut self, now: Timestamp, lease: Lease) -> Settlement {
        let Lease { host, pass, spent, lane, origin, pending, .. } = lease;
        let Spent { way, turn, machine, groups, ceiling, draws } = *spent;
        let pages = u64::from(pending.request.kind.is_page());
        self.in_flight -= 1;
        self.pages_out -= pages;
        self.pages += pages;
        let entry = &mut self.hosts[host];
        entry.pages_out -= pages;
        entry.take_turn_back(lane, turn);
        entry.machine.take_back(machine);
        if pages > 0 {
            entry.machine.count_page(self.round);
        }
        entry.lanes[lane].queue.settle(pending.key);
        let state = (entry.key.clone(), entry.machine.state().clone());
        if let (Some(ceiling), Some(token)) = (&mut self.ceiling, &ceiling) {
            ceiling.put_back(token);
        }
        if self.rng.get_seed() == draws.after {
            self.rng.seed(draws.before);
        }
        self.groups.take_back(host, &groups);
        self.stored += 1;
        self.return_to_place(now, host, [pass.group, pass.address], &way);
        Settlement {
            verdict: Verdict::Done,
            origin,
            pending,
            host: state,
            reaction: Reaction::None,
            released: Vec::new(),
        }
    }

    /// Puts a host back where it was called from, if it has more to ask now, and its groups with it.
    fn return_to_place(&mut self, now: Timestamp, host: usize, passed: [Option<usize>; 2], way: &Way) {
        let has_more = self.hosts[host].ready_at(now, self.round).is_some_and(|at| at <= now);
        let has_more = has_more && self.groups.token_at(host, now) <= now && !self.groups.has(host);
        let line = way.line.filter(|_| has_more);
        // Who stands at an address has passed its own group and keeps its room there.
        let keeps = line.filter(|line| self.groups.get(*line).is_address()).and(passed[0]);
        for group in passed.into_iter().flatten().filter(|group| keeps != Some(*group)) {
            self.groups.get(group).leave();
        }
        if let Some(line) = line {
            self.leave_timetable(host);
            self.groups.line_up_first(line, host);
        }
        for group in passed.into_iter().flatten() {
            self.return_group(now, group, (way.line == Some(group)).then_some(way.slot));
        }
        if line.is_none() && has_more {
            self.fill(host, now);
            self.leave_timetable(host);
            self.timetable.insert((way.slot.0, way.slot.1, Due::Host(host)));
            self.hosts[host].slot = Some(way.slot);
        } else {
            self.touch(host, now);
        }
    }

    /// Puts a group back where it was in the timetable, or where it now belongs.
    fn return_group(&mut self, now: Timestamp, group: usize, called: Option<Slot>) {
        let is_late = self.groups.get(group).slot.is_some_and(|slot| slot.0 > now);
        if is_late || called.is_some() {
            self.cancel_group(group);
        }
        self.touch_group(now, group);
        let found = self.groups.get(group).slot.is_some_and(|slot| slot.0 <= now);
        if let Some(slot) = called.filter(|_| found) {
            self.cancel_group(group);
            self.timetable.insert((slot.0, slot.1, Due::Group(group)));
            self.groups_due += 1;
            self.groups.get(group).slot = Some(slot);
        }
    }

    /// Whether so many pages were known already that the caller must look for answers.
    pub(super) fn wants_breath(&mut self) -> bool {
        let wants = self.stored >= BREATH;
        self.stored *= u32::from(!wants);
        wants
    }
}
