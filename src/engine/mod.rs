//! The one loop.
//!
//! [`Crawl::run`] asks the frontier what may go out, hands each lease to a worker, settles what comes back and passes it to
//! the writer. One task owns the frontier: there are no locks and no shared state. Nothing here decides about politeness;
//! that is all in [`crate::frontier`] and below.
//!
//! A crawl needs one spider; everything else has a default:
//!
//! ```no_run
//! use crawl::engine::Crawl;
//! # fn spider() -> impl crawl::spider::Spider { crawl::spider::declarative::Declarative::new(Default::default()) }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let report = Crawl::builder().identity("mybot", "mail@example.com").spider(spider()).build()?.run().await?;
//! println!("{} pages, exit code {}", report.totals.pages, report.exit_code());
//! # Ok(())
//! # }
//! ```

mod archiving;
mod builder;
pub mod changes;
mod download;
mod errand;
mod event;
mod expect;
mod items;
mod login;
mod output;
mod plant;
mod recall;
mod recorder;
mod report;
mod retry;
mod run;
mod schedule;
mod sieve;
mod sitemap;
mod stages;
mod standing;
mod start;
mod stop;
mod tell;
mod totals;
mod trouble;
mod turns;
mod worker;
mod writer;

pub use builder::{BuildError, Builder};
pub use download::{Downloads, FileField, FileHosts};
pub use event::Event;
pub use expect::{Expectations, Missed};
pub use login::{Login, LoginFailure};
pub use recall::Freshness;
pub use report::{End, HostReport, Report};
pub use retry::{Requeued, requeue_failed};
pub use sitemap::{Lastmod, RobotsSitemaps, Sitemaps};
pub use stages::limit::{Limit, LimitedBy};
pub use stages::load::{Connections, HostWaits, Load};
pub use stages::machine::Machine;
pub use stages::{Spread, StageTime, StageTimes};
pub use standing::{HostWait, advice, evidence_of, gravity, learned_rate, standing_of, told, wait_of};
pub use start::{Start, Unlinked};
pub use stop::StopHandle;
pub use tell::Progress;
pub use totals::Totals;
pub use trouble::Trouble;
pub use worker::{Execution, HostHeaders};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use crate::clock::Clock;
use crate::cookies::CookieJar;
use crate::fetch::http::HttpFetcher;
use crate::fetch::{Fetcher, Limits};
use crate::frontier::{Policies, Settings};
use crate::revisit::Revisit;
use crate::scope::Scope;
use crate::sink::warc::Warc;
use crate::sink::{Sink, SinkError};
use crate::spider::{SeedError, Spider};
use crate::store::cache::ValidatorCache;
use crate::store::files::FileError;
use crate::store::journal::{JournalError, Journals};
use crate::store::{Store, StoreError};
use crate::url::Canon;

/// A crawl that is ready to run.
pub struct Crawl<F> {
    fetcher: F,
    spiders: Vec<Arc<dyn Spider>>,
    scope: Scope,
    sitemaps: Sitemaps,
    canon: Canon,
    limits: Limits,
    host_headers: HostHeaders,
    cookies: Option<CookieJar>,
    login: Option<Login>,
    settings: Settings,
    policies: Policies,
    store: Box<dyn Store>,
    journals: Option<Journals>,
    items: sieve::ItemRules,
    sinks: Vec<Box<dyn Sink>>,
    changes: Option<PathBuf>,
    archive: Option<Warc>,
    downloads: Option<Downloads>,
    unlinked: Unlinked,
    watch: Option<Revisit>,
    cache: Arc<dyn ValidatorCache>,
    freshness: Freshness,
    rules: u64,
    plan: BTreeMap<String, String>,
    start: Start,
    clock: Clock,
    execution: Execution,
    stop: StopHandle,
    events: broadcast::Sender<Event>,
    progress: watch::Sender<Progress>,
}

impl Crawl<HttpFetcher> {
    /// Begins to describe a crawl.
    pub fn builder() -> Builder<HttpFetcher> {
        Builder::new()
    }
}

impl<F: Fetcher> Crawl<F> {
    /// Stops the crawl from outside.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Listens to what happens. A listener that lags behind 1,024 events loses the oldest.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Looks at how far it is, at any time.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }
}

/// Why a crawl could not begin or go on. The state on disk stays resumable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CrawlError {
    /// The state cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output cannot be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// Files cannot be written.
    #[error(transparent)]
    Files(#[from] FileError),
    /// The journal cannot be written, and no request leaves unrecorded.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What a spider starts with cannot be made.
    #[error(transparent)]
    Seeds(#[from] SeedError),
    /// `resume` was asked for and there is nothing to resume.
    #[error("there is nothing to resume: {reason}; begin with `crawl run`")]
    NothingToResume {
        /// What was found instead.
        reason: &'static str,
    },
    /// The writer ended without a word.
    #[error("the writer thread ended unexpectedly: this is a defect, please report it")]
    WriterGone,
}

impl From<output::WriteError> for CrawlError {
    fn from(error: output::WriteError) -> Self {
        match error {
            output::WriteError::Store(error) => Self::Store(error),
            output::WriteError::Sink(error) => Self::Sink(error),
            output::WriteError::Files(error) => Self::Files(error),
        }
    }
}
