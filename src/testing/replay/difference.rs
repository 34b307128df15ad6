//! Which page, which field, expected and got.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::readings::{Reading, Readings};
use crate::item::Item;
use crate::url::CanonicalUrl;

/// Letters of a value that are shown.
const SHOWN: usize = 120;

/// In what one page differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The page.
    pub url: CanonicalUrl,
    /// One line for each difference, with what was expected and what was got. Long values are cut.
    pub lines: Vec<String>,
}

/// The pages that differ, in the order of their URLs.
pub(super) fn differences(expected: &Readings, got: &Readings) -> Vec<Difference> {
    let (expected, got) = (by_url(expected), by_url(got));
    let urls: BTreeSet<_> = expected.keys().chain(got.keys()).copied().collect();
    let of_page = |url: &CanonicalUrl| match (expected.get(url), got.get(url)) {
        (Some(expected), Some(got)) => of_pages(expected, got),
        (Some(_), None) => vec!["expected, and not among the recorded pages".to_owned()],
        (None, _) => vec!["recorded, and not in the snapshot".to_owned()],
    };
    let all = urls.into_iter().map(|url| Difference { url: url.clone(), lines: of_page(url) });
    all.filter(|difference| !difference.lines.is_empty()).collect()
}

fn by_url(readings: &Readings) -> BTreeMap<&CanonicalUrl, &Reading> {
    readings.pages.iter().map(|page| (&page.url, page)).collect()
}

fn of_pages(expected: &Reading, got: &Reading) -> Vec<String> {
    let mut lines = Vec::new();
    let mut compare = |what: &str, expected: &dyn Fn() -> Value, got: &dyn Fn() -> Value| {
        let (expected, got) = (expected(), got());
        if expected != got {
            lines.push(format!("{what}: expected {}, got {}", shown(&expected), shown(&got)));
        }
    };
    compare("error", &|| expected.error.clone().into(), &|| got.error.clone().into());
    compare("items", &|| expected.items.len().into(), &|| got.items.len().into());
    compare("links", &|| expected.links.into(), &|| got.links.into());
    compare("problems", &|| expected.problems.clone().into(), &|| got.problems.clone().into());
    let both = expected.items.len().min(got.items.len());
    for (number, (expected, got)) in expected.items.iter().zip(&got.items).enumerate() {
        of_items(number + 1, expected, got, &mut lines);
    }
    let rest = |items: &[Item], what: &str| -> Vec<String> {
        let numbered = items.iter().enumerate().skip(both);
        let told = numbered.map(|(number, item)| {
            format!("item {}: {what} {}", number + 1, shown(&item.fields.clone().into()))
        });
        told.collect()
    };
    lines.extend(rest(&expected.items, "missing"));
    lines.extend(rest(&got.items, "new"));
    lines
}

fn of_items(number: usize, expected: &Item, got: &Item, lines: &mut Vec<String>) {
    if expected.kind != got.kind {
        let kind = |item: &Item| shown(&item.kind.clone().into());
        lines.push(format!("item {number}, kind: expected {}, got {}", kind(expected), kind(got)));
    }
    let more = got.fields.keys().filter(|name| !expected.fields.contains_key(*name));
    for name in expected.fields.keys().chain(more) {
        let (before, now) = (expected.fields.get(name), got.fields.get(name));
        if before != now {
            let value = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), shown);
            lines.push(format!("item {number}, {name}: expected {}, got {}", value(before), value(now)));
        }
    }
}

/// A value as JSON, cut if it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
