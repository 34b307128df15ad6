//! The validator cache: what is needed to ask "has it changed?" and to go on when the answer is no.
//!
//! A cache, never the truth: losing it costs full fetches, never a URL and never an item. It is written after the batch that
//! it belongs to, so that a crash can only leave it behind the state, not ahead of it.
//!
//! Bodies are not kept here.

mod packed;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) use packed::Kept;
pub use packed::{KeptItem, Packed};

pub use super::sled_cache::upkeep::{IdleCache, Survey, remove as remove_cache};
pub use super::sled_cache::{CacheOptions, SledCache};
use crate::headers::freshness::Lifetime;
use crate::headers::validators::Validators;
use crate::headers::vary::Selecting;
use crate::time::Timestamp;
use crate::url::{Fingerprint, HostKey};

/// What is kept of a page that was answered with a complete 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheEntry {
    /// Whose page it is.
    pub host: HostKey,
    /// What to ask with whether it has changed; empty if the server gave nothing.
    pub validators: Validators,
    /// How long the server vouches for it.
    pub lifetime: Lifetime,
    /// Which requests it answers, among those to its URL.
    pub selecting: Selecting,
    /// Digest of the decoded body: the same body under a 200 counts as unchanged.
    pub digest: u64,
    /// When the page was last confirmed, by a 200 or a 304.
    pub checked: Timestamp,
    /// Digest of the rules that read the page (spider, crawler file): other rules make the harvest below worthless.
    pub rules: u64,
    /// What the page gave.
    pub harvest: Packed,
}

impl CacheEntry {
    /// Bytes that it takes in memory, all its texts included.
    #[must_use]
    pub fn weight(&self) -> usize {
        let validators = [&self.validators.etag, &self.validators.last_modified].into_iter().flatten();
        let names = self.selecting.names().iter().map(|name| name.len() + size_of::<String>());
        size_of::<Self>()
            + self.host.as_str().len()
            + validators.map(String::len).sum::<usize>()
            + self.lifetime.text_bytes()
            + names.sum::<usize>()
            + self.harvest.len()
    }
}

/// Keeps validators between rounds.
pub trait ValidatorCache: Send + Sync + 'static {
    /// The entry of this request, if there is one that can be read.
    fn get(&self, key: Fingerprint) -> Option<CacheEntry>;

    /// Keeps an entry. Failures are logged, never raised: it is a cache.
    fn put(&self, key: Fingerprint, entry: &CacheEntry);

    /// Forgets an entry.
    fn remove(&self, key: Fingerprint);

    /// Forgets everything (`--fresh`).
    fn clear(&self);

    /// Called when a run begins. Entries that were confirmed before the moment it gives may be older than the state, because writes
    /// were lost with an earlier run: they do not stand for their pages without a question. Default: none were.
    fn begin(&self, now: Timestamp) -> Timestamp {
        let _ = now;
        Timestamp::ZERO
    }

    /// Writes down what is only in memory yet. Called at the end of a run; a cache in memory has nothing to do.
    fn flush(&self) {}
}

/// Keeps nothing: every page is fetched in full.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCache;

impl ValidatorCache for NoCache {
    fn get(&self, _key: Fingerprint) -> Option<CacheEntry> {
        None
    }

    fn put(&self, _key: Fingerprint, _entry: &CacheEntry) {}

    fn remove(&self, _key: Fingerprint) {}

    fn clear(&self) {}
}

/// Keeps everything in memory, without a limit: for simulations and tests.
#[derive(Debug, Default)]
pub struct MemoryCache {
    entries: Mutex<HashMap<Fingerprint, CacheEntry>>,
}

impl MemoryCache {
    /// An entry is put or removed in one step, so a map whose user panicked is still whole.
    fn entries(&self) -> MutexGuard<'_, HashMap<Fingerprint, CacheEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ValidatorCache for MemoryCache {
    fn get(&self, key: Fingerprint) -> Option<CacheEntry> {
        self.entries().get(&key).cloned()
    }

    fn put(&self, key: Fingerprint, entry: &CacheEntry) {
        self.entries().insert(key, entry.clone());
    }

    fn remove(&self, key: Fingerprint) {
        self.entries().remove(&key);
    }

    fn clear(&self) {
        self.entries().clear();
    }
}
