//! Which request goes out next.
//!
//! Hosts wait in a timetable ordered by the moment at which each may be asked; the frontier takes the first one that is due,
//! so a waiting host costs nothing but its entry. If more are due than connections are free, those go first that decide how long
//! the crawl takes, and nobody starves. Inside a host, origins take turns; inside an origin, requests go by
//! priority, then age. All rules of politeness meet in [`Frontier::next`]: robots.txt, delay, waits, budgets.
//!
//! Pure and clock-free: the same calls give the same leases. A [`Lease`] is the only way to a request, is settled exactly
//! once and is never written to disk: what is out when the process dies is simply still in its queue.

mod bucket;
mod control;
mod dispatch;
mod doze;
mod gate;
mod group;
mod groups;
mod host;
mod lane;
mod lease;
mod nap;
mod origin;
mod ready;
mod settings;
mod settle;
mod sharing;
mod slab;
mod sleep;
mod sleepers;
mod stored;
#[cfg(test)]
mod tests;
mod traps;

use std::collections::HashMap;

pub use control::{ControlLease, ControlSettlement};
use fastrand::Rng;
pub use gate::RobotsReply;
pub use lease::{
    AddressRequest, Drop, HostView, Lease, LoadRequest, RobotsLease, RobotsSettlement, Settlement, Step,
};
pub use nap::{Drowsy, Nap, Stored, StoredOrigin, WakeRequest};
pub use settings::Settings;
pub use sharing::{Grouping, MULTI_TENANT, Sharing, TENANTS_IN_FLIGHT, content_networks};
pub use traps::Notice;

use crate::politeness::{Host, HostState, Policy};
use crate::request::Pending;
use crate::robots::{RobotsRecord, RobotsRules};
use crate::time::Timestamp;
use crate::url::{HostKey, Origin};

use bucket::Bucket;
use groups::Groups;
use host::HostEntry;
use ready::{Timetable, Work};
use slab::Slab;
use sleepers::Sleepers;

/// Requests that all origins together have in memory, roughly.
const HEADS: usize = 1 << 16;
/// What an origin has of them at least.
const LEAST_HEAD: usize = 8;

/// Gives the policy of a host.
pub type Policies = Box<dyn Fn(&HostKey) -> Policy + Send + Sync>;

/// What has its time in the timetable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A host that waits for itself alone.
    Host(usize),
    /// A group that has hosts in line.
    Group(usize),
}

/// All hosts and what waits on them.
pub struct Frontier {
    settings: Settings,
    policies: Policies,
    hosts: Slab<HostEntry>,
    index: HashMap<HostKey, usize>,
    timetable: Timetable,
    work: Work,
    turn: u64,
    /// Groups in the timetable.
    groups_due: usize,
    groups: Groups,
    sleepers: Sleepers,
    /// Sleepers that the store was asked for.
    waking: usize,
    /// Hosts that went to sleep since the caller last took them.
    naps: Vec<(HostKey, Nap)>,
    /// Whether a host that is neither awake nor asleep is surely new.
    knows_all: bool,
    /// What has happened to hosts since somebody last looked for one that may sleep.
    touches: usize,
    loads: Vec<(usize, usize)>,
    loading: usize,
    in_flight: usize,
    round: u32,
    resumed_at: Option<Timestamp>,
    pages: u64,
    pages_out: u64,
    /// All the pages that are allowed have come: what is left are files.
    files_only: bool,
    dropped: Vec<Drop>,
    opened: Vec<(Origin, RobotsRules)>,
    robots: HashMap<Origin, RobotsRecord>,
    ceiling: Option<Bucket>,
    /// Pages that were known already, since the caller last looked for answers.
    stored: u32,
    /// Digests of pages that are remembered, over all hosts.
    remembered: usize,
    rng: Rng,
}

impl Frontier {
    /// An empty frontier for this round of the crawl, `pages` of which are fetched already.
    #[must_use]
    pub fn new(mut settings: Settings, policies: Policies, round: u32, pages: u64) -> Self {
        settings.head = settings.head.max(1);
        Self {
            rng: Rng::with_seed(settings.seed),
            ceiling: settings.max_rate.and_then(|rate| Bucket::new(rate, 1, None)),
            groups: Groups::new(settings.sharing.clone()),
            settings,
            policies,
            hosts: Slab::new(),
            index: HashMap::new(),
            timetable: Timetable::default(),
            work: Work::default(),
            turn: 0,
            groups_due: 0,
            sleepers: Sleepers::new(),
            waking: 0,
            naps: Vec::new(),
            knows_all: true,
            touches: 0,
            loads: Vec::new(),
            loading: 0,
            in_flight: 0,
            round,
            resumed_at: None,
            pages,
            pages_out: 0,
            files_only: false,
            dropped: Vec::new(),
            opened: Vec::new(),
            robots: HashMap::new(),
            stored: 0,
            remembered: 0,
        }
    }

    /// Goes on where an earlier run ended. What that run had in flight when it ended is not known, so no host is asked before
    /// its delay has passed once more: a restart may not undercut it. Called before anything is restored.
    pub fn resume(&mut self, now: Timestamp) {
        self.resumed_at = Some(now);
        self.ceiling = self.settings.max_rate.and_then(|rate| Bucket::new(rate, 1, Some(now)));
    }

    /// A host as the last run left it.
    pub fn restore_host(&mut self, now: Timestamp, key: &HostKey, state: HostState) {
        let host = self.host_of(key);
        let entry = &mut self.hosts[host];
        let waits = state.not_before > now;
        entry.machine = Host::resume(state, now, &entry.policy);
        if waits {
            self.groups.restore(host, &entry.machine);
        }
    }

    /// A robots.txt verdict of an earlier run.
    pub fn restore_robots(&mut self, origin: Origin, record: RobotsRecord) {
        self.robots.insert(origin, record);
    }

    /// An origin that has `count` requests in the store.
    pub fn restore_queue(&mut self, now: Timestamp, origin: &Origin, count: u64) {
        let host = self.host_of(&origin.host_key());
        let lane = self.lane_of(now, host, origin);
        self.hosts[host].lanes[lane].queue = lane::Lane::stored(count);
        self.groups.hold(host, &self.hosts[host].machine);
        self.touch(host, now);
    }

    /// A request has entered the store's queue.
    pub fn admit(&mut self, now: Timestamp, pending: Pending) {
        let (origin, key) = (pending.request.origin(), pending.request.host());
        let Some(host) = self.seek(&key) else {
            return self.admit_asleep(now, &key, &origin, pending);
        };
        let lane = self.lane_of(now, host, &origin);
        let room = self.head_room();
        self.hosts[host].lanes[lane].queue.admit(pending, room);
        self.touch(host, now);
    }

    /// What the store answered to [`Step::Load`].
    #[expect(clippy::needless_pass_by_value, reason = "a load is answered once")]
    pub fn load(&mut self, now: Timestamp, load: LoadRequest, requests: Vec<Pending>) {
        self.loading -= 1;
        self.hosts[load.host].lanes[load.lane].queue.load(requests, load.limit);
        self.touch(load.host, now);
    }

    /// The policy of the host that a page is asked of.
    #[must_use]
    pub fn policy_for(&self, lease: &Lease) -> &Policy {
        &self.hosts[lease.host].policy
    }

    /// Requests a second at which a host is asked, waits aside; none of one that is not known.
    #[must_use]
    pub fn rate(&self, host: &HostKey) -> f64 {
        let entry = self.index.get(host).map(|&host| &self.hosts[host]);
        entry.map_or(0.0, |entry| entry.machine.rate(&entry.policy))
    }

    /// The policy of the host that is asked for robots.txt.
    #[must_use]
    pub fn policy_for_robots(&self, lease: &RobotsLease) -> &Policy {
        &self.hosts[lease.host].policy
    }

    /// The policy of the host that is asked for a control page.
    #[must_use]
    pub fn policy_for_control(&self, lease: &ControlLease) -> &Policy {
        &self.hosts[lease.host].policy
    }

    /// Requests that were dropped without being asked (robots.txt forbids them) since the last call.
    pub fn take_dropped(&mut self) -> Vec<Drop> {
        std::mem::take(&mut self.dropped)
    }

    /// At the end of the crawl: the pages that were held back after a 401 or 403 and never got another answer.
    pub fn release_held(&mut self) -> Vec<Drop> {
        self.hosts.iter_mut().flat_map(|(_, host)| host.release_held()).collect()
    }

    /// The soonest moment at which something may go out, if anything waits.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.timetable.soonest().into_iter().chain(self.first_sleeper()).min()
    }

    /// Requests in flight.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Hosts that wait for their time.
    #[must_use]
    pub fn hosts_waiting(&self) -> usize {
        self.timetable.len() - self.groups_due + self.groups.in_line + self.sleepers.due_len()
    }

    /// Of these, the hosts that stand in the line of a group or an address: their own time has come.
    #[must_use]
    pub const fn hosts_in_line(&self) -> usize {
        self.groups.in_line
    }

    /// Whether as much is in flight as may be.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.in_flight + self.groups.asking >= self.settings.max_in_flight
    }

    /// All hosts that are awake; as long as none has gone to sleep, all hosts in the order in which they were found.
    pub fn hosts(&self) -> impl Iterator<Item = HostView<'_>> {
        self.hosts.iter().map(|(_, host)| host.view())
    }

    /// Requests that an origin has in memory. Where many hosts are awake a few are enough: the next ones are read while they are asked.
    fn head_room(&self) -> usize {
        let share = HEADS / self.hosts.len().max(1);
        share.max(LEAST_HEAD).min(self.settings.head)
    }

    fn host_of(&mut self, key: &HostKey) -> usize {
        if let Some(&host) = self.index.get(key) {
            return host;
        }
        let host = self.hosts.next_place();
        self.index.insert(key.clone(), host);
        let mut entry = HostEntry::new(host, key.clone(), (self.policies)(key));
        if let Some(moment) = self.resumed_at {
            entry.machine = Host::resume(HostState::default(), moment, &entry.policy);
        }
        entry.files_only = self.files_only;
        self.groups.add(key, &entry.policy, self.resumed_at);
        self.hosts.insert(entry);
        host
    }

    fn lane_of(&mut self, now: Timestamp, host: usize, origin: &Origin) -> usize {
        let known = self.hosts[host].lanes.iter().position(|lane| lane.origin == *origin);
        known.unwrap_or_else(|| {
            let record = self.robots.remove(origin);
            let lane = self.hosts[host].add_lane(origin, record, &self.settings.agent, now);
            self.note_sitemaps(host, lane, now);
            lane
        })
    }
}
