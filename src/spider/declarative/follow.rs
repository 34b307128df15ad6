//! Which links of a page are followed.

use std::collections::{HashMap, HashSet};

use super::{FollowRule, Nofollow, Recipe};
use crate::extract::sitemap::Sitemap;
use crate::item::Harvest;
use crate::page::Page;
use crate::page::element::Element;
use crate::page::links::{Link, MAX_LINKS, link_elements};
use crate::page::tree::NodeId;
use crate::url::CanonicalUrl;

/// Adds the links of `page` that the recipe takes, each URL once, in the order of the document.
///
/// Each link goes to the first rule that takes it. Where a URL stands on the page several times, the first rule in the
/// order of the file decides, so that a link in the page's head does not rob the same link in a list of its label.
pub(super) fn follow(recipe: &Recipe, page: &Page, harvest: &mut Harvest) {
    let honour = recipe.nofollow == Nofollow::Honour;
    if honour && page.directives(&recipe.agent).nofollow {
        return;
    }
    let mut taken = Taken::default();
    for (link, rule) in rules_of_links(recipe, page, harvest) {
        if !(honour && link.nofollow) {
            taken.add(link.url, rule);
        }
    }
    let refresh = page.meta_refresh().and_then(|(_, target)| target);
    if let Some(target) = refresh.filter(|target| target != page.url())
        && let Some(rule) = Rules::of(recipe, page).first(&target, |rule| rule.css.is_none())
    {
        taken.add(target, rule);
    }
    for (url, rule) in taken.in_order {
        let mut request = page.request_for(url);
        if let Some(rule) = recipe.follow.get(rule) {
            request.label = rule.label.as_deref().map(Into::into);
            request.priority = rule.priority;
        }
        harvest.follow(request);
    }
}

/// Adds what `sitemap` lists. Rules for links that may stand anywhere speak about its pages too: the first that takes one gives
/// it label and priority, and a page that none of them takes is not asked for. Without such a rule every page is.
pub(super) fn follow_sitemap(recipe: &Recipe, sitemap: &Sitemap, harvest: &mut Harvest) {
    sitemap.sitemaps().for_each(|request| harvest.follow(request));
    let anywhere = |rule: &FollowRule| rule.css.is_none() && rule.on.is_none();
    let rules = Rules { all: &recipe.follow, label: None };
    let speaks = recipe.follow.iter().any(anywhere);
    for mut request in sitemap.pages() {
        let rule = rules.first(&request.url, anywhere);
        if speaks && rule.is_none() {
            continue;
        }
        if let Some(rule) = rule.and_then(|rule| recipe.follow.get(rule)) {
            request.label = rule.label.as_deref().map(Into::into);
            request.priority = rule.priority;
        }
        harvest.follow(request);
    }
}

/// All links with the index of the first rule that takes them.
fn rules_of_links(recipe: &Recipe, page: &Page, harvest: &mut Harvest) -> Vec<(Link, usize)> {
    let rules = Rules::of(recipe, page);
    let regions: Vec<_> = recipe.follow.iter().map(|rule| region(rule, page)).collect();
    let (found, unread) = link_elements(page);
    if unread > 0 {
        let url = page.url();
        harvest.problem(format!("{url}: {unread} links were not read, only {MAX_LINKS} of a page are"));
    }
    let bound = regions.iter().any(Option::is_some);
    let take = |(element, link): (Element<'_>, Link)| {
        let around: Vec<NodeId> = if bound { element.around() } else { Vec::new() };
        let inside = |index: usize| {
            let region = regions[index].as_ref();
            region.is_none_or(|region| around.iter().any(|node| region.contains(node)))
        };
        let rule = rules.first_at(&link.url, inside)?;
        Some((link, rule))
    };
    found.into_iter().filter_map(take).collect()
}

/// The elements that a rule is bound to, if it is.
fn region(rule: &FollowRule, page: &Page) -> Option<HashSet<NodeId>> {
    let css = rule.css.as_ref()?;
    Some(page.matches(css).map(|element| element.id()).collect())
}

/// The rules that speak on this page.
struct Rules<'r> {
    all: &'r [FollowRule],
    label: Option<&'r str>,
}

impl<'r> Rules<'r> {
    fn of(recipe: &'r Recipe, page: &'r Page) -> Self {
        Self { all: &recipe.follow, label: page.request().label.as_deref() }
    }

    fn first(&self, url: &CanonicalUrl, suits: impl Fn(&FollowRule) -> bool) -> Option<usize> {
        self.first_at(url, |index| suits(&self.all[index]))
    }

    /// The first rule that takes `url` and suits; with no rules at all 0, which takes everything.
    fn first_at(&self, url: &CanonicalUrl, suits: impl Fn(usize) -> bool) -> Option<usize> {
        if self.all.is_empty() {
            return Some(0);
        }
        let takes = |rule: &FollowRule| {
            (rule.on.is_none() || rule.on.as_deref() == self.label)
                && (rule.allow.is_empty() || rule.allow.iter().any(|pattern| pattern.matches(url)))
                && !rule.deny.iter().any(|pattern| pattern.matches(url))
        };
        (0..self.all.len()).find(|index| suits(*index) && takes(&self.all[*index]))
    }
}

/// URLs in the order in which they were found, each with the best rule so far.
#[derive(Default)]
struct Taken {
    in_order: Vec<(CanonicalUrl, usize)>,
    places: HashMap<CanonicalUrl, usize>,
}

impl Taken {
    fn add(&mut self, url: CanonicalUrl, rule: usize) {
        if let Some(place) = self.places.get(&url) {
            let best = &mut self.in_order[*place].1;
            *best = rule.min(*best);
            return;
        }
        self.places.insert(url.clone(), self.in_order.len());
        self.in_order.push((url, rule));
    }
}
