//! Describing a crawl, piece by piece.

mod archive;
mod error;
mod files;
mod session;

pub use error::BuildError;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use super::calls::CallLimits;
use super::sieve::ItemRules;
use super::{
    Crawl, Execution, Freshness, HostHeaders, Login, Progress, Sitemaps, Start, StopHandle, Unlinked,
};
use crate::clock::Clock;
use crate::cookies::CookieJar;
use crate::fetch::http::{HttpFetcher, HttpOptions};
use crate::fetch::{Fetcher, Limits};
use crate::frontier::{Policies, Settings};
use crate::politeness::Policy;
use crate::request::Request;
use crate::revisit::Revisit;
use crate::robots::ProductToken;
use crate::scope::Scope;
use crate::sink::Sink;
use crate::sink::warc::Warc;
use crate::spider::Spider;
use crate::store::cache::{NoCache, SledCache, ValidatorCache};
use crate::store::disk::DiskStore;
use crate::store::journal::Journals;
use crate::store::memory::MemoryStore;
use crate::store::{Store, StoreError};
use crate::url::{Canon, HostKey};

/// Events that a slow listener may lag behind.
const EVENTS: usize = 1_024;

/// A change to the settings that is made when the crawl is put together.
type Tune = Box<dyn FnOnce(&mut Settings)>;

/// Rounds whose journals are kept beside the state.
const JOURNAL_ROUNDS: u32 = 2;

/// Where the journal is kept.
enum JournalChoice {
    BesideTheState,
    These(Journals),
    None,
}

impl JournalChoice {
    fn take(self, state: Option<&Path>) -> Option<Journals> {
        match self {
            Self::BesideTheState => state.map(|dir| Journals::in_dir(dir.join("journal"), JOURNAL_ROUNDS)),
            Self::These(journals) => Some(journals),
            Self::None => None,
        }
    }
}

/// What outlives a run.
type State = (Box<dyn Store>, Arc<dyn ValidatorCache>);

/// A crawl in the making. What is not said has the default that the commented defaults of a crawler file give.
#[must_use]
pub struct Builder<F> {
    name: String,
    contact: Option<String>,
    http: HttpOptions,
    fetcher: Option<F>,
    spiders: Vec<Arc<dyn Spider>>,
    scope: Option<Scope>,
    sitemaps: Sitemaps,
    canon: Canon,
    limits: Limits,
    calls: CallLimits,
    host_headers: HostHeaders,
    cookies: Option<CookieJar>,
    login: Option<Login>,
    policy: Policy,
    policies: Option<Policies>,
    tune: Vec<Tune>,
    store: Option<Box<dyn Store>>,
    journals: JournalChoice,
    state_dir: Option<PathBuf>,
    pub(super) items: ItemRules,
    sinks: Vec<Box<dyn Sink>>,
    changes: Option<PathBuf>,
    archive: Option<Warc>,
    downloads: Option<super::Downloads>,
    unlinked: Unlinked,
    watch: Option<Revisit>,
    cache: Option<Arc<dyn ValidatorCache>>,
    freshness: Freshness,
    rules: u64,
    plan: BTreeMap<String, String>,
    start: Start,
    clock: Option<Clock>,
    execution: Execution,
}

impl Builder<HttpFetcher> {
    pub(super) fn new() -> Self {
        Self {
            name: "crawl".to_owned(),
            contact: None,
            http: HttpOptions::default(),
            fetcher: None,
            spiders: Vec::new(),
            scope: None,
            sitemaps: Sitemaps::default(),
            canon: Canon::default(),
            limits: Limits::default(),
            calls: CallLimits::default(),
            host_headers: Box::new(|_| Vec::new()),
            cookies: Some(CookieJar::default()),
            login: None,
            policy: Policy::default(),
            policies: None,
            tune: Vec::new(),
            store: None,
            journals: JournalChoice::BesideTheState,
            state_dir: None,
            items: ItemRules::default(),
            sinks: Vec::new(),
            changes: None,
            archive: None,
            downloads: None,
            unlinked: Unlinked::default(),
            watch: None,
            cache: None,
            freshness: Freshness::default(),
            rules: 0,
            plan: BTreeMap::new(),
            start: Start::default(),
            clock: None,
            execution: Execution::Threads,
        }
    }

    /// Puts the crawl together with the real HTTP fetcher. An address that a seed is written with may be contacted, as may this
    /// machine if a seed says `localhost`: who writes it means it.
    ///
    /// # Errors
    /// [`BuildError`] names what is missing.
    pub fn build(self) -> Result<Crawl<HttpFetcher>, BuildError> {
        self.build_around(|fetcher| fetcher)
    }

    /// As [`Builder::build`], with a fetcher of your own around the real one, as in
    /// `|fetcher| Recording::new(fetcher, bodies)`.
    ///
    /// # Errors
    /// [`BuildError`] names what is missing.
    pub fn build_around<G: Fetcher>(
        mut self,
        wrap: impl FnOnce(HttpFetcher) -> G,
    ) -> Result<Crawl<G>, BuildError> {
        let clock = self.clock.get_or_insert_with(Clock::start).clone();
        self.http.user_agent = self.user_agent();
        self.http.keep_raw |= self.archive.is_some();
        let seeds = self.seeds();
        self.http.addresses = std::mem::take(&mut self.http.addresses).and(seeds.iter().flat_map(addresses));
        let fetcher = match self.fetcher.take() {
            Some(fetcher) => fetcher,
            None => HttpFetcher::new(self.http.clone(), clock)?,
        };
        self.put_together(wrap(fetcher))
    }
}

/// The addresses that a seed names itself.
fn addresses(seed: &Request) -> Vec<IpAddr> {
    match seed.url.as_url().host() {
        Some(url::Host::Ipv4(address)) => vec![address.into()],
        Some(url::Host::Ipv6(address)) => vec![address.into()],
        _ if crate::host::is_loopback(seed.url.host()) => {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        }
        _ => Vec::new(),
    }
}

impl<F: Fetcher> Builder<F> {
    /// Who crawls: the name that robots.txt knows us by, and a mail address or URL where we can be reached. Required unless
    /// every seed is on this machine.
    pub fn identity(mut self, name: impl Into<String>, contact: impl Into<String>) -> Self {
        self.name = name.into();
        self.contact = Some(contact.into());
        self
    }

    /// What to crawl. Several spiders share hosts, pace and state; each has its own pages.
    pub fn spider(self, spider: impl Spider) -> Self {
        self.shared_spider(Arc::new(spider))
    }

    /// As [`Builder::spider`], for a spider that is kept elsewhere too.
    pub fn shared_spider(mut self, spider: Arc<dyn Spider>) -> Self {
        self.spiders.push(spider);
        self
    }

    /// What belongs to the crawl. Default: the hosts of the seeds.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Which sitemaps are read. Default: those that a spider asks for with [`Request::sitemap`] and no others.
    pub fn sitemaps(mut self, sitemaps: Sitemaps) -> Self {
        self.sitemaps = sitemaps;
        self
    }

    /// How URLs are brought into normal form.
    pub fn canon(mut self, canon: Canon) -> Self {
        self.canon = canon;
        self
    }

    /// Pace, waits and tries, for every host.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Pace, waits and tries, host by host. Takes the place of [`Builder::policy`].
    pub fn policies(mut self, policies: impl Fn(&HostKey) -> Policy + Send + Sync + 'static) -> Self {
        self.policies = Some(Box::new(policies));
        self
    }

    /// Changes what holds for the crawl as a whole: requests in flight, page limits, patience, seed.
    pub fn settings(mut self, tune: impl FnOnce(&mut Settings) + 'static) -> Self {
        self.tune.push(Box::new(tune));
        self
    }

    /// Bounds of one exchange.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What is done about calls into your code that do not return: how long one may take, and how many may hang at a time.
    pub fn calls(mut self, limits: CallLimits) -> Self {
        self.calls = limits;
        self
    }

    /// Header fields for single hosts, on top of those of [`Builder::http`]. They may hold credentials: no other host sees
    /// them, also not after a redirect.
    pub fn host_headers(
        mut self,
        headers: impl Fn(&HostKey) -> Vec<(String, String)> + Send + Sync + 'static,
    ) -> Self {
        self.host_headers = Box::new(headers);
        self
    }

    /// Headers, proxy and allowed addresses of the real fetcher. Its User-Agent is made from the identity if left empty.
    pub fn http(mut self, options: HttpOptions) -> Self {
        self.http = options;
        self
    }

    /// Keeps queues, seen-set, hosts and validators in this directory, so that the crawl can be resumed. Default: in memory.
    pub fn state_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(dir.into());
        self
    }

    /// A store of your own. Takes the place of [`Builder::state_dir`] for everything but validators.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Box::new(store));
        self
    }

    /// Where validators are kept. Default: in the state directory, or nowhere.
    pub fn cache(mut self, cache: Arc<dyn ValidatorCache>) -> Self {
        self.cache = Some(cache);
        self
    }

    /// When a page that is kept in the cache is not asked for. Default: never, each is asked whether it has changed.
    pub fn freshness(mut self, freshness: Freshness) -> Self {
        self.freshness = freshness;
        self
    }

    /// Where items go. Several sinks get every item.
    pub fn sink(self, sink: impl Sink) -> Self {
        self.boxed_sink(Box::new(sink))
    }

    /// As [`Builder::sink`], for a sink that is boxed already.
    pub fn boxed_sink(mut self, sink: Box<dyn Sink>) -> Self {
        self.sinks.push(sink);
        self
    }

    /// What becomes of known pages to which no link leads any more. Default: [`Unlinked::Ask`].
    pub fn unlinked(mut self, unlinked: Unlinked) -> Self {
        self.unlinked = unlinked;
        self
    }

    /// Keeps going: each known page is asked again when it is due by its own history, until the crawl is stopped or reaches a
    /// limit. The round stays open, and sinks are given only items that are new or others than at the last visit.
    pub fn watch(mut self, rules: Revisit) -> Self {
        self.watch = Some(rules);
        self
    }

    /// A digest of the rules that read pages. If it is not the one of the last round, pages are fetched in full again.
    pub fn rules_digest(mut self, digest: u64) -> Self {
        self.rules = digest;
        self
    }

    /// The effective settings by key, kept with the state to explain what changed between runs.
    pub fn plan(mut self, plan: BTreeMap<String, String>) -> Self {
        self.plan = plan;
        self
    }

    /// What to make of an earlier state. Default: [`Start::Continue`].
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// A clock of your own: simulations begin at a date of their own.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Where pages are parsed and state is written. Default: [`Execution::Threads`].
    pub fn execution(mut self, execution: Execution) -> Self {
        self.execution = execution;
        self
    }

    /// Puts the crawl together with a fetcher of your own. It is asked through the same frontier: no fetcher can skip
    /// robots.txt, scope or pace.
    ///
    /// # Errors
    /// [`BuildError`] names what is missing.
    pub fn build_with<G: Fetcher>(self, fetcher: G) -> Result<Crawl<G>, BuildError> {
        self.put_together(fetcher)
    }

    /// Everything that the crawl starts with; of what a spider brings beyond its seeds the first.
    fn seeds(&self) -> Vec<Request> {
        let sitemaps = self.sitemaps.urls.iter().cloned().map(Request::sitemap);
        let more = self.spiders.iter().filter_map(|spider| spider.more_seeds().next()?.ok());
        let login = self.login.iter().map(Login::page);
        self.spiders
            .iter()
            .flat_map(|spider| spider.seeds())
            .chain(sitemaps)
            .chain(more)
            .chain(login)
            .collect()
    }

    fn put_together<G: Fetcher>(mut self, fetcher: G) -> Result<Crawl<G>, BuildError> {
        let seeds = self.seeds();
        if self.spiders.is_empty() {
            return Err(BuildError::NoSpider);
        }
        if self.login.is_some() && self.cookies.is_none() {
            return Err(BuildError::NoCookies);
        }
        let at_home = seeds.iter().all(|seed| crate::host::is_loopback(seed.url.host()));
        if self.contact.is_none() && !at_home {
            return Err(BuildError::NoContact);
        }
        let mut settings = Settings::new(ProductToken::parse(&self.name)?);
        settings.patience = self.policy.backoff.patience;
        self.tune.drain(..).for_each(|tune| tune(&mut settings));
        self.introduce(settings.seed);
        let (store, cache) = self.open_state()?;
        let journals = self.journals.take(self.state_dir.as_deref());
        let policy = self.policy;
        Ok(Crawl {
            fetcher,
            scope: self.scope.unwrap_or_else(|| Scope::of_seeds(&seeds)),
            sitemaps: self.sitemaps,
            spiders: self.spiders,
            canon: self.canon,
            limits: self.limits,
            calls: self.calls,
            host_headers: self.host_headers,
            cookies: self.cookies,
            login: self.login,
            settings,
            policies: self.policies.unwrap_or_else(|| Box::new(move |_| policy.clone())),
            store,
            journals,
            items: self.items,
            sinks: self.sinks,
            archive: self.archive,
            changes: self.changes.or_else(|| self.state_dir.map(|dir| dir.join("changes"))),
            downloads: self.downloads,
            unlinked: self.unlinked,
            watch: self.watch,
            cache,
            freshness: self.freshness,
            rules: self.rules,
            plan: self.plan,
            start: match self.start {
                Start::Continue if self.watch.is_some() => Start::Reopen,
                start => start,
            },
            clock: self.clock.unwrap_or_else(Clock::start),
            execution: self.execution,
            stop: StopHandle::new(),
            events: broadcast::Sender::new(EVENTS),
            progress: watch::Sender::new(Progress::default()),
        })
    }

    fn open_state(&mut self) -> Result<State, StoreError> {
        let store: Box<dyn Store> = match (self.store.take(), &self.state_dir) {
            (Some(store), _) => store,
            (None, Some(dir)) => Box::new(DiskStore::open(dir, Default::default())?),
            (None, None) => Box::new(MemoryStore::default()),
        };
        let cache: Arc<dyn ValidatorCache> = match (self.cache.take(), &self.state_dir) {
            (Some(cache), _) => cache,
            (None, Some(dir)) => Arc::new(SledCache::open(&dir.join("cache"), Default::default())?),
            (None, None) => Arc::new(NoCache),
        };
        Ok((store, cache))
    }
}
