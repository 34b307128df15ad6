//! Looking on: a fetcher and a cache that note what passes through them and change nothing.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;

use crate::clock::Clock;
use crate::fetch::{FetchError, Fetcher, Outgoing, Purpose};
use crate::response::Response;
use crate::store::cache::{CacheEntry, ValidatorCache};
use crate::time::Timestamp;
use crate::url::{CanonicalUrl, Fingerprint, HostKey};

/// A request that left, and what came back.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) url: CanonicalUrl,
    pub(super) purpose: Purpose,
    /// Every field that it left with.
    pub(super) sent: HeaderMap,
    pub(super) began: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) answer: Option<Response>,
}

/// Everything that was asked, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Exchanges(Arc<Mutex<Vec<Exchange>>>);

impl Exchanges {
    pub(super) fn all(&self) -> MutexGuard<'_, Vec<Exchange>> {
        // A push leaves no vector half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fetcher that is looked at.
pub(super) struct Witness<F> {
    inner: F,
    exchanges: Exchanges,
    clock: Clock,
}

impl<F: Fetcher> Witness<F> {
    pub(super) fn of(inner: F, exchanges: Exchanges, clock: Clock) -> Self {
        Self { inner, exchanges, clock }
    }
}

impl<F: Fetcher> Fetcher for Witness<F> {
    async fn fetch(&self, outgoing: Outgoing) -> Result<Response, FetchError> {
        let (url, purpose) = (outgoing.request.url.clone(), outgoing.purpose);
        let (sent, began) = (self.inner.headers(&outgoing), self.clock.now());
        let came = self.inner.fetch(outgoing).await;
        let (answer, ended) = (came.as_ref().ok().cloned(), self.clock.now());
        self.exchanges.all().push(Exchange { url, purpose, sent, began, ended, answer });
        came
    }

    async fn resolve(&self, host: &HostKey) -> Option<IpAddr> {
        self.inner.resolve(host).await
    }

    fn headers(&self, outgoing: &Outgoing) -> HeaderMap {
        self.inner.headers(outgoing)
    }
}

/// Whether what is kept is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// As always.
    Usual,
    /// It is written only: the page is asked for in full.
    Nothing,
}

/// A cache that is looked at.
pub(super) struct Shelf {
    inner: Arc<dyn ValidatorCache>,
    reading: Reading,
    last_put: Mutex<Option<Fingerprint>>,
}

impl Shelf {
    pub(super) fn of(inner: Arc<dyn ValidatorCache>, reading: Reading) -> Self {
        Self { inner, reading, last_put: Mutex::default() }
    }

    /// Whether what was put there last is there.
    pub(super) fn holds_the_last(&self) -> bool {
        self.last().is_some_and(|key| self.inner.get(key).is_some())
    }

    fn last(&self) -> MutexGuard<'_, Option<Fingerprint>> {
        self.last_put.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ValidatorCache for Shelf {
    fn get(&self, key: Fingerprint) -> Option<CacheEntry> {
        match self.reading {
            Reading::Usual => self.inner.get(key),
            Reading::Nothing => None,
        }
    }

    fn put(&self, key: Fingerprint, entry: &CacheEntry) {
        self.inner.put(key, entry);
        *self.last() = Some(key);
    }

    fn remove(&self, key: Fingerprint) {
        self.inner.remove(key);
    }

    fn clear(&self) {
        self.inner.clear();
    }

    fn begin(&self, now: Timestamp) -> Timestamp {
        self.inner.begin(now)
    }

    fn flush(&self) {
        self.inner.flush();
    }
}
