//! One group: how many of its requests are out, when the next may go, and who stands in line.
//!
//! It knows nothing of timetables and of other groups. What it lets pass, it can take back while nothing else has happened.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::bucket::{Bucket, Token};
use super::sharing::TENANTS_IN_FLIGHT;
use crate::politeness::{Class, Host, Outcome, Wait};
use crate::time::Timestamp;

/// What hosts share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// One pace for a domain.
    Domain(Box<str>),
    /// One pace for an address.
    Near(IpAddr),
    /// A ceiling for the customers of a domain.
    Tenants(Box<str>),
    /// A ceiling for an address.
    Address(IpAddr),
}

/// A group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: Key,
    pub(super) kind: Kind,
    /// Hosts of it that are awake.
    pub(super) members: usize,
    /// Places in its line that are promised to hosts which sleep until then.
    promised: Timestamp,
    out: u32,
    /// The only host with requests out, if there is only one.
    holder: Option<usize>,
    /// The holder before the last request came.
    held_before: Option<usize>,
    next: Timestamp,
    /// Until when it waits for its pace alone.
    paced: Timestamp,
    /// It has pushed back and has not answered well since: one request at a time.
    struck: bool,
    pub(super) bucket: Option<Bucket>,
    pub(super) line: VecDeque<usize>,
    /// Requests that wait at all its hosts.
    pub(super) waiting: u64,
    /// Its place in the timetable.
    pub(super) slot: Option<(Timestamp, u64)>,
    /// Counts everything that happens to it, so that a turn is only taken back if nothing has happened since.
    moves: u64,
}

/// What a group was before a request that it let pass.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) group: usize,
    token: Option<Token>,
    moves: u64,
    next: Timestamp,
    paced: Timestamp,
    holder: Option<usize>,
}

/// What its hosts share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// As many requests as a host may have, over all its hosts, one pace.
    Pace,
    /// So many requests, no pace.
    Tenants,
    /// So many requests, or those that its only visitor may have.
    Address { most: u32 },
}

impl Group {
    pub(super) fn new(key: Key, kind: Kind) -> Self {
        Self {
            key,
            kind,
            members: 0,
            promised: Timestamp::ZERO,
            out: 0,
            holder: None,
            held_before: None,
            next: Timestamp::ZERO,
            paced: Timestamp::ZERO,
            struck: false,
            bucket: None,
            line: VecDeque::new(),
            waiting: 0,
            slot: None,
            moves: 0,
        }
    }

    /// Until when it must be remembered, now that nobody of it is awake. What is struck or counts tokens for hosts of different
    /// rates is kept.
    pub(super) fn lasts_until(&self) -> Timestamp {
        match (&self.bucket, self.kind) {
            _ if self.struck => Timestamp::MAX,
            (Some(_), Kind::Pace) => Timestamp::MAX,
            (bucket, _) => {
                let full = bucket.as_ref().map_or(Timestamp::ZERO, Bucket::full_at);
                full.max(self.next).max(self.promised)
            }
        }
    }

    /// Whether somebody is out, in line, or expected.
    pub(super) fn is_busy(&self) -> bool {
        self.members > 0 || self.out > 0 || self.slot.is_some() || !self.line.is_empty()
    }

    /// A place in its line for somebody who sleeps until it is his turn: `step` behind the last that was promised.
    pub(super) fn promise(&mut self, now: Timestamp, step: Duration) -> Timestamp {
        let ahead = u32::try_from(self.line.len()).unwrap_or(u32::MAX);
        self.promised = self.promised.max(now + step.saturating_mul(ahead / 2)) + step;
        self.promised
    }

    /// A request goes out: the group has its pace, and its bucket a token less.
    pub(super) fn begin(&mut self, group: usize, now: Timestamp, paced: Timestamp) -> Turn {
        let (next, before) = (self.next, self.paced);
        let token = self.bucket.as_mut().map(|bucket| bucket.take(now));
        self.pace(paced);
        self.moves += 1;
        Turn { group, token, moves: self.moves, next, paced: before, holder: self.held_before }
    }

    /// The request has not left. If something has happened here since, its time stays spent. Its room is given back apart.
    pub(super) fn take_back(&mut self, turn: &Turn) {
        if let (Some(bucket), Some(token)) = (&mut self.bucket, &turn.token) {
            bucket.put_back(token);
        }
        if self.moves == turn.moves {
            (self.next, self.paced, self.holder) = (turn.next, turn.paced, turn.holder);
        }
        self.moves += 1;
    }

    /// Seconds that it needs for what waits at its hosts, if a host asks every so many seconds and an answer takes `mean`.
    pub(super) fn takes(&self, interval: f64, mean: f64) -> f64 {
        let each = match self.kind {
            Kind::Pace => interval,
            Kind::Tenants => mean / f64::from(TENANTS_IN_FLIGHT),
            Kind::Address { most } => mean / f64::from(most.max(1)),
        };
        let token = self.bucket.as_ref().map_or(0.0, |bucket| bucket.rate().interval().as_secs_f64());
        self.waiting as f64 * each.max(token)
    }

    /// Who is first in line.
    pub(super) fn head(&self) -> Option<usize> {
        self.line.front().copied()
    }

    /// Whether there is room for one more request of a host that may have `most` in flight.
    pub(super) fn has_room(&self, host: usize, most: u32) -> bool {
        match self.kind {
            Kind::Pace => self.out < if self.struck { 1 } else { most },
            Kind::Tenants => self.out < TENANTS_IN_FLIGHT,
            Kind::Address { most: shared } => {
                self.out < shared || (self.holder == Some(host) && self.out < most)
            }
        }
    }

    /// When the next request may go out, if there is room.
    pub(super) fn ready_at(&mut self, now: Timestamp) -> Timestamp {
        let token = self.bucket.as_mut().map_or(Timestamp::ZERO, |bucket| bucket.ready_at(now));
        self.next.max(token)
    }

    /// Whether its place at this moment of the timetable is owed to its pace, not to a refusal.
    pub(super) fn waits_for_pace(&self, at: Timestamp) -> bool {
        at > self.next || self.next <= self.paced
    }

    /// Whether a host may go without standing in line.
    pub(super) fn admits(&mut self, now: Timestamp, host: usize, most: u32) -> bool {
        self.line.is_empty() && self.has_room(host, most) && self.ready_at(now) <= now
    }

    /// Takes room for one request.
    pub(super) fn enter(&mut self, host: usize) {
        self.moves += 1;
        self.held_before = self.holder;
        self.holder = (self.out == 0 || self.holder == Some(host)).then_some(host);
        self.out += 1;
    }

    /// Gives the room of a request back.
    pub(super) fn leave(&mut self) {
        self.moves += 1;
        self.out -= 1;
    }

    /// Whether it is the ceiling of an address.
    pub(super) const fn is_address(&self) -> bool {
        matches!(self.kind, Kind::Address { .. })
    }

    /// An answer has come to one of its hosts. What pushes back, pushes back for all; that a host cannot be reached is said of
    /// that host alone.
    pub(super) fn hear(&mut self, machine: &Host, outcome: &Outcome) {
        self.moves += 1;
        self.pace(machine.paced_until());
        if !matches!(outcome.class, Class::Unreachable(_)) {
            self.hold(machine);
        }
        if let (Kind::Pace, Some(told)) = (&self.kind, outcome.told) {
            self.next = self.next.max(outcome.ended + told);
        }
        if outcome.class == Class::Throttled {
            self.struck = true;
        } else if outcome.class.is_health() {
            self.struck = false;
        }
    }

    pub(super) fn pace(&mut self, next: Timestamp) {
        if self.kind == Kind::Pace {
            self.paced = self.paced.max(next);
            self.next = self.next.max(next);
        }
    }

    pub(super) fn hold(&mut self, machine: &Host) {
        self.moves += 1;
        if self.kind == Kind::Pace {
            self.pace(machine.paced_until());
            // What we make of one host's answers parks it alone: its neighbours have said nothing.
            if machine.state().waits_for != Wait::Standing {
                self.next = self.next.max(machine.state().not_before);
            }
        }
    }
}
