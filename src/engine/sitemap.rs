//! Sitemaps as part of a crawl: which are read, in which order, and how far an index may lead.
//!
//! A sitemap is a request like any other: it enters by the front door, waits for its host's robots.txt and pace, is retried and
//! survives a crash. Only its reader is another one, and its answer counts as no page. Its URL belongs to the crawl if its host
//! does; what it lists is judged as every link is, so that a sitemap widens no crawl.

use std::collections::HashMap;

use super::worker::Yield;
use super::writer::Change;
use crate::extract::sitemap::{MAX_BYTES, MAX_ENTRIES, Sitemap};
use crate::fetch::Limits;
use crate::fetch::decode::{Bounds, MOST_CODINGS, unpack_gzip};
use crate::frontier::Settings;
use crate::headers::charset::ContentType;
use crate::item::Harvest;
use crate::request::{Kind, Request};
use crate::response::Response;
use crate::robots::RobotsRules;
use crate::spider::Spider;
use crate::time::Timestamp;
use crate::url::{Canon, CanonicalUrl, HostKey, Origin};

/// Indexes inside indexes that are followed. sitemaps.org has none; one is met on large sites.
const MAX_LEVEL: u8 = 2;
/// What is cached of a sitemap is of no use for a page, and the other way round.
const SITEMAP_RULES: u64 = 0x5349_5445_4d41_5053;

/// Which sitemaps are read. Default: none but those that a spider asks for with [`Request::sitemap`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sitemaps {
    /// What becomes of the `Sitemap` lines of a robots.txt.
    pub robots: RobotsSitemaps,
    /// Sitemaps that are read from the start, for the first spider.
    pub urls: Vec<CanonicalUrl>,
    /// Sitemaps that are asked of one host in a run. 500.
    pub max_per_host: u32,
    /// What a sitemap says to be unchanged since before this moment is not asked for. What it says nothing about is.
    pub since: Option<Timestamp>,
    /// What becomes of what a sitemap says of changes.
    pub lastmod: Lastmod,
}

/// What becomes of `lastmod` and `changefreq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lastmod {
    /// Nobody looks at them: pages enter in the order of their sitemap, and their requests tell nothing of changes.
    Ignore,
    /// Of a sitemap the pages that changed last enter first.
    #[default]
    Order,
    /// The same, and what has not changed since it was fetched or found unchanged is not asked for.
    Skip,
}

/// What becomes of the `Sitemap` lines of a robots.txt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RobotsSitemaps {
    /// They are not looked at.
    #[default]
    Ignore,
    /// They are read, on every host that the crawl visits; where there are several spiders, for those with a seed there.
    Read,
}

impl Default for Sitemaps {
    fn default() -> Self {
        Self {
            robots: RobotsSitemaps::default(),
            urls: Vec::new(),
            max_per_host: 500,
            since: None,
            lastmod: Lastmod::default(),
        }
    }
}

/// When the sitemaps of an index are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Before all pages: then it is known how much there is.
    First,
    /// One after the other, each when the pages before it are through: a crawl of fifty pages need not read fifty sitemaps.
    AsNeeded,
}

/// Reads sitemaps for a crawl.
pub(super) struct Reader {
    pub(super) rules: Sitemaps,
    pub(super) order: Order,
}

impl Reader {
    /// Reads by these rules. A crawl of few pages reads no more sitemaps than it needs.
    pub(super) fn new(rules: Sitemaps, settings: &Settings) -> Self {
        let order = if settings.max_pages.is_some() { Order::AsNeeded } else { Order::First };
        Self { rules, order }
    }

    /// The limits of one exchange: those of pages, but for the size.
    pub(super) fn limits(limits: Limits, kind: Kind) -> Limits {
        if kind.is_sitemap() { Limits { body: MAX_BYTES, ..limits } } else { limits }
    }

    /// The digest of what reads the answer to a request, if pages are read by `pages`.
    pub(super) fn digest(&self, pages: u64, kind: Kind) -> u64 {
        if kind.is_page() {
            return pages;
        }
        let order = u64::from(self.rules.lastmod != Lastmod::Ignore);
        pages ^ SITEMAP_RULES ^ order ^ self.rules.since.map_or(0, |since| since.as_millis() << 1)
    }

    /// Places a request below the one that found it; nothing if it is one index too deep.
    pub(super) fn below(&self, parent: &Request, mut request: Request) -> Option<Request> {
        let is_deeper = parent.kind.is_page() && request.kind != Kind::NextPage;
        request.depth = parent.depth + u32::from(is_deeper);
        if !parent.kind.is_page() && self.rules.lastmod == Lastmod::Ignore {
            (request.modified, request.every) = (None, None);
        }
        let Kind::Sitemap { level } = &mut request.kind else {
            return Some(request);
        };
        let Kind::Sitemap { level: above } = parent.kind else {
            *level = 0;
            return Some(request);
        };
        *level = above + 1;
        if self.order == Order::AsNeeded {
            request.priority = -1;
        }
        (above < MAX_LEVEL).then_some(request)
    }

    /// The sitemaps that the robots.txt of `origin` names. They may be relative.
    pub(super) fn named<'r>(
        &self,
        origin: &Origin,
        rules: &'r RobotsRules,
        canon: &'r Canon,
    ) -> impl Iterator<Item = Request> + use<'r> {
        let home = origin.robots_url();
        let lines = if self.rules.robots == RobotsSitemaps::Read { rules.sitemaps() } else { &[] };
        lines.iter().filter_map(move |line| canon.join(home.as_url(), line).ok()).map(Request::sitemap)
    }

    /// Undoes the gzip of a file that is packed itself, not only for its way.
    pub(super) async fn unpacked(response: Response, limits: Limits) -> Response {
        let bounds = Bounds { body: MAX_BYTES, ratio: limits.ratio, codings: MOST_CODINGS };
        let (body, cut) = unpack_gzip(response.body, bounds).await;
        Response { body, truncated: cut.or(response.truncated), ..response }
    }

    /// Reads an answer and lets the spider choose from it.
    pub(super) fn read(
        &self,
        request: &Request,
        response: &Response,
        canon: &Canon,
        spider: &dyn Spider,
    ) -> Harvest {
        let said = response.header("content-type").and_then(ContentType::parse);
        let charset = said.and_then(|said| said.charset);
        let mut sitemap = Sitemap::read(&response.url, &response.body, charset).with_canon(canon.clone());
        let mut harvest = Harvest::new();
        self.note_problems(&sitemap, response, &mut harvest);
        if let Some(since) = self.rules.since {
            sitemap.keep_since(since);
        }
        if self.rules.lastmod != Lastmod::Ignore {
            sitemap.newest_first();
        }
        spider.sitemap(request, &sitemap, &mut harvest);
        harvest
    }

    fn note_problems(&self, sitemap: &Sitemap, response: &Response, harvest: &mut Harvest) {
        if let Some(cut) = response.truncated {
            harvest.problem(format!("the sitemap is not whole ({cut:?})").to_lowercase());
        }
        if let Some(problem) = &sitemap.problem {
            harvest.problem(format!("the sitemap could not be read to its end: {problem}"));
        }
        if sitemap.unread > 0 {
            let unread = sitemap.unread;
            harvest.problem(format!("{unread} locations were not read, only {MAX_ENTRIES} of a sitemap are"));
        }
    }
}

/// Whether the answer to a request may be remembered: the rest of a sitemap that could not be read would be missed for ever.
pub(super) fn is_worth_keeping(request: &Request, gained: &Yield) -> bool {
    gained.error.is_none() && (request.kind.is_page() || gained.problems.is_empty())
}

/// How many sitemaps were asked of each host.
#[derive(Debug)]
pub(super) struct Quota {
    most: u32,
    taken: HashMap<HostKey, u32>,
}

impl Quota {
    pub(super) fn new(most: u32) -> Self {
        Self { most, taken: HashMap::new() }
    }

    /// Drops the sitemaps that are too many for their host. A sitemap that is named again counts again.
    pub(super) fn trim(&mut self, change: &mut Change) {
        let before = change.links.len();
        change.links.retain(|link| !link.kind.is_sitemap() || self.takes(&link.host()));
        change.totals.out_of_scope += (before - change.links.len()) as u64;
    }

    fn takes(&mut self, host: &HostKey) -> bool {
        let taken = self.taken.entry(host.clone()).or_default();
        *taken = taken.saturating_add(1);
        if taken.checked_sub(1) == Some(self.most) {
            tracing::warn!(%host, most = self.most, "the host names more sitemaps than are read; raise `max-sitemaps` in [sitemap] to read more");
        }
        *taken <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> CanonicalUrl {
        CanonicalUrl::parse(text).unwrap()
    }

    fn reader(order: Order) -> Reader {
        Reader { rules: Sitemaps { robots: RobotsSitemaps::Read, ..Sitemaps::default() }, order }
    }

    #[test]
    fn an_index_may_lead_to_an_index_and_no_further() {
        let reader = reader(Order::First);
        let mut last = Request::sitemap(url("http://a.example/0.xml"));
        for level in 1..=2 {
            last = reader.below(&last, Request::sitemap(url("http://a.example/x.xml"))).unwrap();
            assert_eq!(last.kind, Kind::Sitemap { level });
        }
        assert_eq!(reader.below(&last, Request::sitemap(url("http://a.example/y.xml"))), None);
        let page = reader.below(&last, Request::get(url("http://a.example/page"))).unwrap();
        assert_eq!((page.kind, page.depth), (Kind::Page, 0));
    }

    #[test]
    fn what_sitemaps_say_of_changes_stays_with_a_request_unless_it_is_ignored() {
        let index = Request::sitemap(url("http://a.example/0.xml"));
        let mut page = Request::get(url("http://a.example/1"));
        page.modified = Some(Timestamp::ZERO);
        for lastmod in [Lastmod::Ignore, Lastmod::Order, Lastmod::Skip] {
            let mut reader = reader(Order::First);
            reader.rules.lastmod = lastmod;
            let kept = reader.below(&index, page.clone()).unwrap().modified.is_some();
            assert_eq!(kept, lastmod != Lastmod::Ignore);
        }
    }

    #[test]
    fn with_a_page_limit_an_index_is_read_as_far_as_needed() {
        let index = Request::sitemap(url("http://a.example/0.xml"));
        let priority = |order| {
            reader(order).below(&index, Request::sitemap(url("http://a.example/1.xml"))).unwrap().priority
        };
        assert_eq!((priority(Order::First), priority(Order::AsNeeded)), (i8::MAX, -1));
    }

    #[test]
    fn what_robots_names_may_be_relative_and_is_ignored_unless_asked_for() {
        let token = crate::robots::ProductToken::parse("mybot").unwrap();
        let rules = RobotsRules::parse(
            b"Sitemap: /s.xml\nSitemap: http://b.example/t.xml\nSitemap: ftp://x/",
            &token,
        );
        let origin = url("https://a.example:81/").origin();
        let named = |reader: &Reader| -> Vec<String> {
            reader.named(&origin, &rules, &Canon::default()).map(|request| request.url.to_string()).collect()
        };
        assert_eq!(named(&reader(Order::First)), ["https://a.example:81/s.xml", "http://b.example/t.xml"]);
        assert!(named(&Reader { rules: Sitemaps::default(), order: Order::First }).is_empty());
    }

    #[test]
    fn of_each_host_so_many_sitemaps_are_read_and_all_pages() {
        let mut quota = Quota::new(2);
        let sitemaps = (0..4).map(|n| Request::sitemap(url(&format!("http://a.example/{n}.xml"))));
        let others = [Request::sitemap(url("http://b.example/")), Request::get(url("http://a.example/page"))];
        let mut change = Change { links: sitemaps.chain(others).collect(), ..Change::default() };
        quota.trim(&mut change);
        assert_eq!((change.links.len(), change.totals.out_of_scope), (4, 2));
    }

    #[test]
    fn what_is_cached_of_a_page_is_of_no_use_for_a_sitemap() {
        let mut reader = reader(Order::First);
        let sitemap = Kind::Sitemap { level: 0 };
        let before = reader.digest(7, sitemap);
        assert_eq!(reader.digest(7, Kind::Page), 7);
        assert_ne!(before, 7);
        reader.rules.lastmod = Lastmod::Ignore;
        assert_ne!(reader.digest(7, sitemap), before, "its pages come in another order");
        reader.rules.since = Some(Timestamp::from_secs(1));
        assert_ne!(reader.digest(7, sitemap), before);
    }
}
