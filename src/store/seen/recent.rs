//! Fingerprints that the disk has confirmed lately: a direct-mapped table, so that links that stand on every page are read from
//! the disk once.
//!
//! It holds whole fingerprints, so what it says is certain. Any number may read while one writes.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was confirmed lately.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// 0 is an empty slot: the fingerprint 0 is never kept.
    slots: Box<[AtomicU64]>,
}

impl Recent {
    /// An empty table of this many bytes at most.
    pub(super) fn of_bytes(bytes: usize) -> Self {
        Self { slots: std::iter::repeat_with(AtomicU64::default).take(bytes / size_of::<u64>()).collect() }
    }

    pub(super) fn contains(&self, fingerprint: u64) -> bool {
        let slot = self.slot(fingerprint);
        fingerprint != 0 && slot.is_some_and(|slot| slot.load(Ordering::Relaxed) == fingerprint)
    }

    /// What is kept at the place of the fingerprint: 0 is nothing.
    pub(super) fn at_home(&self, fingerprint: u64) -> u64 {
        self.slot(fingerprint).map_or(0, |slot| slot.load(Ordering::Relaxed))
    }

    /// Keeps a fingerprint in the place of another.
    pub(super) fn keep(&self, fingerprint: u64) {
        if let Some(slot) = self.slot(fingerprint) {
            slot.store(fingerprint, Ordering::Relaxed);
        }
    }

    pub(super) fn clear(&self) {
        self.slots.iter().for_each(|slot| slot.store(0, Ordering::Relaxed));
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.len() * size_of::<u64>()
    }

    /// Whoever chooses fingerprints that meet here makes his own look-ups slow.
    fn slot(&self, fingerprint: u64) -> Option<&AtomicU64> {
        let place = (u128::from(fingerprint) * self.slots.len() as u128) >> u64::BITS;
        self.slots.get(place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_knows_what_was_kept_until_something_takes_its_place() {
        let recent = Recent::of_bytes(1_024);
        let (one, neighbour) = (u64::MAX, u64::MAX - 1);
        recent.keep(one);
        assert!(recent.contains(one) && !recent.contains(neighbour));
        recent.keep(neighbour);
        assert!(!recent.contains(one) && recent.contains(neighbour));
        recent.clear();
        assert!(!recent.contains(neighbour));
    }

    #[test]
    fn zero_and_a_table_without_slots_know_nothing() {
        for recent in [Recent::of_bytes(1_024), Recent::default()] {
            recent.keep(0);
            assert!(!recent.contains(0));
        }
        let none = Recent::default();
        none.keep(1);
        assert!(!none.contains(1));
    }
}
