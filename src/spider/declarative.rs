//! A spider that is written in a crawler file: fields, link rules and lists of pages, no code.
//!
//! Without extract rules each page gives `url`, `status` and `title`; without follow and paginate rules every link is followed.
//! Fields and links are those of HTML, unless a rule says where they are in JSON, in a feed or elsewhere. A rule speaks only on
//! answers of which at least one of its fields can be read, so that a rule for a shop's pages does not give empty items for its
//! images. Where a page or a link says `nofollow` it is not followed unless the recipe says otherwise.

mod clean;
mod detour;
mod facts;
mod fields;
mod fill;
mod follow;
mod lines;
mod links;
mod luggage;
mod packing;
mod paginate;
mod report;
mod requests;
mod rule;
mod selector;
pub mod trace;
mod typed;
mod values;

use regex::Regex;
use serde_json::{Map, Value};

pub use clean::{CleanError, Step};
pub use fill::places;
pub use lines::SeedFile;
pub use luggage::carrying;
pub use paginate::{MAX_WALK, Next, Numbers, PaginateRule, Place, Stop};
pub use requests::{BodyRule, Ids, RequestRule, SeedError, Values};
pub use rule::{
    ArticlePart, ExtractRule, FieldRule, ItemScope, JsonSource, Many, PageFact, Presence, Query, Reach, Root,
    Source, Take, WhiteSpace,
};
pub use selector::FieldSelector;
pub use typed::Kind;

use luggage::Luggage;
use paginate::Gave;
use trace::{Led, Trace, Tracer};

use super::{Failure, FailureClass, Spider};
use crate::extract::ExtractError;
use crate::extract::json::JsonPath;
use crate::extract::sitemap::Sitemap;
use crate::extract::xpath::XPath;
use crate::item::Harvest;
use crate::page::Page;
use crate::page::css::Css;
use crate::request::Request;
use crate::scope::UrlPattern;
use crate::url::Fingerprint;

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
    /// `[[paginate]]`, in the order of the file.
    pub paginate: Vec<PaginateRule>,
    /// `seeds-file`: where it starts beside its seeds.
    pub seed_file: Option<SeedFile>,
    /// `[[requests]]`: where it starts beside these.
    pub requests: Vec<RequestRule>,
    /// What `nofollow` means.
    pub nofollow: Nofollow,
    /// What `noindex` means.
    pub noindex: Noindex,
    /// What becomes of pages that say they are copies of another one.
    pub originals: Originals,
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

/// What `noindex` means for a page (`X-Robots-Tag`, `<meta name=robots>`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Noindex {
    /// It is not looked at.
    #[default]
    Ignore,
    /// Such a page gives no items. Its links are followed.
    Skip,
}

/// What becomes of a page whose `<link rel=canonical>` names another page of its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Originals {
    /// It is read like every page.
    #[default]
    Ignore,
    /// It gives nothing, and the page that it names is asked for in its place. What that one says about itself is not looked at.
    Follow,
}

/// `[[follow]]`: which links are walked.
#[derive(Debug, Clone, Default)]
pub struct FollowRule {
    /// Only on pages that were reached with this label.
    pub on: Option<String>,
    /// Only links inside elements that match; without it, links anywhere.
    pub css: Option<Css>,
    /// Only links inside elements that it finds; and URLs that it finds as text (`//a/@href`).
    pub xpath: Option<XPath>,
    /// In a JSON answer: URLs, or objects with URLs in the members that `attrs` names (`url` without it).
    pub json: Option<JsonPath>,
    /// The entries of a feed.
    pub feed: bool,
    /// The elements that are links; empty: `<a>` and `<area>`, or all with one of `attrs`.
    pub tags: Vec<String>,
    /// The attributes that hold URLs; empty: `href`.
    pub attrs: Vec<String>,
    /// Only links whose text matches.
    pub text: Option<Regex>,
    /// Only links that match one of these; empty: all.
    pub allow: Vec<UrlPattern>,
    /// Not links that match one of these.
    pub deny: Vec<UrlPattern>,
    /// The label of the pages behind them.
    pub label: Option<String>,
    /// Their priority.
    pub priority: i8,
    /// Most links between a seed and the pages behind these.
    pub depth: Option<u32>,
    /// Most links of one page.
    pub limit: Option<usize>,
    /// Fields that are taken here and become fields of the items behind these links: inside the element of `css` or `xpath` that
    /// holds the link, or of the whole page where there is none.
    pub data: Vec<FieldRule>,
    /// Names of values that become fields of the items behind these links: members of the JSON object that holds the link, fields of
    /// this page's items, values that have travelled here.
    pub carry: Vec<String>,
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

    /// As [`parse`](Spider::parse), and tells what each rule has found where.
    ///
    /// # Errors
    /// Those of `parse`; what was found until then is told all the same.
    pub fn traced(&self, page: &Page, harvest: &mut Harvest) -> (Trace, Result<(), ExtractError>) {
        let mut tracer = Some(Tracer::of(&self.recipe, page));
        let parsed = self.read(page, harvest, &mut tracer);
        (tracer.map(Tracer::done).unwrap_or_default(), parsed)
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
        self.read(page, harvest, &mut None)
    }

    fn more_seeds(&self) -> Box<dyn Iterator<Item = Result<Request, SeedError>> + Send + '_> {
        let listed = self.recipe.seed_file.iter().flat_map(SeedFile::requests);
        Box::new(listed.chain(self.recipe.requests.iter().flat_map(RequestRule::requests)))
    }

    fn failed(&self, request: &Request, failure: &Failure, harvest: &mut Harvest) {
        let may_be_there = failure.class.is_loss() && failure.class != FailureClass::Challenge;
        if may_be_there && let Some(next) = paginate::turn_past(&self.recipe.paginate, request) {
            harvest.follow(next);
        }
    }
}

impl Declarative {
    /// Whether [`parse`](Spider::parse) is done sooner than another thread could be asked to do it: in some microseconds for each
    /// kilobyte of the page, whatever the page holds. Without rules that look into a page no tree is built.
    pub(crate) fn is_quick(&self) -> bool {
        let Recipe { extract, follow, paginate, .. } = &self.recipe;
        extract.is_empty() && paginate.is_empty() && follow.iter().all(FollowRule::asks_for_urls_alone)
    }

    fn read(
        &self,
        page: &Page,
        harvest: &mut Harvest,
        tracer: &mut Option<Tracer>,
    ) -> Result<(), ExtractError> {
        let luggage = Luggage::of(page.request());
        if let Some(detour) = detour::detour(&self.recipe, page, &luggage) {
            match detour {
                Ok(request) => follow_by(Led::Detour, request, harvest, tracer),
                Err(stop) => harvest.problem(format!("{}: its refresh is not followed: {stop}", page.url())),
            }
            return Ok(());
        }
        if self.recipe.extract.is_empty() {
            harvest.item(&summary(page))?;
        }
        fields::extract(&self.recipe.extract, page, harvest, tracer)?;
        harvest.complete(&luggage.values);
        self.take_links(page, &luggage, harvest, tracer);
        if self.recipe.noindex == Noindex::Skip && page.directives(&self.recipe.agent).noindex {
            harvest.forget_items();
        }
        if page.is_html() {
            for limit in page.limits().iter().copied().chain(page.selector_limit()) {
                harvest.problem(format!("{}: {limit}", page.url()));
            }
        }
        Ok(())
    }

    /// Links, and last the next page of the list: the items of this one come first.
    fn take_links(&self, page: &Page, luggage: &Luggage, harvest: &mut Harvest, tracer: &mut Option<Tracer>) {
        let links = follow::follow(&self.recipe, page, luggage, harvest);
        let gave = || self.gave(page, harvest, &links);
        let next = paginate::turn(&self.recipe.paginate, page, luggage, gave);
        let next = next.unwrap_or_else(|why| {
            harvest.problem(format!("{}: its list is not walked on: {why}", page.url()));
            None
        });
        harvest.make_room(links.len());
        // Where a link leads to the next page too, it must not take it out of its list.
        let next_key = next.as_ref().map(Request::fingerprint);
        let others =
            links.into_iter().filter(|(_, link)| next_key.is_none_or(|next| next != link.fingerprint()));
        for (rule, request) in others {
            let by = if self.recipe.follow.is_empty() { Led::EveryLink } else { Led::Follow(rule + 1) };
            follow_by(by, request, harvest, tracer);
        }
        if let Some(tracer) = tracer {
            tracer.is_list(paginate::speaks(&self.recipe.paginate, page.request()));
        }
        next.into_iter().for_each(|request| follow_by(Led::Paginate, request, harvest, tracer));
    }

    /// What a page of a list gave: its items; where no rule takes items from it, its links.
    fn gave(&self, page: &Page, harvest: &Harvest, links: &[(usize, Request)]) -> Gave {
        let mut digest = Fingerprint::hasher();
        if self.recipe.extract.iter().any(|rule| fields::speaks_on(rule, page)) {
            for (kind, fields) in harvest.items() {
                digest.update(kind.as_deref().unwrap_or_default().as_bytes());
                let own = |(name, value): &(&String, &Value)| *name == "url" && *value == page.url().as_str();
                for (name, value) in fields.iter().filter(|field| !own(field)) {
                    digest.update(name.as_bytes());
                    digest.update(value.to_string().as_bytes());
                }
                digest.update(b"\0");
            }
            return Gave { count: harvest.items().len(), digest: Fingerprint::from_hasher(&digest).get() };
        }
        links.iter().for_each(|(_, link)| digest.update(&link.fingerprint().get().to_le_bytes()));
        Gave { count: links.len(), digest: Fingerprint::from_hasher(&digest).get() }
    }
}

fn follow_by(by: Led, request: Request, harvest: &mut Harvest, tracer: &mut Option<Tracer>) {
    harvest.follow(request);
    if let Some(tracer) = tracer {
        tracer.led(by);
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
