//! The crawl's durable state: queues, seen-set, hosts, robots.txt verdicts, cookies, sink positions.
//!
//! One owner, the writer, changes it, and only in whole batches: what is not in a committed [`Batch`] did not happen. A page
//! that was fetched but whose batch was not committed is fetched again after a crash; its items are cut off the output by the
//! committed sink positions. So a crash may fetch twice, but it never loses a URL and never doubles an item.

pub mod beside;
pub mod bodies;
pub mod cache;
pub mod codec;
pub mod disk;
pub mod doctor;
pub mod files;
pub mod journal;
pub mod memory;
pub mod seen;

mod before_opening;
mod frame;
mod frontier;
mod handed;
mod keys;
mod let_go;
mod lock;
mod options;
mod queues;
mod read_back;
mod sled_cache;
mod step;
mod watch;
mod write_behind;
mod writes;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cookies::{Cookie, CookieChange};
use crate::frontier::{Nap, Stored, StoredOrigin};
use crate::history::PageRecord;
use crate::politeness::HostState;
use crate::request::Request;
pub use crate::request::{Pending, QueueKey};
use crate::response::FailureKind;
use crate::robots::RobotsRecord;
use crate::sink::Position;
use crate::stage::tally::ItemTally;
use crate::time::Timestamp;
use crate::url::{Fingerprint, HostKey, Origin};
use seen::SeenView;

/// One atomic step.
#[derive(Debug, Default)]
pub struct Batch {
    /// Requests found: those that the seen-set does not know enter the queues (those with `Dedup::Never` always do).
    pub links: Vec<Request>,
    /// Pages that are asked again in the same round: they enter the queues whatever the seen-set says.
    pub revisits: Vec<Request>,
    /// What is known of pages from now on.
    pub pages: Vec<PageChange>,
    /// Requests that are settled for good and leave their queue.
    pub done: Vec<(Origin, QueueKey)>,
    /// Requests that stay, with new tries and `not_before`; written over the entry of the same key.
    pub retry: Vec<(Origin, Pending)>,
    /// Hosts whose state changed.
    pub hosts: Vec<(HostKey, HostState)>,
    /// Hosts that went to sleep, for as long as the state is open.
    pub naps: Vec<(HostKey, Nap)>,
    /// Origins whose robots.txt was asked.
    pub robots: Vec<(Origin, RobotsRecord)>,
    /// Cookies that came or went, in their order.
    pub cookies: Vec<CookieChange>,
    /// The crawl has logged in.
    pub login: Option<LoginRecord>,
    /// How far each sink's output reaches.
    pub sinks: Vec<(String, Position)>,
    /// URLs that were given up, for the failed list.
    pub failed: Vec<FailedRecord>,
    /// Requests that leave the failed list: each of their entries.
    pub unfailed: Vec<Fingerprint>,
    /// Keys of items that are taken in this round, each with the page that has it.
    pub item_keys: Vec<(Fingerprint, Fingerprint)>,
    /// The items of the round as they are counted by now, if the counts changed.
    pub tally: Option<ItemTally>,
    /// The run's own record, if it changed.
    pub run: Option<RunRecord>,
}

/// What is known of a page from now on.
#[derive(Debug, Clone)]
pub struct PageChange {
    /// The page.
    pub page: Fingerprint,
    /// What was known of it before this batch.
    pub before: Option<PageRecord>,
    /// What is known now; `None` forgets it.
    pub now: Option<PageRecord>,
}

/// What a new round does with what is known of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// It keeps it.
    Keeps,
    /// It knows nothing any more.
    Forgets,
}

/// Whether a cookie is still there in a round that begins at `now`.
#[must_use]
pub fn outlives(cookie: &Cookie, memory: Memory, now: Timestamp) -> bool {
    memory == Memory::Keeps && cookie.expires.is_some_and(|end| end > now)
}

/// What a commit brought.
#[derive(Debug, Default)]
pub struct Committed {
    /// The links that were not seen before, with their places, in the order of the batch.
    pub fresh: Vec<Pending>,
    /// Links that were known.
    pub known: u64,
}

/// A URL that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRecord {
    /// The request, to be made again by `retry-failed`.
    pub request: Request,
    /// When it was given up.
    pub at: Timestamp,
    /// Class of the failure, as in the report (`server-error`, `unreachable`, `robots` …).
    pub class: String,
    /// Why no answer came, if none did.
    pub cause: Option<FailureKind>,
    /// The last status, if there was an answer.
    pub status: Option<u16>,
    /// In words.
    pub reason: String,
    /// How often it was asked for; refusals (429, 503) are not counted.
    pub tries: u8,
}

/// What a state directory knows about its crawl.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// 1 for the first round, counted up each time a finished crawl is started again.
    pub round: u32,
    /// When the round began.
    pub started: Timestamp,
    /// When it was complete; `None` while something is left to do.
    pub completed: Option<Timestamp>,
    /// The crawler file's effective values, key to value, to explain what changed between runs.
    pub plan: BTreeMap<String, String>,
    /// Counts of the round over all its runs: pages, items, bytes, and every outcome class by its name.
    pub totals: BTreeMap<String, u64>,
}

impl RunRecord {
    /// Pages that the round has answered so far.
    pub(crate) fn pages(&self) -> u64 {
        self.totals.get("pages").copied().unwrap_or(0)
    }
}

/// That a crawl has logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginRecord {
    /// The round in which it did: a login holds for one round.
    pub round: u32,
    /// When.
    pub at: Timestamp,
    /// Digest of how it is done, without what is secret: whoever logs in otherwise logs in again.
    pub rules: u64,
}

/// Everything that a state holds of hosts, for whoever looks at it as a whole. A run does not: there may be millions.
#[derive(Debug, Clone, Default)]
pub struct Holdings {
    /// All hosts with a state.
    pub hosts: Vec<(HostKey, HostState)>,
    /// All robots.txt verdicts.
    pub robots: Vec<(Origin, RobotsRecord)>,
    /// Origins with waiting requests, and how many.
    pub queues: Vec<(Origin, u64)>,
}

/// What is there when a state is opened, beside hosts, their robots.txt and their queues.
#[derive(Debug, Default)]
pub struct Recovered {
    /// `None` if the state is new.
    pub run: Option<RunRecord>,
    /// Committed positions of the sinks.
    pub sinks: Vec<(String, Position)>,
    /// All cookies that were written down.
    pub cookies: Vec<Cookie>,
    /// When the crawl logged in last.
    pub login: Option<LoginRecord>,
    /// The items of the round so far.
    pub tally: ItemTally,
    /// What was lost and how it was made good, in words for the user; empty but after a power cut or damage.
    pub warnings: Vec<String>,
}

/// Looks at one thing after the other.
pub type Visit<'a, K, V> = &'a mut dyn FnMut(K, V) -> ControlFlow<()>;

/// Everything that a visit shows, in its order, for whoever needs all of it at once.
///
/// # Errors
/// If the visit ends in one.
pub fn listed<K, V>(
    each: impl FnOnce(Visit<'_, K, V>) -> Result<(), StoreError>,
) -> Result<Vec<(K, V)>, StoreError> {
    let mut all = Vec::new();
    each(&mut |key, value| {
        all.push((key, value));
        ControlFlow::Continue(())
    })?;
    Ok(all)
}

/// Keeps the crawl's state.
///
/// One owner: the writer. Calls block; they never run on the async threads.
///
/// ```
/// use crawl::request::Request;
/// use crawl::store::{Batch, Store, memory::MemoryStore};
/// use crawl::url::CanonicalUrl;
///
/// let mut store = MemoryStore::default();
/// let home = Request::get(CanonicalUrl::parse("https://example.com/").unwrap());
/// let batch = || Batch { links: vec![home.clone()], ..Batch::default() };
/// assert_eq!(store.commit(batch()).unwrap().fresh.len(), 1);
/// assert_eq!(store.commit(batch()).unwrap().fresh.len(), 0); // seen before
/// assert_eq!(store.pending(&home.origin(), None, 10).unwrap().len(), 1);
/// ```
pub trait Store: Send + 'static {
    /// Reads what is there. Called once, before anything else.
    ///
    /// # Errors
    /// If the state is damaged or of another version.
    fn recover(&mut self) -> Result<Recovered, StoreError>;

    /// Visits all hosts with a state until the visitor breaks off. The visitor may ask the store other things meanwhile.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn each_host(&self, visit: Visit<'_, HostKey, HostState>) -> Result<(), StoreError>;

    /// Visits all robots.txt verdicts, as [`Store::each_host`] does hosts.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn each_robots(&self, visit: Visit<'_, Origin, RobotsRecord>) -> Result<(), StoreError>;

    /// Visits all origins with waiting requests, as [`Store::each_host`] does hosts, and says how many wait.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn each_queue(&self, visit: Visit<'_, Origin, u64>) -> Result<(), StoreError>;

    /// Everything that is held of hosts, each list in order.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn holdings(&self) -> Result<Holdings, StoreError> {
        let mut all = Holdings {
            hosts: listed(|visit| self.each_host(visit))?,
            robots: listed(|visit| self.each_robots(visit))?,
            queues: listed(|visit| self.each_queue(visit))?,
        };
        all.queues.sort_unstable();
        Ok(all)
    }

    /// What is stored of a host.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn host(&self, host: &HostKey) -> Result<Option<HostState>, StoreError>;

    /// How a host went to sleep since the state was opened, if it did.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn nap(&self, host: &HostKey) -> Result<Option<Nap>, StoreError>;

    /// What is stored of an origin's robots.txt.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn robots(&self, origin: &Origin) -> Result<Option<RobotsRecord>, StoreError>;

    /// How many requests of an origin wait.
    fn waiting(&self, origin: &Origin) -> u64;

    /// How many requests wait at all.
    fn all_waiting(&self) -> u64;

    /// All that a host needs to be woken: its origins are those that it had when it went to sleep, and then `origins`. Of each
    /// the first `head` requests come along.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn wake(&mut self, host: &HostKey, origins: &[Origin], head: usize) -> Result<Stored, StoreError> {
        let nap = self.nap(host)?;
        let mut all: Vec<Origin> = nap.iter().flat_map(Nap::origins).cloned().collect();
        let more: Vec<_> = origins.iter().filter(|origin| !all.contains(origin)).cloned().collect();
        all.extend(more);
        let mut found = Vec::with_capacity(all.len());
        for origin in all {
            let (robots, waiting) = (self.robots(&origin)?, self.waiting(&origin));
            let first = if waiting > 0 { self.pending(&origin, None, head)? } else { Vec::new() };
            found.push(StoredOrigin { origin, robots, waiting, first });
        }
        let state = if nap.is_some() { None } else { self.host(host)? };
        Ok(Stored { state, nap, origins: found })
    }

    /// The first `limit` waiting requests of an origin behind `after`, in queue order.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn pending(
        &mut self,
        origin: &Origin,
        after: Option<QueueKey>,
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError>;

    /// Whether the seen-set of this round has the request's fingerprint: it waits, or it was asked.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn knows(&self, request: &Request) -> Result<bool, StoreError>;

    /// The seen-set, for those who only ask it; it is right for as long as the store lives. `None` if the store has none to
    /// share: then every link is for [`Store::commit`] to judge.
    fn seen(&self) -> Option<SeenView> {
        None
    }

    /// Does everything in `batch`, or nothing of it.
    ///
    /// # Errors
    /// If the state cannot be written; nothing of the batch has happened then.
    fn commit(&mut self, batch: Batch) -> Result<Committed, StoreError>;

    /// Begins a new round: empties seen-set, queues, sink positions, the failed list and what is known of items, and keeps hosts and
    /// robots.txt verdicts, whose waits hold across rounds. What is known of pages stays or goes by `memory`, and so do cookies,
    /// but for those of the session, which always go (see [`outlives`]). The places of requests go on counting.
    ///
    /// # Errors
    /// As for [`Store::commit`].
    fn begin_round(&mut self, run: RunRecord, memory: Memory) -> Result<(), StoreError>;

    /// What is known of a page.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn page(&self, page: Fingerprint) -> Result<Option<PageRecord>, StoreError>;

    /// What is known of a page whose request has never come back before in this round. Where nothing was known of pages when they
    /// came into their queues, nothing is by then, and nobody looks.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn page_at_first(&self, page: Fingerprint) -> Result<Option<PageRecord>, StoreError> {
        self.page(page)
    }

    /// What is known of the first `limit` pages behind `after`, in the order of their fingerprints.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn pages(
        &self,
        after: Option<Fingerprint>,
        limit: usize,
    ) -> Result<Vec<(Fingerprint, PageRecord)>, StoreError>;

    /// The first `limit` pages that are due at `from` or later, with their moments, soonest first.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn due(&self, from: Timestamp, limit: usize) -> Result<Vec<(Timestamp, Fingerprint)>, StoreError>;

    /// The URLs given up in this round.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn failed(&mut self) -> Result<Vec<FailedRecord>, StoreError>;

    /// The page whose item took this key in this round.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn item_key(&self, key: Fingerprint) -> Result<Option<Fingerprint>, StoreError>;

    /// Makes what was committed survive a power cut too. Called about once a second and at the end.
    ///
    /// # Errors
    /// As for [`Store::commit`].
    fn sync(&mut self) -> Result<(), StoreError>;
}

/// Why the crawl's state could not be read or written. Always fatal to the run, which stays resumable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process holds the state directory.
    #[error("state directory `{}` is in use by another crawl (process {pid}): wait for it, stop it, or give another --state", .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The holder's process id, as it wrote it down.
        pid: String,
    },
    /// The state was written by another version.
    #[error("state in `{}` has format {found}, this program reads {expected}: finish it with the version that began it, or remove the directory", .path.display())]
    Version {
        /// The directory.
        path: PathBuf,
        /// Format found.
        found: String,
        /// Format that this program reads and writes.
        expected: u32,
    },
    /// What is there cannot be read.
    #[error("state in `{}` is damaged ({reason}): `crawl doctor` says what is wrong, `crawl repair` mends what can be mended; or restore it from a copy", .path.display())]
    Damaged {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system refused (disk full, no rights).
    #[error("cannot use the state in `{}`: {reason}", .path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// What the file system or the database said.
        reason: String,
    },
}
