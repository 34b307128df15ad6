//! What is remembered of pages: which entry speaks for a request, what is asked with it, what it gives on a 304, and what is
//! kept of a new answer.
//!
//! Rules kept here (RFC 9111 3, 4): only a complete 200 to a GET is kept, unless it says `no-store` or `Vary: *`; an entry
//! speaks only for requests that leave with the same values in the fields that it varies by; a 304 renews what is kept. A page is
//! asked for unless [`Freshness`], or with [`Lastmod::Skip`] its sitemap, says that an entry may stand for it.
//!
//! The cache is only read here; what is to be kept or forgotten goes to the writer as a [`Memo`].

use std::time::Duration;

use http::header::{CACHE_CONTROL, COOKIE, PRAGMA, SET_COOKIE};
use http::{HeaderMap, Method, StatusCode};

use super::download::FileDone;
use super::glance::Glance;
use super::sieve::staged;
use super::sitemap::{Lastmod, Reader};
use super::worker::{Context, PageDone, Yield};
use crate::fetch::{Fetcher, Outgoing};
use crate::headers::freshness::{Lifetime, forbids_storing};
use crate::headers::rate_limit::Announced;
use crate::headers::validators::{Validators, is_condition};
use crate::headers::vary::Selecting;
use crate::item::Item;
use crate::politeness::{Class, Outcome};
use crate::request::{Dedup, Kind, Request};
use crate::response::Response;
use crate::store::cache::{CacheEntry, KeptItem, Packed, ValidatorCache};
use crate::time::Timestamp;
use crate::url::Fingerprint;

/// When an entry of the cache stands for its page without a question. Default: never, every page is asked whether it has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freshness {
    /// Pages that were confirmed (by a 200 or a 304) less than this ago are not asked for. `None`: no age is fresh enough.
    pub max_age: Option<Duration>,
    /// Whether a page is not asked for while its server vouches for it: `Cache-Control` and `Expires` (RFC 9111 4.2), without
    /// any guess where they say nothing.
    pub obey: bool,
}

impl Freshness {
    /// Whether an entry may ever stand for its page.
    #[must_use]
    pub const fn is_asked_for(&self) -> bool {
        self.max_age.is_some() || self.obey
    }

    fn accepts(&self, entry: &CacheEntry, now: Timestamp) -> bool {
        // A date in the future is no age: the machine's clock was set back.
        let aged = |most| entry.checked <= now && now.since(entry.checked) < most;
        self.max_age.is_some_and(aged) || (self.obey && now < entry.lifetime.fresh_until(entry.checked))
    }
}

/// What the cache is told after a page is settled.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Memo {
    Keep(Fingerprint, Box<CacheEntry>),
    Forget(Fingerprint),
}

impl Memo {
    pub(super) fn write(&self, cache: &dyn ValidatorCache) {
        match self {
            Self::Keep(key, entry) => cache.put(*key, entry),
            Self::Forget(key) => cache.remove(*key),
        }
    }
}

/// What the cache has of a request.
#[derive(Debug, Default)]
pub(super) struct Recalled {
    /// Where answers to its URL are kept; none if answers to it never are.
    key: Option<Fingerprint>,
    /// What the answer under that key is told apart by.
    first: Option<Selecting>,
    /// Where an answer to this very request is kept, whoever has read it.
    place: Option<Fingerprint>,
    /// The entry that speaks for it, if it was read by the same rules.
    pub(super) entry: Option<CacheEntry>,
    /// The cookies that the request leaves with. Those of the jar may be others by the time of its answer.
    pub(super) cookie: Option<String>,
    /// Whether it is noted what the page looks like.
    pub(super) glance: Glance,
}

impl Recalled {
    /// The fields that ask "has it changed?".
    pub(super) fn conditions(&self) -> Vec<(String, String)> {
        self.entry.as_ref().map(|entry| entry.validators.conditions()).unwrap_or_default()
    }

    /// Whether a `Set-Cookie` field is about another cookie than those that went with the request.
    pub(super) fn is_new(&self, field: &str) -> bool {
        let name = field.split(['=', ';']).next().unwrap_or_default().trim();
        let mut sent = self.cookie.as_deref().unwrap_or_default().split("; ");
        sent.all(|pair| pair.split('=').next() != Some(name))
    }

    /// Forgets the entry, if there is one.
    pub(super) fn forget(&self) -> Option<Memo> {
        self.place.map(Memo::Forget)
    }

    /// Where an answer goes that is selected by `selecting`: beside the first one if it is another variant of it.
    fn place_for(&self, selecting: &Selecting) -> Option<Fingerprint> {
        let key = self.key?;
        let beside = self.first.as_ref().is_some_and(|first| first.is_sibling(selecting));
        Some(if beside { selecting.key(key) } else { key })
    }
}

impl<F: Fetcher> Context<F> {
    /// A request as it leaves, without conditions.
    pub(super) fn outgoing(&self, mut request: Request, cookie: Option<&str>) -> Outgoing {
        // Whoever asks conditionally must know what to make of a 304, and a spider never sees one.
        request.headers.retain(|(name, _)| !is_condition(name));
        let mut headers = (self.host_headers)(&request.host());
        headers.extend(cookie.map(|cookie| ("Cookie".to_owned(), cookie.to_owned())));
        let limits = match request.kind {
            Kind::Download => self.for_file(&mut request),
            kind => Reader::limits(self.limits, kind),
        };
        Outgoing { headers, limits, ..Outgoing::new(request) }
    }

    /// The header fields that a request leaves with.
    fn sent(&self, request: &Request, cookie: Option<&str>) -> HeaderMap {
        self.fetcher.headers(&self.outgoing(request.clone(), cookie))
    }

    /// The cookies that go with a request. A field that the user has set takes their place.
    fn cookie(&self, request: &Request) -> Option<String> {
        let cookie = self.cookies.as_ref()?.open().header(&request.url, self.clock.now())?;
        let own = self.sent(request, None).contains_key(COOKIE);
        (!own).then_some(cookie)
    }

    /// What an answer sets. A value that is not UTF-8 could not be sent back as it is.
    pub(super) fn set_cookies(&self, response: &Response) -> Vec<String> {
        if self.cookies.is_none() {
            return Vec::new();
        }
        let fields = response.headers.get_all(SET_COOKIE).iter();
        fields.filter_map(|field| String::from_utf8(field.as_bytes().to_vec()).ok()).collect()
    }

    /// The digest of what reads the answer to a request: the rules, and what it carries for them.
    fn reading(&self, request: &Request) -> u64 {
        let rules = self.rules_for(request.kind);
        // What a file carries says where it was wanted, and nothing of how it is read.
        if request.kind == Kind::Download { rules } else { rules ^ request.data_digest() }
    }

    /// What the cache has of a request. An entry that other rules have read does not speak for it: its links and items are of no
    /// use, and a 304 would leave us without any.
    pub(super) fn recall(&self, request: &Request) -> Recalled {
        let cookie = self.cookie(request);
        if request.method != Method::GET || request.body.is_some() || request.kind == Kind::Login {
            return Recalled { cookie, ..Recalled::default() };
        }
        let key = request.fingerprint();
        let Some(first) = self.cache.get(key) else {
            return Recalled { key: Some(key), cookie, ..Recalled::default() };
        };
        let sent = || self.sent(request, cookie.as_deref());
        let selecting = first.selecting.clone();
        let (place, found) = if selecting.matches(sent) {
            (key, Some(first))
        } else {
            let own = selecting.sibling(sent);
            (own.key(key), self.cache.get(own.key(key)).filter(|entry| entry.selecting == own))
        };
        let rules = self.reading(request);
        Recalled {
            key: Some(key),
            first: Some(selecting),
            place: found.is_some().then_some(place),
            entry: found.filter(|entry| entry.rules == rules),
            cookie,
            ..Recalled::default()
        }
    }

    /// A page that need not be asked for, because what is kept of it is fresh enough. Nothing leaves.
    pub(super) fn fresh(&self, request: &Request, now: Timestamp) -> Option<PageDone> {
        if request.kind == Kind::Download {
            let why = self.is_too_much(request)?;
            return Some(PageDone { file: Some(FileDone::Unwanted(why)), ..PageDone::of(untold(now)) });
        }
        let modified = request.modified.filter(|_| self.sitemaps.rules.lastmod == Lastmod::Skip);
        // What is asked each time it is yielded is asked, and so is what is due.
        if !self.freshness.is_asked_for() && modified.is_none() || request.dedup != Dedup::Once {
            return None;
        }
        let unchanged =
            |entry: &CacheEntry| modified.is_some_and(|at| at < entry.checked && entry.checked <= now);
        let recalled = self.recall(request);
        let entry = recalled.entry.filter(|entry| entry.checked >= self.whole_from);
        let entry = entry.filter(|entry| self.freshness.accepts(entry, now) || unchanged(entry))?;
        let sent = self.sent(request, recalled.cookie.as_deref());
        if sent.contains_key(CACHE_CONTROL) || sent.contains_key(PRAGMA) {
            // Who talks to caches wants an answer from behind them.
            return None;
        }
        let harvest = self.remembered(request, &entry)?;
        Some(PageDone { harvest, digest: Some(entry.digest), ..PageDone::of(untold(now)) })
    }

    /// The entry of a new answer and its place, with its harvest still to come. None for what must not be kept.
    pub(super) fn keepable(
        &self,
        request: &Request,
        response: &Response,
        recalled: &Recalled,
        digest: u64,
    ) -> Option<(Fingerprint, CacheEntry)> {
        let whole = response.status == StatusCode::OK && response.truncated.is_none();
        if !whole || forbids_storing(&response.headers) {
            return None;
        }
        let selecting = Selecting::of(&response.headers, || self.sent(request, recalled.cookie.as_deref()))?;
        let place = recalled.place_for(&selecting)?;
        let entry = CacheEntry {
            host: request.host(),
            validators: Validators::read(&response.headers),
            lifetime: Lifetime::read(&response.headers),
            selecting,
            digest,
            checked: response.ended,
            rules: self.reading(request),
            harvest: Packed::default(),
        };
        Some((place, entry))
    }

    /// What is kept after a 304 (RFC 9111 3.2, 4.3.4). One that forbids keeping, or that selects by other fields than we can
    /// tell, is the last that the entry is good for.
    pub(super) fn renewed(&self, request: &Request, response: &Response, recalled: Recalled) -> Option<Memo> {
        let Recalled { place, entry, cookie, .. } = recalled;
        let (Some(place), Some(mut entry)) = (place, entry) else { return None };
        let told = &response.headers;
        let selecting = match told.contains_key(http::header::VARY) {
            true => Selecting::of(told, || self.sent(request, cookie.as_deref())),
            false => Some(entry.selecting.clone()),
        };
        let Some(selecting) = selecting.filter(|_| !forbids_storing(told)) else {
            return Some(Memo::Forget(place));
        };
        entry.selecting = selecting;
        entry.validators.update(told);
        entry.lifetime.update(told);
        entry.checked = response.ended;
        Some(Memo::Keep(place, Box::new(entry)))
    }

    /// The harvest of a page that has not changed, as it was kept; nothing if it does not read back.
    pub(super) fn remembered(&self, request: &Request, entry: &CacheEntry) -> Option<Yield> {
        let known = |page| self.seen.as_ref().is_some_and(|seen| seen.contains(page));
        let (links, items) = entry.harvest.unpack_without(&known)?;
        let items = items.into_iter().map(|(kind, text)| {
            let fields = serde_json::from_str(&text).ok()?;
            Some(Item { url: request.url.clone(), kind, fields, seen: None })
        });
        let items = items.collect::<Option<Vec<_>>>()?;
        let (links, out_of_scope) = self.belonging(request, links);
        let gained = Yield { items, out_of_scope, links, ..Yield::default() };
        Some(staged(&self.stages, &request.url, gained))
    }
}

/// Puts what a page gave into its entry.
pub(super) fn with_harvest(mut entry: CacheEntry, gained: &Yield) -> Option<CacheEntry> {
    let text = |item: &Item| Some((item.kind.clone(), serde_json::to_string(&item.fields).ok()?));
    let items: Vec<KeptItem> = gained.items.iter().map(text).collect::<Option<_>>()?;
    entry.harvest = Packed::of(&gained.links, &items)?;
    Some(entry)
}

/// The outcome of a page that nobody was asked for.
pub(super) const fn untold(now: Timestamp) -> Outcome {
    let announced = Announced { limit: None, remaining: None, reset: None };
    Outcome { class: Class::NotModified, status: None, told: None, announced, began: now, ended: now }
}
