//! Sitemaps (sitemaps.org): the pages that a site lists of itself.
//!
//! Read are `urlset` and `sitemapindex` in any namespace or none, plain text with a URL on each line, RSS and Atom. What can
//! be read of a broken file is read, and what is wrong with it is told. No DTD and no external entity is ever looked at: a
//! reference to an entity that is not one of XML's own five stands for nothing, so there is nothing that could expand.
//!
//! What a file costs is bounded: [`MAX_ENTRIES`] locations, [`MAX_ALTERNATES`] alternates and one pass over the text. How many
//! bytes of it there may be ([`MAX_BYTES`]) is for those who fetch and unpack it.

mod date;
mod xml;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::time::Duration;

use encoding_rs::{Encoding, UTF_8};

pub use date::w3c_date;

use crate::item::Harvest;
use crate::page::charset::prescan;
use crate::request::Request;
use crate::time::Timestamp;
use crate::url::{Canon, CanonicalUrl, UrlError};

/// Unpacked bytes of a sitemap that are read: the 50 MiB of sitemaps.org.
pub const MAX_BYTES: u64 = 50 << 20;

/// Locations of one file that are read, in sitemaps and in indexes (sitemaps.org).
pub const MAX_ENTRIES: usize = 50_000;

/// Alternates (`xhtml:link`) of one file that are read, over all its entries.
pub const MAX_ALTERNATES: usize = 200_000;

/// What a sitemap says.
///
/// ```
/// use crawl::extract::sitemap::{Kind, Sitemap};
/// use crawl::url::CanonicalUrl;
///
/// let url = CanonicalUrl::parse("https://a.example/sitemap.xml")?;
/// let body = b"<urlset><url><loc>/b?x=1&amp;y=2</loc><lastmod>2026-11-22</lastmod></url></urlset>";
/// let sitemap = Sitemap::read(&url, body, None);
///
/// assert_eq!(sitemap.kind, Kind::UrlSet);
/// let entry = &sitemap.entries[0];
/// assert_eq!(sitemap.resolve(entry)?.as_str(), "https://a.example/b?x=1&y=2");
/// assert_eq!(entry.modified().unwrap().to_string(), "2026-11-22T00:00:00.000Z");
/// # Ok::<(), crawl::url::UrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sitemap {
    /// Where it was found: relative locations, which are against the rules, are met all the same.
    pub url: CanonicalUrl,
    /// Its form.
    pub kind: Kind,
    /// The pages that it lists, in its order.
    pub entries: Vec<Entry>,
    /// The sitemaps that it lists, if it is an index.
    pub children: Vec<Entry>,
    /// Locations that were not read because there are more than [`MAX_ENTRIES`].
    pub unread: usize,
    /// What kept it from being read to its end, in words.
    pub problem: Option<String>,
    canon: Canon,
}

/// The form of a sitemap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `<urlset>`: pages.
    UrlSet,
    /// `<sitemapindex>`: further sitemaps.
    Index,
    /// An RSS feed, version 0.9 to 2.0.
    Rss,
    /// An Atom feed.
    Atom,
    /// Plain text, a URL on each line.
    Text,
    /// XML or HTML with this root element: no sitemap.
    Other(Box<str>),
}

impl Kind {
    /// The name of its root element; `text` for plain text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::UrlSet => "urlset",
            Self::Index => "sitemapindex",
            Self::Rss => "rss",
            Self::Atom => "feed",
            Self::Text => "text",
            Self::Other(root) => root,
        }
    }
}

/// One location, with what is said of it, as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Where; never empty.
    pub loc: String,
    /// When it changed last; see [`Entry::modified`].
    pub lastmod: Option<String>,
    /// How often it changes: `always`, `hourly`, `daily` …
    pub changefreq: Option<String>,
    /// How it compares to other pages of the site: `0.0` to `1.0`.
    pub priority: Option<String>,
    /// The same page in other languages.
    pub alternates: Vec<String>,
}

impl Entry {
    /// When the page changed last; `None` if that is not said or cannot be read.
    ///
    /// W3C dates (`2026`, `2026-11`, `2026-11-22T09:15:00+01:00` and what lies between) are read, and the dates of RSS. What
    /// is not said of a date is its beginning: the first of the month, midnight, UTC.
    #[must_use]
    pub fn modified(&self) -> Option<Timestamp> {
        self.span().map(|(first, _)| first)
    }

    /// Since when the page has not changed: the last moment that its date may mean, such as the end of a day, UTC.
    #[must_use]
    pub fn unchanged_since(&self) -> Option<Timestamp> {
        self.span().map(|(_, last)| last)
    }

    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let text = self.lastmod.as_deref()?;
        let second = |first| (first, first + Duration::from_millis(999));
        date::span(text).or_else(|| crate::headers::date::parse(text, Timestamp::MAX).map(second))
    }

    /// How often the page changes: an hour for `always` and `hourly`, 30 days for a month, 365 for a year. `None` for `never` and
    /// for what is no such word: a page that never changes may well be deleted.
    #[must_use]
    pub fn every(&self) -> Option<Duration> {
        let word = self.changefreq.as_deref()?.to_ascii_lowercase();
        let hours = match word.as_str() {
            "always" | "hourly" => 1,
            "daily" => 24,
            "weekly" => 7 * 24,
            "monthly" => 30 * 24,
            "yearly" => 365 * 24,
            _ => return None,
        };
        Some(Duration::from_hours(hours))
    }
}

impl Sitemap {
    /// Reads a body whose content codings are undone. `declared` is the charset of its `Content-Type`, if that names one; else
    /// the byte order mark, the XML declaration or UTF-8 decides. Never fails: see [`Sitemap::problem`].
    #[must_use]
    pub fn read(url: &CanonicalUrl, body: &[u8], declared: Option<&'static Encoding>) -> Self {
        let text = decode(body, declared);
        let text = text.trim_ascii_start();
        let mut sitemap = Self {
            url: url.clone(),
            kind: Kind::Text,
            entries: Vec::new(),
            children: Vec::new(),
            unread: 0,
            problem: None,
            canon: Canon::default(),
        };
        if text.starts_with('<') {
            xml::read(text, &mut sitemap);
        } else {
            sitemap.read_lines(text);
        }
        sitemap
    }

    /// Brings its locations into normal form by these steps instead of the default ones.
    #[must_use]
    pub fn with_canon(mut self, canon: Canon) -> Self {
        self.canon = canon;
        self
    }

    /// The URL of a location.
    ///
    /// # Errors
    /// If it is no http or https URL.
    pub fn resolve(&self, entry: &Entry) -> Result<CanonicalUrl, UrlError> {
        self.canon.join(self.url.as_url(), &entry.loc)
    }

    /// Requests for the pages that it lists, with what it says of their changes. What is no URL is left out.
    pub fn pages(&self) -> impl Iterator<Item = Request> {
        self.entries.iter().filter_map(|entry| self.request(entry, Request::get))
    }

    /// Requests for the sitemaps that it lists. What is no URL is left out.
    pub fn sitemaps(&self) -> impl Iterator<Item = Request> {
        self.children.iter().filter_map(|entry| self.request(entry, Request::sitemap))
    }

    fn request(&self, entry: &Entry, of: fn(CanonicalUrl) -> Request) -> Option<Request> {
        let mut request = of(self.resolve(entry).ok()?);
        (request.modified, request.every) = (entry.unchanged_since(), entry.every());
        Some(request)
    }

    /// Asks for everything that it lists.
    pub fn follow(&self, harvest: &mut Harvest) {
        self.sitemaps().chain(self.pages()).for_each(|request| harvest.follow(request));
    }

    /// Brings the pages that changed last to the front. Those that changed at the same time, and behind all others those that do
    /// not tell, stay in their order.
    pub fn newest_first(&mut self) {
        self.entries.sort_by_cached_key(|entry| Reverse(entry.unchanged_since()));
    }

    /// Leaves out what is unchanged since a moment before `since`. What does not tell stays.
    pub fn keep_since(&mut self, since: Timestamp) {
        let is_new = |entry: &Entry| entry.unchanged_since().is_none_or(|moment| moment >= since);
        self.entries.retain(is_new);
        self.children.retain(is_new);
    }

    /// Takes an entry; gives whether there was room for it.
    fn take(&mut self, entry: Entry) {
        let list = if self.kind == Kind::Index { &mut self.children } else { &mut self.entries };
        if list.len() < MAX_ENTRIES {
            list.push(entry);
        } else {
            self.unread += 1;
        }
    }

    /// The text form: lines that are no absolute URL are skipped.
    fn read_lines(&mut self, text: &str) {
        let lines = text.lines().map(str::trim).filter(|line| is_absolute(line));
        for line in lines {
            self.take(Entry { loc: line.to_owned(), ..Entry::default() });
        }
        if self.entries.is_empty() {
            self.problem = Some("neither XML nor lines of URLs".to_owned());
        }
    }
}

fn is_absolute(line: &str) -> bool {
    let begins =
        |scheme: &str| line.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    begins("http://") || begins("https://")
}

/// The body as text. What is not valid in its encoding becomes U+FFFD.
fn decode<'b>(body: &'b [u8], declared: Option<&'static Encoding>) -> Cow<'b, str> {
    let encoding = declared.or_else(|| prescan(body.trim_ascii_start())).or_else(|| prescan(body));
    // A byte order mark overrules what is declared.
    encoding.unwrap_or(UTF_8).decode(body).0
}

#[cfg(test)]
mod tests;
