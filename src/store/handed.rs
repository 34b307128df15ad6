//! Places of requests whose turn is soon: what is done is known to have waited without being read again.
//!
//! There is room for so many and no more. What was handed out lately is done soon, so the older half makes room for the newer.

use std::collections::HashSet;

use super::step::Spot;

/// Places of each half, for which a table of 1.6 MB is just large enough.
const HALF: usize = 7 << 13;

/// Places at which something waits for sure, though not all of them.
#[derive(Debug, Default)]
pub(super) struct Handed {
    newer: HashSet<Spot>,
    older: HashSet<Spot>,
}

impl Handed {
    /// Remembers that something waits there.
    pub(super) fn insert(&mut self, spot: Spot) {
        if self.newer.len() >= HALF {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(spot);
    }

    /// Nothing waits there any more.
    pub(super) fn remove(&mut self, spot: &Spot) {
        // It may be in both.
        self.newer.remove(spot);
        self.older.remove(spot);
    }

    pub(super) fn contains(&self, spot: &Spot) -> bool {
        self.newer.contains(spot) || self.older.contains(spot)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::QueueKey;

    fn spot(seq: usize) -> Spot {
        (1, QueueKey { band: 0, seq: seq as u64 })
    }

    #[test]
    fn the_latest_are_known_and_the_oldest_make_room() {
        let mut handed = Handed::default();
        (0..3 * HALF).for_each(|seq| handed.insert(spot(seq)));
        assert!((2 * HALF..3 * HALF).all(|seq| handed.contains(&spot(seq))));
        assert!(!handed.contains(&spot(0)));
        assert!(handed.newer.len() + handed.older.len() <= 2 * HALF);
    }

    #[test]
    fn what_is_removed_is_gone_from_both_halves() {
        let mut handed = Handed::default();
        handed.insert(spot(7));
        (100..100 + HALF).for_each(|seq| handed.insert(spot(seq)));
        handed.insert(spot(7));
        assert!(handed.older.contains(&spot(7)) && handed.newer.contains(&spot(7)));
        handed.remove(&spot(7));
        assert!(!handed.contains(&spot(7)));
        handed.clear();
        assert!(!handed.contains(&spot(100 + HALF - 1)));
    }
}
