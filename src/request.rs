//! A request as the crawl sees it: what to ask, which callback gets the answer, and where it stands in the queue.
//!
//! Plain data that survives a restart. What the *wire* needs on top (validators, limits) is added when it goes out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;
use crate::url::{CanonicalUrl, Fingerprint, HostKey, Origin};

/// The priority of files: an item is complete when its files are there.
const BEFORE_PAGES: i8 = 100;

/// One URL to visit, with everything that its spider wants to know again when the answer comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Where to.
    pub url: CanonicalUrl,
    /// GET unless said otherwise.
    #[serde(with = "method_as_text")]
    pub method: Method,
    /// Headers of this request alone; those of the whole crawl come from its configuration.
    pub headers: Vec<(String, String)>,
    /// The body of a POST or PUT. Part of the request's identity.
    pub body: Option<Bytes>,
    /// Which callback of the spider gets the answer.
    pub label: Option<Arc<str>>,
    /// The spider's own data as JSON text; see [`Request::data`].
    data: Option<Box<str>>,
    /// Higher is asked earlier within a host. 0 unless said otherwise.
    pub priority: i8,
    /// Links from a seed; a redirect adds none.
    pub depth: u32,
    /// Redirects followed on the way here.
    pub hops: u8,
    /// Not asked before this moment.
    pub not_before: Option<Timestamp>,
    /// Whether the seen-set is asked.
    pub dedup: Dedup,
    /// Index of the spider that asked for it, in the order of the crawl's spiders.
    pub spider: u16,
    /// Who reads the answer. Only files have an identity of their own: what is a page here may be wanted whole there.
    pub kind: Kind,
    /// It has not changed since this moment, as a sitemap says. No part of the request's identity.
    pub modified: Option<Timestamp>,
    /// How often it changes, as a sitemap says: a hint. No part of the request's identity.
    pub every: Option<Duration>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Kind {
    /// A page: the spider reads it.
    #[default]
    Page,
    /// A sitemap: the pages that it lists are asked for. It counts to no page limit and adds no depth.
    Sitemap {
        /// Indexes between it and the one that was asked for first.
        level: u8,
    },
    /// The page of a list that goes on where another page of it ended. A page in all, but that it is as deep as the page before:
    /// how long a list is says nothing of how deep it lies.
    NextPage,
    /// A part of logging in: the crawler itself reads it, and no store has it. It counts to no page limit.
    Login,
    /// A file: it goes to the disk, and no spider reads it. It counts to no page limit.
    Download,
}

impl Kind {
    /// Whether it is a page, which is what limits and totals of pages count.
    #[must_use]
    pub const fn is_page(self) -> bool {
        matches!(self, Self::Page | Self::NextPage)
    }

    /// Whether it is a sitemap, however deep below an index.
    #[must_use]
    pub const fn is_sitemap(self) -> bool {
        matches!(self, Self::Sitemap { .. })
    }
}

/// Where a file was wanted. A redirect changes the URL of its request, but not this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The URL as the page has it.
    pub url: CanonicalUrl,
    /// The page that wanted it first; `None` if it was asked for without one.
    pub page: Option<CanonicalUrl>,
}

/// What a request for a file carries in the place of a spider's data: where it was wanted, and that data.
#[derive(Debug, Serialize, Deserialize)]
struct Slip {
    wanted: Wanted,
    data: Option<Box<str>>,
}

/// Whether a request that was made before may be made again in the same round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Dedup {
    /// Asked once in a round, whoever links to it.
    #[default]
    Once,
    /// Asked each time it is yielded (polling, login pages).
    Never,
    /// Asked once more because the crawl itself finds it due (see [`crate::revisit`]).
    Revisit,
}

impl Request {
    /// A GET of `url` with no label, no data, priority 0 and depth 0.
    #[must_use]
    pub fn get(url: CanonicalUrl) -> Self {
        Self {
            url,
            method: Method::GET,
            headers: Vec::new(),
            body: None,
            label: None,
            data: None,
            priority: 0,
            depth: 0,
            hops: 0,
            not_before: None,
            dedup: Dedup::Once,
            spider: 0,
            kind: Kind::Page,
            modified: None,
            every: None,
        }
    }

    /// A GET of the sitemap at `url`: the pages that it lists are asked for, and the sitemaps if it is an index. It comes before
    /// all pages of its host; see [`crate::extract::sitemap`] for the forms that are read.
    #[must_use]
    pub fn sitemap(url: CanonicalUrl) -> Self {
        Self { kind: Kind::Sitemap { level: 0 }, priority: i8::MAX, ..Self::get(url) }
    }

    /// A GET of the file at `url`: it is written to the folder of files, with a line in its manifest. Of its host it comes before
    /// the pages, but after sitemaps. Its URL is judged by the scope of files (see [`crate::engine::Downloads`]). A page and a file
    /// of the same URL are two requests.
    #[must_use]
    pub fn download(url: CanonicalUrl) -> Self {
        Self { kind: Kind::Download, priority: BEFORE_PAGES, ..Self::get(url) }
    }

    /// A POST of `body` to `url`.
    #[must_use]
    pub fn post(url: CanonicalUrl, body: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, body: Some(body.into()), ..Self::get(url) }
    }

    /// Routes the answer to the callback of this name.
    #[must_use]
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds a header to this request alone.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Higher is asked earlier within a host.
    #[must_use]
    pub fn priority(mut self, priority: i8) -> Self {
        self.priority = priority;
        self
    }

    /// Keeps the request back until `moment`.
    #[must_use]
    pub fn not_before(mut self, moment: Timestamp) -> Self {
        self.not_before = Some(moment);
        self
    }

    /// Asks even if the same request was made before in this round.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.dedup = Dedup::Never;
        self
    }

    /// Makes it a part of logging in: it comes before all pages of its host, however often it was asked before.
    pub(crate) fn for_login(self) -> Self {
        Self { kind: Kind::Login, priority: i8::MAX, dedup: Dedup::Never, ..self }
    }

    /// Carries `data` to the callback; it survives a restart.
    ///
    /// # Errors
    /// If `data` cannot be written as JSON (for example a map with keys that are not strings).
    pub fn with_data<T: Serialize>(mut self, data: &T) -> Result<Self, serde_json::Error> {
        let data = Some(serde_json::to_string(data)?.into_boxed_str());
        self.data = match self.slip() {
            Some(slip) => Some(serde_json::to_string(&Slip { data, ..slip })?.into_boxed_str()),
            None => data,
        };
        Ok(self)
    }

    /// The data that was given with [`Request::with_data`], read as `T`; `null` if there is none.
    ///
    /// # Errors
    /// If the data has another shape than `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match self.slip() {
            Some(slip) => serde_json::from_str(slip.data.as_deref().unwrap_or("null")),
            None => serde_json::from_str(self.data.as_deref().unwrap_or("null")),
        }
    }

    /// A digest of the data that it carries, 0 without any: what is read of an answer may depend on it.
    #[must_use]
    pub fn data_digest(&self) -> u64 {
        self.data.as_deref().map_or(0, |data| Fingerprint::of(data.as_bytes()).get())
    }

    /// Where a file was wanted; `None` if this asks for no file, or nobody has written it down yet.
    #[must_use]
    pub fn wanted(&self) -> Option<Wanted> {
        self.slip().map(|slip| slip.wanted)
    }

    /// Writes down where a file is wanted, unless that is known.
    #[must_use]
    pub(crate) fn wanted_on(mut self, page: Option<&CanonicalUrl>) -> Self {
        if self.kind == Kind::Download && self.slip().is_none() {
            let wanted = Wanted { url: self.url.clone(), page: page.cloned() };
            let slip = serde_json::to_string(&Slip { wanted, data: self.data.take() });
            self.data = slip.ok().map(String::into_boxed_str);
        }
        self
    }

    fn slip(&self) -> Option<Slip> {
        let data = self.data.as_deref().filter(|_| self.kind == Kind::Download)?;
        serde_json::from_str(data).ok()
    }

    /// Whether it goes nowhere once its page is seen. Each sitemap that is listed counts against the limit of its host.
    pub(crate) fn enters_once(&self) -> bool {
        self.kind.is_page() && self.dedup == Dedup::Once
    }

    /// The key of the seen-set: method, canonical URL, body and spider, and whether it is wanted as a file.
    ///
    /// Two spiders of one process may visit the same page; the first spider's keys are those of a crawl with one.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let is_plain = self.method == Method::GET && self.body.is_none() && self.spider == 0;
        if is_plain && self.kind != Kind::Download {
            // The digest of one piece, at a fraction of the cost.
            return Fingerprint::of(self.url.as_str().as_bytes());
        }
        let mut key = Fingerprint::hasher();
        if self.method != Method::GET {
            key.update(self.method.as_str().as_bytes());
            key.update(b" ");
        }
        key.update(self.url.as_str().as_bytes());
        if let Some(body) = &self.body {
            key.update(b"\0");
            key.update(body);
        }
        if self.spider > 0 {
            key.update(b"\0spider");
            key.update(&self.spider.to_le_bytes());
        }
        if self.kind == Kind::Download {
            key.update(b"\0file");
        }
        Fingerprint::from_hasher(&key)
    }

    /// Whether the other one is the same request for another URL, or the same one.
    pub(crate) fn differs_by_url_alone(&self, other: &Self) -> bool {
        let Self { url: _, method, headers, body, label, data, priority, depth, hops, .. } = self;
        let Self { not_before, dedup, spider, kind, modified, every, .. } = self;
        (method, headers, body) == (&other.method, &other.headers, &other.body)
            && (label, data) == (&other.label, &other.data)
            && (*priority, *depth, *hops) == (other.priority, other.depth, other.hops)
            && (*not_before, *dedup, *spider) == (other.not_before, other.dedup, other.spider)
            && (*kind, *modified, *every) == (other.kind, other.modified, other.every)
    }

    /// The politeness unit it belongs to.
    #[must_use]
    pub fn host(&self) -> HostKey {
        self.url.host_key()
    }

    /// Scheme, host and port: the unit of robots.txt, cookies and credentials.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.url.origin()
    }
}

/// The place of a request in its origin's queue: lower comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QueueKey {
    /// 127 minus the priority, so that a higher priority sorts first.
    pub band: u8,
    /// Counts up over the whole crawl: first in, first out.
    pub seq: u64,
}

impl QueueKey {
    /// The key of a request of this priority that came as number `seq`.
    #[must_use]
    pub fn new(priority: i8, seq: u64) -> Self {
        Self { band: (127 - i16::from(priority)) as u8, seq }
    }
}

/// A request that waits in a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its place.
    pub key: QueueKey,
    /// Tries that failed for the URL's own reasons.
    pub tries: u8,
    /// Times the host refused it (429, 503): these do not use up its tries.
    pub refusals: u8,
    /// Times that it was answered 404 or 410 in a row.
    pub missing: u8,
    /// Whether the page was there in an earlier round: then a first 404 is not believed.
    pub known: bool,
    /// What to ask. `not_before` holds the time of the next try after a failure.
    pub request: Request,
}

impl Pending {
    /// A request that was never asked for.
    #[must_use]
    pub const fn new(key: QueueKey, request: Request) -> Self {
        Self { key, tries: 0, refusals: 0, missing: 0, known: false, request }
    }

    /// Whether it has never come back to be asked again.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.tries == 0 && self.refusals == 0 && self.missing == 0
    }
}

mod method_as_text {
    use http::Method;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(method: &Method, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(method.as_str())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Method, D::Error> {
        let text = String::deserialize(input)?;
        Method::from_bytes(text.as_bytes()).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> CanonicalUrl {
        CanonicalUrl::parse(text).unwrap()
    }

    #[test]
    fn method_and_body_are_part_of_the_identity() {
        let get = Request::get(url("http://a.example/x"));
        let post = Request::post(url("http://a.example/x"), "q=1");
        let other = Request::post(url("http://a.example/x"), "q=2");
        let dated = Request { modified: Some(Timestamp::ZERO), every: Some(Duration::ZERO), ..get.clone() };
        assert_eq!(get.fingerprint(), dated.fingerprint());
        assert_ne!(get.fingerprint(), post.fingerprint());
        assert_ne!(post.fingerprint(), other.fingerprint());
        assert_eq!(
            post.fingerprint(),
            Request::post(url("http://a.example/x"), "q=1").label("b").fingerprint()
        );
    }

    #[test]
    fn data_comes_back_as_the_type_it_was() {
        let request = Request::get(url("http://a.example/")).with_data(&vec![1, 2, 3]).unwrap();
        assert_eq!(request.data::<Vec<u8>>().unwrap(), [1, 2, 3]);
        assert_eq!(Request::get(url("http://a.example/")).data::<Option<u8>>().unwrap(), None);
    }

    #[test]
    fn a_file_remembers_where_it_was_wanted_and_keeps_the_spiders_data() {
        let page = url("http://a.example/page");
        let file = Request::download(url("http://a.example/x")).with_data(&7).unwrap().wanted_on(Some(&page));
        let moved = Request { url: url("http://b.example/y"), ..file.clone() }.wanted_on(None);
        let wanted = moved.wanted().unwrap();
        assert_eq!((wanted.url.as_str(), wanted.page), ("http://a.example/x", Some(page)));
        assert_eq!(moved.data::<u8>().unwrap(), 7);
        assert_eq!(moved.with_data(&8).unwrap().data::<u8>().unwrap(), 8);
        assert_ne!(file.fingerprint(), Request::get(file.url.clone()).fingerprint());
    }

    #[test]
    fn it_survives_the_codec() {
        let request = Request::post(url("https://a.example/p?q=1"), "body").label("book").priority(-3);
        let mut request = request.with_data(&("page", 7)).unwrap();
        (request.modified, request.every) = (Some(Timestamp::from_secs(9)), Some(Duration::from_hours(1)));
        let bytes = postcard::to_stdvec(&request).unwrap();
        assert_eq!(postcard::from_bytes::<Request>(&bytes).unwrap(), request);
    }
}
