//! The state in memory: for simulations and tests. It is gone with its owner.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use super::seen::SeenTable;
use super::{Batch, Committed, FailedRecord, Pending, QueueKey, Recovered, RunRecord, Store, StoreError};
use crate::politeness::HostState;
use crate::request::{Dedup, Request};
use crate::robots::RobotsRecord;
use crate::sink::Position;
use crate::url::{HostKey, Origin};

type Queue = BTreeMap<QueueKey, Pending>;

/// Keeps everything in memory, with the same meaning as the disk.
#[derive(Debug, Default)]
pub struct MemoryStore {
    seen: SeenTable,
    queues: HashMap<Origin, Queue>,
    hosts: BTreeMap<HostKey, HostState>,
    robots: BTreeMap<Origin, RobotsRecord>,
    sinks: BTreeMap<String, Position>,
    failed: Vec<FailedRecord>,
    run: Option<RunRecord>,
    next_seq: u64,
}

impl MemoryStore {
    /// Puts a request that is new into its queue.
    fn admit(&mut self, request: Request) -> Option<Pending> {
        if request.dedup == Dedup::Once && !self.seen.insert(request.fingerprint().get()) {
            return None;
        }
        let key = QueueKey::new(request.priority, self.next_seq);
        self.next_seq += 1;
        let queue = self.queues.entry(request.origin()).or_default();
        let pending = Pending::new(key, request);
        queue.insert(key, pending.clone());
        Some(pending)
    }

    fn settle(&mut self, done: Vec<(Origin, QueueKey)>, retry: Vec<(Origin, Pending)>) {
        for (origin, key) in done {
            if let Some(queue) = self.queues.get_mut(&origin) {
                queue.remove(&key);
            }
        }
        for (origin, pending) in retry {
            self.next_seq = self.next_seq.max(pending.key.seq.saturating_add(1));
            let queue = self.queues.entry(origin).or_default();
            queue.insert(pending.key, pending);
        }
    }
}

impl Store for MemoryStore {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        let counts = self.queues.iter().map(|(origin, queue)| (origin, queue.len()));
        let mut queues: Vec<_> = counts
            .filter(|(_, count)| *count > 0)
            .map(|(origin, count)| (origin.clone(), count as u64))
            .collect();
        queues.sort_unstable();
        Ok(Recovered {
            run: self.run.clone(),
            hosts: pairs(&self.hosts),
            robots: pairs(&self.robots),
            queues,
            sinks: pairs(&self.sinks),
            warnings: Vec::new(),
        })
    }

    fn pending(
        &mut self,
        origin: &Origin,
        after: Option<QueueKey>,
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        let Some(queue) = self.queues.get(origin) else {
            return Ok(Vec::new());
        };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let found = queue.range((from, Bound::Unbounded)).take(limit);
        Ok(found.map(|(_, pending)| pending.clone()).collect())
    }

    fn knows(&self, request: &Request) -> bool {
        self.seen.contains(request.fingerprint().get())
    }

    fn commit(&mut self, batch: Batch) -> Result<Committed, StoreError> {
        let offered = batch.links.len();
        let links = batch.links.into_iter();
        let fresh: Vec<_> = links.filter_map(|request| self.admit(request)).collect();
        self.settle(batch.done, batch.retry);
        self.hosts.extend(batch.hosts);
        self.robots.extend(batch.robots);
        self.sinks.extend(batch.sinks);
        self.failed.extend(batch.failed);
        if batch.run.is_some() {
            self.run = batch.run;
        }
        Ok(Committed { known: (offered - fresh.len()) as u64, fresh })
    }

    fn begin_round(&mut self, run: RunRecord) -> Result<(), StoreError> {
        self.seen = SeenTable::default();
        self.queues.clear();
        self.sinks.clear();
        self.failed.clear();
        self.run = Some(run);
        Ok(())
    }

    fn failed(&mut self) -> Result<Vec<FailedRecord>, StoreError> {
        Ok(self.failed.clone())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn pairs<K: Clone, V: Clone>(map: &BTreeMap<K, V>) -> Vec<(K, V)> {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}
