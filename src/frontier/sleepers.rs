//! Hosts that sleep: of each its name, when it is due, and which of its origins have something to ask.
//!
//! There may be millions of them, so a record has 32 bytes and its name lies in one piece of memory with all others. A record
//! stands in a timetable of its own. What few sleepers have (origins at odd ports, requests that are not in the store) is kept in
//! tables beside. Everything else that is known of a sleeper is in the store; see [`super::sleep`].

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use super::gate::Ask;
use crate::request::Pending;
use crate::time::Timestamp;
use crate::trap::{Parked, Traps};
use crate::url::{HostKey, Origin};

/// A number in the table.
pub(super) type Id = u32;

/// A place in the timetable of sleepers.
pub(super) type Place = (Timestamp, u64, Id);

/// What is known of a sleeper in a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks(u16);

impl Marks {
    /// Something waits at `http://name`.
    pub(super) const HTTP: Self = Self(1);
    /// Something waits at `https://name`.
    pub(super) const HTTPS: Self = Self(1 << 1);
    /// Something waits at other origins.
    pub(super) const OTHERS: Self = Self(1 << 2);
    /// A link to `http://name` may be asked before the host is due.
    pub(super) const HTTP_WAKES: Self = Self(1 << 3);
    /// The same for `https://name`.
    pub(super) const HTTPS_WAKES: Self = Self(1 << 4);
    /// The same for other origins.
    pub(super) const OTHERS_WAKE: Self = Self(1 << 5);
    /// It waits for its pace, not for the end of a refusal.
    pub(super) const PACED: Self = Self(1 << 6);
    /// It waits for a token of its own.
    pub(super) const TOKEN: Self = Self(1 << 7);
    /// There may be files among what waits.
    pub(super) const FILES: Self = Self(1 << 8);
    /// Something waits that may be asked, now or later.
    pub(super) const WORK: Self = Self(1 << 9);
    /// The store was asked for it.
    pub(super) const WAKING: Self = Self(1 << 10);
    /// All pages that it may have are there: only a file wakes it.
    pub(super) const FILE_WAKES: Self = Self(1 << 12);
    /// A part of it may not be asked in this run.
    pub(super) const SHUT: Self = Self(1 << 13);
    /// It stands in the timetable.
    pub(super) const DUE: Self = Self(1 << 11);

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The other, if it is so.
    pub(super) const fn with_if(self, other: Self, so: bool) -> Self {
        if so { self.with(other) } else { self }
    }

    /// The two marks of an origin of this host: that something waits there, and that a link there wakes.
    pub(super) fn of(origin: &Origin, name: &str) -> (Self, Self) {
        match origin.as_str().strip_suffix(name) {
            Some("http://") => (Self::HTTP, Self::HTTP_WAKES),
            Some("https://") => (Self::HTTPS, Self::HTTPS_WAKES),
            _ => (Self::OTHERS, Self::OTHERS_WAKE),
        }
    }
}

/// What a sleeper has only in memory.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// robots.txt of other hosts that were redirected here.
    pub(super) errands: Vec<((usize, usize), Ask)>,
    /// Requests that are in no store.
    pub(super) requests: Vec<Pending>,
    /// Origins at odd ports at which something waits.
    pub(super) origins: Vec<Origin>,
    /// What its pages have brought.
    pub(super) traps: Option<Box<Traps>>,
}

/// A sleeper.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sleeper {
    /// Its place in the timetable, if it has one.
    at: Timestamp,
    turn: u64,
    name: u32,
    /// Of its name.
    hash: u32,
    /// Requests that wait here, as far as they count among the work that is left.
    backlog: u32,
    length: u16,
    marks: Marks,
}

/// All sleepers.
#[derive(Debug)]
pub(super) struct Sleepers {
    /// All names, one behind the other.
    names: Vec<u8>,
    /// Bytes of names that nobody has any more.
    waste: usize,
    list: Vec<Sleeper>,
    free: Vec<Id>,
    /// Numbers + 1 by the hash of their names; 0 where there is none.
    slots: Vec<u32>,
    /// Of each slot the upper bits of the hash, so that hardly a name is read in vain.
    tags: Vec<u8>,
    hashes: RandomState,
    due: BTreeSet<Place>,
    brought: HashMap<Id, Brought>,
}

impl Sleepers {
    pub(super) fn new() -> Self {
        Self {
            names: Vec::new(),
            waste: 0,
            list: Vec::new(),
            free: Vec::new(),
            slots: Vec::new(),
            tags: Vec::new(),
            hashes: RandomState::new(),
            due: BTreeSet::new(),
            brought: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len() - self.free.len()
    }

    /// Sleepers that have a time.
    pub(super) fn due_len(&self) -> usize {
        self.due.len()
    }

    /// Who is due first.
    pub(super) fn first(&self) -> Option<Place> {
        self.due.first().copied()
    }

    /// All that have a time, soonest first.
    pub(super) fn timetable(&self) -> impl Iterator<Item = (Timestamp, Id)> {
        self.due.iter().map(|(at, _, id)| (*at, *id))
    }

    pub(super) fn name(&self, id: Id) -> &str {
        let Sleeper { name, length, .. } = self.list[id as usize];
        let bytes = &self.names[name as usize..][..usize::from(length)];
        std::str::from_utf8(bytes).expect("it was written as a string")
    }

    pub(super) fn key(&self, id: Id) -> HostKey {
        HostKey::of(self.name(id))
    }

    pub(super) fn marks(&self, id: Id) -> Marks {
        self.list[id as usize].marks
    }

    pub(super) fn mark(&mut self, id: Id, marks: Marks) {
        let sleeper = &mut self.list[id as usize];
        sleeper.marks = sleeper.marks.with(marks);
    }

    pub(super) fn unmark(&mut self, id: Id, marks: Marks) {
        let sleeper = &mut self.list[id as usize];
        sleeper.marks = sleeper.marks.without(marks);
    }

    /// Requests that wait here, as far as they count among the work that is left.
    pub(super) fn backlog(&self, id: Id) -> u64 {
        self.list[id as usize].backlog.into()
    }

    /// So many more wait; gives how many more count.
    pub(super) fn add_backlog(&mut self, id: Id, more: u64) -> u64 {
        let backlog = &mut self.list[id as usize].backlog;
        let before = *backlog;
        *backlog = before.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        u64::from(*backlog - before)
    }

    /// No link wakes it before its time.
    pub(super) fn sleep_soundly(&mut self, id: Id) {
        self.unmark(id, Marks::HTTP_WAKES.with(Marks::HTTPS_WAKES).with(Marks::OTHERS_WAKE));
    }

    pub(super) fn find(&self, name: &str) -> Option<Id> {
        self.slot(name).map(|slot| self.slots[slot] - 1)
    }

    /// The slot of a name.
    fn slot(&self, name: &str) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let hash = self.hash(name);
        let mut slot = hash as usize & mask;
        while self.slots[slot] != 0 {
            if self.tags[slot] == tag(hash) && self.name(self.slots[slot] - 1) == name {
                return Some(slot);
            }
            slot = (slot + 1) & mask;
        }
        None
    }

    fn hash(&self, name: &str) -> u32 {
        self.hashes.hash_one(name) as u32
    }

    /// Takes a host up. Its name must not be there, and is no longer than any that fits into a URL.
    pub(super) fn insert(&mut self, name: &str, at: Option<Timestamp>, turn: u64, marks: Marks) -> Id {
        self.grow();
        let sleeper = Sleeper {
            at: Timestamp::MAX,
            turn,
            name: u32::try_from(self.names.len()).expect("names of 200 million hosts fit"),
            hash: self.hash(name),
            backlog: 0,
            length: u16::try_from(name.len()).expect("URLs have 8 KiB at most"),
            marks,
        };
        make_room(&mut self.names, name.len());
        self.names.extend(name.as_bytes());
        let id = match self.free.pop() {
            Some(id) => {
                self.list[id as usize] = sleeper;
                id
            }
            None => {
                make_room(&mut self.list, 1);
                self.list.push(sleeper);
                (self.list.len() - 1) as Id
            }
        };
        self.settle(id);
        self.set_due(id, at, turn);
        id
    }

    /// Puts a number into the first free slot from its home on.
    fn settle(&mut self, id: Id) {
        let mask = self.slots.len() - 1;
        let hash = self.list[id as usize].hash;
        let mut slot = hash as usize & mask;
        while self.slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        (self.slots[slot], self.tags[slot]) = (id + 1, tag(hash));
    }

    /// Keeps a quarter of the slots free.
    fn grow(&mut self) {
        if (self.len() + 1) * 4 <= self.slots.len() * 3 {
            return;
        }
        let size = (self.slots.len() * 2).max(8);
        let old = std::mem::replace(&mut self.slots, vec![0; size]);
        self.tags = vec![0; size];
        for number in old.into_iter().filter(|number| *number != 0) {
            self.settle(number - 1);
        }
    }

    /// Moves it in the timetable, or out of it.
    pub(super) fn set_due(&mut self, id: Id, at: Option<Timestamp>, turn: u64) {
        let sleeper = &mut self.list[id as usize];
        if sleeper.marks.has(Marks::DUE) {
            self.due.remove(&(sleeper.at, sleeper.turn, id));
        }
        sleeper.marks = sleeper.marks.without(Marks::DUE).with_if(Marks::DUE, at.is_some());
        (sleeper.at, sleeper.turn) = (at.unwrap_or(Timestamp::MAX), turn);
        self.due.extend(at.map(|at| (at, turn, id)));
    }

    /// Takes it out of the timetable. Its place is remembered.
    pub(super) fn call(&mut self, id: Id) {
        let sleeper = &mut self.list[id as usize];
        self.due.remove(&(sleeper.at, sleeper.turn, id));
        sleeper.marks = sleeper.marks.without(Marks::DUE).with(Marks::WAKING);
    }

    /// When it is or was due, and its turn among those of the same moment.
    pub(super) fn place(&self, id: Id) -> (Timestamp, u64) {
        let Sleeper { at, turn, .. } = self.list[id as usize];
        (at, turn)
    }

    /// What it has only in memory.
    pub(super) fn brought(&mut self, id: Id) -> &mut Brought {
        self.brought.entry(id).or_default()
    }

    /// Its origins at odd ports.
    pub(super) fn odd_origins(&self, id: Id) -> &[Origin] {
        self.brought.get(&id).map_or(&[], |brought| &brought.origins)
    }

    /// Something waits at this origin of a sleeper.
    pub(super) fn note_origin(&mut self, id: Id, origin: &Origin) {
        let (waits, _) = Marks::of(origin, self.name(id));
        self.mark(id, waits);
        if waits == Marks::OTHERS && !self.odd_origins(id).contains(origin) {
            self.brought(id).origins.push(origin.clone());
        }
    }

    /// Forgets a host.
    pub(super) fn remove(&mut self, id: Id) -> Brought {
        self.set_due(id, None, 0);
        if let Some(slot) = self.slot(self.name(id)) {
            self.empty(slot);
        }
        self.waste += usize::from(self.list[id as usize].length);
        self.list[id as usize].length = 0;
        self.free.push(id);
        if self.waste > 1024 && self.waste * 2 > self.names.len() {
            self.compact();
        }
        self.brought.remove(&id).unwrap_or_default()
    }

    /// Empties a slot and moves those behind it up that would not be found any more.
    fn empty(&mut self, mut slot: usize) {
        let mask = self.slots.len() - 1;
        let mut next = slot;
        loop {
            self.slots[slot] = 0;
            loop {
                next = (next + 1) & mask;
                let number = self.slots[next];
                if number == 0 {
                    return;
                }
                let home = self.list[number as usize - 1].hash as usize & mask;
                if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(slot) & mask) {
                    (self.slots[slot], self.tags[slot]) = (number, self.tags[next]);
                    slot = next;
                    break;
                }
            }
        }
    }

    fn compact(&mut self) {
        let mut names = Vec::with_capacity(self.names.len() - self.waste);
        for sleeper in &mut self.list {
            let from = sleeper.name as usize;
            sleeper.name = names.len() as u32;
            names.extend_from_slice(&self.names[from..from + usize::from(sleeper.length)]);
        }
        (self.names, self.waste) = (names, 0);
    }

    /// Whether anything waits that is not asked in this run any more.
    pub(super) fn has_work(&self) -> bool {
        self.list.iter().any(|sleeper| sleeper.length > 0 && sleeper.marks.has(Marks::WORK))
    }

    /// All that have patterns of URLs that are parked, with them.
    pub(super) fn parked(&self) -> impl Iterator<Item = (Id, &[Parked])> {
        let parked =
            self.brought.iter().filter_map(|(id, brought)| Some((*id, brought.traps.as_ref()?.parked())));
        parked.filter(|(_, patterns)| !patterns.is_empty())
    }

    /// All that have this mark.
    pub(super) fn marked(&self, mark: Marks) -> impl Iterator<Item = Id> {
        let marked =
            (0..).zip(&self.list).filter(move |(_, sleeper)| sleeper.length > 0 && sleeper.marks.has(mark));
        marked.map(|(id, _)| id)
    }

    /// Takes everybody out of the timetable who has no files to ask for.
    pub(super) fn only_files(&mut self) {
        for id in 0..self.list.len() as Id {
            if !self.marks(id).has(Marks::FILES) {
                self.set_due(id, None, 0);
            }
        }
    }

    /// Bytes of memory that all of this takes, as far as it grows with the number of sleepers.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        // Nodes are two thirds full or better, and there is one inner node for eight leaves.
        let node_share = size_of::<Place>() * 7 / 4;
        self.names.capacity()
            + self.list.capacity() * size_of::<Sleeper>()
            + self.free.capacity() * 4
            + self.slots.capacity() * 5
            + self.due.len() * node_share
    }
}

/// The bits of a hash that do not decide its place in a table of less than 16 million slots.
const fn tag(hash: u32) -> u8 {
    (hash >> 24) as u8
}

/// Room for more, without the doubling that would leave half of much memory empty.
fn make_room<T>(list: &mut Vec<T>, more: usize) {
    if list.capacity() - list.len() < more {
        list.reserve_exact(more + list.len() / 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn sleepers_are_found_by_name_and_due_in_order() {
        let mut sleepers = Sleepers::new();
        for n in 0..1_000_u64 {
            sleepers.insert(&format!("h{n}.example"), Some(at(1_000 - n)), n, Marks::HTTP);
        }
        assert_eq!(
            sleepers.first().map(|(at, _, id)| (at, sleepers.name(id).to_owned())),
            Some((at(1), "h999.example".to_owned()))
        );
        for n in (0..1_000).step_by(3) {
            let id = sleepers.find(&format!("h{n}.example")).unwrap();
            sleepers.remove(id);
        }
        for n in 0..1_000 {
            assert_eq!(sleepers.find(&format!("h{n}.example")).is_some(), n % 3 != 0, "{n}");
        }
        assert_eq!((sleepers.len(), sleepers.due_len()), (666, 666));
        let id = sleepers.insert("new.example", None, 0, Marks::default());
        assert_eq!(sleepers.name(id), "new.example");
        assert_eq!(sleepers.due_len(), 666, "who has no time is not in the timetable");
    }

    #[test]
    fn names_come_and_go_and_the_memory_for_them_stays_small() {
        let mut sleepers = Sleepers::new();
        for n in 0..50_000_u64 {
            let id = sleepers.insert(&format!("host-{n}.example"), Some(at(n)), n, Marks::default());
            if n >= 100 {
                let old = sleepers.find(&format!("host-{}.example", n - 100)).unwrap();
                assert_ne!(old, id);
                sleepers.remove(old);
            }
        }
        assert_eq!(sleepers.len(), 100);
        assert!(sleepers.bytes() < 30_000, "{}", sleepers.bytes());
    }

    /// The other 45 of 200 bytes are the store's; see `a_queue_costs_no_more_than_45_bytes`.
    #[test]
    fn a_sleeper_costs_no_more_than_155_bytes_however_many_there_are() {
        let mut sleepers = Sleepers::new();
        let (mut most, mut id) = (0, 0_u64);
        for many in [70_000, 100_000, 140_000, 200_000, 300_000] {
            while id < many {
                // As many moments as sleepers, in no order.
                let moment = Timestamp::from_millis(id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20);
                sleepers.insert(&format!("www.site-number-{id:06}.example"), Some(moment), id, Marks::HTTPS);
                id += 1;
            }
            most = most.max(sleepers.bytes() / many as usize);
        }
        println!("{most} bytes a sleeper at most");
        assert!(most <= 155, "{most}");
    }

    #[test]
    fn an_origin_at_an_odd_port_is_kept_beside() {
        let mut sleepers = Sleepers::new();
        let id = sleepers.insert("a.example", Some(at(1)), 0, Marks::default());
        let origin = |url: &str| crate::url::CanonicalUrl::parse(url).unwrap().origin();
        for url in ["https://a.example/", "http://a.example:8080/", "http://a.example:8080/x"] {
            sleepers.note_origin(id, &origin(url));
        }
        let marks = sleepers.marks(id);
        assert!(marks.has(Marks::HTTPS) && marks.has(Marks::OTHERS) && !marks.has(Marks::HTTP));
        assert_eq!(sleepers.odd_origins(id), [origin("http://a.example:8080/")]);
    }
}
