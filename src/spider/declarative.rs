//! A spider that is written in a crawler file: CSS fields and link rules, no code.

use regex::Regex;
use serde_json::Value;

use crate::extract::css::Css;
use crate::request::Request;
use crate::scope::UrlPattern;

/// Everything a crawler file says about pages.
#[derive(Debug, Clone, Default)]
pub struct Recipe {
    /// The crawl's name.
    pub name: String,
    /// Where it starts.
    pub seeds: Vec<Request>,
    /// `[[extract]]`, in the order of the file.
    pub extract: Vec<ExtractRule>,
    /// `[[follow]]`, in the order of the file. Empty: every link is followed.
    pub follow: Vec<FollowRule>,
}

/// `[[extract]]`: what to take from which pages.
#[derive(Debug, Clone)]
pub struct ExtractRule {
    /// Only on pages that were reached with this label.
    pub label: Option<String>,
    /// Only on pages whose URL matches one of these; empty: on all.
    pub pages: Vec<UrlPattern>,
    /// The kind that its items carry.
    pub kind: Option<String>,
    /// One item for each element that matches; without it, one item for the page.
    pub scope: Option<Css>,
    /// The item's fields, in order.
    pub fields: Vec<FieldRule>,
}

/// One field of an item.
#[derive(Debug, Clone)]
pub struct FieldRule {
    /// Its name.
    pub name: String,
    /// Which elements below the scope; without it the scope's own element.
    pub selector: Option<Css>,
    /// What of the element.
    pub take: Take,
    /// The first element or all of them.
    pub many: Many,
    /// Whether an item without it is dropped and reported.
    pub presence: Presence,
    /// Value if nothing matches.
    pub default: Option<Value>,
    /// Whether white space at both ends is dropped and runs inside are folded.
    pub white_space: WhiteSpace,
    /// Applied to the text: group 1 if there is one, else the whole match; no match counts as absent.
    pub regex: Option<Regex>,
}

/// What of an element becomes the value.
#[derive(Debug, Clone)]
pub enum Take {
    /// Its text with that of everything inside.
    Text,
    /// An attribute; `href` and `src` are made absolute.
    Attribute(String),
    /// Its inner HTML.
    Html,
    /// The page's URL.
    Url,
    /// A table of fields for each element (nested list scope).
    Fields(Vec<FieldRule>),
}

/// How many elements a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Many {
    /// The first.
    #[default]
    First,
    /// All, as a list.
    All,
}

/// Whether a field may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Presence {
    /// It may; the value is the default, else null.
    #[default]
    Optional,
    /// An item without it is dropped and reported with page and selector.
    Required,
}

/// What happens to white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhiteSpace {
    /// Cut at both ends, runs folded to one space.
    #[default]
    Trim,
    /// Kept as it is.
    Keep,
}

/// `[[follow]]`: which links are walked.
#[derive(Debug, Clone, Default)]
pub struct FollowRule {
    /// Only on pages that were reached with this label.
    pub on: Option<String>,
    /// Only links inside elements that match; without it, links anywhere.
    pub css: Option<Css>,
    /// Only links that match one of these; empty: all.
    pub allow: Vec<UrlPattern>,
    /// Not links that match one of these.
    pub deny: Vec<UrlPattern>,
    /// The label of the pages behind them.
    pub label: Option<String>,
    /// Their priority.
    pub priority: i8,
}
