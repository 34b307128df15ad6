//! Feeds: RSS, Atom and JSON Feed in one form.
//!
//! Read by `feed-rs`, under limits of our own: what a feed would cost is worked out before it is read (see `cost`). Texts
//! are given as they are written, titles without their markup. An entry's `id` is what the feed says, and nothing where it
//! says nothing: a made-up one would be another one tomorrow.

mod cost;

use feed_rs::model;
use serde::Serialize;

use super::ExtractError;
use crate::page::element::fold;
use crate::page::{Page, markup};

/// Entries of one feed.
pub const MAX_ENTRIES: usize = 20_000;

/// A feed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Feed {
    /// What it is called.
    pub title: Option<String>,
    /// The page that it is the feed of, made absolute.
    pub link: Option<String>,
    /// Its entries, in its order.
    pub entries: Vec<FeedEntry>,
}

/// One entry of a feed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FeedEntry {
    /// What the feed knows it by: `guid` or `id`.
    pub id: Option<String>,
    /// What it is called.
    pub title: Option<String>,
    /// Its page, made absolute.
    pub link: Option<String>,
    /// When it was published (RFC 3339).
    pub published: Option<String>,
    /// When it was changed (RFC 3339), if that is another moment.
    pub updated: Option<String>,
    /// A short text; may be HTML.
    pub summary: Option<String>,
    /// The whole text; may be HTML.
    pub content: Option<String>,
    /// Names of who wrote it, or addresses where there are no names.
    pub authors: Vec<String>,
    /// What it is about.
    pub categories: Vec<String>,
    /// Files that belong to it.
    pub enclosures: Vec<Enclosure>,
}

/// A file that belongs to an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Enclosure {
    /// Where it is, made absolute.
    pub url: String,
    /// Its media type.
    #[serde(rename = "type")]
    pub media_type: Option<String>,
    /// Its length in bytes.
    pub length: Option<u64>,
}

/// Reads a page as a feed.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use crawl::extract::feed::feed;
/// # use crawl::{page::Page, request::Request, response::Response, url::CanonicalUrl};
/// # let url = CanonicalUrl::parse("https://blog.example/feed.xml")?;
/// let body = "<rss version='2.0'><channel><item><title>Hello</title><link>/hello</link></item></channel></rss>";
/// # let response = Response::of(url.clone(), http::StatusCode::OK, body);
/// # let page = Page::new(std::sync::Arc::new(Request::get(url)), response);
/// let feed = feed(&page)?;
/// assert_eq!(feed.entries[0].link.as_deref(), Some("https://blog.example/hello"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ExtractError::Feed`] if it is none, or larger than a feed has reason to be.
pub fn feed(page: &Page) -> Result<Feed, ExtractError> {
    let refused = |reason: String| ExtractError::Feed { reason };
    let text = page.text().trim_start_matches('\u{feff}').trim_start();
    let text = if text.starts_with('{') {
        cost::json(text).map_err(refused)?;
        text.to_owned()
    } else {
        cost::xml(text).map_err(refused)?
    };
    let parser = feed_rs::parser::Builder::new()
        .base_uri(Some(page.url().as_str()))
        .id_generator(|_, _, _| String::new())
        .build();
    let mut read = parser.parse(text.as_bytes()).map_err(|error| refused(error.to_string()))?;
    read.entries.iter_mut().for_each(|entry| correct(&read.feed_type, entry));
    Ok(Feed {
        title: read.title.as_ref().and_then(title),
        link: link(page, &read.links),
        entries: read.entries.into_iter().take(MAX_ENTRIES).map(|entry| of_entry(page, entry)).collect(),
    })
}

/// Takes back what the reader adds of its own, and says of JSON Feed's attachments that they are files.
fn correct(kind: &model::FeedType, entry: &mut model::Entry) {
    match kind {
        model::FeedType::Atom => {}
        model::FeedType::JSON => {
            for link in entry.links.iter_mut().filter(|link| link.media_type.is_some()) {
                link.rel = Some("enclosure".to_owned());
            }
        }
        _ if entry.updated == entry.published => entry.updated = None,
        _ => {}
    }
}

fn of_entry(page: &Page, entry: model::Entry) -> FeedEntry {
    let enclosures = enclosures(page, &entry);
    let address = |content: &model::Content| content.src.as_ref().map(|link| link.href.clone());
    FeedEntry {
        id: filled(entry.id),
        title: entry.title.as_ref().and_then(title),
        link: link(page, &entry.links),
        published: entry.published.map(|at| at.to_rfc3339().replace("+00:00", "Z")),
        updated: entry.updated.map(|at| at.to_rfc3339().replace("+00:00", "Z")),
        summary: entry.summary.and_then(|text| filled(text.content)),
        content: entry.content.and_then(|content| {
            let address = address(&content);
            content.body.and_then(filled).or(address)
        }),
        authors: entry.authors.into_iter().filter_map(name).collect(),
        categories: entry
            .categories
            .into_iter()
            .filter_map(|category| filled(category.label.unwrap_or(category.term)))
            .collect(),
        enclosures,
    }
}

/// The page that links speak of: the one that is its own alternate, else the first that is no file and not the feed itself.
fn link(page: &Page, links: &[model::Link]) -> Option<String> {
    let rel = |link: &model::Link| link.rel.as_deref().unwrap_or("alternate").to_ascii_lowercase();
    let alternate = links.iter().find(|link| rel(link) == "alternate");
    let other =
        links.iter().find(|link| !matches!(rel(link).as_str(), "self" | "enclosure" | "edit" | "hub"));
    absolute(page, &alternate.or(other)?.href)
}

fn enclosures(page: &Page, entry: &model::Entry) -> Vec<Enclosure> {
    let linked = entry.links.iter().filter(|link| link.rel.as_deref() == Some("enclosure"));
    let linked = linked.filter_map(|link| {
        let url = absolute(page, &link.href)?;
        Some(Enclosure { url, media_type: link.media_type.clone(), length: link.length })
    });
    let media = entry.media.iter().flat_map(|media| &media.content).filter_map(|content| {
        let url = absolute(page, content.url.as_ref()?.as_str())?;
        let media_type = content.content_type.as_ref().map(ToString::to_string);
        Some(Enclosure { url, media_type, length: content.size })
    });
    let mut seen = std::collections::HashSet::new();
    linked.chain(media).filter(|enclosure| seen.insert(enclosure.url.clone())).collect()
}

fn absolute(page: &Page, reference: &str) -> Option<String> {
    let reference = reference.trim();
    page.absolute(reference).filter(|_| !reference.is_empty()).map(String::from)
}

/// A title without markup.
fn title(text: &model::Text) -> Option<String> {
    if !text.content.contains(['<', '&']) {
        return filled(fold(&text.content));
    }
    let document = markup::parse(&text.content);
    filled(fold(&document.html.root_element().text().collect::<String>()))
}

fn name(person: model::Person) -> Option<String> {
    let named = person.name.and_then(filled).filter(|name| name != "unknown");
    named.or(person.email.and_then(filled)).or(person.uri.and_then(filled))
}

fn filled(text: String) -> Option<String> {
    let trimmed = text.trim();
    match trimmed.len() {
        0 => None,
        len if len == text.len() => Some(text),
        _ => Some(trimmed.to_owned()),
    }
}

#[cfg(test)]
mod tests;
