//! Hosts that belong together: who of them may go, and who waits in line.
//!
//! A group is what hosts share: a domain or an address with one pace, a multi-tenant domain, an address with its cap. When a
//! group is not ready its hosts stand in its line and cost nothing; the timetable holds the group, not them. Every move of a host
//! is a step that the host takes once per request, so a line of any length costs no more than the requests that it is for.
//!
//! A host passes its pace first and its address second, and keeps its place in the first while it stands in line at the second:
//! of each domain no more hosts stand there than may be in flight, and none is sent back and forth.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use super::bucket::{Bucket, Token};
use super::group::{Group, Key, Kind, Turn};
use super::nap::SharedNap;
use super::sharing::{Grouping, Sharing};
use super::slab::Slab;
use crate::address::address_of;
use crate::host::parse_host;
use crate::politeness::{Host, Policy};
use crate::time::Timestamp;
use crate::url::HostKey;

/// How long an address is relied on.
const ADDRESS_LIFE: Duration = Duration::from_hours(1);
/// How long a place in a line takes, as far as can be told.
const A_PLACE: Duration = Duration::from_millis(500);
/// How long a host whose address is not known goes without one.
const UNKNOWN_LIFE: Duration = Duration::from_mins(5);

/// All groups, and what each host has to do with them.
#[derive(Debug)]
pub(super) struct Groups {
    sharing: Sharing,
    list: Slab<Group>,
    index: HashMap<Key, usize>,
    members: Slab<Member>,
    /// Groups of which nobody is awake and that must be remembered until then.
    lingering: BTreeSet<(Timestamp, usize)>,
    /// Hosts that an earlier run left in a wait and whose address decides who else must wait.
    pub(super) held: Vec<usize>,
    /// Those of them whose address is not known yet.
    pub(super) held_left: usize,
    /// Questions for addresses that are out.
    pub(super) asking: usize,
    /// Hosts that stand in some line.
    pub(super) in_line: usize,
}

/// What a request has spent where its host belongs: given back if it never leaves.
#[derive(Debug)]
pub(super) struct Spent {
    own: Option<Token>,
    shared: Vec<Turn>,
}

/// What a host has to do with groups.
#[derive(Debug)]
struct Member {
    group: Option<usize>,
    address: Option<usize>,
    /// The address itself, if it has one that was asked for.
    found: Option<IpAddr>,
    known: Known,
    /// Its own requests in a time; a group with one pace keeps the bucket of its hosts.
    bucket: Option<Bucket>,
    token_at: Timestamp,
    /// Requests that wait at it.
    waiting: u64,
    in_line: bool,
    /// Nobody goes before its address is known.
    held: bool,
}

/// How much of a host's memory is here.
#[cfg(test)]
pub(super) const MEMBER_BYTES: usize = size_of::<Member>();

/// What is known of a host's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Nothing,
    Asking,
    Until(Timestamp),
}

/// What a request has taken and gives back when it is settled.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) group: Option<usize>,
    pub(super) address: Option<usize>,
}

impl Groups {
    pub(super) fn new(sharing: Sharing) -> Self {
        Self {
            sharing,
            list: Slab::new(),
            index: HashMap::new(),
            members: Slab::new(),
            lingering: BTreeSet::new(),
            held: Vec::new(),
            held_left: 0,
            asking: 0,
            in_line: 0,
        }
    }

    /// Takes up the next host, which has the same place here as in the frontier. After a restart all buckets are empty from `resumed` on.
    pub(super) fn add(&mut self, key: &HostKey, policy: &Policy, resumed: Option<Timestamp>) {
        let literal = parse_host(key.as_str()).and_then(|host| address_of(&host));
        let settled = literal.is_some() || !self.sharing.needs_addresses();
        let group = self.group_by_name(key);
        let member = Member {
            group: None,
            address: None,
            found: None,
            known: if settled { Known::Until(Timestamp::MAX) } else { Known::Nothing },
            bucket: policy.rate.and_then(|rate| Bucket::new(rate, policy.burst, resumed)),
            token_at: Timestamp::ZERO,
            waiting: 0,
            in_line: false,
            held: false,
        };
        let host = self.members.insert(member);
        self.enter(host, group);
        self.join(host, literal, resumed);
        self.share_bucket(host);
    }

    fn group_by_name(&mut self, key: &HostKey) -> Option<usize> {
        if self.sharing.group == Grouping::Ip {
            return None;
        }
        if let Some(landlord) = self.sharing.landlord(key) {
            let landlord = landlord.into();
            return Some(self.group(Key::Tenants(landlord), Kind::Tenants));
        }
        let domain = (self.sharing.group == Grouping::Domain).then(|| Sharing::domain(key)).flatten()?;
        let domain = domain.into();
        Some(self.group(Key::Domain(domain), Kind::Pace))
    }

    fn group(&mut self, key: Key, kind: Kind) -> usize {
        let list = &mut self.list;
        *self.index.entry(key).or_insert_with_key(|key| list.insert(Group::new(key.clone(), kind)))
    }

    /// A host belongs to this group from now on, and to no other of its kind.
    fn enter(&mut self, host: usize, group: Option<usize>) {
        let before = std::mem::replace(&mut self.members[host].group, group);
        self.move_member(before, group);
    }

    /// A host leaves a group for another.
    fn move_member(&mut self, before: Option<usize>, now: Option<usize>) {
        now.into_iter().for_each(|group| self.list[group].members += 1);
        if let Some(group) = before {
            self.list[group].members -= 1;
            if self.list[group].members == 0 {
                self.lingering.insert((self.list[group].lasts_until(), group));
            }
        }
    }

    /// Whether a host stands in no line, and nobody waits for its address.
    pub(super) fn may_sleep(&self, host: usize) -> bool {
        let member = &self.members[host];
        !member.in_line && !member.held && member.known != Known::Asking
    }

    /// A host goes to sleep. Its groups are forgotten with the last of their hosts, unless somebody would be asked too early then.
    pub(super) fn release(&mut self, host: usize, now: Timestamp) -> SharedNap {
        // What a group has before it is told by those who are awake: it only decides in which order hosts go.
        self.count(host, 0);
        let Some(member) = self.members.remove(host) else { return SharedNap::default() };
        self.move_member(member.group, None);
        self.move_member(member.address, None);
        self.forget(now);
        let known = if let Known::Until(moment) = member.known { Some(moment) } else { None };
        SharedNap { address: member.found, known, full_at: member.bucket.as_ref().map(Bucket::full_at) }
    }

    /// Forgets groups that nobody needs any more.
    fn forget(&mut self, now: Timestamp) {
        while let Some(&(_, place)) = self.lingering.first().filter(|(until, _)| *until <= now) {
            self.lingering.pop_first();
            let Some(group) = self.list.get_mut(place) else { continue };
            // Somebody of it may have been awake since. While one is, the last to leave brings it here again.
            let later = group.lasts_until();
            if group.members > 0 {
                continue;
            } else if group.is_busy() || later > now {
                self.lingering.insert((later.max(now + A_PLACE), place));
            } else if let Some(group) = self.list.remove(place) {
                self.index.remove(&group.key);
            }
        }
    }

    /// A host that slept belongs where it belonged.
    pub(super) fn take_up(
        &mut self,
        host: usize,
        now: Timestamp,
        nap: SharedNap,
        resumed: Option<Timestamp>,
    ) {
        let member = &mut self.members[host];
        if let (Some(bucket), Some(full_at)) = (&mut member.bucket, nap.full_at) {
            bucket.fill_at(now, full_at);
        }
        if member.known != Known::Nothing {
            return;
        }
        if let Some(until) = nap.known {
            member.known = Known::Until(until);
            let before = member.group;
            self.join(host, nap.address, resumed);
            if self.members[host].group != before {
                self.share_bucket(host);
            }
        }
    }

    /// Whether the line in which a host would stand is longer than anybody should stay awake for; then when it should come again.
    pub(super) fn come_again(&mut self, group: usize, most: usize, now: Timestamp) -> Option<Timestamp> {
        let group = &mut self.list[group];
        (group.line.len() >= most).then(|| group.promise(now, A_PLACE))
    }

    /// Puts a host where its address belongs.
    fn join(&mut self, host: usize, address: Option<IpAddr>, resumed: Option<Timestamp>) {
        self.members[host].found = address;
        let address = address.and_then(|address| self.sharing.counted(address));
        let waiting = self.members[host].waiting;
        self.count(host, 0);
        if self.sharing.group == Grouping::Ip {
            let near = address.map(|address| self.group(Key::Near(address), Kind::Pace));
            self.enter(host, near);
        }
        let ceiling = address.and_then(|address| self.ceiling(address, resumed));
        let before = std::mem::replace(&mut self.members[host].address, ceiling);
        self.move_member(before, ceiling);
        self.count(host, waiting);
    }

    /// So many requests wait at a host now.
    pub(super) fn count(&mut self, host: usize, waiting: u64) {
        let member = &mut self.members[host];
        let before = std::mem::replace(&mut member.waiting, waiting);
        for group in [member.group, member.address].into_iter().flatten() {
            let sum = &mut self.list[group].waiting;
            *sum = *sum - before + waiting;
        }
    }

    /// Seconds that a group needs for what waits there; see [`Group::takes`].
    pub(super) fn takes(&self, group: usize, interval: f64, mean: f64) -> f64 {
        self.list[group].takes(interval, mean)
    }

    /// Who is first in a group's line.
    pub(super) fn head(&self, group: usize) -> Option<usize> {
        self.list[group].head()
    }

    /// The ceiling of an address, if there is any.
    fn ceiling(&mut self, address: IpAddr, resumed: Option<Timestamp>) -> Option<usize> {
        let (most, rate) = (self.sharing.address_concurrency, self.sharing.address_rate);
        if most.is_none() && rate.is_none() {
            return None;
        }
        let is_new = !self.index.contains_key(&Key::Address(address));
        let at = self.group(Key::Address(address), Kind::Address { most: most.unwrap_or(u32::MAX) });
        if is_new {
            self.list[at].bucket = rate.and_then(|rate| Bucket::new(rate, 1, resumed));
        }
        Some(at)
    }

    /// Hosts of one pace have one bucket: the slowest of theirs.
    fn share_bucket(&mut self, host: usize) {
        let member = &mut self.members[host];
        let Some(group) = member.group.map(|group| &mut self.list[group]) else { return };
        if group.kind != Kind::Pace {
            return;
        }
        if let Some(own) = member.bucket.take() {
            let slower = |bucket: &Bucket| own.rate().interval() > bucket.rate().interval();
            if group.bucket.as_ref().is_none_or(slower) {
                group.bucket = Some(own);
            }
        }
    }

    /// Whether the address of a host must be asked for before its next request.
    pub(super) fn needs_address(&self, host: usize, now: Timestamp) -> bool {
        match self.members[host].known {
            Known::Nothing => true,
            Known::Asking => false,
            Known::Until(moment) => moment <= now,
        }
    }

    /// The address of a host is being asked for.
    pub(super) fn ask(&mut self, host: usize) {
        self.members[host].known = Known::Asking;
        self.asking += 1;
    }

    /// Takes the answer. A host that joins a group brings its waits along.
    pub(super) fn answer(
        &mut self,
        now: Timestamp,
        host: usize,
        address: Option<IpAddr>,
        machine: &Host,
        resumed: Option<Timestamp>,
    ) {
        self.asking -= 1;
        self.held_left -= usize::from(std::mem::take(&mut self.members[host].held));
        let life = if address.is_some() { ADDRESS_LIFE } else { UNKNOWN_LIFE };
        self.members[host].known = Known::Until(now + life);
        let before = self.members[host].group;
        self.join(host, address, resumed);
        if self.members[host].group != before {
            self.share_bucket(host);
            self.hold(host, machine);
        }
    }

    /// Lets the whole group of a host wait as long as the host must.
    pub(super) fn hold(&mut self, host: usize, machine: &Host) {
        if let Some(group) = self.members[host].group {
            self.list[group].hold(machine);
        }
    }

    /// A host that an earlier run has left in a wait.
    pub(super) fn restore(&mut self, host: usize, machine: &Host) {
        self.hold(host, machine);
        if self.sharing.group == Grouping::Ip && self.members[host].known == Known::Nothing {
            self.held.push(host);
            self.held_left += 1;
            self.members[host].held = true;
        }
    }

    /// Whether the host is under way to a request and must not be put into the timetable.
    pub(super) fn has(&self, host: usize) -> bool {
        self.members[host].in_line || self.members[host].known == Known::Asking
    }

    /// The group whose pace or ceiling a host shares by name, and the one of its address.
    pub(super) fn of(&self, host: usize) -> Pass {
        Pass { group: self.members[host].group, address: self.members[host].address }
    }

    pub(super) fn get(&mut self, group: usize) -> &mut Group {
        &mut self.list[group]
    }

    /// Puts a host at the end of a group's line.
    pub(super) fn line_up(&mut self, group: usize, host: usize) {
        self.list[group].line.push_back(host);
        self.in_line += 1;
        self.members[host].in_line = true;
    }

    /// Puts a host back where it stood: at the head of a group's line.
    pub(super) fn line_up_first(&mut self, group: usize, host: usize) {
        self.list[group].line.push_front(host);
        self.in_line += 1;
        self.members[host].in_line = true;
    }

    /// Takes the first host out of a group's line.
    pub(super) fn call_up(&mut self, group: usize) -> Option<usize> {
        let host = self.list[group].line.pop_front()?;
        self.in_line -= 1;
        self.members[host].in_line = false;
        Some(host)
    }

    /// When the host's own bucket has a token; the epoch if it has one now.
    pub(super) fn token_at(&mut self, host: usize, now: Timestamp) -> Timestamp {
        let member = &mut self.members[host];
        let at = member.bucket.as_mut().map_or(Timestamp::ZERO, |bucket| bucket.ready_at(now));
        member.token_at = at;
        at
    }

    /// Whether a host's place in the timetable is owed to its bucket.
    pub(super) fn waits_for_token(&self, host: usize, at: Timestamp) -> bool {
        at > Timestamp::ZERO && self.members[host].token_at == at
    }

    /// Whether a group's place in the timetable is owed to its pace, not to a refusal.
    pub(super) fn waits_for_pace(&self, group: usize, at: Timestamp) -> bool {
        self.list[group].waits_for_pace(at)
    }

    /// A request goes out: it takes its tokens, and the group has the host's pace.
    pub(super) fn begin(&mut self, now: Timestamp, host: usize, pass: &Pass, machine: &Host) -> Spent {
        let own = self.members[host].bucket.as_mut().map(|bucket| bucket.take(now));
        let paced = [(pass.group, machine.paced_until()), (pass.address, Timestamp::ZERO)];
        let passed = paced.into_iter().filter_map(|(group, until)| Some((group?, until)));
        let shared = passed.map(|(group, until)| self.list[group].begin(group, now, until)).collect();
        Spent { own, shared }
    }

    /// The request has not left: its tokens and its time are given back.
    pub(super) fn take_back(&mut self, host: usize, spent: &Spent) {
        if let (Some(bucket), Some(token)) = (&mut self.members[host].bucket, &spent.own) {
            bucket.put_back(token);
        }
        spent.shared.iter().for_each(|turn| self.list[turn.group].take_back(turn));
    }
}
