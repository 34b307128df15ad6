//! When one host may go to sleep, what of it is written down, and how it comes back.

use super::control::Control;
use super::gate::{Gate, GateNap};
use super::host::{HostEntry, OriginLane, opens_at};
use super::lane::Lane;
use super::nap::{LaneNap, Nap, SharedNap, StoredOrigin};
use super::sleepers::Marks;
use crate::politeness::Host;
use crate::robots::ProductToken;
use crate::time::Timestamp;

impl HostEntry {
    /// Whether nothing of it is out and nothing is in memory alone.
    pub(super) fn may_sleep(&self, now: Timestamp, round: u32) -> bool {
        let files_only = !self.pages_left(round);
        self.machine.in_flight() == 0
            && self.errands.is_empty()
            && !self.holds_pages()
            && self.control == Control::None
            && self.lanes.iter().all(|lane| {
                lane.gate.may_sleep() && lane.queue.may_sleep() && !lane.runs_low(now, files_only)
            })
    }

    /// Requests of all its origins.
    pub(super) fn waiting(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.queue.waiting()).sum()
    }

    /// Whether a part of it may not be asked in this run.
    pub(super) fn is_shut(&self) -> bool {
        self.lanes.iter().any(|lane| lane.gate.shut().is_some())
    }

    /// Whether there is nothing to write down: neither it nor its robots.txt was asked.
    pub(super) fn is_untouched(&self) -> bool {
        self.machine.is_untouched() && self.lanes.iter().all(|lane| lane.gate.is_untouched())
    }

    /// Whether a place at this moment of the timetable is owed to its pace.
    pub(super) fn is_paced_until(&self, at: Timestamp) -> bool {
        at == self.machine.state().not_before && self.machine.is_paced()
    }

    /// What its record says if it sleeps until `due`.
    pub(super) fn marks(&self, due: Option<Timestamp>, now: Timestamp, round: u32) -> Marks {
        let due = due.unwrap_or(Timestamp::MAX);
        let marks = Marks::default()
            .with_if(Marks::WORK, self.waiting() > 0)
            .with_if(Marks::SHUT, self.is_shut())
            .with_if(Marks::FILES, self.lanes.iter().any(|lane| lane.queue.may_hold_files()));
        if !self.pages_left(round) {
            return marks.with(Marks::FILE_WAKES);
        }
        let eligible = self.machine.state().not_before.max(now);
        let kinds = [Marks::HTTP_WAKES, Marks::HTTPS_WAKES, Marks::OTHERS_WAKE];
        kinds.into_iter().fold(marks, |marks, kind| {
            let mut own = self
                .lanes
                .iter()
                .filter(|lane| Marks::of(&lane.origin, self.key.as_str()).1 == kind)
                .peekable();
            let is_new = own.peek().is_none() || kind == Marks::OTHERS_WAKE;
            let opens = own.filter_map(|lane| lane.opens_for_a_page(now)).min();
            let opens = if is_new { Some(now) } else { opens };
            marks.with_if(kind, opens.is_some_and(|opens| opens.max(eligible) < due))
        })
    }

    /// What must be known of it beyond what is stored already.
    pub(super) fn into_nap(self, shared: SharedNap) -> Nap {
        let turn = self.turn();
        let lanes = self.lanes.into_iter();
        let lanes = lanes.map(|lane| LaneNap {
            gate: GateNap::of(&lane.gate),
            origin: lane.origin,
            sections: lane.sections,
        });
        Nap { lanes: lanes.collect(), machine: self.machine, turn, shared }
    }

    /// It goes on where it was when it went to sleep.
    pub(super) fn go_on(&mut self, machine: Host, turn: usize) {
        self.machine = machine;
        self.set_turn(turn);
    }

    /// One of its origins comes back.
    pub(super) fn add_sleeping_lane(
        &mut self,
        nap: LaneNap,
        stored: StoredOrigin,
        agent: &ProductToken,
        room: usize,
    ) {
        let LaneNap { origin, gate, sections } = nap;
        let gate = gate.wake(&origin, stored.robots.as_ref(), &self.policy, agent);
        let queue = Lane::begun(stored.waiting, stored.first, room);
        self.lanes.push(OriginLane { origin, gate, queue, sections });
    }
}

impl OriginLane {
    /// When a page could be asked if one came now, the pace of the host aside; `None` if robots.txt stands in the way.
    fn opens_for_a_page(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.gate {
            Gate::Ask { at, .. } => Some(*at),
            Gate::Open { rules, .. } => Some(rules.visit_time().map_or(now, |window| opens_at(window, now))),
            Gate::Asking | Gate::Unreachable { .. } | Gate::TooSlow { .. } => None,
        }
    }
}
