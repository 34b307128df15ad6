//! The fingerprints that are in memory: bare 64-bit numbers in open-addressing tables, one for each segment of their range.
//!
//! A segment grows alone and by half, and the segments begin with different sizes, so that there is no moment at which much
//! is copied or at which twice the memory is needed: 10 to 15 bytes a URL. The place of a number in its segment depends on
//! keys drawn per table, so that nobody can choose URLs that all meet in one place.
//!
//! One writes, any number read. A reader waits for nothing but a single insertion; a larger segment is made beside the old
//! one, which is read until it is exchanged.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Bits at the top of a fingerprint that name its segment: the segments in their order are the fingerprints in theirs.
const SEGMENT_BITS: u32 = 6;
const SEGMENTS: usize = 1 << SEGMENT_BITS;
/// Slots of the smallest segment when the first number comes.
const FIRST_SLOTS: usize = 8;

/// Which fingerprints were there.
pub(in crate::store) struct SeenTable {
    segments: Box<[Segment]>,
    keys: Keys,
}

/// On cache lines of its own, so that readers of one do not slow down those of its neighbours.
#[derive(Default)]
#[repr(align(128))]
struct Segment(RwLock<Slots>);

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
        Self { segments: std::iter::repeat_with(Segment::default).take(SEGMENTS).collect(), keys }
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
            segment.write().slots = empty(slots + slots * number / (2 * SEGMENTS));
        }
        table
    }

    pub(in crate::store) fn contains(&self, fingerprint: u64) -> bool {
        self.segment(fingerprint).read().contains(self.keys, fingerprint)
    }

    /// Adds a fingerprint; tells whether it is new. There is one at most who calls this.
    pub(in crate::store) fn insert(&self, fingerprint: u64) -> bool {
        let segment = self.segment(fingerprint);
        let slots = segment.read();
        if slots.contains(self.keys, fingerprint) {
            return false;
        }
        let larger = slots.is_full().then(|| slots.larger(self.keys, number_of(fingerprint)));
        drop(slots);
        let mut slots = segment.write();
        if let Some(larger) = larger {
            *slots = larger;
        }
        slots.insert(self.keys, fingerprint);
        true
    }

    /// Forgets everything.
    pub(in crate::store) fn clear(&self) {
        for segment in &self.segments {
            *segment.write() = Slots::default();
        }
    }

    /// Calls `each` with every fingerprint, segment after segment.
    pub(in crate::store) fn for_each(&self, mut each: impl FnMut(u64)) {
        for segment in &self.segments {
            segment.read().iter().for_each(&mut each);
        }
    }

    /// Memory in use, in bytes.
    pub(in crate::store) fn bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.read().slots.len() * size_of::<u64>()).sum()
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
    fn read(&self) -> RwLockReadGuard<'_, Slots> {
        // What is done under the lock cannot panic half-way.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Slots> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
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
}
