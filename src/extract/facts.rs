//! What can be known of a page without a spider: for looking at single pages.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use std::sync::Arc;

use crate::headers::directives::PageDirectives;
use crate::page::Page;
use crate::request::Request;
use crate::response::Response;
use crate::url::CanonicalUrl;

/// What a page says of itself.
#[derive(Debug, Serialize)]
pub struct PageFacts {
    /// The page's URL.
    pub url: CanonicalUrl,
    /// Name of the encoding it was read in.
    pub encoding: &'static str,
    /// Whether it was read as HTML.
    pub html: bool,
    /// Its title.
    pub title: Option<String>,
    /// What relative URLs are resolved against.
    pub base: String,
    /// Its links in the order of the document.
    pub links: Vec<LinkFact>,
    /// Links that were not read because there are too many.
    pub unread_links: usize,
    /// The URL that it wants to be known by.
    pub canonical: Option<CanonicalUrl>,
    /// What it asks of robots.
    pub robots: PageDirectives,
    /// Where it sends its visitors after a while.
    pub meta_refresh: Option<RefreshFact>,
}

/// A link as [`PageFacts`] shows it.
#[derive(Debug, Serialize)]
pub struct LinkFact {
    /// Where to, in normal form.
    pub url: CanonicalUrl,
    /// The text inside.
    pub text: String,
    /// What stood behind `#`.
    pub fragment: Option<String>,
    /// Whether its `rel` says `nofollow`.
    pub nofollow: bool,
}

/// A refresh as [`PageFacts`] shows it.
#[derive(Debug, Serialize)]
pub struct RefreshFact {
    /// Whole seconds to wait.
    pub seconds: u64,
    /// Where to, as written; empty for the page itself.
    pub target: String,
    /// Where to, made absolute; `None` if that is no http or https URL.
    pub url: Option<CanonicalUrl>,
}

/// Reads a page as a crawl with the product token `agent` would.
#[must_use]
pub fn describe(url: &CanonicalUrl, headers: HeaderMap, body: impl Into<Bytes>, agent: &str) -> PageFacts {
    let response = Response { headers, ..Response::of(url.clone(), StatusCode::OK, body) };
    let page = Page::new(Arc::new(Request::get(url.clone())), response);
    let links = page.links();
    PageFacts {
        url: url.clone(),
        encoding: page.encoding().name(),
        html: page.is_html(),
        title: page.title(),
        base: page.base_url().as_str().to_owned(),
        unread_links: links.unread,
        links: links.links.into_iter().map(LinkFact::from).collect(),
        canonical: page.canonical(),
        robots: page.directives(agent),
        meta_refresh: page.meta_refresh().map(|(refresh, url)| RefreshFact {
            seconds: refresh.seconds,
            target: refresh.target,
            url,
        }),
    }
}

impl From<crate::page::links::Link> for LinkFact {
    fn from(link: crate::page::links::Link) -> Self {
        Self { url: link.url, text: link.text, fragment: link.fragment, nofollow: link.nofollow }
    }
}
