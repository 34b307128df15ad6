//! What `[[extract]]` says, compiled: where items stand, where their fields come from, and what becomes of a value.

use regex::Regex;
use serde_json::Value;

use super::clean::Step;
use super::selector::FieldSelector;
use super::typed::Kind;
use crate::extract::ExtractError;
use crate::extract::json::JsonPath;
use crate::extract::xpath::XPath;
use crate::page::css::Css;
use crate::scope::UrlPattern;

/// `[[extract]]`: what to take from which pages.
#[derive(Debug, Clone, Default)]
pub struct ExtractRule {
    /// Only on pages that were reached with this label.
    pub label: Option<String>,
    /// Only on pages whose URL matches one of these; empty: on all.
    pub pages: Vec<UrlPattern>,
    /// The kind that its items carry.
    pub kind: Option<String>,
    /// What gives an item each.
    pub scope: ItemScope,
    /// The item's fields, in order.
    pub fields: Vec<FieldRule>,
}

/// What gives an item each.
#[derive(Debug, Clone, Default)]
pub enum ItemScope {
    /// The page: one item.
    #[default]
    Page,
    /// Each element that matches.
    Css(Css),
    /// Each element, or text, that the expression finds.
    XPath(XPath),
    /// Each value that is found in JSON, or each entry of a feed.
    Json(JsonSource),
}

/// Values out of JSON.
#[derive(Debug, Clone)]
pub struct JsonSource {
    /// What `$` is.
    pub root: Root,
    /// Which values below it.
    pub query: Query,
    /// Whether the query is asked of the root or of each of its entries.
    pub reach: Reach,
}

/// What `$` is in a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// The value of the scope; where that is the page, its body.
    Scope,
    /// A value in the page's scripts, by the name it is assigned to or the script's `id`; a media type stands for the list of all
    /// scripts of that type.
    Script(String),
    /// The list of all things that the page describes as JSON-LD.
    JsonLd,
    /// The list of all things that the page describes as microdata.
    Microdata,
    /// The feed.
    Feed,
}

/// What a query is asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The root.
    Root,
    /// Each entry of the root, which is a list.
    Entries,
}

impl JsonSource {
    /// Compiles a query for `root`.
    ///
    /// Where the root is a list of things that the page describes, `$.name` and `name` are asked of each of them: nobody knows
    /// before how many there are. A query that begins with `$[` or `$..` is asked of the list.
    ///
    /// # Errors
    /// If `path` is no JSONPath.
    pub fn parse(root: Root, path: &str) -> Result<Self, ExtractError> {
        let is_list = match &root {
            Root::JsonLd | Root::Microdata => true,
            Root::Script(name) => name.contains('/'),
            Root::Scope | Root::Feed => false,
        };
        let path = path.trim();
        let names_first = match path.strip_prefix('$') {
            Some(rest) => rest.starts_with('.') && !rest.starts_with("..") && !rest.starts_with(".*"),
            None => !path.starts_with('['),
        };
        let reach = if is_list && names_first { Reach::Entries } else { Reach::Root };
        Ok(Self { root, query: Query::parse(path)?, reach })
    }
}

/// A JSONPath, and how many values it can find.
#[derive(Debug, Clone)]
pub struct Query {
    /// The path.
    pub path: JsonPath,
    /// How many.
    pub finds: Many,
}

impl Query {
    /// Compiles a path.
    ///
    /// # Errors
    /// If it is no JSONPath.
    pub fn parse(path: &str) -> Result<Self, ExtractError> {
        // Names in quotes may hold these signs too; then it is taken for one that finds many, which only costs a convenience.
        let is_definite = !["*", "..", "?", ":", ","].iter().any(|sign| path.contains(sign));
        let finds = if is_definite { Many::First } else { Many::All };
        Ok(Self { path: JsonPath::parse(path)?, finds })
    }
}

/// One field of an item.
#[derive(Debug, Clone, Default)]
pub struct FieldRule {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
    /// What of an element.
    pub take: Take,
    /// Makes a table of each element or value instead, with these fields.
    pub fields: Vec<FieldRule>,
    /// Reads the text that the source gives as JSON, and takes these values of it.
    pub json: Option<Query>,
    /// The first value or all of them.
    pub many: Many,
    /// Whether an item without it is dropped and reported.
    pub presence: Presence,
    /// Value if nothing matches, or what matches is empty or no value of its type.
    pub default: Option<Value>,
    /// Whether white space at both ends is dropped and runs inside are folded.
    pub white_space: WhiteSpace,
    /// Applied to the text: group 1 if there is one, else the whole match; no match counts as absent.
    pub regex: Option<Regex>,
    /// What is done to the text after that, in order.
    pub clean: Vec<Step>,
    /// What the text is read as at last.
    pub kind: Kind,
}

/// Where a field comes from.
#[derive(Debug, Clone, Default)]
pub enum Source {
    /// The scope itself: its element, its value, the page.
    #[default]
    Scope,
    /// Elements below the scope. The first selector that gives a value counts.
    Css(Vec<FieldSelector>),
    /// What an expression finds from the scope. The first expression that gives a value counts.
    XPath(Vec<XPath>),
    /// Values out of JSON.
    Json(JsonSource),
    /// What is known of the page.
    Page(PageFact),
    /// Always this value.
    Constant(Value),
}

/// What is known of a page as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageFact {
    /// Its URL.
    Url,
    /// The status code of the answer.
    Status,
    /// A header field of the answer, by its name in lower case.
    Header(String),
    /// A property of `<meta property>`, with or without `og:` in front.
    OpenGraph(String),
    /// A `<meta name>`.
    Meta(String),
    /// The URL that it wants to be known by.
    Canonical,
    /// A part of its main text.
    Article(ArticlePart),
}

/// A part of the main text of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArticlePart {
    /// The headline.
    Title,
    /// The text, without markup.
    Text,
    /// The text as Markdown.
    Markdown,
    /// The text as cleaned HTML.
    Html,
    /// Who wrote it.
    Byline,
    /// When it was published, as the page writes it.
    Published,
}

impl ArticlePart {
    /// Its name in a crawler file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Byline => "byline",
            Self::Published => "published",
        }
    }
}

/// What of an element becomes the value.
#[derive(Debug, Clone, Default)]
pub enum Take {
    /// Its text with that of everything inside.
    #[default]
    Text,
    /// An attribute; `href` and `src` are made absolute.
    Attribute(String),
    /// Its inner HTML.
    Html,
}

/// How many values a field takes.
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
    /// An item without it is dropped and reported with page and selector. In a nested table that table is dropped, not the item.
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
