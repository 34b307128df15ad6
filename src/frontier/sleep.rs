//! Who sleeps and who is awake.
//!
//! A full entry knows everything of its host and takes a kilobyte or two; so only [`Settings::awake`](super::Settings::awake)
//! hosts have one. All others sleep: the store has what is known of them, the frontier their names and when they are due. A host
//! goes to sleep when nothing of it is out and nothing is in memory alone, those first that are due last. It is woken when it is
//! due, from its nap as if it had never slept, or from what earlier runs have left as after a restart.
//!
//! To wake a host costs more than to ask it. So where there is enough to ask among those that are awake, a host stays so for a few
//! requests; where nobody awake is due, whoever is not due makes room, and no connection waits for the sake of a nap.
//!
//! The store answers in the order in which it was asked. So when a host is woken, everything is known that was committed before
//! the question, and what comes later comes to the entry.

use std::time::Duration;

use super::host::HostEntry;
use super::lane::Lane;
use super::nap::{Drowsy, Nap, Stored, StoredOrigin, WakeRequest};
use super::sleepers::{Id, Marks};
use super::{Due, Frontier, Grouping, Step};
use crate::politeness::{Host, HostState};
use crate::request::{Kind, Pending};
use crate::time::Timestamp;
use crate::trap::Parked;
use crate::url::{CanonicalUrl, HostKey, Origin};

/// Hosts that are woken in one step at most.
const WAKE_AT_ONCE: usize = 64;
/// Requests that a host brings along when it is woken; it may well go to sleep after one of them.
const WAKE_HEAD: usize = 8;
/// Hosts that stand in one line while others want to be awake.
const LONGEST_LINE: usize = 256;
/// Pages that a host is asked for before it makes room for others, as long as somebody awake is due.
const TURN: u32 = 8;
/// Who is not due for so long makes room before that.
const LONG_WAIT: Duration = Duration::from_secs(30);
/// Share of the entries that go to sleep together, so that not every step has to look for one.
const SHARE: usize = 8;

/// Who may be put to sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Those that had their turn or wait for long.
    HadTheirTurn,
    /// All that are not due.
    NotDue,
}

impl Frontier {
    /// The entry of a host, if it is awake or surely new; `None` if it must be woken first.
    pub(super) fn seek(&mut self, key: &HostKey) -> Option<usize> {
        if let Some(&host) = self.index.get(key) {
            return Some(host);
        }
        let is_new = self.knows_all && self.sleepers.find(key.as_str()).is_none();
        (is_new && self.hosts.len() < self.settings.awake).then(|| self.host_of(key))
    }

    /// The number of a host that is not awake.
    pub(super) fn sleeper_of(&mut self, key: &HostKey) -> Id {
        if let Some(id) = self.sleepers.find(key.as_str()) {
            return id;
        }
        self.turn += 1;
        self.sleepers.insert(key.as_str(), Some(Timestamp::ZERO), self.turn, Marks::default())
    }

    /// A request has entered the queue of a host that sleeps: that is all there is to know, and that it may be due.
    pub(super) fn admit_asleep(&mut self, now: Timestamp, key: &HostKey, origin: &Origin, pending: Pending) {
        let is_file = pending.request.kind == Kind::Download;
        let known = self.sleepers.find(key.as_str());
        let id = self.sleeper_of(key);
        let (_, wakes) = Marks::of(origin, key.as_str());
        let marks = self.sleepers.marks(id);
        self.sleepers.note_origin(id, origin);
        self.sleepers.mark(id, Marks::WORK.with_if(Marks::FILES, is_file));
        if !marks.has(Marks::FILE_WAKES) {
            self.work.grow(self.sleepers.add_backlog(id, 1));
        }
        let in_memory_alone = pending.request.kind == Kind::Login;
        if in_memory_alone {
            self.sleepers.brought(id).requests.push(pending);
        }
        let may_go = is_file || !self.files_only;
        let is_first_file =
            is_file && (marks.has(Marks::FILE_WAKES) || self.files_only && !marks.has(Marks::DUE));
        if known.is_none() && !may_go {
            self.sleepers.set_due(id, None, 0);
        } else if in_memory_alone || is_first_file || may_go && marks.has(wakes) {
            self.call_soon(id, now);
        }
    }

    /// A sleeper is to be woken as soon as may be.
    pub(super) fn call_soon(&mut self, id: Id, now: Timestamp) {
        let (at, turn) = self.sleepers.place(id);
        if !self.sleepers.marks(id).has(Marks::WAKING) {
            self.sleepers.set_due(id, Some(at.min(now)), turn);
        }
    }

    /// Sleepers that are due are woken before anything goes out that is due later than they are.
    pub(super) fn wake_due(&mut self, now: Timestamp) -> Option<Step> {
        self.sleepers.first().filter(|(at, ..)| *at <= now)?;
        let most = match self.room(now) {
            0 if self.somebody_awake_is_due(now) => return None,
            0 => self.settings.max_in_flight.saturating_sub(self.in_flight + self.waking).min(WAKE_AT_ONCE),
            room => room.min(WAKE_AT_ONCE),
        };
        self.call(now, most)
    }

    fn call(&mut self, now: Timestamp, most: usize) -> Option<Step> {
        let mut hosts = Vec::new();
        while hosts.len() < most
            && let Some((_, _, id)) = self.sleepers.first().filter(|(at, ..)| *at <= now)
        {
            self.sleepers.call(id);
            hosts.push(Drowsy { id, key: self.sleepers.key(id), origins: self.origins_of(id) });
        }
        self.waking += hosts.len();
        let head = self.head_room().min(WAKE_HEAD);
        (!hosts.is_empty()).then_some(Step::Wake(WakeRequest { hosts, head }))
    }

    fn origins_of(&self, id: Id) -> Vec<Origin> {
        let (name, marks) = (self.sleepers.name(id), self.sleepers.marks(id));
        let usual = [(Marks::HTTP, "http"), (Marks::HTTPS, "https")];
        let usual = usual.into_iter().filter(|(mark, _)| marks.has(*mark));
        let usual = usual.filter_map(|(_, scheme)| {
            Some(CanonicalUrl::parse(&format!("{scheme}://{name}/")).ok()?.origin())
        });
        usual.chain(self.sleepers.odd_origins(id).iter().cloned()).collect()
    }

    /// How many more may be awake, after those have gone to sleep that may.
    fn room(&mut self, now: Timestamp) -> usize {
        let free =
            |frontier: &Self| frontier.settings.awake.saturating_sub(frontier.hosts.len() + frontier.waking);
        if free(self) == 0 && self.search_may_find() {
            self.make_room(now, Who::HadTheirTurn);
            if free(self) == 0 && !self.somebody_awake_is_due(now) {
                self.make_room(now, Who::NotDue);
            }
        }
        free(self)
    }

    /// Puts hosts to sleep if there are more than there may be.
    pub(super) fn keep_small(&mut self, now: Timestamp) {
        if self.hosts.len() > self.settings.awake && self.search_may_find() {
            self.make_room(now, Who::NotDue);
        }
    }

    fn somebody_awake_is_due(&self, now: Timestamp) -> bool {
        self.timetable.soonest().is_some_and(|first| first <= now)
    }

    /// After a search in vain enough must happen for another one to find somebody.
    fn search_may_find(&mut self) -> bool {
        let may = self.touches * SHARE >= self.hosts.len() && self.dropped.is_empty();
        self.touches = if may { 0 } else { self.touches };
        may
    }

    /// Puts hosts to sleep, those first that are due last.
    fn make_room(&mut self, now: Timestamp, who: Who) {
        let left = self.settings.awake - self.settings.awake / SHARE;
        let most =
            (self.hosts.len() + self.waking).saturating_sub(left.min(self.settings.awake.saturating_sub(1)));
        let may_sleep = |&(id, entry): &(usize, &HostEntry)| {
            self.is_one_of(who, id, entry, now)
                && entry.may_sleep(now, self.round)
                && self.groups.may_sleep(id)
        };
        let found = self.hosts.iter().filter(may_sleep);
        let mut found: Vec<_> =
            found.map(|(id, entry)| (entry.slot.unwrap_or((Timestamp::MAX, u64::MAX)), id)).collect();
        found.sort_unstable_by(|one, other| other.cmp(one));
        for (_, host) in found.into_iter().take(most) {
            self.put_to_sleep(host, now);
        }
    }

    fn is_one_of(&self, who: Who, id: usize, entry: &HostEntry, now: Timestamp) -> bool {
        let Some((at, _)) = entry.slot else { return true };
        match who {
            Who::NotDue => at > now,
            // A host that decides how long the crawl takes is not sent to the end of the line.
            Who::HadTheirTurn => at.since(now) > LONG_WAIT || entry.asked >= TURN && !self.is_long(id),
        }
    }

    /// Where many wait and the line is long, whoever comes last sleeps until it may be his turn.
    pub(super) fn sleeps_in_line(&mut self, now: Timestamp, group: usize, host: usize) -> bool {
        let most = self.settings.awake - self.settings.awake / SHARE;
        let is_crowded = self.hosts.len() >= most && self.dropped.is_empty();
        if !is_crowded || !self.hosts[host].may_sleep(now, self.round) || !self.groups.may_sleep(host) {
            return false;
        }
        let most = LONGEST_LINE.min(self.settings.awake.max(1));
        let Some(at) = self.groups.come_again(group, most, now) else { return false };
        // Who stands at an address has taken room in its own group.
        let own = self.groups.of(host).group.filter(|own| *own != group);
        own.into_iter().for_each(|own| self.groups.get(own).leave());
        own.into_iter().for_each(|own| self.touch_group(now, own));
        let name = self.hosts[host].key.clone();
        self.put_to_sleep(host, now);
        self.turn += 1;
        let id = self.sleeper_of(&name);
        self.sleepers.set_due(id, Some(at), self.turn);
        self.sleepers.sleep_soundly(id);
        true
    }

    fn put_to_sleep(&mut self, host: usize, now: Timestamp) {
        let slot = self.hosts[host].slot;
        let token = slot.is_some_and(|(at, _)| self.groups.waits_for_token(host, at));
        self.leave_timetable(host);
        let Some(mut entry) = self.hosts.remove(host) else { return };
        self.index.remove(&entry.key);
        let shared = self.groups.release(host, now);
        let traps = entry.traps.take();
        let is_trap = traps.as_ref().is_some_and(|traps| !traps.parked().is_empty());
        if entry.waiting() == 0 && !entry.is_shut() && !is_trap {
            self.forget_look(traps.as_deref());
            self.work.shrink(entry.counted);
            self.knows_all = false;
        } else {
            let paced = slot.is_some_and(|(at, _)| entry.is_paced_until(at));
            let marks = entry.marks(slot.map(|(at, _)| at), now, self.round);
            let marks = marks.with_if(Marks::PACED, paced).with_if(Marks::TOKEN, token);
            let due = slot.map(|(at, _)| at).filter(|_| !self.files_only || marks.has(Marks::FILES));
            let turn = slot.map_or(self.turn, |(_, turn)| turn);
            let id = self.sleepers.insert(entry.key.as_str(), due, turn, marks);
            let kept = self.sleepers.add_backlog(id, entry.counted);
            self.work.shrink(entry.counted - kept);
            if traps.is_some() {
                self.sleepers.brought(id).traps = traps;
            }
            for lane in entry.lanes.iter().filter(|lane| lane.queue.waiting() > 0) {
                self.sleepers.note_origin(id, &lane.origin);
            }
        }
        if !entry.is_untouched() {
            self.naps.push((entry.key.clone(), entry.into_nap(shared)));
        }
    }

    /// Hosts that went to sleep since the last call, to be stored before anything else is asked of the store.
    pub fn take_naps(&mut self) -> Vec<(HostKey, Nap)> {
        std::mem::take(&mut self.naps)
    }

    /// What the store answered to [`Step::Wake`], host by host.
    #[expect(clippy::needless_pass_by_value, reason = "a question is answered once")]
    pub fn wake(&mut self, now: Timestamp, request: WakeRequest, found: Vec<Stored>) {
        for (drowsy, stored) in request.hosts.iter().zip(found) {
            self.waking -= 1;
            self.wake_host(now, drowsy, stored);
        }
    }

    fn wake_host(&mut self, now: Timestamp, drowsy: &Drowsy, stored: Stored) {
        let slot = self.sleepers.place(drowsy.id);
        let is_told = |origin: &Origin| stored.origins.iter().any(|told| told.origin == *origin);
        if !self.origins_of(drowsy.id).iter().all(is_told) {
            // A link to one more origin came after the question. It is asked again.
            self.sleepers.unmark(drowsy.id, Marks::WAKING);
            return self.sleepers.set_due(drowsy.id, Some(slot.0), slot.1);
        }
        let backlog = self.sleepers.backlog(drowsy.id);
        let brought = self.sleepers.remove(drowsy.id);
        let host = self.host_of(&drowsy.key);
        self.hosts[host].counted = backlog;
        let Stored { state, nap, origins } = stored;
        match nap {
            Some(nap) => self.go_on(host, now, nap, origins),
            None => self.begin_again(host, now, state, origins),
        }
        self.groups.count(host, backlog);
        let room = self.head_room();
        for pending in brought.requests {
            let lane = self.lane_of(now, host, &pending.request.origin());
            self.hosts[host].lanes[lane].queue.admit(pending, room);
        }
        self.hosts[host].errands.extend(brought.errands);
        self.hosts[host].traps = brought.traps;
        self.touch(host, now);
        self.keep_turn(host, slot);
    }

    /// A host that has slept goes on as if it had not.
    fn go_on(&mut self, host: usize, now: Timestamp, nap: Nap, origins: Vec<StoredOrigin>) {
        let Nap { machine, turn, lanes, shared } = nap;
        self.groups.take_up(host, now, shared, self.resumed_at);
        let room = self.head_room();
        let agent = &self.settings.agent;
        let entry = &mut self.hosts[host];
        entry.go_on(machine, turn);
        let mut lanes = lanes.into_iter();
        let mut found = Vec::new();
        for stored in origins {
            match lanes.next() {
                Some(nap) => entry.add_sleeping_lane(nap, stored, agent, room),
                None => found.push(stored),
            }
        }
        self.add_stored(host, now, found);
    }

    /// A host of which only earlier runs know, if anybody does, begins as after a restart.
    fn begin_again(
        &mut self,
        host: usize,
        now: Timestamp,
        state: Option<HostState>,
        origins: Vec<StoredOrigin>,
    ) {
        let entry = &mut self.hosts[host];
        if let Some(state) = state {
            entry.machine = Host::resume(state, self.resumed_at.unwrap_or(now), &entry.policy);
        }
        self.add_stored(host, now, origins);
        self.groups.hold(host, &self.hosts[host].machine);
    }

    fn add_stored(&mut self, host: usize, now: Timestamp, origins: Vec<StoredOrigin>) {
        let room = self.head_room();
        for StoredOrigin { origin, robots, waiting, first } in origins {
            self.robots.extend(robots.map(|record| (origin.clone(), record)));
            let lane = self.lane_of(now, host, &origin);
            self.hosts[host].lanes[lane].queue = Lane::begun(waiting, first, room);
        }
    }

    /// Among those of the same moment a host keeps its turn, also if it slept.
    fn keep_turn(&mut self, host: usize, (at, turn): (Timestamp, u64)) {
        if self.hosts[host].slot.is_some_and(|slot| slot.0 == at) {
            self.leave_timetable(host);
            self.timetable.insert((at, turn, Due::Host(host)));
            self.hosts[host].slot = Some((at, turn));
        }
    }

    /// A host that the last run left in a wait in which others must join: it stays awake, so that they do. To be called for all
    /// hosts before [`Frontier::restore_asleep`] is.
    pub fn restore_wait(&mut self, now: Timestamp, key: &HostKey, state: &HostState) {
        self.knows_all = false;
        if self.settings.sharing.group != Grouping::Host && state.not_before > now {
            self.restore_host(now, key, state.clone());
        }
    }

    /// An origin that has `count` requests in the store, of a host that sleeps unless it was restored already.
    pub fn restore_asleep(&mut self, now: Timestamp, origin: &Origin, count: u64) {
        self.knows_all = false;
        let key = origin.host_key();
        if self.index.contains_key(&key) {
            return self.restore_queue(now, origin, count);
        }
        let id = self.sleepers.find(key.as_str()).unwrap_or_else(|| {
            self.turn += 1;
            let marks = Marks::WORK.with(Marks::FILES).with(Marks::PACED);
            let due = now + (self.policies)(&key).delay;
            self.sleepers.insert(key.as_str(), Some(due), self.turn, marks)
        });
        self.sleepers.note_origin(id, origin);
        self.work.grow(self.sleepers.add_backlog(id, count));
    }

    /// An origin that has `count` requests in the store and was held back until now.
    pub fn restore_held_queue(&mut self, now: Timestamp, origin: &Origin, count: u64) {
        let key = origin.host_key();
        match self.seek(&key) {
            Some(_) => self.restore_queue(now, origin, count),
            None => {
                let id = self.sleeper_of(&key);
                self.sleepers.note_origin(id, origin);
                self.sleepers.mark(id, Marks::WORK.with(Marks::FILES));
                self.work.grow(self.sleepers.add_backlog(id, count));
                self.call_soon(id, now);
            }
        }
    }

    /// When a host that sleeps may be asked, as the last run left it. To be called for all hosts after [`Frontier::restore_asleep`].
    pub fn restore_due(&mut self, key: &HostKey, state: &HostState) {
        if let Some(id) = self.sleepers.find(key.as_str()) {
            let (at, turn) = self.sleepers.place(id);
            if state.not_before > at {
                self.sleepers.set_due(id, Some(state.not_before), turn);
                self.sleepers.unmark(id, Marks::PACED);
            }
        }
    }

    /// Whether everything of a host is in memory.
    #[must_use]
    pub fn is_awake(&self, key: &HostKey) -> bool {
        self.index.contains_key(key)
    }

    /// How many hosts may be awake.
    #[must_use]
    pub const fn awake(&self) -> usize {
        self.settings.awake
    }

    /// Hosts that sleep and of which a part may not be asked in this run.
    pub fn shut_asleep(&self) -> impl Iterator<Item = HostKey> {
        self.sleepers.marked(Marks::SHUT).map(|id| self.sleepers.key(id))
    }

    /// Hosts that sleep and have patterns of URLs that are not asked for, with them.
    pub fn parked_asleep(&self) -> impl Iterator<Item = (HostKey, &[Parked])> {
        self.sleepers.parked().map(|(id, patterns)| (self.sleepers.key(id), patterns))
    }

    /// Hosts that sleep, and those that are being woken.
    #[must_use]
    pub fn sleeping(&self) -> usize {
        self.sleepers.len()
    }

    /// Whether [`Frontier::hosts`] are all the hosts of the crawl.
    #[must_use]
    pub fn all_awake(&self) -> bool {
        self.knows_all && self.sleepers.len() == 0
    }

    /// The soonest moment at which a sleeper is due.
    pub(super) fn first_sleeper(&self) -> Option<Timestamp> {
        self.sleepers.first().map(|(at, ..)| at)
    }

    /// Whether a sleeper waits for nothing but a delay or a token.
    pub(super) fn a_sleeper_is_paced(&self, now: Timestamp) -> bool {
        self.sleepers.timetable().any(|(at, id)| {
            let marks = self.sleepers.marks(id);
            let is_short = || at.since(now) <= (self.policies)(&self.sleepers.key(id)).max_crawl_delay;
            marks.has(Marks::TOKEN) || marks.has(Marks::PACED) && is_short()
        })
    }
}
