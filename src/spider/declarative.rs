//! A spider that is written in a crawler file: CSS fields and link rules, no code.
//!
//! Without extract rules each page gives `url`, `status` and `title`; without follow rules every link is followed. Only
//! HTML is read: other answers give no links, and fields only where there are no rules. Where a page or a link says
//! `nofollow` it is not followed unless the recipe says otherwise.

mod fields;
mod follow;
mod selector;

use regex::Regex;
use serde_json::{Map, Value};

pub use selector::FieldSelector;

use super::Spider;
use crate::extract::ExtractError;
use crate::extract::sitemap::Sitemap;
use crate::item::Harvest;
use crate::page::Page;
use crate::page::css::Css;
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
    /// What `nofollow` means.
    pub nofollow: Nofollow,
    /// The crawler's product token, for directives that speak to it by name. Empty: only those to everybody count.
    pub agent: String,
}

/// What `nofollow` means, on a link (`rel`) or for a whole page (`X-Robots-Tag`, `<meta name=robots>`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Nofollow {
    /// Such links are not followed.
    #[default]
    Honour,
    /// It is not looked at.
    Ignore,
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
    /// Value if nothing matches, or what matches is empty.
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

/// A spider made of a [`Recipe`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use crawl::item::Harvest;
/// use crawl::page::Page;
/// use crawl::request::Request;
/// use crawl::response::Response;
/// use crawl::spider::Spider;
/// use crawl::spider::declarative::{Declarative, Recipe};
/// use crawl::url::CanonicalUrl;
///
/// let url = CanonicalUrl::parse("https://a.example/")?;
/// let spider = Declarative::new(Recipe {
///     seeds: vec![Request::get(url.clone())],
///     ..Recipe::default()
/// });
/// let body = "<title>Home</title><a href=/b>b</a><a href=/c rel=nofollow>c</a>";
/// let response = Response::of(url.clone(), http::StatusCode::OK, body);
/// let mut harvest = Harvest::new();
/// spider.parse(&Page::new(std::sync::Arc::new(Request::get(url)), response), &mut harvest)?;
///
/// assert_eq!(harvest.items()[0].1["title"], "Home");
/// assert_eq!(harvest.requests().len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Declarative {
    recipe: Recipe,
}

impl Declarative {
    /// A spider that does what `recipe` says.
    #[must_use]
    pub fn new(recipe: Recipe) -> Self {
        Self { recipe }
    }

    /// What it does.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }
}

impl Spider for Declarative {
    fn name(&self) -> &str {
        &self.recipe.name
    }

    fn seeds(&self) -> Vec<Request> {
        self.recipe.seeds.clone()
    }

    fn sitemap(&self, _request: &Request, sitemap: &Sitemap, harvest: &mut Harvest) {
        follow::follow_sitemap(&self.recipe, sitemap, harvest);
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        if self.recipe.extract.is_empty() {
            harvest.item(&summary(page))?;
        }
        if page.is_html() {
            fields::extract(&self.recipe.extract, page, harvest)?;
            follow::follow(&self.recipe, page, harvest);
            for limit in page.limits() {
                harvest.problem(format!("{}: {limit}", page.url()));
            }
        }
        Ok(())
    }
}

/// The item of a page for which there are no rules.
fn summary(page: &Page) -> Map<String, Value> {
    Map::from_iter([
        ("url".to_owned(), page.url().as_str().into()),
        ("status".to_owned(), page.status().as_u16().into()),
        ("title".to_owned(), page.title().into()),
    ])
}

#[cfg(test)]
mod tests;
