//! The validator cache: what is needed to ask "has it changed?" and to go on when the answer is no.
//!
//! A cache, never the truth: losing it costs full fetches, never a URL and never an item. It is written after the batch that
//! it belongs to, so that a crash can only leave it behind the state, not ahead of it.

use serde::{Deserialize, Serialize};

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
}
