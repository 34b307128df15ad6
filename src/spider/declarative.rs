//! A spider that is written in a crawler file: fields and link rules, no code.
//!
//! Without extract rules each page gives `url`, `status` and `title`; without follow rules every link is followed. Fields are
//! taken from HTML, from JSON answers and from feeds; links from HTML alone. A rule speaks only on answers of which at least one of
//! its fields can be read, so that a rule for a shop's pages does not give empty items for its images. Where a page or a link
//! says `nofollow` it is not followed unless the recipe says otherwise.

mod clean;
mod facts;
mod fields;
mod follow;
mod report;
mod rule;
mod selector;
mod typed;
mod values;

use serde_json::{Map, Value};

pub use clean::{CleanError, Step};
pub use rule::{
    ArticlePart, ExtractRule, FieldRule, ItemScope, JsonSource, Many, PageFact, Presence, Query, Reach, Root,
    Source, Take, WhiteSpace,
};
pub use selector::FieldSelector;
pub use typed::Kind;

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
        fields::extract(&self.recipe.extract, page, harvest)?;
        if page.is_html() {
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
