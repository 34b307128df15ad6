//! A page asked for beside a crawl, over the crawl's own state.
//!
//! What concerns hosts is shared both ways: their waits, their pace and their robots.txt hold for the page, and what is learned of
//! them on the way holds for the crawl. Everything else stays apart: round, queues, seen-set, failed list and outputs of the crawl
//! are not looked at and not touched, nor are its budgets. The queue of the page is in memory, and its links enter it no more
//! than anything else but the page and the redirects that it leads to. What is known of such pages is kept beside what the crawl
//! knows of its own, so that the change report of its next round is the one that it would have been.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{DiskOptions, DiskStore};
use super::memory::MemoryStore;
use super::{
    Batch, Committed, FailedRecord, Memory, Pending, QueueKey, Recovered, RunRecord, Store, StoreError, Visit,
};
use crate::frontier::Nap;
use crate::history::{Due, PageRecord};
use crate::politeness::HostState;
use crate::request::Request;
use crate::robots::RobotsRecord;
use crate::stage::tally::ItemTally;
use crate::time::Timestamp;
use crate::url::{Fingerprint, HostKey, Origin};

/// What is known of hosts, for whoever asks once the page is there. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Known(Arc<Mutex<Facts>>);

/// What is known of hosts, and what was not done.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Hosts as they were before the page was asked for.
    pub before: HashMap<HostKey, HostState>,
    /// Hosts as they are.
    pub hosts: HashMap<HostKey, HostState>,
    /// What their robots.txt says.
    pub robots: HashMap<Origin, RobotsRecord>,
    /// A redirect that was one too many.
    pub not_followed: Option<Request>,
}

impl Known {
    /// What is known by now.
    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        // Every change to it is one insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The store of a page that is asked for beside a crawl.
pub struct Beside {
    crawl: DiskStore,
    page: MemoryStore,
    known: Known,
    now: Timestamp,
    max_redirects: u8,
    is_planted: bool,
}

impl Beside {
    /// Opens the state in `dir`, or begins one in which no crawl has run. At most `max_redirects` of the page are followed.
    ///
    /// # Errors
    /// As [`DiskStore::open`]: above all, if a crawl is running on it.
    pub fn open(dir: &Path, max_redirects: u8, now: Timestamp) -> Result<Self, StoreError> {
        let crawl = DiskStore::open(dir, DiskOptions::default())?;
        let (page, known) = (MemoryStore::default(), Known::default());
        Ok(Self { crawl, page, known, now, max_redirects, is_planted: false })
    }

    /// What becomes known of hosts.
    #[must_use]
    pub fn known(&self) -> Known {
        self.known.clone()
    }

    /// The page itself, and redirects as far as they are followed.
    fn admit(&mut self, links: Vec<Request>) -> Vec<Request> {
        if !std::mem::replace(&mut self.is_planted, true) {
            return links;
        }
        let (admitted, left): (Vec<_>, Vec<_>) =
            links.into_iter().filter(|link| link.hops > 0).partition(|link| link.hops <= self.max_redirects);
        if let Some(link) = left.into_iter().next() {
            self.known.facts().not_followed = Some(link);
        }
        admitted
    }

    /// Hosts as they are, but for what they gave to the crawl in its round: that is the crawl's to count.
    fn learn(&self, hosts: &mut [(HostKey, HostState)]) {
        let mut facts = self.known.facts();
        for (host, state) in hosts {
            let before = facts.before.get(host);
            (state.pages, state.round) = before.map_or((0, 0), |before| (before.pages, before.round));
            facts.hosts.insert(host.clone(), state.clone());
        }
    }
}

impl Store for Beside {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        let found = self.crawl.recover()?;
        if found.run.is_none() {
            // From now on somebody has been here: what is in flight if this ends badly, the next one cannot know.
            let run = RunRecord { completed: Some(self.now), ..RunRecord::default() };
            self.crawl.commit(Batch { run: Some(run), ..Batch::default() })?;
        }
        let mut facts = self.known.facts();
        let held = self.crawl.holdings()?;
        facts.before = held.hosts.into_iter().collect();
        facts.hosts = facts.before.clone();
        facts.robots = held.robots.into_iter().collect();
        let run = found.run.map(|run| RunRecord { round: run.round, ..RunRecord::default() });
        let tally = ItemTally::default();
        Ok(Recovered { run, sinks: Vec::new(), tally, ..found })
    }

    fn each_host(&self, visit: Visit<'_, HostKey, HostState>) -> Result<(), StoreError> {
        self.crawl.each_host(visit)
    }

    fn each_robots(&self, visit: Visit<'_, Origin, RobotsRecord>) -> Result<(), StoreError> {
        self.crawl.each_robots(visit)
    }

    /// What waits in the crawl's queues is not asked for.
    fn each_queue(&self, _visit: Visit<'_, Origin, u64>) -> Result<(), StoreError> {
        Ok(())
    }

    fn host(&self, host: &HostKey) -> Result<Option<HostState>, StoreError> {
        self.crawl.host(host)
    }

    fn nap(&self, host: &HostKey) -> Result<Option<Nap>, StoreError> {
        self.page.nap(host)
    }

    fn robots(&self, origin: &Origin) -> Result<Option<RobotsRecord>, StoreError> {
        self.crawl.robots(origin)
    }

    fn waiting(&self, origin: &Origin) -> u64 {
        self.page.waiting(origin)
    }

    fn all_waiting(&self) -> u64 {
        self.page.all_waiting()
    }

    fn pending(
        &mut self,
        origin: &Origin,
        after: Option<QueueKey>,
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        self.page.pending(origin, after, limit)
    }

    fn knows(&self, request: &Request) -> Result<bool, StoreError> {
        self.page.knows(request)
    }

    fn commit(&mut self, batch: Batch) -> Result<Committed, StoreError> {
        let Batch { links, pages, mut hosts, robots, .. } = batch;
        self.learn(&mut hosts);
        self.known.facts().robots.extend(robots.iter().cloned());
        if !(hosts.is_empty() && robots.is_empty() && pages.is_empty()) {
            self.crawl.commit_beside(Batch { hosts, robots, pages, ..Batch::default() })?;
        }
        let links = self.admit(links);
        let (revisits, done, retry) = (batch.revisits, batch.done, batch.retry);
        let (failed, run, naps) = (batch.failed, batch.run, batch.naps);
        let mut committed = self.page.commit(Batch {
            links,
            revisits,
            done,
            retry,
            failed,
            run,
            naps,
            ..Batch::default()
        })?;
        for pending in &mut committed.fresh {
            pending.known = self.page(pending.request.fingerprint())?.is_some();
        }
        Ok(committed)
    }

    fn begin_round(&mut self, run: RunRecord, memory: Memory) -> Result<(), StoreError> {
        self.page.begin_round(run, memory)
    }

    /// What was seen of it last, by the crawl or beside it.
    fn page(&self, page: Fingerprint) -> Result<Option<PageRecord>, StoreError> {
        let seen = [self.crawl.page(page)?, self.crawl.page_beside(page)?];
        let last = seen.into_iter().flatten().max_by_key(|record| record.checked);
        Ok(last.map(|record| PageRecord { due: Due::Unplanned, ..record }))
    }

    fn pages(
        &self,
        after: Option<Fingerprint>,
        limit: usize,
    ) -> Result<Vec<(Fingerprint, PageRecord)>, StoreError> {
        self.page.pages(after, limit)
    }

    fn due(&self, from: Timestamp, limit: usize) -> Result<Vec<(Timestamp, Fingerprint)>, StoreError> {
        self.page.due(from, limit)
    }

    fn failed(&mut self) -> Result<Vec<FailedRecord>, StoreError> {
        self.page.failed()
    }

    /// Keys are the crawl's: a page beside it is shown with all of its items.
    fn item_key(&self, _key: Fingerprint) -> Result<Option<Fingerprint>, StoreError> {
        Ok(None)
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.crawl.sync()
    }
}
