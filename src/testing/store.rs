//! A store in memory that outlives the run that writes it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::request::{Pending, QueueKey, Request};
use crate::store::memory::MemoryStore;
use crate::store::{Batch, Committed, FailedRecord, Recovered, RunRecord, Store, StoreError};
use crate::url::Origin;

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

    fn pending(
        &mut self,
        origin: &Origin,
        after: Option<QueueKey>,
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        self.state().pending(origin, after, limit)
    }

    fn knows(&self, request: &Request) -> bool {
        self.state().knows(request)
    }

    fn commit(&mut self, batch: Batch) -> Result<Committed, StoreError> {
        self.state().commit(batch)
    }

    fn begin_round(&mut self, run: RunRecord) -> Result<(), StoreError> {
        self.state().begin_round(run)
    }

    fn failed(&mut self) -> Result<Vec<FailedRecord>, StoreError> {
        self.state().failed()
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.state().sync()
    }
}
