//! The seen-set: which requests have entered this round.
//!
//! The truth is the log (`log`): it only grows, and how long it is stands in the store's atomic step. Everything else is derived
//! from it: tables in memory (`table`), which others than the writer may ask through a [`SeenView`], and, when they have grown
//! to their share of the memory, sorted runs on disk (`run`), each for a stretch of the log, with a filter (`filter`) that tells
//! what is surely not in it. Runs are written and merged on threads of their own (`work`, `upkeep`). A run that is missing,
//! damaged or ahead of the store is built again from the log (`open`).
//!
//! A look-up asks the tables, then what the disk confirmed lately (`recent`), then the filters, and at last it reads one page.

mod check;
mod filter;
mod limits;
mod log;
mod names;
mod open;
mod recent;
mod run;
mod set;
mod table;
#[cfg(test)]
mod tests;
mod upkeep;
mod work;

pub(crate) use log::fingerprints_in;

use std::sync::Arc;

pub(super) use check::{runs, unreadable};
pub(super) use names::sweep;
pub(super) use set::SeenSet;
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
    /// that only the disk knows it: ask the store, by committing it. Never waits for the disk: two or three cache misses, and a
    /// lock that nobody holds longer than one insertion.
    ///
    /// Only what is to enter once is written into the set, but it may be asked about anything: whoever wants a request with
    /// another [`Dedup`](crate::request::Dedup) must not drop it on this word.
    #[must_use]
    pub fn contains(&self, fingerprint: Fingerprint) -> bool {
        self.0.contains(fingerprint.get())
    }

    /// Takes out of `items` those whose fingerprint [`contains`](Self::contains) would say `true` to. What has no fingerprint stays.
    /// To ask for many at once takes a third of the time: memory is read for several at the same time.
    ///
    /// ```
    /// use crawl::request::Request;
    /// use crawl::store::{Batch, Store, memory::MemoryStore};
    /// use crawl::url::CanonicalUrl;
    ///
    /// let [home, other] = ["https://example.com/", "https://example.com/other"]
    ///     .map(|url| Request::get(CanonicalUrl::parse(url).unwrap()));
    /// let mut store = MemoryStore::default();
    /// store.commit(Batch { links: vec![home.clone()], ..Batch::default() }).unwrap();
    /// let mut links = vec![home, other.clone()];
    /// store.seen().unwrap().leave_out(&mut links, |link| Some(link.fingerprint()));
    /// assert_eq!(links, [other]);
    /// ```
    pub fn leave_out<T>(&self, items: &mut Vec<T>, fingerprint: impl Fn(&T) -> Option<Fingerprint>) {
        let marks: Vec<Option<Fingerprint>> = items.iter().map(fingerprint).collect();
        let asked: Vec<u64> = marks.iter().flatten().map(|mark| mark.get()).collect();
        let (mut known, mut marks) = (self.0.contains_each(&asked).into_iter(), marks.into_iter());
        items.retain(|_| marks.next().flatten().is_none() || !known.next().unwrap_or_default());
    }

    /// What answers for this table.
    pub(super) fn of(table: &Arc<SeenTable>) -> Self {
        Self(Arc::clone(table))
    }
}
