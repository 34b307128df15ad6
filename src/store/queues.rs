//! Where each origin's queue is: its number, how many wait, and where the first of them lies.
//!
//! There may be millions, so an origin is known by 64 bits of its name under a key that is drawn anew each time the state is
//! opened: nobody can choose names that fall together, and by chance two of a million do once in tens of millions of crawls.
//! Numbers are given out in turn, so that a record is found at its number; 24 bytes a record, and 4 for each slot of the index.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::QueueKey;
use crate::url::Origin;

/// What is remembered of an origin's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Queue {
    pub(super) id: u32,
    /// How many wait.
    pub(super) count: u64,
    /// Nothing waits before this place. Saves walking over the remains of what is done.
    pub(super) first: QueueKey,
}

impl Queue {
    /// The front of every queue.
    pub(super) const FRONT: QueueKey = QueueKey { band: 0, seq: 0 };

    /// Behind every queue.
    pub(super) const BACK: QueueKey = QueueKey { band: u8::MAX, seq: u64::MAX };

    /// A queue in which nothing waits.
    pub(super) const fn new(id: u32) -> Self {
        Self { id, count: 0, first: Self::FRONT }
    }

    pub(super) fn push(&mut self, key: QueueKey) {
        self.first = if self.count == 0 { key } else { self.first.min(key) };
        self.count += 1;
    }
}

/// A queue in memory.
#[derive(Debug, Clone, Copy)]
struct Record {
    mark: u64,
    /// The place of the first, without its band.
    seq: u64,
    /// How many wait, and behind it the band of the first.
    count: u64,
}

/// All queues of a round.
#[derive(Debug)]
pub(super) struct Queues {
    records: Vec<Record>,
    /// Numbers + 1 by the marks of their origins; 0 where there is none.
    slots: Vec<u32>,
    hashes: RandomState,
}

impl Queues {
    pub(super) fn new() -> Self {
        Self { records: Vec::new(), slots: Vec::new(), hashes: RandomState::new() }
    }

    pub(super) fn clear(&mut self) {
        (self.records, self.slots) = (Vec::new(), Vec::new());
    }

    pub(super) fn get(&self, origin: &Origin) -> Option<Queue> {
        let mark = self.mark(origin.as_str());
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = mark as usize & mask;
        while self.slots[slot] != 0 {
            let id = self.slots[slot] - 1;
            if self.records[id as usize].mark == mark {
                return self.by_number(id);
            }
            slot = (slot + 1) & mask;
        }
        None
    }

    /// The queue of this number, if there is one.
    pub(super) fn by_number(&self, id: u32) -> Option<Queue> {
        let record = self.records.get(id as usize)?;
        let first = QueueKey { band: record.count as u8, seq: record.seq };
        Some(Queue { id, count: record.count >> 8, first })
    }

    /// Takes over a queue as it is now.
    pub(super) fn put(&mut self, origin: &str, queue: Queue) {
        let record = Record { mark: self.mark(origin), seq: queue.first.seq, count: packed(&queue) };
        let place = queue.id as usize;
        if let Some(known) = self.records.get_mut(place).filter(|known| known.mark == record.mark) {
            *known = record;
            return;
        }
        if self.records.len() <= place {
            // Numbers are given out in turn; one that is left out has a mark that no look-up begins with.
            if self.records.capacity() <= place {
                // A doubling would leave half of much memory empty.
                self.records.reserve_exact(place + 1 + place / 4 - self.records.len());
            }
            self.records.resize(place + 1, Record { mark: 0, seq: 0, count: 0 });
        }
        self.records[place] = record;
        self.grow();
        self.settle(queue.id);
    }

    /// Takes over what is known of a queue that is there already; `false` if it is not.
    pub(super) fn fill(&mut self, queue: Queue) -> bool {
        let record = self.records.get_mut(queue.id as usize);
        record.map(|record| (record.seq, record.count) = (queue.first.seq, packed(&queue))).is_some()
    }

    /// Requests of all queues.
    pub(super) fn waiting(&self) -> u64 {
        self.records.iter().map(|record| record.count >> 8).sum()
    }

    /// The first of a queue that is there already lies here now.
    pub(super) fn begins_at(&mut self, queue: Queue, first: QueueKey) {
        self.fill(Queue { first, ..queue });
    }

    fn mark(&self, origin: &str) -> u64 {
        self.hashes.hash_one(origin)
    }

    fn settle(&mut self, id: u32) {
        let mask = self.slots.len() - 1;
        let mut slot = self.records[id as usize].mark as usize & mask;
        while self.slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = id + 1;
    }

    /// Keeps a quarter of the slots free.
    fn grow(&mut self) {
        if self.records.len() * 4 <= self.slots.len() * 3 {
            return;
        }
        let size = (self.slots.len() * 2).max(8);
        let old = std::mem::replace(&mut self.slots, vec![0; size]);
        for number in old.into_iter().filter(|number| *number != 0) {
            self.settle(number - 1);
        }
    }

    /// Bytes of memory that all of this takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.records.capacity() * size_of::<Record>() + self.slots.capacity() * 4
    }
}

fn packed(queue: &Queue) -> u64 {
    queue.count << 8 | u64::from(queue.first.band)
}

/// Queues as a batch will leave them.
pub(super) type Touched = HashMap<Origin, Queue>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::CanonicalUrl;

    fn origin(n: u32) -> Origin {
        CanonicalUrl::parse(&format!("http://www.host-{n}.example/")).unwrap().origin()
    }

    #[test]
    fn a_queue_is_found_by_its_origin_as_it_was_put() {
        let mut queues = Queues::new();
        for id in 0..3_000 {
            let first = QueueKey { band: id as u8, seq: u64::from(id) << 20 };
            queues.put(origin(id).as_str(), Queue { id, count: u64::from(id) * 7, first });
        }
        queues.put(origin(5).as_str(), Queue { id: 5, count: 1 << 40, first: Queue::BACK });
        for id in (0..3_000).filter(|id| *id != 5) {
            let found = queues.get(&origin(id)).unwrap();
            assert_eq!((found.id, found.count), (id, u64::from(id) * 7));
            assert_eq!(found.first, QueueKey { band: id as u8, seq: u64::from(id) << 20 });
        }
        assert_eq!(queues.get(&origin(5)).unwrap(), Queue { id: 5, count: 1 << 40, first: Queue::BACK });
        assert_eq!(queues.get(&origin(3_001)), None);
    }

    #[test]
    fn a_queue_costs_no_more_than_45_bytes() {
        let mut queues = Queues::new();
        let (mut most, mut id) = (0, 0);
        for many in [30_000, 60_000, 80_000, 100_000_u32] {
            while id < many {
                queues.put(origin(id).as_str(), Queue::new(id));
                id += 1;
            }
            most = most.max(queues.bytes() / many as usize);
        }
        println!("{most} bytes a queue at most");
        assert!(most <= 45, "{most}");
    }
}
