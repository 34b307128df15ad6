//! Store, cache and sinks of a process that dies at a given step, and what is left of them.
//!
//! A step is the moment before and the moment after each thing that leaves a trace: an answer of a server, an item, a flush, a
//! batch, an entry of the cache. Once dead, nothing leaves a trace any more.
//!
//! What is left: a batch that was committed is there after a kill, and after a power cut only if it was synced; of the cache's
//! writes since its last flush any number from the end may be gone (sled writes behind, in order); output that was handed over is
//! still there, whether it was committed or not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crawl::frontier::Nap;
use crawl::history::PageRecord;
use crawl::item::Item;
use crawl::politeness::HostState;
use crawl::request::{Pending, QueueKey, Request};
use crawl::robots::RobotsRecord;
use crawl::sink::memory::Collect;
use crawl::sink::{Position, Sink, SinkError, Wants};
use crawl::store::cache::{CacheEntry, Packed, ValidatorCache};
use crawl::store::memory::MemoryStore;
use crawl::store::{
    Batch, Committed, FailedRecord, Memory, Recovered, RunRecord, Store, StoreError, Visit, listed,
};
use crawl::time::Timestamp;
use crawl::url::{Fingerprint, HostKey, Origin};
use tokio::sync::Notify;

/// Counts steps, and ends the process at one of them.
#[derive(Debug, Clone, Default)]
pub struct Fate(Arc<(Mutex<Steps>, Notify)>);

#[derive(Debug, Default)]
struct Steps {
    done: usize,
    last: Option<usize>,
    dead: bool,
}

/// The process is dead.
#[derive(Debug)]
pub struct Dead;

impl Fate {
    /// Begins a process that dies at this step, counted from 1; or never.
    pub fn begin(&self, last: Option<usize>) {
        *self.0.0.lock().unwrap() = Steps { last, ..Steps::default() };
    }

    pub fn step(&self) -> Result<(), Dead> {
        let mut steps = self.0.0.lock().unwrap();
        steps.done += 1;
        if !steps.dead && steps.last == Some(steps.done) {
            steps.dead = true;
            self.0.1.notify_one();
        }
        if steps.dead { Err(Dead) } else { Ok(()) }
    }

    pub fn steps(&self) -> usize {
        self.0.0.lock().unwrap().done
    }

    pub fn is_dead(&self) -> bool {
        self.0.0.lock().unwrap().dead
    }

    pub async fn death(&self) {
        self.0.1.notified().await;
    }

    /// Before and after something that leaves a trace.
    fn around<T>(&self, act: impl FnOnce() -> T) -> Result<T, Dead> {
        self.step()?;
        let done = act();
        self.step()?;
        Ok(done)
    }
}

impl From<Dead> for StoreError {
    fn from(Dead: Dead) -> Self {
        Self::Io { path: "state".into(), reason: "dead".to_owned() }
    }
}

impl From<Dead> for SinkError {
    fn from(Dead: Dead) -> Self {
        Self::Io { path: "output".into(), source: std::io::Error::other("dead") }
    }
}

/// A store that can lose its last batches. Clones are the same one.
#[derive(Clone)]
pub struct Disk {
    fate: Fate,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    store: MemoryStore,
    done: Vec<Written>,
    synced: usize,
    /// How long a batch takes, by the machine's own clock: answers pile up meanwhile.
    takes: Duration,
}

enum Written {
    Batch(Box<Batch>),
    Round(RunRecord, Memory),
}

impl State {
    fn write(&mut self, mut written: Written) -> Result<Committed, StoreError> {
        let committed = match &mut written {
            // What hosts that sleep wrote down means nothing to a later run.
            Written::Batch(batch) => {
                let naps = std::mem::take(&mut batch.naps);
                self.store.commit(Batch { naps, ..copy(batch) })?
            }
            Written::Round(run, memory) => {
                self.store.begin_round(run.clone(), *memory)?;
                Committed::default()
            }
        };
        self.done.push(written);
        Ok(committed)
    }
}

fn copy(batch: &Batch) -> Batch {
    Batch {
        links: batch.links.clone(),
        revisits: batch.revisits.clone(),
        pages: batch.pages.clone(),
        done: batch.done.clone(),
        retry: batch.retry.clone(),
        hosts: batch.hosts.clone(),
        naps: Vec::new(),
        robots: batch.robots.clone(),
        cookies: batch.cookies.clone(),
        login: batch.login.clone(),
        sinks: batch.sinks.clone(),
        failed: batch.failed.clone(),
        unfailed: batch.unfailed.clone(),
        item_keys: batch.item_keys.clone(),
        tally: batch.tally.clone(),
        run: batch.run.clone(),
    }
}

impl Disk {
    pub fn new(fate: Fate) -> Self {
        Self { fate, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Makes it as slow as a real one.
    pub fn slow_down(&self, takes: Duration) {
        self.state().takes = takes;
    }

    /// The most pages that were settled in one batch.
    pub fn largest_batch(&self) -> usize {
        let state = self.state();
        let sizes = state.done.iter().map(|written| match written {
            Written::Batch(batch) => batch.pages.len(),
            Written::Round(..) => 0,
        });
        sizes.max().unwrap_or(0)
    }

    /// Whether a process still has it, dead or not.
    pub fn is_held(&self) -> bool {
        Arc::strong_count(&self.state) > 1
    }

    /// Batches that a power cut may take.
    pub fn unsynced(&self) -> usize {
        let state = self.state();
        state.done.len() - state.synced
    }

    /// A power cut that takes so many batches.
    pub fn lose(&self, batches: usize) {
        let mut state = self.state();
        let left = state.done.len() - batches.min(state.done.len() - state.synced);
        if left == state.done.len() {
            return;
        }
        let mut old = std::mem::take(&mut *state);
        old.done.truncate(left);
        for written in old.done {
            state.write(written).unwrap();
        }
        (state.synced, state.takes) = (old.synced, old.takes);
    }

    pub fn run(&self) -> Option<RunRecord> {
        self.state().store.recover().unwrap().run
    }

    pub fn first_seen(&self) -> HashMap<String, Timestamp> {
        let pages = self.state().store.pages(None, usize::MAX).unwrap();
        pages.into_iter().map(|(_, page)| (page.request.url.to_string(), page.first_seen)).collect()
    }
}

impl Store for Disk {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        self.state().store.recover()
    }

    fn each_host(&self, visit: Visit<'_, HostKey, HostState>) -> Result<(), StoreError> {
        let all = listed(|visit| self.state().store.each_host(visit))?;
        let _ = all.into_iter().try_for_each(|(key, value)| visit(key, value));
        Ok(())
    }

    fn each_robots(&self, visit: Visit<'_, Origin, RobotsRecord>) -> Result<(), StoreError> {
        let all = listed(|visit| self.state().store.each_robots(visit))?;
        let _ = all.into_iter().try_for_each(|(key, value)| visit(key, value));
        Ok(())
    }

    fn each_queue(&self, visit: Visit<'_, Origin, u64>) -> Result<(), StoreError> {
        let all = listed(|visit| self.state().store.each_queue(visit))?;
        let _ = all.into_iter().try_for_each(|(key, value)| visit(key, value));
        Ok(())
    }

    fn host(&self, host: &HostKey) -> Result<Option<HostState>, StoreError> {
        self.state().store.host(host)
    }

    fn nap(&self, host: &HostKey) -> Result<Option<Nap>, StoreError> {
        self.state().store.nap(host)
    }

    fn robots(&self, origin: &Origin) -> Result<Option<RobotsRecord>, StoreError> {
        self.state().store.robots(origin)
    }

    fn waiting(&self, origin: &Origin) -> u64 {
        self.state().store.waiting(origin)
    }

    fn all_waiting(&self) -> u64 {
        self.state().store.all_waiting()
    }

    fn pending(
        &mut self,
        origin: &Origin,
        after: Option<QueueKey>,
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        self.state().store.pending(origin, after, limit)
    }

    fn knows(&self, request: &Request) -> Result<bool, StoreError> {
        self.state().store.knows(request)
    }

    fn commit(&mut self, batch: Batch) -> Result<Committed, StoreError> {
        let takes = self.state().takes;
        if !takes.is_zero() {
            std::thread::park_timeout(takes);
        }
        self.fate.around(|| self.state().write(Written::Batch(Box::new(batch))))?
    }

    fn begin_round(&mut self, run: RunRecord, memory: Memory) -> Result<(), StoreError> {
        let begun = self.fate.around(|| {
            let mut state = self.state();
            let begun = state.write(Written::Round(run, memory));
            state.synced = state.done.len();
            begun
        });
        begun?.map(drop)
    }

    fn page(&self, page: Fingerprint) -> Result<Option<PageRecord>, StoreError> {
        self.state().store.page(page)
    }

    fn pages(
        &self,
        after: Option<Fingerprint>,
        limit: usize,
    ) -> Result<Vec<(Fingerprint, PageRecord)>, StoreError> {
        self.state().store.pages(after, limit)
    }

    fn due(&self, from: Timestamp, limit: usize) -> Result<Vec<(Timestamp, Fingerprint)>, StoreError> {
        self.state().store.due(from, limit)
    }

    fn failed(&mut self) -> Result<Vec<FailedRecord>, StoreError> {
        self.state().store.failed()
    }

    fn item_key(&self, key: Fingerprint) -> Result<Option<Fingerprint>, StoreError> {
        self.state().store.item_key(key)
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        let synced = self.fate.around(|| {
            let mut state = self.state();
            state.synced = state.done.len();
        });
        Ok(synced?)
    }
}

/// A cache that can lose its last writes. Clones are the same one.
#[derive(Clone)]
pub struct Behind {
    fate: Fate,
    state: Arc<Mutex<Entries>>,
}

#[derive(Default)]
struct Entries {
    flushed: HashMap<Fingerprint, CacheEntry>,
    /// In order; `None` is an entry that was removed.
    unflushed: Vec<(Fingerprint, Option<CacheEntry>)>,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Damage {
    Absent,
    /// Its harvest is there, and nothing is in it. No cache does that; it is for the test of the tests.
    Empty,
}

impl Behind {
    pub fn new(fate: Fate) -> Self {
        Self { fate, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, Entries> {
        self.state.lock().unwrap()
    }

    /// Writes that a death may take.
    pub fn unflushed(&self) -> usize {
        self.state().unflushed.len()
    }

    /// What is left when so many of the last writes are gone.
    pub fn lose(&self, writes: usize) {
        let mut state = self.state();
        let left = state.unflushed.len().saturating_sub(writes);
        state.unflushed.truncate(left);
        state.settle();
    }

    /// All keys, in an order that is the same every time.
    pub fn keys(&self) -> Vec<Fingerprint> {
        let state = self.state();
        let mut keys: Vec<_> = state.flushed.keys().copied().collect();
        keys.sort_unstable_by_key(|key| key.get());
        keys
    }

    pub fn harm(&self, key: Fingerprint, damage: Damage) {
        let mut state = self.state();
        match damage {
            Damage::Absent => drop(state.flushed.remove(&key)),
            Damage::Empty => {
                state.flushed.get_mut(&key).unwrap().harvest = Packed::of(&[], &[]).unwrap();
            }
        }
    }

    fn write(&self, key: Fingerprint, entry: Option<CacheEntry>) {
        // A cache tells nobody that it is dead.
        drop(self.fate.around(|| self.state().unflushed.push((key, entry))));
    }
}

impl Entries {
    fn settle(&mut self) {
        for (key, entry) in self.unflushed.drain(..) {
            match entry {
                Some(entry) => drop(self.flushed.insert(key, entry)),
                None => drop(self.flushed.remove(&key)),
            }
        }
    }
}

impl ValidatorCache for Behind {
    fn get(&self, key: Fingerprint) -> Option<CacheEntry> {
        let state = self.state();
        match state.unflushed.iter().rev().find(|(written, _)| *written == key) {
            Some((_, entry)) => entry.clone(),
            None => state.flushed.get(&key).cloned(),
        }
    }

    fn put(&self, key: Fingerprint, entry: &CacheEntry) {
        self.write(key, Some(entry.clone()));
    }

    fn remove(&self, key: Fingerprint) {
        self.write(key, None);
    }

    fn clear(&self) {
        drop(self.fate.around(|| *self.state() = Entries::default()));
    }

    fn flush(&self) {
        drop(self.fate.around(|| self.state().settle()));
    }
}

/// An output that outlives the process.
#[derive(Clone)]
pub struct Out {
    fate: Fate,
    wants: Wants,
    pub items: Collect,
}

impl Out {
    pub fn new(fate: Fate, wants: Wants) -> Self {
        Self { fate, wants, items: Collect::default() }
    }
}

impl Sink for Out {
    fn name(&self) -> &str {
        if self.wants == Wants::Changes { "news" } else { "items" }
    }

    fn wants(&self) -> Wants {
        self.wants
    }

    fn write(&mut self, item: &Item) -> Result<(), SinkError> {
        self.fate.around(|| self.items.write(item))?
    }

    fn flush(&mut self) -> Result<Position, SinkError> {
        let position = self.items.flush();
        self.fate.step()?;
        position
    }

    fn rewind(&mut self, to: Position) -> Result<(), SinkError> {
        self.fate.around(|| self.items.rewind(to))?
    }
}
