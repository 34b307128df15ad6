//! What was taken from recorded pages, and its form as text: one JSON object a line, good to read in a diff.
//!
//! Each page has a line of its own (how many items and links, which problems), followed by a line for each item.

use std::fmt::Display;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::difference::{Difference, differences};
use crate::item::{Harvest, Item};
use crate::url::CanonicalUrl;

/// What was taken from all pages of a folder, in the order of their URLs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readings {
    /// The pages.
    pub pages: Vec<Reading>,
}

/// What was taken from one page.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The page.
    pub url: CanonicalUrl,
    /// Its items, in the order in which they were found.
    pub items: Vec<Item>,
    /// Different requests that the spider wants to follow, whether they are in a crawl's scope or not.
    pub links: usize,
    /// What was wrong with the page.
    pub problems: Vec<String>,
    /// Why the spider failed on it.
    pub error: Option<String>,
}

/// Why a text is not what [`Readings::to_jsonl`] writes.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is no line of such a snapshot ({reason}): write it anew with --update")]
pub struct Misread {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// One line of the text.
#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Line {
    Item {
        page: CanonicalUrl,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        item: Map<String, Value>,
    },
    Page {
        page: CanonicalUrl,
        items: usize,
        links: usize,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        problems: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

impl Reading {
    pub(super) fn of(url: &CanonicalUrl, harvest: Harvest) -> Self {
        let (items, links, problems) = harvest.into_parts(url);
        let mut links: Vec<_> = links.iter().map(crate::request::Request::fingerprint).collect();
        links.sort_unstable();
        links.dedup();
        Self { url: url.clone(), items, links: links.len(), problems, error: None }
    }

    pub(super) fn failed(url: &CanonicalUrl, error: &impl Display) -> Self {
        Self { error: Some(error.to_string()), ..Self::of(url, Harvest::new()) }
    }

    fn lines(&self) -> impl Iterator<Item = Line> {
        let page = Line::Page {
            page: self.url.clone(),
            items: self.items.len(),
            links: self.links,
            problems: self.problems.clone(),
            error: self.error.clone(),
        };
        let items = self.items.iter().map(|item| Line::Item {
            page: self.url.clone(),
            kind: item.kind.clone(),
            item: item.fields.clone(),
        });
        std::iter::once(page).chain(items)
    }
}

impl Readings {
    /// All items, page by page.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        self.pages.iter().flat_map(|page| page.items.iter().cloned()).collect()
    }

    /// As text: one JSON object a line.
    #[must_use]
    pub fn to_jsonl(&self) -> String {
        let lines = self.pages.iter().flat_map(Reading::lines);
        let text = lines.map(|line| {
            serde_json::to_string(&line).expect("keys are text and numbers are those of JSON") + "\n"
        });
        text.collect()
    }

    /// Reads what [`Readings::to_jsonl`] has written.
    ///
    /// # Errors
    /// With the first line that is none of it.
    pub fn from_jsonl(text: &str) -> Result<Self, Misread> {
        let mut readings = Self::default();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let misread = |reason: String| Misread { line: number + 1, reason };
            let line = serde_json::from_str(line).map_err(|error| misread(error.to_string()))?;
            readings.take(line).map_err(|reason| misread(reason.to_owned()))?;
        }
        Ok(readings)
    }

    fn take(&mut self, line: Line) -> Result<(), &'static str> {
        match line {
            Line::Page { page, links, problems, error, .. } => {
                self.pages.push(Reading { url: page, items: Vec::new(), links, problems, error });
            }
            Line::Item { page, kind, item } => {
                let last = self.pages.last_mut().filter(|last| last.url == page);
                let last = last.ok_or("the line of its page does not stand above it")?;
                last.items.push(Item { url: page, kind, fields: item, seen: None });
            }
        }
        Ok(())
    }

    /// In what `got` is not what was expected, page by page.
    #[must_use]
    pub fn differences(&self, got: &Self) -> Vec<Difference> {
        differences(self, got)
    }
}
