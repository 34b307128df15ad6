//! The links of a page.
//!
//! A link is an `<a>` or `<area>` with an `href`, as for Scrapy and Colly; frames, images, scripts and `<link>` elements
//! are not followed unless a spider does so itself. Links to other schemes than http and https, and those that are no
//! URL, are left out without a word: every page has some.

use std::collections::HashSet;

use super::element::{Element, fold};
use super::tree::MAX_DEPTH;
use crate::page::Page;
use crate::url::{CanonicalUrl, Fingerprint, Keys, MAX_URL_BYTES};

/// Different places that the links of one page may lead to unless it is told otherwise; links behind that are only counted.
pub const MAX_LINKS: usize = 10_000;

/// Links of one page for which room is made at once.
const LIKELY: usize = 256;

/// Bytes of a link's text that are kept.
const MAX_LINK_TEXT: usize = 1_000;

/// One link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where to, in normal form.
    pub url: CanonicalUrl,
    /// The text inside, folded and cut at about a thousand bytes; empty for an `<area>`.
    pub text: String,
    /// What stood behind `#`.
    pub fragment: Option<String>,
    /// Whether its `rel` says `nofollow`.
    pub nofollow: bool,
}

/// The links of a page, in the order of the document.
#[derive(Debug, Default)]
pub struct Links {
    /// The links, to [`MAX_LINKS`] places at most, or as many as [`Page::with_most_links`] says. The same URL may stand here several times, but a page that repeats itself
    /// has not more than twice as many links as that.
    pub links: Vec<Link>,
    /// Link elements behind [`MAX_LINKS`], which were not read.
    pub unread: usize,
}

impl Page {
    /// Reads links to so many different places instead of [`MAX_LINKS`].
    #[must_use]
    pub fn with_most_links(mut self, most: usize) -> Self {
        self.most_links = most;
        self
    }

    /// Lets so many elements stand in one another instead of [`MAX_DEPTH`], which is also the most; deeper ones are flattened.
    #[must_use]
    pub fn with_most_depth(mut self, most: usize) -> Self {
        self.most_depth = most.min(MAX_DEPTH);
        self
    }
}

/// All links of `page`.
#[must_use]
pub fn links(page: &Page) -> Links {
    let (found, unread) = link_elements(page);
    Links { links: found.into_iter().map(|(_, link)| link).collect(), unread }
}

/// Links with their elements, and how many were not read.
pub(crate) fn link_elements(page: &Page) -> (Vec<(Element<'_>, Link)>, usize) {
    let (mut found, mut places) = (Vec::new(), HashSet::new());
    let mut elements = page.elements().filter(is_link);
    while places.len() < page.most_links
        && let Some(element) = elements.next()
    {
        let Some((url, fragment)) = target(page, element) else { continue };
        let is_new = places.insert(url.clone());
        // An index names the same pages over and over: what counts are the places that it leads to.
        if is_new || found.len() < page.most_links {
            found.push((element, link(element, url, fragment)));
        }
    }
    (found, elements.count())
}

/// Where a link leads, which is all that most crawls want to know of it.
pub(crate) struct Target {
    pub(crate) url: CanonicalUrl,
    pub(crate) nofollow: bool,
}

/// Places, each with what `rel` says of it.
type PlacesSeen = HashSet<(Fingerprint, bool), Keys>;

/// Where the links of `page` lead, each place once (twice if only one of two links says `nofollow`), and how many links were not
/// read. Needs no tree.
pub(crate) fn targets(page: &Page) -> (Vec<Target>, usize) {
    let gist = page.gist();
    let likely = gist.anchors.len().min(page.most_links).min(LIKELY);
    let mut found = Vec::with_capacity(likely);
    let room = || PlacesSeen::with_capacity_and_hasher(likely, Keys::default());
    let (mut seen, mut places) = (room(), room());
    let (source, mut anchors) = (page.text(), gist.anchors.iter());
    let mut leads = page.leads();
    while places.len() < page.most_links
        && let Some(anchor) = anchors.next()
    {
        let (href, nofollow) = (anchor.href.of(source), anchor.nofollow);
        let what_decides = up_to_fragment(href);
        if !seen.insert((Fingerprint::of(what_decides.as_bytes()), nofollow)) {
            continue;
        }
        let parse = || page.absolute(href).and_then(|url| page.accept(url).ok());
        let url = match &mut leads {
            Some(leads) => leads.lead(what_decides, parse),
            None => parse(),
        };
        let Some(url) = url else { continue };
        if places.insert((url.fingerprint(), nofollow)) {
            found.push(Target { url, nofollow });
        }
    }
    (found, anchors.len() + gist.unread)
}

/// What decides where a reference leads, and whether it is accepted. The `#` stays: white space before it is part of the URL, and at
/// the end it is not.
fn up_to_fragment(href: &str) -> &str {
    if href.len() > MAX_URL_BYTES {
        return href;
    }
    memchr::memchr(b'#', href.as_bytes()).map_or(href, |at| &href[..=at])
}

fn is_link(element: &Element<'_>) -> bool {
    matches!(element.name(), "a" | "area") && element.attr("href").is_some()
}

fn target(page: &Page, element: Element<'_>) -> Option<(CanonicalUrl, Option<String>)> {
    let target = element.url("href")?;
    let fragment = target.fragment().map(str::to_owned);
    Some((page.accept(target).ok()?, fragment))
}

fn link(element: Element<'_>, url: CanonicalUrl, fragment: Option<String>) -> Link {
    let rel = element.attr("rel").unwrap_or_default();
    Link {
        url,
        text: fold(&element.raw_text_up_to(MAX_LINK_TEXT)),
        fragment,
        nofollow: rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("nofollow")),
    }
}
