//! The validator cache: what is needed to ask "has it changed?" and to go on when the answer is no.
//!
//! A cache, never the truth: losing it costs full fetches, never a URL and never an item. It is written after the batch that
//! it belongs to, so that a crash can only leave it behind the state, not ahead of it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

pub use super::sled_cache::{CacheOptions, SledCache};
use crate::request::Request;
use crate::time::Timestamp;
use crate::url::Fingerprint;

/// What is kept of a page that was answered with a complete 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheEntry {
    /// The ETag field, verbatim (quotes and `W/` included).
    pub etag: Option<String>,
    /// The Last-Modified field, verbatim.
    pub last_modified: Option<String>,
    /// Digest of the decoded body: the same body under a 200 counts as unchanged.
    pub digest: u64,
    /// When the page was last confirmed, by a 200 or a 304.
    pub checked: Timestamp,
    /// Digest of the rules that read the page (spider, crawler file): other rules make the harvest below worthless.
    pub rules: u64,
    /// Links of the page, walked again on a 304.
    pub links: Vec<Request>,
    /// Items of the page as JSON text, each with its kind, emitted again on a 304.
    pub items: Vec<(Option<String>, String)>,
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
