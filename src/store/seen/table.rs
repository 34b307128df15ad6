//! The fingerprints that are in memory: bare 64-bit numbers in open-addressing tables, one for each segment of their range.
//!
//! A segment grows alone and by half, and the segments begin with different sizes, so that there is no moment at which much
//! is copied or at which twice the memory is needed: 10 to 15 bytes a URL. The place of a number in its segment depends on
//! keys drawn per table, so that nobody can choose URLs that all meet in one place.
//!
//! When they are too many, the tables are frozen: they go on answering, and new ones take what comes, until a run on disk has
//! their numbers.
//!
//! One writes, any number read. A reader waits for nothing but a single insertion; a larger segment is made beside the old
//! one, which is read until it is exchanged.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::recent::Recent;

/// Bits at the top of a fingerprint that name its segment: the segments in their order are the fingerprints in theirs.
const SEGMENT_BITS: u32 = 6;
const SEGMENTS: usize = 1 << SEGMENT_BITS;
/// Slots of the smallest segment when the first number comes.
const FIRST_SLOTS: usize = 8;

/// Look-ups that are waited for together.
const AT_ONCE: usize = 128;

/// Which fingerprints were there, as far as memory knows.
pub(in crate::store) struct SeenTable {
    segments: Box<[Segment]>,
    keys: Keys,
    /// Of those on disk, the ones that were asked about lately.
    recent: OnceLock<Recent>,
}

/// On cache lines of its own, so that readers of one do not slow down those of its neighbours.
#[derive(Default)]
#[repr(align(128))]
struct Segment(RwLock<Tables>);

/// What takes new numbers, and what waits for its run.
#[derive(Default)]
struct Tables {
    hot: Slots,
    frozen: Option<Arc<Slots>>,
}

/// The numbers of all segments at one moment.
pub(super) struct Frozen(Vec<Arc<Slots>>);

/// What decides the places of numbers.
#[derive(Debug, Clone, Copy)]
struct Keys {
    mask: u64,
    multiplier: u64,
}

/// The numbers of one segment.
#[derive(Default)]
struct Slots {
    /// 0 is an empty slot; the fingerprint 0 has its own flag.
    slots: Box<[u64]>,
    filled: usize,
    zero: bool,
}

impl Default for SeenTable {
    fn default() -> Self {
        let random = RandomState::new();
        let keys = Keys { mask: random.hash_one(0_u8), multiplier: random.hash_one(1_u8) | 1 };
        let segments = std::iter::repeat_with(Segment::default).take(SEGMENTS).collect();
        Self { segments, keys, recent: OnceLock::new() }
    }
}

impl fmt::Debug for SeenTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeenTable").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

impl SeenTable {
    /// An empty table that takes `entries` without growing, if they are spread as fingerprints are.
    pub(in crate::store) fn for_entries(entries: u64) -> Self {
        let table = Self::default();
        let share = usize::try_from(entries).unwrap_or(usize::MAX) / SEGMENTS;
        for (number, segment) in table.segments.iter().enumerate() {
            let slots = share + share / 4 + 4 * share.isqrt() + FIRST_SLOTS;
            segment.write().hot.slots = empty(slots + slots * number / (2 * SEGMENTS));
        }
        table
    }

    /// Whether memory knows the fingerprint.
    pub(in crate::store) fn contains(&self, fingerprint: u64) -> bool {
        let is_there = self.segment(fingerprint).read().contains(self.keys, fingerprint);
        is_there || self.recent.get().is_some_and(|recent| recent.contains(fingerprint))
    }

    /// The same for each of many. Nearly every look-up is a cache miss or two; asked together, they are waited for together.
    pub(in crate::store) fn contains_each(&self, fingerprints: &[u64]) -> Vec<bool> {
        let mut found = Vec::with_capacity(fingerprints.len());
        fingerprints.chunks(AT_ONCE).for_each(|chunk| self.look_up(chunk, &mut found));
        found
    }

    fn look_up(&self, fingerprints: &[u64], found: &mut Vec<bool>) {
        // Each lock once: who has a lock twice may wait for a writer in between, who waits for him.
        let mut segments: [Option<RwLockReadGuard<'_, Tables>>; SEGMENTS] = std::array::from_fn(|_| None);
        for number in fingerprints.iter().map(|fingerprint| number_of(*fingerprint)) {
            segments[number].get_or_insert_with(|| self.segments[number].read());
        }
        let tables = |fingerprint: u64| {
            segments[number_of(fingerprint)].as_deref().expect("the segments of all numbers are locked")
        };
        let recent = self.recent.get();
        // Nothing in this loop depends on what the turn before has read.
        let near = |fingerprint: &u64| {
            let [hot, frozen] = tables(*fingerprint).at_home(self.keys, *fingerprint);
            [hot, frozen, recent.map_or(0, |recent| recent.at_home(*fingerprint))]
        };
        let near: Vec<[u64; 3]> = fingerprints.iter().map(near).collect();
        found.extend(fingerprints.iter().zip(&near).map(|(fingerprint, near)| {
            let is_near = *fingerprint != 0 && near.contains(fingerprint);
            is_near || tables(*fingerprint).contains(self.keys, *fingerprint)
        }));
    }

    /// Adds a fingerprint; tells whether it is new. There is one at most who calls this.
    pub(in crate::store) fn insert(&self, fingerprint: u64) -> bool {
        let segment = self.segment(fingerprint);
        let tables = segment.read();
        if tables.contains(self.keys, fingerprint) {
            return false;
        }
        let hot = &tables.hot;
        let larger = hot.is_full().then(|| hot.larger(self.keys, number_of(fingerprint)));
        drop(tables);
        let mut tables = segment.write();
        let smaller = larger.map(|larger| std::mem::replace(&mut tables.hot, larger));
        tables.hot.insert(self.keys, fingerprint);
        drop(tables);
        // Gives its memory back when no reader waits any more.
        drop(smaller);
        true
    }

    /// Adds many, and empties the list. Those of a segment are added together: its memory is near then.
    pub(super) fn insert_all(&self, fingerprints: &mut Vec<u64>) {
        fingerprints.sort_unstable_by_key(|fingerprint| number_of(*fingerprint));
        for part in fingerprints.chunk_by(|one, next| number_of(*one) == number_of(*next)) {
            let number = number_of(part[0]);
            let mut tables = self.segments[number].write();
            for fingerprint in part {
                if tables.hot.is_full() {
                    tables.hot = tables.hot.larger(self.keys, number);
                }
                tables.hot.insert(self.keys, *fingerprint);
            }
        }
        fingerprints.clear();
    }

    /// Remembers for a while that the disk knows a fingerprint, in a table of so many bytes.
    pub(super) fn confirm(&self, fingerprint: u64, bytes: usize) {
        self.recent.get_or_init(|| Recent::of_bytes(bytes)).keep(fingerprint);
    }

    /// Forgets everything.
    pub(in crate::store) fn clear(&self) {
        for segment in &self.segments {
            *segment.write() = Tables::default();
        }
        self.recent.get().inspect(|recent| recent.clear());
    }

    /// Sets apart what is there: it still answers, and what comes is kept elsewhere.
    pub(super) fn freeze(&self) -> Frozen {
        let freeze = |segment: &Segment| {
            let mut tables = segment.write();
            let frozen = Arc::new(std::mem::take(&mut tables.hot));
            tables.frozen = Some(Arc::clone(&frozen));
            frozen
        };
        Frozen(self.segments.iter().map(freeze).collect())
    }

    /// Lets go what was set apart.
    pub(super) fn thaw(&self) {
        for segment in &self.segments {
            let frozen = segment.write().frozen.take();
            drop(frozen);
        }
    }

    /// Calls `each` with every fingerprint, segment after segment.
    pub(super) fn for_each(&self, mut each: impl FnMut(u64)) {
        for segment in &self.segments {
            let tables = segment.read();
            tables
                .hot
                .iter()
                .chain(tables.frozen.iter().flat_map(|frozen| frozen.iter()))
                .for_each(&mut each);
        }
    }

    /// Memory of what takes new numbers, in bytes.
    pub(super) fn hot_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.read().hot.bytes()).sum()
    }

    /// All memory in use, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let frozen = |segment: &Segment| segment.read().frozen.as_ref().map_or(0, |frozen| frozen.bytes());
        let recent = self.recent.get().map_or(0, Recent::bytes) as u64;
        self.hot_bytes() + self.segments.iter().map(frozen).sum::<u64>() + recent
    }

    fn segment(&self, fingerprint: u64) -> &Segment {
        &self.segments[number_of(fingerprint)]
    }
}

fn number_of(fingerprint: u64) -> usize {
    (fingerprint >> (u64::BITS - SEGMENT_BITS)) as usize
}

fn empty(slots: usize) -> Box<[u64]> {
    vec![0; slots].into_boxed_slice()
}

impl Segment {
    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        // What is done under the lock cannot panic half-way.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn contains(&self, keys: Keys, fingerprint: u64) -> bool {
        let frozen = |frozen: &Arc<Slots>| frozen.contains(keys, fingerprint);
        self.hot.contains(keys, fingerprint) || self.frozen.as_ref().is_some_and(frozen)
    }

    /// What lies where the fingerprint should be: 0 is nothing.
    fn at_home(&self, keys: Keys, fingerprint: u64) -> [u64; 2] {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| frozen.at_home(keys, fingerprint));
        [self.hot.at_home(keys, fingerprint), frozen]
    }
}

impl Frozen {
    pub(super) fn entries(&self) -> u64 {
        self.0.iter().map(|slots| slots.filled as u64 + u64::from(slots.zero)).sum()
    }

    /// The numbers of each segment, sorted: one after the other they are all numbers, sorted.
    pub(super) fn sorted(&self) -> impl Iterator<Item = Vec<u64>> {
        self.0.iter().map(|slots| {
            let mut numbers: Vec<u64> = slots.iter().collect();
            numbers.sort_unstable();
            numbers
        })
    }
}

impl Keys {
    /// Where the number should be in a table of `slots`.
    fn home(self, fingerprint: u64, slots: usize) -> usize {
        let product = u128::from(fingerprint ^ self.mask) * u128::from(self.multiplier);
        let mixed = (product >> 64) as u64 ^ product as u64;
        ((u128::from(mixed) * slots as u128) >> 64) as usize
    }
}

impl Slots {
    fn contains(&self, keys: Keys, fingerprint: u64) -> bool {
        match fingerprint {
            0 => self.zero,
            _ if self.slots.is_empty() => false,
            other => self.slots[self.place(keys, other)] == other,
        }
    }

    fn at_home(&self, keys: Keys, fingerprint: u64) -> u64 {
        self.slots.get(keys.home(fingerprint, self.slots.len())).copied().unwrap_or_default()
    }

    /// Adds a number for which there is room.
    fn insert(&mut self, keys: Keys, fingerprint: u64) {
        if fingerprint == 0 {
            self.zero = true;
            return;
        }
        let place = self.place(keys, fingerprint);
        self.filled += usize::from(self.slots[place] == 0);
        self.slots[place] = fingerprint;
    }

    /// Whether one more would make looking up slow: at four fifths.
    fn is_full(&self) -> bool {
        (self.filled + 1) * 5 > self.slots.len() * 4
    }

    /// A copy with half as much room again.
    fn larger(&self, keys: Keys, number: usize) -> Self {
        let slots = match self.slots.len() {
            0 => FIRST_SLOTS + FIRST_SLOTS * number / (2 * SEGMENTS),
            slots => slots + slots / 2,
        };
        let mut larger = Self { slots: empty(slots), filled: 0, zero: self.zero };
        self.slots.iter().filter(|slot| **slot != 0).for_each(|slot| larger.insert(keys, *slot));
        larger
    }

    fn bytes(&self) -> u64 {
        (self.slots.len() * size_of::<u64>()) as u64
    }

    fn iter(&self) -> impl Iterator<Item = u64> {
        let full = self.slots.iter().copied().filter(|slot| *slot != 0);
        self.zero.then_some(0).into_iter().chain(full)
    }

    /// Where the number is, or the empty slot where it belongs. There always is one: the table is never full.
    fn place(&self, keys: Keys, fingerprint: u64) -> usize {
        let mut place = keys.home(fingerprint, self.slots.len());
        while self.slots[place] != 0 && self.slots[place] != fingerprint {
            place += 1;
            if place == self.slots.len() {
                place = 0;
            }
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn it_agrees_with_a_set_while_it_grows() {
        let mut rng = fastrand::Rng::with_seed(7);
        let (table, mut model) = (SeenTable::default(), HashSet::new());
        for _ in 0..100_000 {
            let fingerprint = match rng.u8(..) {
                0 => rng.u64(..50),
                _ => rng.u64(..).rotate_left(rng.u32(..64)),
            };
            assert_eq!(table.contains(fingerprint), model.contains(&fingerprint));
            assert_eq!(table.insert(fingerprint), model.insert(fingerprint));
        }
        let mut all = HashSet::new();
        table.for_each(|fingerprint| assert!(all.insert(fingerprint)));
        assert_eq!(all, model);
    }

    #[test]
    fn asked_for_many_it_answers_as_for_each() {
        let mut rng = fastrand::Rng::with_seed(11);
        let table = SeenTable::default();
        assert_eq!(table.contains_each(&[0, 1]), [false, false]);
        let draw = |rng: &mut fastrand::Rng| rng.u64(..) >> 1 << rng.u32(..2);
        let [frozen, hot, recent, others] =
            [(); 4].map(|()| (0..2_000).map(|_| draw(&mut rng)).collect::<Vec<_>>());
        frozen.iter().for_each(|number| assert!(table.insert(*number)));
        let _frozen = table.freeze();
        hot.iter().for_each(|number| assert!(table.insert(*number)));
        recent.iter().for_each(|number| table.confirm(*number, 1_024));
        for zero in [false, true] {
            let mut all = [&frozen[..], &hot, &recent, &others, &[0, u64::MAX, 0]].concat();
            rng.shuffle(&mut all);
            let each: Vec<bool> = all.iter().map(|number| table.contains(*number)).collect();
            assert_eq!(table.contains_each(&all), each);
            assert!(each.iter().filter(|known| **known).count() > 4_000);
            assert_eq!(table.insert(0), !zero);
        }
    }

    #[test]
    fn numbers_in_a_row_do_not_pile_up() {
        for shift in [0, 30, 40] {
            let table = SeenTable::for_entries(1 << 16);
            assert!((0..1 << 16).all(|number| table.insert(number << shift)));
        }
    }

    #[test]
    fn it_takes_fifteen_bytes_an_entry_at_most_and_what_was_announced_without_growing() {
        let mut rng = fastrand::Rng::with_seed(3);
        let (grown, announced) = (SeenTable::default(), SeenTable::for_entries(200_000));
        let before = announced.bytes();
        for _ in 0..200_000 {
            let fingerprint = rng.u64(..);
            grown.insert(fingerprint);
            announced.insert(fingerprint);
        }
        assert_eq!(announced.bytes(), before);
        assert!(grown.bytes() < 15 * 200_000, "{}", grown.bytes());
    }

    #[test]
    fn what_is_frozen_answers_until_it_is_let_go_and_comes_out_sorted() {
        let table = SeenTable::default();
        let old: Vec<u64> = (0..1_000).map(|number| number * (u64::MAX / 1_000)).collect();
        old.iter().for_each(|number| assert!(table.insert(*number)));
        let frozen = table.freeze();
        assert!(!table.insert(old[7]) && table.insert(5) && table.hot_bytes() < table.bytes());
        assert!(old.iter().all(|number| table.contains(*number)));
        assert_eq!((frozen.entries(), frozen.sorted().flatten().collect::<Vec<_>>()), (1_000, old.clone()));
        table.thaw();
        assert!(!old.iter().any(|number| table.contains(*number)) && table.contains(5));
        table.confirm(old[7], 1_024);
        assert!(table.contains(old[7]) && !table.contains(old[8]));
        table.clear();
        assert!(!table.contains(old[7]) && !table.contains(5));
    }
}
