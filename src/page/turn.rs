//! The next page of a list: where the page says it is, or by counting.
//!
//! What is made here has the label, the data, the priority and the depth of the page before: it is another part of the same list.
//! The seen-set ends a list that leads back into itself; to stop at a page that holds nothing is for the spider.

use std::sync::Arc;

use http::Method;

use super::gist::has_word;
use crate::headers::link;
use crate::page::Page;
use crate::request::{Dedup, Kind, Request};
use crate::url::{CanonicalUrl, parameter, set_parameter};

impl Page {
    /// The page that this one names as its next: a `Link` header field with `rel=next` (RFC 8288), else the first `<link>`, `<a>` or
    /// `<area>` with it (HTML 4.6.7). `None` on the last page.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use crawl::{page::Page, request::Request, response::Response, url::CanonicalUrl};
    /// let url = CanonicalUrl::parse("https://shop.example/books/")?;
    /// let body = "<a rel=next href=?page=2>more</a>";
    /// let response = Response::of(url.clone(), http::StatusCode::OK, body);
    /// let page = Page::new(std::sync::Arc::new(Request::get(url).label("list")), response);
    ///
    /// let next = page.next_page().unwrap();
    /// assert_eq!(next.url.as_str(), "https://shop.example/books/?page=2");
    /// assert_eq!(next.label.as_deref(), Some("list"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn next_page(&self) -> Option<Request> {
        let told = link::target(&self.response().headers, "next");
        let told = told.and_then(|target| self.canon.join(self.url().as_url(), &target).ok());
        let url = told.or_else(|| self.named_next());
        url.and_then(|url| self.turn_to(url))
    }

    fn named_next(&self) -> Option<CanonicalUrl> {
        self.elements()
            .filter(|element| matches!(element.name(), "link" | "a" | "area"))
            .filter(|element| has_word(element.attr("rel"), "next"))
            .filter_map(|element| element.attr("href"))
            .find_map(|href| self.join(href).ok())
    }

    /// A GET of another page of the same list; `None` for this page itself.
    pub(crate) fn turn_to(&self, url: CanonicalUrl) -> Option<Request> {
        let mut request = again(self.request(), url);
        request.method = Method::GET;
        request.body = None;
        request.headers.clear();
        (request.url != *self.url()).then_some(request)
    }
}

/// The same request for another page of the same list: method and body as they are. Header fields stay within the origin.
pub(crate) fn again(request: &Request, url: CanonicalUrl) -> Request {
    let mut next = request.clone();
    if url.origin() != request.origin() {
        next.headers.clear();
    }
    next.url = url;
    (next.kind, next.dedup) = (Kind::NextPage, Dedup::Once);
    (next.hops, next.not_before) = (0, None);
    (next.modified, next.every) = (None, None);
    next
}

/// Pages that are told apart by a number in their URL: `?page=2`, `?offset=100`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use crawl::{page::{Page, turn::Counter}, request::Request, response::Response, url::CanonicalUrl};
/// let url = CanonicalUrl::parse("https://api.example/books?q=tea")?;
/// let page = Page::new(std::sync::Arc::new(Request::get(url.clone())), Response::of(url, http::StatusCode::OK, "[]"));
///
/// let second = Counter::of("page").next(&page).unwrap();
/// assert_eq!(second.url.as_str(), "https://api.example/books?q=tea&page=2");
/// let second = Counter::of("offset").from(0).step(50).next(&page).unwrap();
/// assert_eq!(second.url.as_str(), "https://api.example/books?q=tea&offset=50");
/// assert!(Counter::of("page").to(1).next(&page).is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    parameter: Arc<str>,
    from: u64,
    step: u64,
    to: u64,
}

impl Counter {
    /// Counts in this parameter of the query, from 1 on.
    #[must_use]
    pub fn of(parameter: impl Into<Arc<str>>) -> Self {
        Self { parameter: parameter.into(), from: 1, step: 1, to: u64::MAX }
    }

    /// The number of the first page, which it may have without saying so. Default 1.
    #[must_use]
    pub fn from(self, from: u64) -> Self {
        Self { from, ..self }
    }

    /// From one page to the next: 1, or the items of a page where they are counted. Default 1; 0 gives no next page.
    #[must_use]
    pub fn step(self, step: u64) -> Self {
        Self { step, ..self }
    }

    /// The number of the last page. Default: there is none.
    #[must_use]
    pub fn to(self, to: u64) -> Self {
        Self { to, ..self }
    }

    /// The number in the page's URL; that of the first page if there is none.
    #[must_use]
    pub fn number(&self, page: &Page) -> u64 {
        let told = parameter(page.url().as_url(), &self.parameter);
        told.and_then(|number| number.trim().parse().ok()).unwrap_or(self.from)
    }

    /// The page behind this one; `None` behind the last.
    #[must_use]
    pub fn next(&self, page: &Page) -> Option<Request> {
        let number = self.number(page).checked_add(self.step).filter(|number| *number <= self.to)?;
        let mut url = page.url().as_url().clone();
        url.set_query(Some(&set_parameter(url.query().unwrap_or(""), &self.parameter, &number.to_string())));
        page.turn_to(page.accept(url).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::Response;

    fn page(url: &str, link: Option<&str>, body: &str) -> Page {
        let request = Request::get(CanonicalUrl::parse(url).unwrap()).label("list").priority(3);
        let mut response = Response::of(request.url.clone(), http::StatusCode::OK, body.to_owned());
        response.headers.insert("content-type", "text/html".parse().unwrap());
        if let Some(link) = link {
            response.headers.insert("link", link.parse().unwrap());
        }
        Page::new(Arc::new(request.with_data(&7).unwrap()), response)
    }

    #[test]
    fn the_header_speaks_before_the_document_and_is_not_moved_by_its_base() {
        let body = "<base href=http://b.example/><link rel='Next prefetch' href=3>";
        let next = page("http://a.example/x/1", Some("<2>; rel=next"), body).next_page().unwrap();
        assert_eq!(next.url.as_str(), "http://a.example/x/2");
        let next = page("http://a.example/x/1", Some("<2>; rel=prev"), body).next_page().unwrap();
        assert_eq!(next.url.as_str(), "http://b.example/3");
    }

    #[test]
    fn a_next_page_is_a_part_of_the_same_list() {
        let next = page("http://a.example/1", None, "<a rel=next href=2>x</a>").next_page().unwrap();
        assert_eq!((next.label.as_deref(), next.priority, next.kind), (Some("list"), 3, Kind::NextPage));
        assert_eq!(next.data::<u8>().unwrap(), 7);
    }

    #[test]
    fn a_page_is_not_its_own_next_one() {
        assert!(page("http://a.example/1", None, "<a rel=next href='#'>x</a>").next_page().is_none());
        assert!(page("http://a.example/1", None, "<a href=2>next</a>").next_page().is_none());
    }

    #[test]
    fn a_counter_goes_on_from_the_number_in_the_url_to_the_last() {
        let counter = Counter::of("p").to(4);
        let next = |url: &str| counter.next(&page(url, None, "")).map(|next| next.url.to_string());
        assert_eq!(next("http://a.example/?p=3&x=1").as_deref(), Some("http://a.example/?p=4&x=1"));
        assert_eq!(next("http://a.example/?p=4"), None);
        assert_eq!(next("http://a.example/?p=many").as_deref(), Some("http://a.example/?p=2"));
        assert_eq!(next(&format!("http://a.example/?p={}", u64::MAX)), None);
    }
}
