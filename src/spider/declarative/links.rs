//! Links and where they stand: in the markup, in a JSON answer, in a feed.

use std::collections::HashSet;

use serde_json::Value;

use super::FollowRule;
use super::values::Place;
use crate::extract::ExtractError;
use crate::extract::feed::feed;
use crate::extract::xpath::{Found, XPath};
use crate::page::Page;
use crate::page::element::{Element, fold};
use crate::page::links::Link;
use crate::page::tree::NodeId;
use crate::url::CanonicalUrl;

/// Bytes of a link's text that a rule looks at.
const MAX_TEXT: usize = 1_000;

/// A link that was found.
pub(super) struct Sighted<'p> {
    pub(super) url: CanonicalUrl,
    pub(super) text: String,
    pub(super) nofollow: bool,
    /// Where it stands on its page.
    pub(super) near: Place<'p>,
}

impl<'p> Sighted<'p> {
    pub(super) fn of((element, link): (Element<'p>, Link)) -> Self {
        Self { url: link.url, text: link.text, nofollow: link.nofollow, near: Place::Element(element) }
    }

    /// A URL that stands nowhere in particular.
    pub(super) fn to(url: CanonicalUrl) -> Self {
        Self::bare(url, String::new(), Place::Page)
    }

    /// The elements around it.
    pub(super) fn around(&self) -> Vec<NodeId> {
        match self.near {
            Place::Element(element) => element.around(),
            Place::Page | Place::Value(_) => Vec::new(),
        }
    }

    fn bare(url: CanonicalUrl, text: String, near: Place<'p>) -> Self {
        Self { url, text, nofollow: false, near }
    }
}

/// The part of a page to which a rule is bound, and URLs that an XPath gives as text.
#[derive(Default)]
pub(super) struct Region {
    pub(super) elements: HashSet<NodeId>,
    pub(super) texts: Vec<String>,
}

/// The region of a rule; `None` if it is bound to none.
pub(super) fn region(rule: &FollowRule, page: &Page) -> Result<Option<Region>, ExtractError> {
    if let Some(xpath) = &rule.xpath {
        return by_xpath(xpath, page).map(Some);
    }
    let Some(css) = &rule.css else { return Ok(None) };
    let elements = page.matches(css).map(|element| element.id()).collect();
    Ok(Some(Region { elements, texts: Vec::new() }))
}

fn by_xpath(xpath: &XPath, page: &Page) -> Result<Region, ExtractError> {
    let mut region = Region::default();
    for found in xpath.evaluate(page, None)? {
        match found {
            Found::Element(element) => _ = region.elements.insert(element.id()),
            Found::Text(text) => region.texts.push(text),
        }
    }
    Ok(region)
}

/// Texts that an XPath gave, read as URLs.
pub(super) fn of_texts<'p>(region: Option<&Region>, page: &'p Page) -> Vec<Sighted<'p>> {
    let texts = region.map(|region| region.texts.as_slice()).unwrap_or_default();
    let urls = texts.iter().filter_map(|text| page.join(text).ok());
    urls.take(page.most_links).map(Sighted::to).collect()
}

/// URLs in the attributes that a rule names, of the elements that it names.
pub(super) fn of_attributes<'p>(rule: &FollowRule, page: &'p Page) -> Vec<Sighted<'p>> {
    let has_tag = |element: &Element<'_>| {
        rule.tags.is_empty() || rule.tags.iter().any(|tag| tag.eq_ignore_ascii_case(element.name()))
    };
    let names: Vec<&str> =
        if rule.attrs.is_empty() { vec!["href"] } else { rule.attrs.iter().map(String::as_str).collect() };
    let mut found = Vec::new();
    for element in page.elements().filter(has_tag) {
        for url in names.iter().filter_map(|name| page.join(element.attr(name)?).ok()) {
            found.push(sighted(element, url));
            if found.len() >= page.most_links {
                return found;
            }
        }
    }
    found
}

fn sighted(element: Element<'_>, url: CanonicalUrl) -> Sighted<'_> {
    let rel = element.attr("rel").unwrap_or_default();
    Sighted {
        url,
        text: fold(&element.raw_text_up_to(MAX_TEXT)),
        nofollow: rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("nofollow")),
        near: Place::Element(element),
    }
}

/// URLs in a JSON answer: texts that the rule's JSONPath finds, or members of objects that it finds.
pub(super) fn of_json<'p>(rule: &FollowRule, page: &'p Page) -> Result<Vec<Sighted<'p>>, ExtractError> {
    let Some(path) = &rule.json else { return Ok(Vec::new()) };
    let names: Vec<&str> =
        if rule.attrs.is_empty() { vec!["url"] } else { rule.attrs.iter().map(String::as_str).collect() };
    let mut found = Vec::new();
    for value in path.find(page.json_value()?)? {
        let (texts, near): (Vec<&str>, _) = match value {
            Value::String(text) => (vec![text.as_str()], Place::Page),
            Value::Object(members) => {
                let texts = names.iter().filter_map(|name| members.get(*name)?.as_str()).collect();
                (texts, Place::Value(value))
            }
            _ => continue,
        };
        let urls = texts.into_iter().filter_map(|text| page.join(text).ok());
        found.extend(urls.map(|url| Sighted::bare(url, String::new(), near)));
        if found.len() >= page.most_links {
            break;
        }
    }
    Ok(found)
}

/// The entries of a feed. An answer that is none gives nothing; where the rule names the pages that it speaks on, that is an error.
pub(super) fn of_feed<'p>(rule: &FollowRule, page: &'p Page) -> Result<Vec<Sighted<'p>>, ExtractError> {
    if page.is_html() {
        return Ok(Vec::new());
    }
    let feed = match feed(page) {
        Err(_) if rule.on.is_none() => return Ok(Vec::new()),
        read => read?,
    };
    let entries = feed.entries.into_iter().filter_map(|entry| {
        let url = page.join(&entry.link?).ok()?;
        Some(Sighted::bare(url, entry.title.unwrap_or_default(), Place::Page))
    });
    Ok(entries.take(page.most_links).collect())
}
