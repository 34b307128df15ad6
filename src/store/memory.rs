//! The state in memory: for simulations and tests. It is gone with its owner.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use super::seen::{SeenTable, SeenView};
use super::{
    Batch, Committed, FailedRecord, LoginRecord, Memory, PageChange, Pending, QueueKey, Recovered, RunRecord,
    Store, StoreError, Visit,
};
use crate::cookies::{Cookie, CookieChange};
use crate::frontier::Nap;
use crate::history::PageRecord;
use crate::politeness::HostState;
use crate::request::{Dedup, Request};
use crate::robots::RobotsRecord;
use crate::sink::Position;
use crate::stage::tally::ItemTally;
use crate::time::Timestamp;
use crate::url::{Fingerprint, HostKey, Origin};

type Queue = BTreeMap<QueueKey, Pending>;

/// Keeps everything in memory, with the same meaning as the disk.
#[derive(Debug, Default)]
pub struct MemoryStore {
    seen: Arc<SeenTable>,
    queues: HashMap<Origin, Queue>,
    hosts: BTreeMap<HostKey, HostState>,
    naps: HashMap<HostKey, Nap>,
    robots: BTreeMap<Origin, RobotsRecord>,
    sinks: BTreeMap<String, Position>,
    cookies: BTreeMap<String, Cookie>,
    login: Option<LoginRecord>,
    failed: Vec<FailedRecord>,
    item_keys: HashMap<Fingerprint, Fingerprint>,
    tally: ItemTally,
    run: Option<RunRecord>,
    pages: BTreeMap<Fingerprint, PageRecord>,
    due: BTreeSet<(Timestamp, Fingerprint)>,
    next_seq: u64,
}

impl MemoryStore {
    /// Puts a request that is new into its queue.
    fn admit(&mut self, request: Request) -> Option<Pending> {
        if request.dedup == Dedup::Once && !self.seen.insert(request.fingerprint().get()) {
            return None;
        }
        let known = self.pages.contains_key(&request.fingerprint());
        Some(self.enqueue(request, known))
    }

    fn enqueue(&mut self, request: Request, known: bool) -> Pending {
        let key = QueueKey::new(request.priority, self.next_seq);
        self.next_seq += 1;
        let queue = self.queues.entry(request.origin()).or_default();
        let pending = Pending { known, ..Pending::new(key, request) };
        queue.insert(key, pending.clone());
        pending
    }

    fn learn(&mut self, change: PageChange) {
        let PageChange { page, before, now } = change;
        if let Some(due) = before.and_then(|before| before.due.moment()) {
            self.due.remove(&(due, page));
        }
        match now {
            Some(now) => {
                if let Some(due) = now.due.moment() {
                    self.due.insert((due, page));
                }
                self.pages.insert(page, now);
            }
            None => drop(self.pages.remove(&page)),
        }
    }

    fn take_cookie(&mut self, change: CookieChange) {
        match change {
            CookieChange::Set(cookie) => drop(self.cookies.insert(cookie.key(), cookie)),
            CookieChange::Gone(key) => drop(self.cookies.remove(&key)),
        }
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
        self.naps.clear();
        Ok(Recovered {
            run: self.run.clone(),
            sinks: pairs(&self.sinks),
            cookies: self.cookies.values().cloned().collect(),
            login: self.login.clone(),
            tally: self.tally.clone(),
            warnings: Vec::new(),
        })
    }

    fn each_host(&self, visit: Visit<'_, HostKey, HostState>) -> Result<(), StoreError> {
        each(&self.hosts, visit);
        Ok(())
    }

    fn each_robots(&self, visit: Visit<'_, Origin, RobotsRecord>) -> Result<(), StoreError> {
        each(&self.robots, visit);
        Ok(())
    }

    fn each_queue(&self, visit: Visit<'_, Origin, u64>) -> Result<(), StoreError> {
        let counts = self.queues.iter().map(|(origin, queue)| (origin, queue.len() as u64));
        let mut counts: Vec<_> = counts.filter(|(_, count)| *count > 0).collect();
        counts.sort_unstable();
        let _: ControlFlow<()> =
            counts.into_iter().try_for_each(|(origin, count)| visit(origin.clone(), count));
        Ok(())
    }

    fn host(&self, host: &HostKey) -> Result<Option<HostState>, StoreError> {
        Ok(self.hosts.get(host).cloned())
    }

    fn nap(&self, host: &HostKey) -> Result<Option<Nap>, StoreError> {
        Ok(self.naps.get(host).cloned())
    }

    fn robots(&self, origin: &Origin) -> Result<Option<RobotsRecord>, StoreError> {
        Ok(self.robots.get(origin).cloned())
    }

    fn waiting(&self, origin: &Origin) -> u64 {
        self.queues.get(origin).map_or(0, |queue| queue.len() as u64)
    }

    fn all_waiting(&self) -> u64 {
        self.queues.values().map(|queue| queue.len() as u64).sum()
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

    fn knows(&self, request: &Request) -> Result<bool, StoreError> {
        Ok(self.seen.contains(request.fingerprint().get()))
    }

    fn seen(&self) -> Option<SeenView> {
        Some(SeenView::of(&self.seen))
    }

    fn commit(&mut self, batch: Batch) -> Result<Committed, StoreError> {
        let offered = batch.links.len();
        let links = batch.links.into_iter();
        let mut fresh: Vec<_> = links.filter_map(|request| self.admit(request)).collect();
        let known = (offered - fresh.len()) as u64;
        fresh.extend(batch.revisits.into_iter().map(|request| self.enqueue(request, true)));
        batch.pages.into_iter().for_each(|change| self.learn(change));
        self.settle(batch.done, batch.retry);
        self.hosts.extend(batch.hosts);
        self.naps.extend(batch.naps);
        self.robots.extend(batch.robots);
        self.sinks.extend(batch.sinks);
        // What is asked again leaves the list before it may come back.
        self.failed.retain(|record| !batch.unfailed.contains(&record.request.fingerprint()));
        self.failed.extend(batch.failed);
        batch.cookies.into_iter().for_each(|change| self.take_cookie(change));
        self.login = batch.login.or(self.login.take());
        self.item_keys.extend(batch.item_keys);
        if let Some(tally) = batch.tally {
            self.tally = tally;
        }
        if batch.run.is_some() {
            self.run = batch.run;
        }
        Ok(Committed { known, fresh })
    }

    fn begin_round(&mut self, run: RunRecord, memory: Memory) -> Result<(), StoreError> {
        if memory == Memory::Forgets {
            self.pages.clear();
            self.due.clear();
        }
        self.cookies.retain(|_, cookie| super::outlives(cookie, memory, run.started));
        self.seen.clear();
        self.queues.clear();
        self.sinks.clear();
        self.failed.clear();
        self.item_keys.clear();
        self.tally = ItemTally::default();
        self.run = Some(run);
        Ok(())
    }

    fn page(&self, page: Fingerprint) -> Result<Option<PageRecord>, StoreError> {
        Ok(self.pages.get(&page).cloned())
    }

    fn pages(
        &self,
        after: Option<Fingerprint>,
        limit: usize,
    ) -> Result<Vec<(Fingerprint, PageRecord)>, StoreError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let found = self.pages.range((from, Bound::Unbounded)).take(limit);
        Ok(found.map(|(page, record)| (*page, record.clone())).collect())
    }

    fn due(&self, from: Timestamp, limit: usize) -> Result<Vec<(Timestamp, Fingerprint)>, StoreError> {
        Ok(self.due.range((from, Fingerprint::from_bits(0))..).take(limit).copied().collect())
    }

    fn failed(&mut self) -> Result<Vec<FailedRecord>, StoreError> {
        Ok(self.failed.clone())
    }

    fn item_key(&self, key: Fingerprint) -> Result<Option<Fingerprint>, StoreError> {
        Ok(self.item_keys.get(&key).copied())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn each<K: Clone, V: Clone>(map: &BTreeMap<K, V>, visit: Visit<'_, K, V>) {
    let _: ControlFlow<()> = map.iter().try_for_each(|(key, value)| visit(key.clone(), value.clone()));
}

fn pairs<K: Clone, V: Clone>(map: &BTreeMap<K, V>) -> Vec<(K, V)> {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}
