//! How the demo bookshop answers: robots.txt, redirects, a dead link, a hiccup, a throttled section, conditional requests.
//!
//! [`Shop::answer`] is a pure function of the request, the time and the [`Memory`] of what was asked before, so that the rules
//! can be tested under any time. The server around it only speaks HTTP.

use std::collections::HashMap;

use bytes::Bytes;
use http::header::{
    ALLOW, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LAST_MODIFIED, LOCATION, RETRY_AFTER,
};
use http::{Method, Response, StatusCode};

use super::catalogue::{self, AUTHORS, Book, OPENED};
use super::conditional::{Validators, http_date, plain_date};
use super::members::{MEMBERS, Members};
use super::pages::{CLASSICS, Page, Press, WEEKS, cover};
use super::quotes;

/// The section that pushes back when it is asked too fast.
const THROTTLED: &str = "/new-arrivals/";

/// The section that robots.txt keeps closed.
const CLOSED: &str = "/basket/";

/// The page that fails the first time it is asked for.
const HICCUP: &str = "/news.html";

/// The shortest pause between two requests that the shop asks for, in seconds. Short enough for a whole crawl in half a minute.
const CRAWL_DELAY: &str = "0.05";

pub(super) const HTML: &str = "text/html; charset=utf-8";

/// How many books the demo shop sells, each with a page of its own.
#[must_use]
pub const fn books() -> usize {
    catalogue::book_count()
}

/// How many different HTML pages of the demo shop answer 200 and are open to crawlers: the books, the index pages of the
/// shelves, the authors, the weeks of new arrivals, and the front pages of shop, catalogue, authors, arrivals, about and news.
#[must_use]
pub const fn pages() -> usize {
    books() + catalogue::index_page_count() + AUTHORS.len() + WEEKS + 6
}

/// What is looked at in a request.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    /// Without a query.
    pub(super) path: &'a str,
    pub(super) if_none_match: Option<&'a str>,
    pub(super) if_modified_since: Option<&'a str>,
    pub(super) cookie: Option<&'a str>,
    pub(super) body: &'a [u8],
}

/// What the shop remembers between two requests.
#[derive(Default)]
pub(super) struct Memory {
    hiccup_over: bool,
    visits: u64,
    throttle: Throttle,
}

impl Memory {
    /// How often the throttled section was asked for while it had told everyone to wait.
    pub(super) fn breaches(&self) -> usize {
        self.throttle.breaches
    }
}

/// Everything that can be had from the shop, ready to be sent.
pub(super) struct Shop {
    shelves: HashMap<String, Resource>,
    moved: HashMap<String, (StatusCode, String)>,
    basket: Resource,
    members: Members,
    missing: Bytes,
    hiccup: Bytes,
    slow_down: Bytes,
}

pub(super) struct Resource {
    kind: &'static str,
    body: Bytes,
    validators: Validators,
}

impl Resource {
    fn new(kind: &'static str, body: String, modified: u64) -> Self {
        let validators = Validators::of(body.as_bytes(), modified);
        Self { kind, body: body.into(), validators }
    }

    pub(super) fn page(page: Page) -> (String, Self) {
        (page.path, Self::new(HTML, page.html, page.modified))
    }

    pub(super) fn reply(&self, asked: &Asked<'_>) -> Response<Bytes> {
        let reply = if self.validators.met(asked.if_none_match, asked.if_modified_since) {
            bare(StatusCode::NOT_MODIFIED, Bytes::new())
        } else {
            with(bare(StatusCode::OK, self.body.clone()), CONTENT_TYPE, self.kind)
        };
        let reply = with(reply, ETAG, &self.validators.etag);
        with(reply, LAST_MODIFIED, &http_date(self.validators.modified))
    }
}

impl Shop {
    /// Prints the whole shop. `base` is its absolute address, without a slash at the end.
    pub(super) fn open(base: &str) -> Self {
        let books = catalogue::stock();
        let press = Press { books: &books, base };
        let notice = |title, text| Bytes::from(press.notice("/", title, text).html);
        let mut shelves: HashMap<_, _> = press.all().into_iter().map(Resource::page).collect();
        shelves.extend(quotes::pages().into_iter().map(Resource::page));
        shelves.insert(
            "/robots.txt".to_owned(),
            Resource::new("text/plain; charset=utf-8", robots(base), OPENED),
        );
        shelves.insert("/sitemap.xml".to_owned(), sitemap(base, &books));
        shelves.extend(
            books.iter().map(|book| (book.cover_path(), Resource::new("image/svg+xml", cover(book), OPENED))),
        );
        let style = include_str!("style.css").to_owned();
        shelves.insert("/style.css".to_owned(), Resource::new("text/css; charset=utf-8", style, OPENED));
        Self {
            shelves,
            moved: moved(base, &books),
            members: Members::open(&press),
            basket: Resource::page(press.notice(
                CLOSED,
                "Your basket",
                "It is empty, and robots are asked to leave it so.",
            ))
            .1,
            missing: notice("Not found", "There is no such page in this shop."),
            hiccup: notice("Just a moment", "The shop is busy. Please ask again a little later."),
            slow_down: notice(
                "Slow down",
                "You ask too fast. Please wait as long as the Retry-After header says.",
            ),
        }
    }

    /// Answers one request that arrived at `now_ms`, any count of milliseconds that never goes back.
    pub(super) fn answer(&self, memory: &mut Memory, asked: &Asked<'_>, now_ms: u64) -> Response<Bytes> {
        if asked.path.starts_with(MEMBERS) {
            return self.members.answer(&mut memory.visits, asked);
        }
        if asked.method != Method::GET && asked.method != Method::HEAD {
            return with(plain(StatusCode::METHOD_NOT_ALLOWED, Bytes::new()), ALLOW, "GET, HEAD");
        }
        if asked.path.starts_with(THROTTLED)
            && let Err(seconds) = memory.throttle.admit(now_ms)
        {
            let refusal = plain(StatusCode::TOO_MANY_REQUESTS, self.slow_down.clone());
            return with(refusal, RETRY_AFTER, &seconds.to_string());
        }
        if asked.path == HICCUP && !std::mem::replace(&mut memory.hiccup_over, true) {
            return plain(StatusCode::SERVICE_UNAVAILABLE, self.hiccup.clone());
        }
        self.stored(asked)
    }

    fn stored(&self, asked: &Asked<'_>) -> Response<Bytes> {
        if let Some((status, target)) = self.moved.get(asked.path) {
            return with(plain(*status, Bytes::new()), LOCATION, target);
        }
        let basket = asked.path.starts_with(CLOSED).then_some(&self.basket);
        let Some(found) = basket.or_else(|| self.shelves.get(asked.path)) else {
            return plain(StatusCode::NOT_FOUND, self.missing.clone());
        };
        found.reply(asked)
    }
}

pub(super) fn bare(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply
}

pub(super) fn plain(status: StatusCode, body: Bytes) -> Response<Bytes> {
    with(bare(status, body), CONTENT_TYPE, HTML)
}

pub(super) fn with(mut reply: Response<Bytes>, name: HeaderName, value: &str) -> Response<Bytes> {
    let value = HeaderValue::from_str(value).expect("the shop writes its headers in plain ASCII");
    reply.headers_mut().insert(name, value);
    reply
}

fn robots(base: &str) -> String {
    format!("User-agent: *\nDisallow: {CLOSED}\nCrawl-delay: {CRAWL_DELAY}\n\nSitemap: {base}/sitemap.xml\n")
}

fn sitemap(base: &str, books: &[Book]) -> Resource {
    let entries: String = books
        .iter()
        .map(|b| {
            format!("<url><loc>{base}{}</loc><lastmod>{}</lastmod></url>\n", b.path(), plain_date(b.updated))
        })
        .collect();
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n{entries}</urlset>\n"
    );
    let newest = books.iter().map(|b| b.updated).max().unwrap_or(OPENED);
    Resource::new("application/xml", text, newest)
}

/// Where the old addresses lead: with an absolute or a relative `Location`, by turns.
fn moved(base: &str, books: &[Book]) -> HashMap<String, (StatusCode, String)> {
    let mut moved: HashMap<_, _> = CLASSICS
        .iter()
        .map(|old| {
            (format!("/books/{old}"), (StatusCode::FOUND, format!("{base}{}", books[old - 1000].path())))
        })
        .collect();
    moved.insert("/index.html".to_owned(), (StatusCode::MOVED_PERMANENTLY, "/".to_owned()));
    moved.insert("/shop/".to_owned(), (StatusCode::PERMANENT_REDIRECT, "../catalogue/".to_owned()));
    moved
}

/// Lets [`Throttle::BURST`] requests through at once and [`Throttle::A_SECOND`] more with every second; then refuses all until
/// the wait that it told is over.
struct Throttle {
    /// In thousandths of a request.
    credit: u64,
    counted_at: u64,
    closed_until: u64,
    breaches: usize,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { credit: Self::BURST * 1000, counted_at: 0, closed_until: 0, breaches: 0 }
    }
}

impl Throttle {
    const BURST: u64 = 6;
    const A_SECOND: u64 = 3;
    const WAIT_MS: u64 = 2000;

    /// Lets a request in, or says how many seconds the client has to wait.
    fn admit(&mut self, now_ms: u64) -> Result<(), u64> {
        if now_ms < self.closed_until {
            self.breaches += 1;
            return Err((self.closed_until - now_ms).div_ceil(1000));
        }
        let earned = now_ms.saturating_sub(self.counted_at).saturating_mul(Self::A_SECOND);
        self.credit = self.credit.saturating_add(earned).min(Self::BURST * 1000);
        self.counted_at = now_ms;
        match self.credit.checked_sub(1000) {
            Some(left) => self.credit = left,
            None => {
                self.closed_until = now_ms + Self::WAIT_MS;
                return Err(Self::WAIT_MS / 1000);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
