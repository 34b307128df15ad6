//! What could not be taken from one page, gathered so that a page of a thousand items has one line for each field.

use std::collections::BTreeMap;

use super::rule::{FieldRule, ItemScope, JsonSource, PageFact, Root, Source, Take};
use super::selector::FieldSelector;
use crate::extract::xpath::XPath;
use crate::item::Harvest;
use crate::page::css::Css;
use crate::url::CanonicalUrl;

/// Expressions that failed are told up to this number.
const MAX_FAILED: usize = 10;

/// What could not be taken from a page.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Field, and how many items or entries were dropped for it.
    missing: BTreeMap<String, (usize, Dropped)>,
    /// Field, why its first value could not be read, and how many could not.
    unread: BTreeMap<String, (String, usize)>,
    failed: Vec<String>,
}

/// What is dropped for a field that is not there.
#[derive(Debug, Clone, Copy)]
enum Dropped {
    Item,
    Entry,
}

impl Notes {
    /// An item, or within other fields an entry, was dropped for this field.
    pub(super) fn missing(&mut self, within: &[&str], field: &FieldRule) {
        let dropped = if within.is_empty() { Dropped::Item } else { Dropped::Entry };
        self.missing.entry(shown(within, field)).or_insert((0, dropped)).0 += 1;
    }

    /// A value was there and could not be read.
    pub(super) fn unread(&mut self, within: &[&str], field: &FieldRule, reason: String) {
        self.unread.entry(shown(within, field)).or_insert((reason, 0)).1 += 1;
    }

    /// An expression could not be asked of the page, or the page not be read.
    pub(super) fn failed(&mut self, reason: String) {
        if self.failed.len() < MAX_FAILED && !self.failed.contains(&reason) {
            self.failed.push(reason);
        }
    }

    /// Tells all of it, each line with the page.
    pub(super) fn tell(&self, url: &CanonicalUrl, harvest: &mut Harvest) {
        for reason in &self.failed {
            harvest.problem(format!("{url}: {reason}"));
        }
        for (field, (reason, count)) in &self.unread {
            let more = if *count > 1 { format!(" (and {} more such)", count - 1) } else { String::new() };
            harvest.problem(format!("{url}: {field}: {reason}{more}"));
        }
        for (field, (count, dropped)) in &self.missing {
            let what = match (dropped, count) {
                (Dropped::Item, 1) => "1 item was".to_owned(),
                (Dropped::Item, many) => format!("{many} items were"),
                (Dropped::Entry, 1) => "1 entry was".to_owned(),
                (Dropped::Entry, many) => format!("{many} entries were"),
            };
            harvest.problem(format!("{url}: {what} dropped without {field}"));
        }
    }
}

/// A field as the crawler file knows it: `` `books.price` (selector `.price`) ``.
fn shown(within: &[&str], field: &FieldRule) -> String {
    let name: Vec<_> = within.iter().copied().chain([field.name.as_str()]).collect();
    let name = name.join(".");
    match origin(field) {
        Some(origin) => format!("`{name}` ({origin})"),
        None => format!("`{name}`"),
    }
}

fn origin(field: &FieldRule) -> Option<String> {
    let from = match &field.source {
        Source::Scope | Source::Constant(_) => None,
        Source::Css(selectors) => {
            let all: Vec<_> = selectors.iter().filter_map(|one| one.css.as_ref()).map(Css::as_str).collect();
            (!all.is_empty()).then(|| format!("selector `{}`", all.join("` or `")))
        }
        Source::XPath(paths) => {
            let all: Vec<_> = paths.iter().map(XPath::as_str).collect();
            Some(format!("xpath `{}`", all.join("` or `")))
        }
        Source::Json(source) => Some(origin_of(source)),
        Source::Page(fact) => Some(of_page(fact)),
    };
    let json = field.json.as_ref().map(|query| format!("json `{}`", query.path.as_str()));
    let parts: Vec<_> = from.into_iter().chain(json).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The expressions of a field, each as it is tried: `` css `h1::text` ``.
pub(super) fn ways(field: &FieldRule) -> Vec<String> {
    match &field.source {
        Source::Scope => vec!["the scope itself".to_owned()],
        Source::Constant(_) => vec!["constant".to_owned()],
        Source::Css(selectors) => selectors.iter().map(|one| of_selector(one, &field.take)).collect(),
        Source::XPath(paths) => paths.iter().map(|path| format!("xpath `{}`", path.as_str())).collect(),
        Source::Json(source) => vec![origin_of(source)],
        Source::Page(fact) => vec![of_page(fact)],
    }
}

fn of_selector(one: &FieldSelector, take: &Take) -> String {
    let css = one.css.as_ref().map_or("", Css::as_str);
    match one.take.as_ref().unwrap_or(take) {
        Take::Attribute(name) => format!("css `{css}::attr({name})`"),
        Take::Html => format!("css `{css}`, html"),
        Take::Text if css.is_empty() => "css `::text`".to_owned(),
        Take::Text => format!("css `{css}`"),
    }
}

/// A source of values out of JSON: `` json-ld `$.name` ``.
pub(super) fn origin_of(source: &JsonSource) -> String {
    let path = source.query.path.as_str();
    match &source.root {
        Root::Scope => format!("json `{path}`"),
        Root::Script(name) => format!("script `{name}`, json `{path}`"),
        Root::JsonLd => format!("json-ld `{path}`"),
        Root::Microdata => format!("microdata `{path}`"),
        Root::Feed => format!("feed `{path}`"),
    }
}

fn of_page(fact: &PageFact) -> String {
    match fact {
        PageFact::Url => "url".to_owned(),
        PageFact::Status => "status".to_owned(),
        PageFact::Header(name) => format!("header `{name}`"),
        PageFact::OpenGraph(name) => format!("og `{name}`"),
        PageFact::Meta(name) => format!("meta `{name}`"),
        PageFact::Canonical => "canonical".to_owned(),
        PageFact::Article(part) => format!("article `{}`", part.as_str()),
    }
}

impl ItemScope {
    /// The source of the items' values, if they come out of JSON.
    pub(super) fn json(&self) -> Option<&JsonSource> {
        match self {
            Self::Json(source) => Some(source),
            Self::Page | Self::Css(_) | Self::XPath(_) => None,
        }
    }
}
