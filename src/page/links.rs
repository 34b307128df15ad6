//! The links of a page.
//!
//! A link is an `<a>` or `<area>` with an `href`, as for Scrapy and Colly; frames, images, scripts and `<link>` elements
//! are not followed unless a spider does so itself. Links to other schemes than http and https, and those that are no
//! URL, are left out without a word: every page has some.

use super::element::{Element, fold};
use crate::page::Page;
use crate::url::CanonicalUrl;

/// Links of one page that are read; further ones are only counted.
pub const MAX_LINKS: usize = 10_000;

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
    /// The links, not more than [`MAX_LINKS`]. The same URL may stand here several times.
    pub links: Vec<Link>,
    /// Link elements behind [`MAX_LINKS`], which were not read.
    pub unread: usize,
}

/// All links of `page`.
#[must_use]
pub fn links(page: &Page) -> Links {
    let (found, unread) = link_elements(page);
    Links { links: found.into_iter().map(|(_, link)| link).collect(), unread }
}

/// Links with their elements, and how many were not read.
pub(crate) fn link_elements(page: &Page) -> (Vec<(Element<'_>, Link)>, usize) {
    let mut elements = page.elements().filter(is_link);
    let found = elements
        .by_ref()
        .take(MAX_LINKS)
        .filter_map(|element| Some((element, link(page, element)?)))
        .collect();
    (found, elements.count())
}

fn is_link(element: &Element<'_>) -> bool {
    matches!(element.name(), "a" | "area") && element.attr("href").is_some()
}

fn link(page: &Page, element: Element<'_>) -> Option<Link> {
    let target = element.url("href")?;
    let fragment = target.fragment().map(str::to_owned);
    let rel = element.attr("rel").unwrap_or_default();
    Some(Link {
        url: page.accept(target).ok()?,
        text: fold(&element.raw_text_up_to(MAX_LINK_TEXT)),
        fragment,
        nofollow: rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("nofollow")),
    })
}
