//! A store in memory that outlives the run that writes it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::frontier::Nap;
use crate::history::PageRecord;
use crate::politeness::HostState;
use crate::request::{Pending, QueueKey, Request};
use crate::robots::RobotsRecord;
use crate::store::memory::MemoryStore;
use crate::store::seen::SeenView;
use crate::store::{
    Batch, Committed, FailedRecord, Memory, Recovered, RunRecord, Store, StoreError, Visit, listed,
};
use crate::time::Timestamp;
use crate::url::{Fingerprint, HostKey, Origin};

/// A [`MemoryStore`] whose clones share one state: what is left when a run is dropped, the next run finds.
#[derive(Debug, Clone, Default)]
pub struct SharedStore(Arc<Mutex<MemoryStore>>);

impl SharedStore {
    fn state(&self) -> MutexGuard<'_, MemoryStore> {
        // A batch is taken over step by step, but nothing in it can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for SharedStore {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        self.state().recover()
    }

    fn each_host(&self, visit: Visit<'_, HostKey, HostState>) -> Result<(), StoreError> {
        let all = listed(|visit| self.state().each_host(visit))?;
        let _ = all.into_iter().try_for_each(|(key, value)| visit(key, value));
        Ok(())
    }

    fn each_robots(&self, visit: Visit<'_, Origin, RobotsRecord>) -> Result<(), StoreError> {
        let all = listed(|visit| self.state().each_robots(visit))?;
        let _ = all.into_iter().try_for_each(|(key, value)| visit(key, value));
        Ok(())
    }

    fn each_queue(&self, visit: Visit<'_, Origin, u64>) -> Result<(), StoreError> {
        let all = listed(|visit| self.state().each_queue(visit))?;
        let _ = all.into_iter().try_for_each(|(key, value)| visit(key, value));
        Ok(())
    }

    fn host(&self, host: &HostKey) -> Result<Option<HostState>, StoreError> {
        self.state().host(host)
    }

    fn nap(&self, host: &HostKey) -> Result<Option<Nap>, StoreError> {
        self.state().nap(host)
    }

    fn robots(&self, origin: &Origin) -> Result<Option<RobotsRecord>, StoreError> {
        self.state().robots(origin)
    }

    fn waiting(&self, origin: &Origin) -> u64 {
        self.state().waiting(origin)
    }

    fn all_waiting(&self) -> u64 {
        self.state().all_waiting()
    }

    fn pending(
        &mut self,
        origin: &Origin,
        after: Option<QueueKey>,
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        self.state().pending(origin, after, limit)
    }

    fn knows(&self, request: &Request) -> Result<bool, StoreError> {
        self.state().knows(request)
    }

    fn seen(&self) -> Option<SeenView> {
        self.state().seen()
    }

    fn commit(&mut self, batch: Batch) -> Result<Committed, StoreError> {
        self.state().commit(batch)
    }

    fn begin_round(&mut self, run: RunRecord, memory: Memory) -> Result<(), StoreError> {
        self.state().begin_round(run, memory)
    }

    fn page(&self, page: Fingerprint) -> Result<Option<PageRecord>, StoreError> {
        self.state().page(page)
    }

    fn page_at_first(&self, page: Fingerprint) -> Result<Option<PageRecord>, StoreError> {
        self.state().page_at_first(page)
    }

    fn pages(
        &self,
        after: Option<Fingerprint>,
        limit: usize,
    ) -> Result<Vec<(Fingerprint, PageRecord)>, StoreError> {
        self.state().pages(after, limit)
    }

    fn due(&self, from: Timestamp, limit: usize) -> Result<Vec<(Timestamp, Fingerprint)>, StoreError> {
        self.state().due(from, limit)
    }

    fn failed(&mut self) -> Result<Vec<FailedRecord>, StoreError> {
        self.state().failed()
    }

    fn item_key(&self, key: Fingerprint) -> Result<Option<Fingerprint>, StoreError> {
        self.state().item_key(key)
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.state().sync()
    }
}
