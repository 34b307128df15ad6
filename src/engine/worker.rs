//! One request from lease to harvest: fetch, classify, parse, judge the links.
//!
//! A worker owns nothing that outlives its request. It reads the validator cache (see [`super::recall`]) and changes no state:
//! what it brings back is settled by the loop and written by the writer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::archiving::{Archived, Intake};
use super::calls::Calls;
use super::download::{Desk, FileDone};
use super::glance::Glance;
use super::login::{Login, LoginFailure, LoginStep};
use super::reading::Around;
use super::recall::{Freshness, Memo, Recalled};
use super::sieve::Stages;
use super::sitemap::Reader;
use super::stages::Stopwatch;
use super::totals::Totals;
use crate::clock::Clock;
use crate::cookies::CookieJar;
use crate::fetch::{FetchError, Fetcher, Limits, Outgoing, Purpose};
use crate::item::{Harvest, Item};
use crate::page::Leads;
use crate::politeness::{Class, Outcome};
use crate::redirect::{self, RedirectStop};
use crate::request::{Kind, Request};
use crate::response::{FailureKind, Response};
use crate::scope::Scope;
use crate::spider::Spider;
use crate::stage::tally::ItemTally;
use crate::store::cache::ValidatorCache;
use crate::store::seen::SeenView;
use crate::time::Timestamp;
use crate::trap::Impression;
use crate::url::{Canon, Fingerprint, HostKey};

/// What all workers of a crawl share.
pub(super) struct Context<F> {
    pub(super) fetcher: F,
    pub(super) spiders: Vec<Arc<dyn Spider>>,
    pub(super) stages: Stages,
    pub(super) scope: Scope,
    pub(super) sitemaps: Reader,
    pub(super) canon: Canon,
    /// Where links have led, in the normal form of `canon`.
    pub(super) leads: Arc<Leads>,
    pub(super) limits: Limits,
    pub(super) host_headers: HostHeaders,
    pub(super) cookies: Option<CookieJar>,
    pub(super) login: Option<Login>,
    pub(super) cache: Arc<dyn ValidatorCache>,
    /// The way into the archive, if there is one.
    pub(super) archive: Option<Intake>,
    pub(super) freshness: Freshness,
    /// Entries from before may be older than the state.
    pub(super) whole_from: Timestamp,
    pub(super) rules: u64,
    pub(super) clock: Clock,
    pub(super) execution: Execution,
    /// Where code that is not ours is called.
    pub(super) calls: Calls,
    /// Where files go, if any are wanted.
    pub(super) files: Option<Desk>,
    /// Takes down what takes how long.
    pub(super) stopwatch: Arc<Stopwatch>,
    /// What the store has seen, if it lets others look.
    pub(super) seen: Option<SeenView>,
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
    /// What the cache is told after the commit, once the page is settled for good.
    pub(super) cache: Option<Memo>,
    /// Digest of the decoded body as far as it was read; on a 304 that of the body which is still the page's.
    pub(super) digest: Option<u64>,
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
    /// What was asked and answered, for the archive.
    pub(super) exchange: Option<Box<Archived>>,
    /// What the answer sets, whatever it says otherwise.
    pub(super) cookies: Vec<String>,
    /// Whether one of these is none that went with the request.
    pub(super) has_new_cookie: bool,
    /// What came of it, if a file was asked for.
    pub(super) file: Option<FileDone>,
}

/// What a page gave, after scope was judged.
#[derive(Default)]
pub(super) struct Yield {
    pub(super) items: Vec<Item>,
    /// Keys that items have, each with the place of its item.
    pub(super) keys: Vec<(usize, Fingerprint)>,
    /// What stages have said of items.
    pub(super) tally: ItemTally,
    /// Items that stages have dropped.
    pub(super) dropped: u64,
    /// Digest of the items of a page that was read or remembered, worked out off the loop.
    pub(super) items_digest: u64,
    pub(super) links: Vec<Request>,
    pub(super) problems: Vec<String>,
    pub(super) out_of_scope: u64,
    /// What the page looked like, if somebody wanted to know.
    pub(super) look: Option<Impression>,
    /// The spider's error or panic, if it failed.
    pub(super) error: Option<String>,
    /// What is to be done next, if it was asked for to log in.
    pub(super) login: Option<Result<LoginStep, LoginFailure>>,
}

impl<F: Fetcher> Context<F> {
    /// Fetches a page and takes its harvest. Its host has a `pause` after it.
    pub(super) async fn page(
        self: &Arc<Self>,
        request: Request,
        pause: Duration,
        glance: Glance,
    ) -> PageDone {
        if request.kind == Kind::Download {
            return self.file(request).await;
        }
        let mut recalled = self.recall(&request);
        recalled.glance = glance;
        let began = self.clock.now();
        let mut outgoing = self.outgoing(request.clone(), recalled.cookie.as_deref());
        outgoing.headers.extend(recalled.conditions());
        outgoing.pause = pause;
        // Until the page is read.
        let hold = Arc::default();
        outgoing.hold = Some(Arc::clone(&hold));
        if let Some(login) = self.login.as_ref().filter(|_| request.kind == Kind::Login) {
            (outgoing.purpose, outgoing.secret) = (Purpose::Login, login.body(&request));
        }
        match self.fetch(outgoing).await {
            Ok((response, exchange)) => {
                PageDone { exchange, ..self.answered(request, response, recalled).await }
            }
            Err(error) => PageDone {
                detail: Some(error.to_string()),
                ..PageDone::of(Outcome::failed(error.kind, began, self.clock.now_up()))
            },
        }
    }

    /// One exchange, and what the archive keeps of it.
    pub(super) async fn fetch(
        &self,
        outgoing: Outgoing,
    ) -> Result<(Response, Option<Box<Archived>>), FetchError> {
        let Some(archive) = self.archive.as_ref().filter(|archive| archive.takes(outgoing.purpose)) else {
            return Ok((self.ask(outgoing).await?, None));
        };
        let asked = outgoing.clone();
        let mut response = self.ask(outgoing).await?;
        let sent = || self.fetcher.headers(&asked);
        let exchange = archive.take(&asked.request, &mut response, sent).await;
        Ok((response, Some(exchange)))
    }

    async fn answered(
        self: &Arc<Self>,
        request: Request,
        response: Response,
        recalled: Recalled,
    ) -> PageDone {
        let outcome = Outcome::of(&response);
        let cookies = self.set_cookies(&response);
        let mut done = PageDone {
            bytes: response.wire_bytes,
            has_new_cookie: cookies.iter().any(|field| recalled.is_new(field)),
            cookies,
            ..PageDone::of(outcome)
        };
        match outcome.class {
            Class::Fetched => self.fetched(request, response, recalled, &mut done).await,
            Class::NotModified => self.not_modified(&request, &response, recalled, &mut done),
            Class::Redirected => self.redirected(&request, &response, &mut done),
            Class::Gone => {
                done.cache = recalled.forget();
                done.refusal = Some(response.headers);
            }
            _ => done.refusal = Some(response.headers),
        }
        done
    }

    async fn fetched(
        self: &Arc<Self>,
        request: Request,
        response: Response,
        recalled: Recalled,
        done: &mut PageDone,
    ) {
        let digest = Fingerprint::of(&response.body).get();
        done.digest = Some(digest);
        let (place, entry) = self.keepable(&request, &response, &recalled, digest).unzip();
        let around = Around { glance: recalled.glance, digest, went_with_cookies: recalled.cookie.is_some() };
        let (harvest, entry) = self.parse(request, response, entry, around).await;
        done.harvest = harvest;
        done.cache = match (place, entry) {
            (Some(place), Some(mut entry)) => {
                let before = recalled.entry.as_ref().map(|entry| &entry.harvest);
                entry.harvest = entry.harvest.or_as_before(before);
                Some(Memo::Keep(place, Box::new(entry)))
            }
            // What is kept of the page before would be wrong from now on.
            _ => recalled.forget(),
        };
    }

    fn not_modified(&self, request: &Request, response: &Response, recalled: Recalled, done: &mut PageDone) {
        // Without a validator nothing was asked that a 304 could answer.
        let known = recalled.entry.as_ref().filter(|entry| !entry.validators.is_empty());
        match known.and_then(|entry| Some((entry.digest, self.remembered(request, entry)?))) {
            Some((digest, harvest)) => {
                done.digest = Some(digest);
                done.harvest = harvest;
                done.cache = self.renewed(request, response, recalled);
            }
            // We have nothing that it could speak of: the page is asked again, without conditions, as if at a better moment.
            // The entry must be gone by then, and it is a cache's, not a part of the state.
            None => {
                if let Some(memo) = recalled.forget() {
                    memo.write(&*self.cache);
                }
                done.outcome.class = Class::Transient;
                done.detail = Some("status 304 for a page of which nothing is kept".to_owned());
            }
        }
    }

    pub(super) fn redirected(&self, request: &Request, response: &Response, done: &mut PageDone) {
        done.location = response.location().map(Cow::into_owned);
        let location = done.location.as_deref();
        let most = self.limits.redirects;
        match redirect::follow(request, response.status.as_u16(), location, &self.canon, most) {
            Ok(next) => match self.judge(&next) {
                Ok(()) => done.harvest.links.push(next),
                Err(_) => done.harvest.out_of_scope += 1,
            },
            // Who comes without a cookie is sent to the same place again, with one.
            Err(RedirectStop::ToItself) if done.has_new_cookie => {
                let mut again = request.clone().always();
                again.hops += 1;
                done.harvest.links.push(again);
            }
            Err(stop) => done.dead_end = Some(stop.to_string()),
        }
    }

    /// Takes a harvest apart and drops the links that do not belong to the crawl.
    pub(super) fn judged(&self, parent: &Request, harvest: Harvest) -> Yield {
        let (items, mut requests, mut problems) = harvest.into_parts(&parent.url);
        self.add_files(&items, &mut requests, &mut problems);
        let (links, out_of_scope) = self.belonging(parent, requests);
        Yield { items, out_of_scope, links, problems, ..Yield::default() }
    }

    /// The links of `parent` that belong to the crawl, and how many do not.
    pub(super) fn belonging(&self, parent: &Request, found: Vec<Request>) -> (Vec<Request>, u64) {
        let all = found.len();
        let links: Vec<_> = found.into_iter().filter_map(|request| self.below(parent, request)).collect();
        let out_of_scope = (all - links.len()) as u64;
        (links, out_of_scope)
    }

    /// A link of `parent` as a request of the crawl, if it belongs.
    fn below(&self, parent: &Request, request: Request) -> Option<Request> {
        // Pages can redirect as servers can: what a spider makes of such a page has one hop more than the page.
        let is_redirect =
            request.hops <= self.limits.redirects && parent.hops.checked_add(1) == Some(request.hops);
        let mut request = self.sitemaps.below(parent, request)?;
        request.spider = parent.spider;
        if is_redirect {
            request.depth = parent.depth;
        } else {
            request.hops = 0;
        }
        request.url = self.canon.again(request.url).ok()?;
        let request = request.wanted_on(Some(&parent.url));
        self.judge(&request).ok()?;
        Some(request)
    }
}

impl Yield {
    /// Nothing, and why.
    pub(super) fn failed(error: String) -> Self {
        Self { error: Some(error), ..Self::default() }
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
            // Whether it is a file is known only when it is whole.
            Class::Fetched | Class::NotModified if matches!(kind, Kind::Login | Kind::Download) => {}
            Class::Fetched | Class::NotModified => totals.sitemaps = 1,
            Class::Redirected => totals.redirects = 1,
            Class::Throttled => totals.throttled = 1,
            _ => {}
        }
    }

    /// An outcome that brought nothing yet.
    pub(super) fn of(outcome: Outcome) -> Self {
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
            exchange: None,
            cookies: Vec::new(),
            has_new_cookie: false,
            file: None,
        }
    }
}

/// The words of a panic.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no words")
}
