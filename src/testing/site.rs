//! What a simulated site is: its pages, and how it answers when it does not simply answer.
//!
//! Plain data, read from a scenario file or written in Rust. All times are seconds; moments are seconds since the web began.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use serde::Deserialize;

use super::limit::{Latency, ServerModel};
use crate::response::FailureKind;

/// One site, or many that are alike.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Site {
    /// Scheme, host and port: `http://a.example`. With `{}` in it, `count` sites are made, numbered from 1. `*` stands for every
    /// origin that no other site has.
    pub origin: String,
    /// How many sites, if the origin has `{}` in it.
    #[serde(default)]
    pub count: u32,
    /// The address that its name leads to; nobody knows it if absent.
    #[serde(default)]
    pub address: Option<IpAddr>,
    /// For the judge: the group whose sites share one pace.
    #[serde(default)]
    pub group: Option<String>,
    /// What stands before the numbers of its pages. Default `/`.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Pages `/1`, `/2` … beside `/`.
    #[serde(default)]
    pub pages: u32,
    /// Which of them links to which. Default: a star; for a crawler file a tree.
    #[serde(default)]
    pub shape: Option<Shape>,
    /// Further links by page; the pages named here exist. A link may have `priority=N` or `wait=SECONDS` behind it.
    #[serde(default)]
    pub links: BTreeMap<String, Vec<String>>,
    /// How pages are written. Default: text; for a crawler file HTML.
    #[serde(default)]
    pub format: Option<Format>,
    /// HTML of a page, with `{path}` and `{links}` in it, for crawler files that look for certain elements. Default: a title
    /// and the links.
    #[serde(default)]
    pub template: Option<String>,
    /// From the arrival of a request to the end of its answer. Default 0.05.
    #[serde(default)]
    pub latency: Latency,
    /// Its robots.txt; answered 404 if absent.
    #[serde(default)]
    pub robots: Option<String>,
    /// What it does instead of answering with a page; the first rule that applies counts.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
    /// How many requests it bears.
    #[serde(default)]
    pub limit: Option<ServerModel>,
    /// For the judge: seconds between two requests that its robots.txt asks for.
    #[serde(default)]
    pub wish: f64,
    /// For the judge: beginnings of paths that its robots.txt forbids.
    #[serde(default)]
    pub never: Vec<String>,
}

/// Links of a page in a [`Shape::Tree`].
const FAN: u64 = 50;

impl Site {
    /// A site with the page `/` alone.
    #[must_use]
    pub fn at(origin: impl Into<String>) -> Self {
        Self { origin: origin.into(), ..Self::default() }
    }

    /// What stands before the numbers of its pages; the path of the first one.
    pub(super) fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or("/")
    }

    /// Whether it stands for every origin that no other site has.
    pub(super) fn is_everywhere(&self) -> bool {
        self.origin == "*"
    }

    /// The origins that this names.
    pub(super) fn origins(&self) -> Vec<String> {
        if self.is_everywhere() {
            return Vec::new();
        }
        if !self.origin.contains("{}") {
            return vec![self.origin.clone()];
        }
        (1..=self.count).map(|number| self.origin.replace("{}", &number.to_string())).collect()
    }

    /// The lines of a page; `None` if there is no such page.
    pub(super) fn lines(&self, path: &str) -> Option<Vec<String>> {
        let number = match path.strip_prefix(self.prefix()) {
            Some("") => Some(0),
            name => name.and_then(|name| name.parse::<u32>().ok()).filter(|n| (1..=self.pages).contains(n)),
        };
        let further = self.links.get(path);
        if number.is_none() && further.is_none() {
            return None;
        }
        let numbers = number.map_or(0..0, |number| self.linked(number));
        let mut lines: Vec<String> = numbers.map(|n| format!("{}{n}", self.prefix())).collect();
        lines.extend(further.into_iter().flatten().cloned());
        Some(lines)
    }

    /// The numbers of the pages that a generated page links to.
    fn linked(&self, number: u32) -> Range<u64> {
        let (own, end) = (u64::from(number), u64::from(self.pages) + 1);
        match self.shape.unwrap_or_default() {
            Shape::Star if own == 0 => 1..end,
            Shape::Star => 0..0,
            Shape::Chain => own + 1..end.min(own + 2),
            Shape::Tree => (own * FAN + 1).min(end)..(own * FAN + FAN + 1).min(end),
        }
    }
}

/// Which generated page links to which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// `/` links to all others.
    #[default]
    Star,
    /// Each links to the next.
    Chain,
    /// Each links to 50 others.
    Tree,
}

/// How pages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `text/plain`, a link on each line.
    #[default]
    Text,
    /// `text/html` with anchors.
    Html,
}

/// An answer out of the ordinary.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rule {
    /// Path and query; with `*` at its end the beginning of one. Absent: every path but `/robots.txt`.
    #[serde(default)]
    pub path: Option<String>,
    /// Requests that the rule lets pass before it applies.
    #[serde(default)]
    pub after: u32,
    /// How often it applies; always if absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// Seconds since the web began from which it applies.
    #[serde(default)]
    pub from: f64,
    /// Seconds since the web began from which it does not apply any more.
    #[serde(default)]
    pub until: Option<f64>,
    /// The status. Absent: the answer is what it would be without the rule, only late.
    #[serde(default)]
    pub status: Option<u16>,
    /// No answer, but this failure.
    #[serde(default)]
    pub fail: Option<FailureKind>,
    /// The Location field.
    #[serde(default)]
    pub location: Option<String>,
    /// The body.
    #[serde(default)]
    pub body: String,
    /// How long it takes; the site's latency if absent.
    #[serde(default)]
    pub latency: Option<f64>,
    /// `Retry-After` in seconds.
    #[serde(default)]
    pub retry_after: Option<u64>,
    /// `Retry-After` as a date so many seconds ahead.
    #[serde(default)]
    pub retry_after_date: Option<u64>,
    /// Further header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

impl Rule {
    pub(super) fn matches(&self, path: &str) -> bool {
        match self.path.as_deref().map(|text| (text, text.strip_suffix('*'))) {
            None => path != "/robots.txt",
            Some((_, Some(beginning))) => path.starts_with(beginning),
            Some((whole, None)) => path == whole,
        }
    }

    pub(super) fn holds_at(&self, seconds: f64) -> bool {
        seconds >= self.from && self.until.is_none_or(|until| seconds < until)
    }
}
