//! The set of fingerprints in memory: an open-addressing table of bare 64-bit numbers.
//!
//! 10 to 20 bytes per URL (8 bytes a slot, filled to four fifths at most, doubled when full; while it doubles, old and new
//! table exist beside each other). The place of a number depends on a key drawn per process, so that nobody can choose
//! URLs that all meet in one place.

use std::hash::{BuildHasher, RandomState};

const FIRST_BITS: u32 = 10;

/// Which fingerprints were there.
#[derive(Debug)]
pub(super) struct SeenTable {
    /// 0 is an empty slot; the fingerprint 0 has its own flag.
    slots: Vec<u64>,
    bits: u32,
    filled: usize,
    zero: bool,
    multiplier: u64,
}

impl Default for SeenTable {
    fn default() -> Self {
        Self::for_entries(0)
    }
}

impl SeenTable {
    /// An empty table that takes `entries` without growing.
    pub(super) fn for_entries(entries: u64) -> Self {
        let slots = (entries + entries / 4 + 1).next_power_of_two();
        let bits = slots.ilog2().max(FIRST_BITS);
        Self {
            slots: vec![0; 1 << bits],
            bits,
            filled: 0,
            zero: false,
            multiplier: RandomState::new().hash_one(0_u8) | 1,
        }
    }

    pub(super) fn contains(&self, fingerprint: u64) -> bool {
        match fingerprint {
            0 => self.zero,
            other => self.slots[self.place(other)] == other,
        }
    }

    /// Adds a fingerprint; tells whether it is new.
    pub(super) fn insert(&mut self, fingerprint: u64) -> bool {
        if fingerprint == 0 {
            return !std::mem::replace(&mut self.zero, true);
        }
        let place = self.place(fingerprint);
        if self.slots[place] == fingerprint {
            return false;
        }
        self.slots[place] = fingerprint;
        self.filled += 1;
        if self.filled * 5 > self.slots.len() * 4 {
            self.grow();
        }
        true
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        let full = self.slots.iter().copied().filter(|slot| *slot != 0);
        full.chain(self.zero.then_some(0))
    }

    /// Where the fingerprint is, or the empty slot where it belongs. There always is one: the table is never full.
    fn place(&self, fingerprint: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mixed = (fingerprint ^ (fingerprint >> 32)).wrapping_mul(self.multiplier);
        let mut place = (mixed >> (64 - self.bits)) as usize;
        while self.slots[place] != 0 && self.slots[place] != fingerprint {
            place = (place + 1) & mask;
        }
        place
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.slots);
        self.bits += 1;
        self.slots = vec![0; old.len() * 2];
        for fingerprint in old.into_iter().filter(|slot| *slot != 0) {
            let place = self.place(fingerprint);
            self.slots[place] = fingerprint;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn it_agrees_with_a_set_while_it_grows() {
        let mut rng = fastrand::Rng::with_seed(7);
        let (mut table, mut model) = (SeenTable::default(), HashSet::new());
        for _ in 0..100_000 {
            let fingerprint = match rng.u8(..) {
                0 => rng.u64(..50),
                _ => rng.u64(..).rotate_left(rng.u32(..64)),
            };
            assert_eq!(table.contains(fingerprint), model.contains(&fingerprint));
            assert_eq!(table.insert(fingerprint), model.insert(fingerprint));
        }
        assert_eq!(table.iter().collect::<HashSet<_>>(), model);
    }

    #[test]
    fn numbers_in_a_row_do_not_pile_up() {
        let mut table = SeenTable::for_entries(1 << 20);
        assert!((0..1 << 20).all(|number| table.insert(number << 40)));
        assert_eq!(table.iter().count(), 1 << 20);
    }
}
