//! Elements that a selector with `~` finds, within a bound.
//!
//! `h2 ~ p` asks of each `p` what stands before it, as far as the first element. What that costs grows with the square of what stands side by
//! side, and a page can put a million elements there. So what such selectors look at is counted, over all of them on a page, and
//! beyond [`MAX_SIBLING_STEPS`] they find nothing more. The other combinators look at the parents of an element or at the one before it.

use scraper::ElementRef;

use super::Page;
use super::css::Css;
use super::element::Element;
use super::tree::Limit;

/// Elements before others that selectors look at on one page: 22,000 elements side by side are less than that, each asked once.
pub const MAX_SIBLING_STEPS: u64 = 250_000_000;

/// Elements below one another, and how many of each level were seen.
type Level<'p> = (Box<dyn Iterator<Item = ElementRef<'p>> + 'p>, u64);

impl Page {
    /// The limit that selectors ran into: what they look at before other elements is bounded for a page as a whole.
    #[must_use]
    pub fn selector_limit(&self) -> Option<Limit> {
        (self.looked_at.get() > MAX_SIBLING_STEPS).then_some(Limit::Siblings)
    }

    /// Whether a selector may look at so many more elements.
    fn may_look_at(&self, more: u64) -> bool {
        self.looked_at.set(self.looked_at.get().saturating_add(more));
        self.selector_limit().is_none()
    }

    pub(crate) fn matches<'p, 'c>(&'p self, css: &'c Css) -> impl Iterator<Item = Element<'p>> + use<'p, 'c> {
        let counted = css.looks_back.then(|| {
            let top = self.html().tree.root().children().filter_map(ElementRef::wrap);
            counted(self, css, top, None)
        });
        let fast = (!css.looks_back).then(|| self.html().select(css.selector()));
        let found = counted.into_iter().flatten().chain(fast.into_iter().flatten());
        found.map(|node| Element::new(self, node))
    }
}

/// All elements at `top` and below that match, in the order of the document. `scope` is what `:scope` means.
pub(super) fn counted<'p, 'c, T>(
    page: &'p Page,
    css: &'c Css,
    top: T,
    scope: Option<ElementRef<'p>>,
) -> impl Iterator<Item = ElementRef<'p>> + use<'p, 'c, T>
where
    T: Iterator<Item = ElementRef<'p>> + 'p,
{
    let mut levels: Vec<Level<'p>> = vec![(Box::new(top), 0)];
    std::iter::from_fn(move || {
        loop {
            let (siblings, seen) = levels.last_mut()?;
            let Some(element) = siblings.next() else {
                levels.pop();
                continue;
            };
            *seen += 1;
            if !page.may_look_at(*seen) {
                return None;
            }
            levels.push((Box::new(element.child_elements()), 0));
            if css.selector().matches_with_scope(&element, scope) {
                return Some(element);
            }
        }
    })
}

/// Whether a selector asks for elements anywhere before an element. `~=` compares a word of an attribute.
pub(super) fn looks_back(selector: &str) -> bool {
    selector.match_indices('~').any(|(at, _)| !selector[at + 1..].starts_with('='))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::StatusCode;

    use super::*;
    use crate::request::Request;
    use crate::response::Response;
    use crate::url::CanonicalUrl;

    fn page(body: &str) -> Page {
        let url = CanonicalUrl::parse("http://a.example/").unwrap();
        Page::new(Arc::new(Request::get(url.clone())), Response::of(url, StatusCode::OK, body.to_owned()))
    }

    #[test]
    fn what_is_counted_finds_what_is_not() {
        let page = page(
            "<div id=1><h2>a</h2><p>b<i>c</i></p><p class='x y'>d</p><div><p>e</p><h2>f</h2><p>g</p></div></div><p>h</p>",
        );
        for selector in ["h2 ~ p", "h2~p", "div:has(h2 ~ p)", "p ~ p", ":scope > div ~ p", "p ~ div > h2 ~ p"]
        {
            let css = Css::parse(selector).unwrap();
            let library: Vec<_> = page.html().select(css.selector()).map(|node| node.id()).collect();
            let found: Vec<_> = page.select(&css).unwrap().iter().map(|element| element.id()).collect();
            assert_eq!(found, library, "{selector}");
            let outer = page.first("div").unwrap().unwrap();
            let found = outer.select(&css).unwrap().len();
            let node = page.html().select(&scraper::Selector::parse("div").unwrap()).next().unwrap();
            assert_eq!(found, node.select(css.selector()).count(), "{selector}");
        }
        assert!(looks_back("a ~ b") && !looks_back("[class~=x]") && !looks_back("a > b"));
        assert_eq!(page.selector_limit(), None);
    }

    #[test]
    fn very_many_siblings_do_not_make_a_selector_run_away() {
        let page = page(&"<p>".repeat(300_000));
        assert!(page.select("h2 ~ p").unwrap().is_empty());
        assert!(page.selector_limit().is_some());
        assert_eq!(page.select("p").unwrap().len(), 300_000);
    }
}
