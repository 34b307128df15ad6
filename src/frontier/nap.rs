//! What must be known of a host that sleeps beyond what is stored with each of its answers.
//!
//! A restart may forget it: it begins with the host's state, cautiously. A host that only slept goes on exactly where it was. So a
//! nap holds for the run that wrote it, and for no other.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::gate::GateNap;
use crate::politeness::Host;
use crate::politeness::block::Sections;
use crate::request::Pending;
use crate::robots::RobotsRecord;
use crate::time::Timestamp;
use crate::url::{HostKey, Origin};

/// A host that went to sleep, to be stored until it is woken in the same run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Nap {
    pub(super) machine: Host,
    pub(super) turn: usize,
    pub(super) lanes: Vec<LaneNap>,
    pub(super) shared: SharedNap,
}

/// One of its origins.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LaneNap {
    pub(super) origin: Origin,
    pub(super) gate: GateNap,
    pub(super) sections: Sections,
}

/// What it has to do with others.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct SharedNap {
    /// Its address, if it has one that is known.
    pub(super) address: Option<IpAddr>,
    /// Until when that is relied on; none if nobody has asked.
    pub(super) known: Option<Timestamp>,
    /// When its own bucket is full again.
    pub(super) full_at: Option<Timestamp>,
}

impl Nap {
    /// Its origins, in the order in which they were found.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.lanes.iter().map(|lane| &lane.origin)
    }

    /// Why nothing may be asked of a part of it in this run, in words.
    #[must_use]
    pub fn shut(&self) -> Option<String> {
        self.lanes.iter().find_map(|lane| lane.gate.shut())
    }
}

/// Sleepers that are due; goes back into [`super::Frontier::wake`] with what the store knows of each.
#[must_use = "a host that is not woken is never asked"]
#[derive(Debug)]
pub struct WakeRequest {
    pub(super) hosts: Vec<Drowsy>,
    /// Requests of each origin to bring along, at most.
    pub head: usize,
}

/// A sleeper that is due.
#[derive(Debug)]
pub struct Drowsy {
    pub(super) id: super::sleepers::Id,
    /// Its name.
    pub key: HostKey,
    /// Its origins at which something waits.
    pub origins: Vec<Origin>,
}

impl WakeRequest {
    /// The sleepers, in the order in which the answers must come.
    #[must_use]
    pub fn hosts(&self) -> &[Drowsy] {
        &self.hosts
    }
}

/// What the store knows of a sleeper.
#[derive(Debug, Default)]
pub struct Stored {
    /// Its state, if it was ever asked.
    pub state: Option<crate::politeness::HostState>,
    /// How it went to sleep, if it did in this run.
    pub nap: Option<Nap>,
    /// Its origins: those of its nap first, in their order.
    pub origins: Vec<StoredOrigin>,
}

/// What the store knows of one of its origins.
#[derive(Debug)]
pub struct StoredOrigin {
    /// The origin.
    pub origin: Origin,
    /// Its robots.txt.
    pub robots: Option<RobotsRecord>,
    /// Requests that wait.
    pub waiting: u64,
    /// The first of them.
    pub first: Vec<Pending>,
}
