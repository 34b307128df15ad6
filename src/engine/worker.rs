//! One request from lease to harvest: fetch, classify, parse, judge the links.
//!
//! A worker owns nothing that outlives its request. It reads the validator cache and changes no state: what it brings back is
//! settled by the loop and written by the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};

use super::sitemap::{Reader, is_worth_keeping};
use super::totals::Totals;
use crate::clock::Clock;
use crate::fetch::{Fetcher, Limits, Outgoing, Purpose};
use crate::frontier::RobotsReply;
use crate::headers::validators::Validators;
use crate::item::{Harvest, Item};
use crate::page::Page;
use crate::politeness::{Class, Outcome};
use crate::redirect;
use crate::request::{Kind, Request};
use crate::response::{FailureKind, Response, Truncation};
use crate::scope::Scope;
use crate::spider::Spider;
use crate::store::cache::{CacheEntry, ValidatorCache};
use crate::time::Timestamp;
use crate::url::{Canon, CanonicalUrl, Fingerprint, HostKey};

/// robots.txt is a small file: a host that needs longer for it is not well, and nothing else is asked meanwhile.
const ROBOTS_TIME: Duration = Duration::from_secs(20);
/// robots.txt is read this far (RFC 9309 2.5 asks for 500 KiB at least).
const ROBOTS_BYTES: u64 = 512 * 1024;

/// A control page is read this far: enough to know a challenge page.
const CONTROL_BYTES: u64 = 16 * 1024;

/// What all workers of a crawl share.
pub(super) struct Context<F> {
    pub(super) fetcher: F,
    pub(super) spiders: Vec<Arc<dyn Spider>>,
    pub(super) scope: Scope,
    pub(super) sitemaps: Reader,
    pub(super) canon: Canon,
    pub(super) limits: Limits,
    pub(super) host_headers: HostHeaders,
    pub(super) cache: Arc<dyn ValidatorCache>,
    pub(super) rules: u64,
    pub(super) clock: Clock,
    pub(super) execution: Execution,
}

/// Gives the header fields that only one host may see.
pub type HostHeaders = Box<dyn Fn(&HostKey) -> Vec<(String, String)> + Send + Sync>;

/// Where pages are parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// On threads of their own, off the async ones.
    Threads,
    /// In place, so that a simulation is the same every time.
    Inline,
}

/// What a page came to.
pub(super) struct PageDone {
    pub(super) outcome: Outcome,
    pub(super) harvest: Yield,
    /// Digest of the page's body, if it was got or confirmed.
    pub(super) digest: Option<u64>,
    /// The cache entry to write after the commit.
    pub(super) cache: Option<(Fingerprint, CacheEntry)>,
    /// Bytes on the wire.
    pub(super) bytes: u64,
    /// The header fields of a refusal, evidence of what the host thinks of us.
    pub(super) refusal: Option<HeaderMap>,
    /// The words of a failure, for logs and the failed list.
    pub(super) detail: Option<String>,
    /// A redirect that is not followed.
    pub(super) dead_end: Option<String>,
    /// Where a redirect points, as the server wrote it.
    pub(super) location: Option<String>,
}

/// What a page gave, after scope was judged.
#[derive(Default)]
pub(super) struct Yield {
    pub(super) items: Vec<Item>,
    pub(super) links: Vec<Request>,
    pub(super) problems: Vec<String>,
    pub(super) out_of_scope: u64,
    /// The spider's error or panic, if it failed.
    pub(super) error: Option<String>,
}

impl<F: Fetcher> Context<F> {
    /// Fetches a page and takes its harvest.
    pub(super) async fn page(self: &Arc<Self>, request: Request) -> PageDone {
        let key = request.fingerprint();
        let known = self.known(key, request.kind);
        let began = self.clock.now();
        let headers = (self.host_headers)(&request.host());
        let mut outgoing = Outgoing {
            headers,
            limits: Reader::limits(self.limits, request.kind),
            ..Outgoing::new(request.clone())
        };
        if let Some(entry) = &known {
            outgoing.headers.extend(conditions(entry));
        }
        match self.fetcher.fetch(outgoing).await {
            Ok(response) => self.answered(request, response, known, key).await,
            Err(error) => PageDone {
                detail: Some(error.to_string()),
                ..PageDone::of(Outcome::failed(error.kind, began, self.clock.now_up()))
            },
        }
    }

    /// What is cached of this request, if it was read by the same rules. Otherwise its links and items are of no use, and
    /// a 304 would leave us without any.
    fn known(&self, key: Fingerprint, kind: Kind) -> Option<CacheEntry> {
        let rules = self.sitemaps.digest(self.rules, kind);
        self.cache.get(key).filter(|entry| entry.rules == rules)
    }

    async fn answered(
        self: &Arc<Self>,
        request: Request,
        response: Response,
        known: Option<CacheEntry>,
        key: Fingerprint,
    ) -> PageDone {
        let outcome = Outcome::of(&response);
        let bytes = response.wire_bytes;
        let mut done = PageDone { bytes, ..PageDone::of(outcome) };
        match (outcome.class, known) {
            (Class::Fetched, _) => {
                let digest = Fingerprint::of(&response.body).get();
                let cacheable = cacheable(&response, self.sitemaps.digest(self.rules, request.kind), digest);
                let (harvest, entry) = self.parse(request, response, cacheable).await;
                done.harvest = harvest;
                done.digest = Some(digest);
                done.cache = entry.map(|entry| (key, entry));
            }
            (Class::NotModified, Some(entry)) => {
                let entry = refreshed(entry, &response);
                done.digest = Some(entry.digest);
                done.harvest = self.remembered(&request, &entry);
                done.cache = Some((key, entry));
            }
            // We did not ask whether it was modified: the server is confused, and the page is asked again later.
            (Class::NotModified, None) => done.outcome.class = Class::ServerError,
            (Class::Redirected, _) => self.redirected(&request, &response, &mut done),
            _ => done.refusal = Some(response.headers),
        }
        done
    }

    fn redirected(&self, request: &Request, response: &Response, done: &mut PageDone) {
        let location = response.header("location");
        done.location = location.map(str::to_owned);
        match redirect::follow(request, response.status.as_u16(), location, &self.canon) {
            Ok(next) => match self.scope.judge(&next) {
                Ok(()) => done.harvest.links.push(next),
                Err(_) => done.harvest.out_of_scope += 1,
            },
            Err(stop) => done.dead_end = Some(stop.to_string()),
        }
    }

    async fn parse(
        self: &Arc<Self>,
        request: Request,
        response: Response,
        entry: Option<CacheEntry>,
    ) -> (Yield, Option<CacheEntry>) {
        let response = match request.kind {
            Kind::Page => response,
            Kind::Sitemap { .. } => Reader::unpacked(response, self.limits).await,
        };
        let context = Arc::clone(self);
        let work = move || context.harvest(request, response, entry);
        match self.execution {
            Execution::Inline => work(),
            Execution::Threads => tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
                (Yield { error: Some(format!("parsing was cut off: {error}")), ..Yield::default() }, None)
            }),
        }
    }

    fn harvest(
        &self,
        request: Request,
        response: Response,
        entry: Option<CacheEntry>,
    ) -> (Yield, Option<CacheEntry>) {
        let spider = Arc::clone(&self.spiders[usize::from(request.spider)]);
        let request = Arc::new(request);
        let read = || match request.kind {
            Kind::Page => self.read(&request, response, &*spider),
            Kind::Sitemap { .. } => (self.sitemaps.read(&request, &response, &self.canon, &*spider), None),
        };
        let (harvest, error) = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
            (Harvest::new(), Some(format!("the spider panicked: {}", panic_text(panic.as_ref()))))
        });
        let mut gained = self.judged(&request, harvest);
        if error.is_some() {
            // A page that failed half-way gives nothing: half of its items would look like all of them.
            gained = Yield { error, problems: gained.problems, ..Yield::default() };
        }
        let entry =
            entry.filter(|_| is_worth_keeping(&request, &gained)).map(|entry| remember(entry, &gained));
        (gained, entry)
    }

    /// What the spider takes from a page, and its error if it failed.
    fn read(
        &self,
        request: &Arc<Request>,
        response: Response,
        spider: &dyn Spider,
    ) -> (Harvest, Option<String>) {
        let page = Page::new(Arc::clone(request), response).with_canon(self.canon.clone());
        let mut harvest = Harvest::new();
        let error = spider.parse(&page, &mut harvest).err();
        (harvest, error.map(|error| error.to_string()))
    }

    /// Takes a harvest apart and drops the links that do not belong to the crawl.
    pub(super) fn judged(&self, parent: &Request, harvest: Harvest) -> Yield {
        let (items, requests, problems) = harvest.into_parts(&parent.url);
        let (links, out_of_scope) = self.belonging(parent, requests);
        Yield { items, out_of_scope, links, problems, ..Yield::default() }
    }

    /// The links of `parent` that belong to the crawl, and how many do not.
    fn belonging(&self, parent: &Request, found: Vec<Request>) -> (Vec<Request>, u64) {
        let all = found.len();
        let links: Vec<_> = found.into_iter().filter_map(|request| self.below(parent, request)).collect();
        let out_of_scope = (all - links.len()) as u64;
        (links, out_of_scope)
    }

    /// A link of `parent` as a request of the crawl, if it belongs.
    fn below(&self, parent: &Request, request: Request) -> Option<Request> {
        let mut request = self.sitemaps.below(parent, request)?;
        request.spider = parent.spider;
        request.hops = 0;
        request.url = self.canon.accept(request.url.as_url().clone()).ok()?;
        self.scope.judge(&request).ok()?;
        Some(request)
    }

    /// The harvest of a page that has not changed, as it was stored.
    fn remembered(&self, request: &Request, entry: &CacheEntry) -> Yield {
        let items = entry.items.iter().filter_map(|(kind, text)| {
            let fields = serde_json::from_str(text).ok()?;
            Some(Item { url: request.url.clone(), kind: kind.clone(), fields, seen: None })
        });
        let (links, out_of_scope) = self.belonging(request, entry.links.clone());
        Yield { items: items.collect(), out_of_scope, links, ..Yield::default() }
    }

    /// Asks for a page once more, only to see whether the host still answers: nothing is read from it.
    pub(super) async fn control(&self, url: CanonicalUrl, method: Method) -> Outcome {
        let began = self.clock.now();
        let mut request = Request::get(url);
        request.method = method;
        let headers = (self.host_headers)(&request.host());
        let limits = Limits { body: CONTROL_BYTES, total: ROBOTS_TIME, ..self.limits };
        let purpose = Purpose::Control;
        match self.fetcher.fetch(Outgoing { headers, limits, purpose, ..Outgoing::new(request) }).await {
            Ok(response) => Outcome::of(&response),
            Err(error) => Outcome::failed(error.kind, began, self.clock.now_up()),
        }
    }

    /// Asks for robots.txt.
    pub(super) async fn robots(
        self: &Arc<Self>,
        request: Request,
        validators: Vec<(String, String)>,
    ) -> (Outcome, RobotsReply) {
        let began = self.clock.now();
        let total = self.limits.total.min(ROBOTS_TIME);
        let limits = Limits { body: ROBOTS_BYTES, total, ..self.limits };
        let mut headers = (self.host_headers)(&request.host());
        headers.extend(validators);
        let outgoing = Outgoing { headers, limits, purpose: Purpose::Robots, ..Outgoing::new(request) };
        match self.fetcher.fetch(outgoing).await {
            Ok(response) => robots_reply(response),
            Err(error) => {
                let outcome = Outcome::failed(error.kind, began, self.clock.now_up());
                (outcome, RobotsReply::None(error.kind))
            }
        }
    }
}

impl PageDone {
    /// A request whose worker was lost.
    pub(super) fn lost(began: Timestamp, ended: Timestamp) -> Self {
        let outcome = Outcome::failed(FailureKind::Request, began, ended);
        let detail = Some("the fetcher panicked".to_owned());
        Self { detail, ..Self::of(outcome) }
    }

    /// What the answer adds to the counts, whatever becomes of its URL.
    pub(super) fn count(&self, totals: &mut Totals, kind: Kind) {
        totals.requests = 1;
        totals.bytes = self.bytes;
        match self.outcome.class {
            Class::Fetched | Class::NotModified if kind.is_page() => totals.pages = 1,
            Class::Fetched | Class::NotModified => totals.sitemaps = 1,
            Class::Redirected => totals.redirects = 1,
            Class::Throttled => totals.throttled = 1,
            _ => {}
        }
    }

    /// An outcome that brought nothing yet.
    fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            harvest: Yield::default(),
            digest: None,
            cache: None,
            bytes: 0,
            refusal: None,
            detail: None,
            dead_end: None,
            location: None,
        }
    }
}

fn robots_reply(response: Response) -> (Outcome, RobotsReply) {
    let outcome = Outcome::of(&response);
    // A file that goes on past our limit is read up to there; one that broke off is not the site's word.
    let whole = matches!(response.truncated, None | Some(Truncation::Length | Truncation::Ratio));
    if !whole {
        return (outcome, RobotsReply::None(FailureKind::Reset));
    }
    let reply = RobotsReply::Answer {
        // A challenge page is no robots.txt: it is refused.
        status: if outcome.class == Class::Challenge { 403 } else { response.status.as_u16() },
        location: response.header("location").map(str::to_owned),
        cache_control: response.header("cache-control").map(str::to_owned),
        validators: Validators::read(&response.headers).conditions(),
        body: response.body,
    };
    (outcome, reply)
}

/// An entry for a complete 200 that carries a validator; its harvest is filled in after parsing.
fn cacheable(response: &Response, rules: u64, digest: u64) -> Option<CacheEntry> {
    let Validators { etag, last_modified } =
        Some(Validators::to_store(response)).filter(|v| !v.is_empty())?;
    let (links, items) = (Vec::new(), Vec::new());
    Some(CacheEntry { etag, last_modified, digest, checked: response.ended, rules, links, items })
}

fn remember(mut entry: CacheEntry, gained: &Yield) -> CacheEntry {
    entry.links = gained.links.clone();
    entry.items = gained
        .items
        .iter()
        .filter_map(|item| Some((item.kind.clone(), serde_json::to_string(&item.fields).ok()?)))
        .collect();
    entry
}

fn conditions(entry: &CacheEntry) -> Vec<(String, String)> {
    let validators = Validators { etag: entry.etag.clone(), last_modified: entry.last_modified.clone() };
    validators.conditions()
}

/// A 304 may carry newer validators (RFC 9111 4.3.4).
fn refreshed(mut entry: CacheEntry, response: &Response) -> CacheEntry {
    let mut validators = Validators { etag: entry.etag.take(), last_modified: entry.last_modified.take() };
    validators.update(&response.headers);
    (entry.etag, entry.last_modified) = (validators.etag, validators.last_modified);
    entry.checked = response.ended;
    entry
}

/// The words of a panic.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no words")
}
