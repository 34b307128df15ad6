//! A spider that is put together: for each label, what is taken from its pages.
//!
//! It is for spiders that need no state of their own. What is taken are [`Extractor`]s: functions, closures, typed items
//! ([`FromPage::harvest`](crate::extract::typed::FromPage::harvest)) and links ([`Follow`]).

use std::collections::HashSet;
use std::sync::Arc;

use super::Spider;
use crate::extract::{ExtractError, Extractor};
use crate::item::Harvest;
use crate::page::Page;
use crate::page::css::Css;
use crate::page::links::link_elements;
use crate::page::tree::NodeId;
use crate::request::Request;
use crate::url::{CanonicalUrl, UrlError};

/// A spider made of extractors. Those of a page's label run on it, in the order in which they were given.
///
/// A page with a label for which there is nothing fails: a label is written in two places, and one of them may be misspelt.
///
/// ```
/// use crawl::prelude::*;
/// use crawl::spider::router::{Follow, Router};
/// use crawl::testing;
///
/// #[derive(Item, serde::Serialize)]
/// struct Author {
///     #[item(css = "h1")]
///     name: String,
/// }
///
/// let spider = Router::new("authors")
///     .start("https://shop.example/authors/")?
///     .pages(Follow::css("li.next")?)
///     .pages(Follow::css("ul.authors")?.label("author"))
///     .on("author", Author::harvest);
///
/// let list = testing::page("https://shop.example/authors/", "<ul class=authors><a href=ada>Ada</a></ul>");
/// let harvest = testing::harvest(&spider, &list)?;
/// assert_eq!(harvest.requests()[0].label.as_deref(), Some("author"));
///
/// let ada = testing::answered(harvest.requests()[0].clone(), "<h1>Ada</h1>");
/// assert_eq!(testing::harvest(&spider, &ada)?.items()[0].1["name"], "Ada");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Router {
    name: String,
    seeds: Vec<Request>,
    routes: Vec<Route>,
}

/// What is taken from pages with this label, or from those without one.
struct Route {
    on: Option<Arc<str>>,
    extractor: Box<dyn Extractor>,
}

impl Router {
    /// A spider of this name that takes nothing yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), seeds: Vec::new(), routes: Vec::new() }
    }

    /// Starts at this URL too.
    ///
    /// # Errors
    /// If it is no http or https URL.
    pub fn start(self, url: impl AsRef<str>) -> Result<Self, UrlError> {
        Ok(self.seed(Request::get(CanonicalUrl::parse(url.as_ref())?)))
    }

    /// Starts with this request too.
    #[must_use]
    pub fn seed(mut self, request: Request) -> Self {
        self.seeds.push(request);
        self
    }

    /// Takes this from pages without a label.
    #[must_use]
    pub fn pages(mut self, extractor: impl Extractor) -> Self {
        self.routes.push(Route { on: None, extractor: Box::new(extractor) });
        self
    }

    /// Takes this from pages with this label.
    #[must_use]
    pub fn on(mut self, label: &str, extractor: impl Extractor) -> Self {
        self.routes.push(Route { on: Some(label.into()), extractor: Box::new(extractor) });
        self
    }
}

impl Spider for Router {
    fn name(&self) -> &str {
        &self.name
    }

    fn seeds(&self) -> Vec<Request> {
        self.seeds.clone()
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        let label = &page.request().label;
        let mut routes = self.routes.iter().filter(|route| route.on == *label).peekable();
        if let (Some(label), None) = (label, routes.peek()) {
            return Err(ExtractError::new(format!(
                "nothing is taken from pages with the label `{label}`: add `.on(\"{label}\", …)` to the router"
            )));
        }
        routes.try_for_each(|route| route.extractor.extract(page, harvest))
    }
}

/// Follows the links that match a selector, or lie in an element that does, each as often as it stands there. Where the
/// link or the page says `nofollow` it is not followed.
#[derive(Debug, Clone)]
pub struct Follow {
    css: Css,
    label: Option<Arc<str>>,
}

impl Follow {
    /// Follows the links of these elements.
    ///
    /// # Errors
    /// If `css` is no selector.
    pub fn css(css: &str) -> Result<Self, ExtractError> {
        Ok(Self { css: Css::parse(css)?, label: None })
    }

    /// Gives the pages behind them this label.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.label = Some(label.into());
        self
    }
}

impl Extractor for Follow {
    fn extract(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        // Directives to one crawler by its name are not looked at: a router does not know its name.
        if page.directives("").nofollow {
            return Ok(());
        }
        let region: HashSet<NodeId> = page.matches(&self.css).map(|element| element.id()).collect();
        if region.is_empty() {
            return Ok(());
        }
        for (element, link) in link_elements(page).0 {
            if !link.nofollow && element.around().iter().any(|node| region.contains(node)) {
                let mut request = page.request_for(link.url);
                request.label = self.label.clone();
                harvest.follow(request);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINKS: &str =
        "<nav><a href=/a>a</a><a href=/b rel=nofollow>b</a></nav><a class=c href=/c>c</a><a href=/d>d</a>";

    fn page(label: Option<&str>, html: &str) -> Page {
        let mut request = Request::get(CanonicalUrl::parse("http://a.example/").unwrap());
        request.label = label.map(Into::into);
        let response =
            crate::response::Response::of(request.url.clone(), http::StatusCode::OK, html.to_owned());
        Page::new(Arc::new(request), response)
    }

    fn followed(html: &str) -> Vec<String> {
        let mut harvest = Harvest::new();
        let follow = Follow::css("nav, .c").unwrap().label("x");
        follow.extract(&page(None, html), &mut harvest).unwrap();
        assert!(harvest.requests().iter().all(|request| request.label.as_deref() == Some("x")));
        harvest.requests().iter().map(|request| request.url.path_and_query().to_owned()).collect()
    }

    #[test]
    fn links_that_match_or_lie_in_what_matches_are_followed_unless_they_say_nofollow() {
        assert_eq!(followed(LINKS), ["/a", "/c"]);
        let shut = format!("<meta name=robots content=nofollow>{LINKS}");
        assert!(followed(&shut).is_empty());
    }

    #[test]
    fn extractors_run_on_the_pages_of_their_label_in_their_order() {
        fn say(what: &'static str) -> impl Extractor {
            move |_: &Page, harvest: &mut Harvest| Ok(harvest.item(&what)?)
        }
        let router = Router::new("r").on("b", say("1")).pages(say("2")).on("b", say("3"));
        let said = |label| {
            let mut harvest = Harvest::new();
            router.parse(&page(label, ""), &mut harvest).map(|()| harvest.items().len())
        };
        assert_eq!((said(Some("b")).unwrap(), said(None).unwrap()), (2, 1));
        let unknown = said(Some("c")).unwrap_err().to_string();
        assert!(unknown.contains("add `.on(\"c\", …)` to the router"), "{unknown}");
    }
}
