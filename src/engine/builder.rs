//! Describing a crawl, piece by piece.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use super::{Crawl, CrawlError, Execution, Progress, Start, StopHandle};
use crate::clock::Clock;
use crate::fetch::http::{HttpFetcher, HttpOptions};
use crate::fetch::{FetchError, Fetcher, Limits};
use crate::frontier::{Policies, Settings};
use crate::politeness::Policy;
use crate::robots::{ProductToken, ProductTokenError};
use crate::scope::Scope;
use crate::sink::Sink;
use crate::spider::Spider;
use crate::store::cache::{NoCache, SledCache, ValidatorCache};
use crate::store::disk::DiskStore;
use crate::store::memory::MemoryStore;
use crate::store::{Store, StoreError};
use crate::url::{Canon, HostKey};

/// Events that a slow listener may lag behind.
const EVENTS: usize = 1_024;

/// A crawl in the making. What is not said has the default that the commented defaults of a crawler file give.
#[must_use]
pub struct Builder<F> {
    name: String,
    contact: Option<String>,
    http: HttpOptions,
    fetcher: Option<F>,
    spiders: Vec<Arc<dyn Spider>>,
    scope: Option<Scope>,
    canon: Canon,
    limits: Limits,
    policy: Policy,
    policies: Option<Policies>,
    tune: Vec<Box<dyn FnOnce(&mut Settings)>>,
    store: Option<Box<dyn Store>>,
    state_dir: Option<PathBuf>,
    sinks: Vec<Box<dyn Sink>>,
    cache: Option<Arc<dyn ValidatorCache>>,
    rules: u64,
    plan: BTreeMap<String, String>,
    start: Start,
    clock: Option<Clock>,
    execution: Execution,
}

/// Why a crawl cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A name that robots.txt cannot know us by.
    #[error(transparent)]
    Name(#[from] ProductTokenError),
    /// No contact, and seeds beyond this machine.
    #[error("a crawl beyond this machine needs a contact: say `.identity(\"name\", \"mail or URL\")`")]
    NoContact,
    /// No spider.
    #[error("a crawl needs a spider: say `.spider(...)`")]
    NoSpider,
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built: {0}")]
    Http(#[from] FetchError),
    /// The state directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<BuildError> for CrawlError {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Store(error) => Self::Store(error),
            other => Self::Build(Box::new(other)),
        }
    }
}
