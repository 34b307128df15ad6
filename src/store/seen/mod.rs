//! The seen-set: which requests have entered this round.
//!
//! The truth is the log (`log`): it only grows, and how long it is stands in the store's atomic step. What answers is a table in
//! memory (`table`), which others than the writer may ask through a [`SeenView`].

mod log;
mod table;

use std::sync::Arc;

pub(super) use log::SeenLog;
pub(super) use table::SeenTable;

use crate::url::Fingerprint;

/// The seen-set of a store, for those who do not write: workers that look whether a link is worth an allocation.
///
/// Clones share one set and cost a reference count. It follows the store over rounds: from the moment that a round has begun,
/// nothing of the one before is known.
///
/// ```
/// use crawl::request::Request;
/// use crawl::store::{Batch, Store, memory::MemoryStore};
/// use crawl::url::CanonicalUrl;
///
/// let mut store = MemoryStore::default();
/// let seen = store.seen().expect("a store in memory has one");
/// let home = Request::get(CanonicalUrl::parse("https://example.com/").unwrap());
/// assert!(!seen.contains(home.fingerprint()));
/// store.commit(Batch { links: vec![home.clone()], ..Batch::default() }).unwrap();
/// assert!(seen.contains(home.fingerprint()));
/// ```
#[derive(Debug, Clone)]
pub struct SeenView(Arc<SeenTable>);

impl SeenView {
    /// Whether a request with this fingerprint has entered the round.
    ///
    /// `true`: it was committed as seen in this round, so a link with [`Dedup::Once`](crate::request::Dedup::Once) would be
    /// counted as known and dropped. `false`: it is new, or was committed a moment ago, or was not asked about for so long
    /// that only the disk knows it: ask the store, by committing it. Never waits for the disk; some ten nanoseconds.
    ///
    /// Only what is to enter once is written into the set, but it may be asked about anything: whoever wants a request with
    /// another [`Dedup`](crate::request::Dedup) must not drop it on this word.
    #[must_use]
    pub fn contains(&self, fingerprint: Fingerprint) -> bool {
        self.0.contains(fingerprint.get())
    }

    /// What answers for this table.
    pub(super) fn of(table: &Arc<SeenTable>) -> Self {
        Self(Arc::clone(table))
    }
}
