//! A response with its HTML parsed when asked for. Lives on one worker.
//!
//! Nothing is decoded or parsed before it is asked for, and each only once. An answer that is no HTML has an empty
//! document: no title, no links.
//!
//! What a page costs is bounded here and not left to the page: a document deeper than [`tree::MAX_DEPTH`] is flattened, a tree ends at
//! [`tree::MAX_WEIGHT`] elements, a tag keeps [`markup::MAX_ATTRIBUTES`], [`links::MAX_LINKS`] links are read. Every pass is linear.

pub mod charset;
pub mod css;
pub mod element;
mod error;
mod find;
pub mod form;
mod gist;
mod impression;
mod in_place;
pub mod json;
mod leads;
pub mod links;
pub mod markup;
pub(crate) mod outline;
mod reference;
pub mod refresh;
mod scan;
mod serialize;
mod sniff;
pub mod tree;
pub mod turn;
mod written;

use std::cell::{Cell, OnceCell};
use std::sync::Arc;
use std::time::Duration;

use encoding_rs::Encoding;
use http::StatusCode;
use scraper::{ElementRef, Html};
use serde::de::{DeserializeOwned, Error};
use serde_json::Value;
use url::Url;

pub use error::{ExtractError, FieldError, FieldFault};

use css::AsCss;
use element::{Element, Selection};
use form::Form;
use gist::{Gist, Piece};
pub(crate) use leads::Leads;
use links::{Links, links};
use outline::Outline;
use refresh::Refresh;
use tree::{Document, Limit};

use crate::clock::{Clock, Spent};
use crate::headers::charset::ContentType;
use crate::headers::directives::PageDirectives;
use crate::request::Request;
use crate::response::Response;
use crate::url::{Canon, CanonicalUrl, UrlError};

/// A page: the request that led here, the response, and its document.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use crawl::page::Page;
/// use crawl::request::Request;
/// use crawl::response::Response;
/// use crawl::url::CanonicalUrl;
///
/// let url = CanonicalUrl::parse("https://shop.example/books/")?;
/// let body = "<h1> All  books </h1> <a class=next href=?page=2>more</a>";
/// let response = Response::of(url.clone(), http::StatusCode::OK, body);
/// let page = Page::new(std::sync::Arc::new(Request::get(url)), response);
///
/// assert_eq!(page.text_of("h1")?.as_deref(), Some("All books"));
/// for link in page.select("a.next")?.attrs("href") {
///     let next = page.follow(link)?.label("list");
///     assert_eq!(next.url.as_str(), "https://shop.example/books/?page=2");
/// }
/// # Ok(())
/// # }
/// ```
pub struct Page {
    request: Arc<Request>,
    response: Response,
    canon: Canon,
    /// What is known of where references lead, in this normal form.
    leads: Option<Arc<Leads>>,
    pub(crate) most_links: usize,
    most_depth: usize,
    content_type: OnceCell<Option<ContentType>>,
    encoding: OnceCell<&'static Encoding>,
    /// The body lies in it too, if they are the same.
    text: OnceCell<Arc<String>>,
    document: OnceCell<Document>,
    gist: OnceCell<Gist>,
    base: OnceCell<Url>,
    json: OnceCell<Result<Value, String>>,
    outline: OnceCell<Outline>,
    /// What selectors have looked at, as far as it is counted.
    looked_at: Cell<u64>,
    /// How long decoding and parsing take, if somebody wants to know.
    parsing: Option<Spent>,
}

impl Page {
    /// A page of this request and response.
    #[must_use]
    pub fn new(request: Arc<Request>, response: Response) -> Self {
        Self {
            request,
            response,
            canon: Canon::default(),
            leads: None,
            most_links: links::MAX_LINKS,
            most_depth: tree::MAX_DEPTH,
            content_type: OnceCell::new(),
            encoding: OnceCell::new(),
            text: OnceCell::new(),
            document: OnceCell::new(),
            gist: OnceCell::new(),
            base: OnceCell::new(),
            json: OnceCell::new(),
            outline: OnceCell::new(),
            looked_at: Cell::new(0),
            parsing: None,
        }
    }

    /// Measures how long it takes to decode and parse it.
    pub(crate) fn measured_by(mut self, clock: Clock) -> Self {
        self.parsing = Some(Spent::new(clock));
        self
    }

    /// How long decoding and parsing took; nothing unless it was measured.
    pub(crate) fn parsing(&self) -> Duration {
        self.parsing.as_ref().map_or(Duration::ZERO, Spent::total)
    }

    /// Decodes or parses something of it, and counts the time if that is wanted.
    fn parse<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.parsing {
            Some(spent) => spent.during(work),
            None => work(),
        }
    }

    /// Brings its links into normal form by these steps instead of the default ones.
    #[must_use]
    pub fn with_canon(mut self, canon: Canon) -> Self {
        self.canon = canon;
        self
    }

    /// The request that led here: label, data and depth.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The response as received.
    #[must_use]
    pub fn response(&self) -> &Response {
        &self.response
    }

    /// The URL that was asked.
    #[must_use]
    pub fn url(&self) -> &CanonicalUrl {
        &self.response.url
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status
    }

    /// A header's value as text, if it is there and readable.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.header(name)
    }

    /// What `Content-Type` says; `None` if it is absent or unreadable.
    #[must_use]
    pub fn content_type(&self) -> Option<&ContentType> {
        self.content_type.get_or_init(|| self.header("content-type").and_then(ContentType::parse)).as_ref()
    }

    /// Whether it is read as HTML: by its `Content-Type`, or where there is none by how the body begins.
    #[must_use]
    pub fn is_html(&self) -> bool {
        match self.content_type() {
            Some(said) => said.is_html(),
            None => sniff::looks_like_html(&self.response.body),
        }
    }

    /// The body as text. What is not valid in its encoding becomes U+FFFD.
    #[must_use]
    pub fn text(&self) -> &str {
        let decoded = || Arc::new(self.encoding().decode(&self.response.body).0.into_owned());
        self.text.get_or_init(|| self.parse(decoded))
    }

    /// The encoding it is read in: byte order mark, `Content-Type`, the document's own word, windows-1252.
    #[must_use]
    pub fn encoding(&self) -> &'static Encoding {
        self.encoding.get_or_init(|| charset::encoding(self.content_type(), &self.response.body))
    }

    /// The body read as JSON.
    ///
    /// # Errors
    /// [`ExtractError::Json`] if it is no JSON, or of another shape than `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ExtractError> {
        Ok(self.parse(|| serde_json::from_str(self.text()))?)
    }

    /// The body read as a JSON value, once, and of bounded size: see [`mod@json`].
    ///
    /// # Errors
    /// [`ExtractError::Json`] if it is no JSON, or too large to be kept in memory.
    pub fn json_value(&self) -> Result<&Value, ExtractError> {
        let parsed = || self.parse(|| json::read(self.text()).map_err(|error| error.to_string()));
        let read = self.json.get_or_init(parsed);
        read.as_ref().map_err(|reason| ExtractError::Json(serde_json::Error::custom(reason)))
    }

    /// Whether it is read as JSON: by its `Content-Type`, or where there is none by how the body begins.
    #[must_use]
    pub fn is_json(&self) -> bool {
        match self.content_type() {
            Some(said) => said.is_json(),
            None => json::looks_like_json(&self.response.body),
        }
    }

    /// The document. Of an answer that is no HTML it is empty.
    #[must_use]
    pub fn html(&self) -> &Html {
        &self.document().html
    }

    /// The document as a list of nodes, made when first asked for.
    pub(crate) fn outline(&self) -> &Outline {
        self.outline.get_or_init(|| self.parse(|| Outline::of(self.html())))
    }

    /// The limits that the document ran into, if it was built.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        self.document.get().map_or(&[], |document| &document.limits)
    }

    fn document(&self) -> &Document {
        let text = || if self.is_html() { self.text() } else { "" };
        self.document.get_or_init(|| self.parse(|| markup::parse_within(text(), self.most_depth)))
    }

    /// The folded text of the first `<title>` that is not empty.
    #[must_use]
    pub fn title(&self) -> Option<String> {
        self.gist().title.clone()
    }

    /// What relative URLs are resolved against: the first `<base href>` if it is http or https, else the page's URL.
    #[must_use]
    pub fn base_url(&self) -> &Url {
        self.base.get_or_init(|| {
            let document = self.url().as_url();
            let base = self.gist().base.as_ref().map(|href| href.of(self.text()));
            base.and_then(|href| reference::resolve(document, href, self.encoding()))
                .filter(|base| matches!(base.scheme(), "http" | "https"))
                .unwrap_or_else(|| document.clone())
        })
    }

    /// The links of the page, see [`mod@links`].
    #[must_use]
    pub fn links(&self) -> Links {
        links(self)
    }

    /// The URL that the page wants to be known by: the first `<link rel=canonical>` that is a URL.
    #[must_use]
    pub fn canonical(&self) -> Option<CanonicalUrl> {
        self.gist().canonical.iter().find_map(|href| self.join(href.of(self.text())).ok())
    }

    /// What the page asks of robots, in its headers and in `<meta name=robots>`, or by the name of `agent`, the crawler's
    /// product token. The most restrictive wins.
    #[must_use]
    pub fn directives(&self, agent: &str) -> PageDirectives {
        let mut asked = PageDirectives::default();
        for meta in &self.gist().metas {
            let name = self.said(meta.name.as_ref()).trim();
            let to_us = name.eq_ignore_ascii_case("robots")
                || (!agent.is_empty() && name.eq_ignore_ascii_case(agent));
            if to_us {
                asked.add_list(self.said(meta.content.as_ref()));
            }
        }
        PageDirectives::of_headers(&self.response.headers, agent).and(asked)
    }

    /// The first `<meta http-equiv=refresh>` that asks for something, and its target if that can be crawled. One in `<noscript>`
    /// is left out: it leads away from what is there for everybody, most often to a page that asks for scripts.
    #[must_use]
    pub fn meta_refresh(&self) -> Option<(Refresh, Option<CanonicalUrl>)> {
        let metas = self.gist().metas.iter();
        let refresh = metas
            .filter(|meta| {
                self.said(meta.http_equiv.as_ref()).eq_ignore_ascii_case("refresh") && !meta.without_scripts
            })
            .find_map(|meta| Refresh::parse(self.said(meta.content.as_ref())))?;
        let url = if refresh.target.is_empty() {
            Some(self.url().clone())
        } else {
            self.join(&refresh.target).ok()
        };
        Some((refresh, url))
    }

    /// The `<html>` element.
    #[must_use]
    pub fn root(&self) -> Option<Element<'_>> {
        let mut nodes = self.html().tree.root().children().filter_map(ElementRef::wrap);
        nodes.next().map(|node| Element::new(self, node))
    }

    /// All elements that match.
    ///
    /// # Errors
    /// If `css` is no selector.
    pub fn select<'c>(&self, css: impl AsCss<'c>) -> Result<Selection<'_>, ExtractError> {
        let css = css.css()?;
        Ok(Selection::of(self.matches(&css).collect()))
    }

    /// The first element that matches.
    ///
    /// # Errors
    /// If `css` is no selector.
    pub fn first<'c>(&self, css: impl AsCss<'c>) -> Result<Option<Element<'_>>, ExtractError> {
        let css = css.css()?;
        Ok(self.matches(&css).next())
    }

    /// The folded text of the first element that matches.
    ///
    /// # Errors
    /// If `css` is no selector.
    pub fn text_of<'c>(&self, css: impl AsCss<'c>) -> Result<Option<String>, ExtractError> {
        Ok(self.first(css)?.map(|element| element.text()))
    }

    /// An attribute of the first element that matches.
    ///
    /// # Errors
    /// If `css` is no selector.
    pub fn attr_of<'c>(&self, css: impl AsCss<'c>, attribute: &str) -> Result<Option<&str>, ExtractError> {
        Ok(self.first(css)?.and_then(|element| element.attr(attribute)))
    }

    /// All forms, in the order of the page.
    #[must_use]
    pub fn forms(&self) -> Vec<Form> {
        form::Reader::read(self).into_iter().map(|(_, form)| form).collect()
    }

    /// The form that the selector finds first, or the one around the first element that it finds.
    ///
    /// # Errors
    /// If `css` is no selector.
    pub fn form<'c>(&self, css: impl AsCss<'c>) -> Result<Option<Form>, ExtractError> {
        let Some(found) = self.first(css)? else {
            return Ok(None);
        };
        let around = found.around();
        let forms = form::Reader::read(self).into_iter();
        let mut forms =
            forms.filter(|(node, _)| around.contains(node) || self.owner(found.id()) == Some(*node));
        Ok(forms.next_back().map(|(_, form)| form))
    }

    /// Makes a reference of this page absolute and brings it into normal form.
    ///
    /// # Errors
    /// If it is no http or https URL.
    pub fn join(&self, reference: &str) -> Result<CanonicalUrl, UrlError> {
        match self.absolute(reference) {
            Some(url) => self.accept(url),
            None => self.canon.join(self.base_url(), reference),
        }
    }

    /// A request for a reference of this page.
    ///
    /// # Errors
    /// If it is no http or https URL.
    pub fn follow(&self, reference: &str) -> Result<Request, UrlError> {
        self.join(reference).map(|url| self.request_for(url))
    }

    /// The form that the tree builder has put an element into, wherever it stands.
    fn owner(&self, node: tree::NodeId) -> Option<tree::NodeId> {
        self.document().owners.get(&node).copied()
    }

    pub(crate) fn request_for(&self, url: CanonicalUrl) -> Request {
        let mut request = Request::get(url);
        request.spider = self.request.spider;
        request
    }

    /// All elements in the order of the document.
    pub(crate) fn elements(&self) -> impl Iterator<Item = Element<'_>> {
        let nodes = self.html().tree.root().descendants().filter_map(ElementRef::wrap);
        nodes.map(|node| Element::new(self, node))
    }

    pub(crate) fn gist(&self) -> &Gist {
        self.gist.get_or_init(|| self.parse(|| Gist::of(self)))
    }

    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = Element<'_>> {
        self.elements().filter(move |element| element.name() == name)
    }

    fn said<'p>(&'p self, piece: Option<&'p Piece>) -> &'p str {
        piece.map_or("", |piece| piece.of(self.text()))
    }
}

/// The text of a piece of markup: without tags, scripts and styles, its character references read.
pub(crate) fn markup_text(markup: &str) -> String {
    let document = markup::parse(&format!("<body>{markup}"));
    element::text_up_to(document.html.root_element(), usize::MAX)
}

/// A text with its character references (`&amp;`) read, and nothing else.
pub(crate) fn unescaped(text: &str) -> String {
    if text.contains('&') { markup_text(&text.replace('<', "&lt;")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests;
