//! Which links of a page are followed.

use super::detour;
use super::links::{self, Region, Sighted};
use super::luggage::Luggage;
use super::packing::Packing;
use super::{FollowRule, Nofollow, Recipe};
use crate::extract::ExtractError;
use crate::extract::sitemap::Sitemap;
use crate::item::Harvest;
use crate::page::Page;
use crate::page::links::{Target, link_elements, targets};
use crate::page::tree::NodeId;
use crate::request::Request;
use crate::url::{ByFingerprint, CanonicalUrl};

/// The links of `page` that the recipe takes, each URL once, in the order of the document, and the number of the rule for each.
///
/// Each link goes to the first rule that takes it. Where a URL stands on the page several times, the first rule in the
/// order of the file decides, so that a link in the page's head does not rob the same link in a list of its label.
pub(super) fn follow(
    recipe: &Recipe,
    page: &Page,
    luggage: &Luggage,
    harvest: &mut Harvest,
) -> Vec<(usize, Request)> {
    // Who says how to turn pages and nothing of links wants the list.
    let wants_none = recipe.follow.is_empty() && !recipe.paginate.is_empty();
    if wants_none || detour::is_silent(recipe, page) {
        return Vec::new();
    }
    let rules = Rules::of(recipe, page);
    let regions = rules.regions(page, harvest);
    let mut taken = Taken::default();
    if page.is_html() {
        rules.take_links(page, &regions, &mut taken, harvest);
    }
    rules.take_by_rule(page, &regions, &mut taken, harvest);
    if let Some(target) = detour::later(page)
        && let Some(rule) = rules.first(&target, FollowRule::is_anywhere)
    {
        taken.add(Sighted::to(target), rule);
    }
    rules.requests(taken, &regions, page, luggage, harvest)
}

/// Adds what `sitemap` lists. Rules for links that may stand anywhere speak about its pages too: the first that takes one gives
/// it label and priority, and a page that none of them takes is not asked for. Without such a rule every page is.
pub(super) fn follow_sitemap(recipe: &Recipe, sitemap: &Sitemap, harvest: &mut Harvest) {
    sitemap.sitemaps().for_each(|request| harvest.follow(request));
    let anywhere = |rule: &FollowRule| rule.is_anywhere() && rule.on.is_none();
    let rules = Rules { recipe, label: None, depth: 0 };
    let speaks = recipe.follow.iter().any(anywhere);
    for mut request in sitemap.pages() {
        let rule = rules.first(&request.url, anywhere);
        if speaks && rule.is_none() {
            continue;
        }
        if let Some(rule) = rule.and_then(|rule| recipe.follow.get(rule)) {
            rule.mark(&mut request);
        }
        harvest.follow(request);
    }
}

impl FollowRule {
    /// Whether it takes links wherever they stand, as long as their URL is right.
    fn is_anywhere(&self) -> bool {
        self.css.is_none() && self.xpath.is_none() && self.text.is_none() && self.is_of_links()
    }

    /// Whether it chooses among the page's links, and not by a way of its own.
    fn is_of_links(&self) -> bool {
        self.json.is_none() && !self.feed && self.tags.is_empty() && self.attrs.is_empty()
    }

    /// Whether it takes links by where they lead and by nothing else.
    pub(super) fn asks_for_urls_alone(&self) -> bool {
        self.is_of_links() && !self.asks_for_elements()
    }

    /// Whether it must know more of a link than where it leads.
    fn asks_for_elements(&self) -> bool {
        self.css.is_some()
            || self.xpath.is_some()
            || self.text.is_some()
            || !self.data.is_empty()
            || !self.carry.is_empty()
    }

    fn mark(&self, request: &mut Request) {
        request.label = self.label.as_deref().map(Into::into);
        request.priority = self.priority;
    }
}

/// The rules that speak on this page.
struct Rules<'r> {
    recipe: &'r Recipe,
    label: Option<&'r str>,
    /// Of the page.
    depth: u32,
}

impl<'r> Rules<'r> {
    fn of(recipe: &'r Recipe, page: &'r Page) -> Self {
        let request = page.request();
        Self { recipe, label: request.label.as_deref(), depth: request.depth }
    }

    fn all(&self) -> &'r [FollowRule] {
        &self.recipe.follow
    }

    /// The part of the page to which each rule is bound, if it is and speaks here.
    fn regions(&self, page: &Page, harvest: &mut Harvest) -> Vec<Option<Region>> {
        let mut region = |rule: &FollowRule| {
            if !page.is_html() || !self.speaks(rule) {
                return None;
            }
            // A region that cannot be read is an empty one.
            links::region(rule, page).unwrap_or_else(|error| {
                note(&error, page, harvest);
                Some(Region::default())
            })
        };
        self.all().iter().map(&mut region).collect()
    }

    fn speaks(&self, rule: &FollowRule) -> bool {
        (rule.on.is_none() || rule.on.as_deref() == self.label)
            && rule.depth.is_none_or(|most| self.depth < most)
    }

    /// The page's links, and how many were not read. Where no rule asks where they stand, no tree is built for them.
    fn links<'p>(&self, page: &'p Page) -> (Vec<Sighted<'p>>, usize) {
        if self.all().iter().any(FollowRule::asks_for_elements) {
            let (found, unread) = link_elements(page);
            return (found.into_iter().map(Sighted::of).collect(), unread);
        }
        let (found, unread) = targets(page);
        let sighted = |target: Target| Sighted { nofollow: target.nofollow, ..Sighted::to(target.url) };
        (found.into_iter().map(sighted).collect(), unread)
    }

    /// Takes from the page's links what the first rule for it takes.
    fn take_links<'p>(
        &self,
        page: &'p Page,
        regions: &[Option<Region>],
        taken: &mut Taken<'p>,
        harvest: &mut Harvest,
    ) {
        if !self.all().is_empty() && !self.all().iter().any(FollowRule::is_of_links) {
            return;
        }
        let (found, unread) = self.links(page);
        if unread > 0 {
            let (url, most) = (page.url(), page.most_links);
            harvest.problem(format!(
                "{url}: {unread} links were not read, only {most} of a page are: `http.max-links`"
            ));
        }
        taken.make_room(found.len());
        let bound = regions.iter().any(Option::is_some);
        for link in found.into_iter().filter(|link| self.may_follow(link)) {
            let around = if bound { link.around() } else { Vec::new() };
            let suits = |index: usize| {
                let rule = &self.all()[index];
                rule.is_of_links() && suits_text(rule, &link) && is_inside(regions[index].as_ref(), &around)
            };
            if let Some(rule) = self.first_at(&link.url, suits) {
                taken.add(link, rule);
            }
        }
    }

    /// Takes what rules find in ways of their own.
    fn take_by_rule<'p>(
        &self,
        page: &'p Page,
        regions: &[Option<Region>],
        taken: &mut Taken<'p>,
        harvest: &mut Harvest,
    ) {
        for (index, rule) in self.all().iter().enumerate().filter(|(_, rule)| self.speaks(rule)) {
            let found = found_by(rule, regions[index].as_ref(), page).unwrap_or_else(|error| {
                note(&error, page, harvest);
                Vec::new()
            });
            for link in found {
                if self.may_follow(&link) && suits_text(rule, &link) && rule.takes(&link.url) {
                    taken.add(link, index);
                }
            }
        }
    }

    fn may_follow(&self, link: &Sighted<'_>) -> bool {
        !(link.nofollow && self.recipe.nofollow == Nofollow::Honour)
    }

    fn first(&self, url: &CanonicalUrl, suits: impl Fn(&FollowRule) -> bool) -> Option<usize> {
        self.first_at(url, |index| suits(&self.all()[index]))
    }

    /// The first rule that takes `url` and suits; with no rules at all 0, which takes everything.
    fn first_at(&self, url: &CanonicalUrl, suits: impl Fn(usize) -> bool) -> Option<usize> {
        if self.all().is_empty() {
            return Some(0);
        }
        let takes = |rule: &FollowRule| self.speaks(rule) && rule.takes(url);
        (0..self.all().len()).find(|index| takes(&self.all()[*index]) && suits(*index))
    }

    /// What is asked for, with all that travels along.
    fn requests(
        &self,
        taken: Taken<'_>,
        regions: &[Option<Region>],
        page: &Page,
        luggage: &Luggage,
        harvest: &mut Harvest,
    ) -> Vec<(usize, Request)> {
        let packing = Packing::new(page, self.recipe, &luggage.values);
        let mut counts = vec![0; self.all().len()];
        let mut requests = Vec::with_capacity(taken.in_order.len());
        for (link, index) in taken.in_order {
            let mut request = page.request_for(link.url);
            if let Some(rule) = self.all().get(index) {
                counts[index] += 1;
                if rule.limit.is_some_and(|most| counts[index] > most) {
                    continue;
                }
                rule.mark(&mut request);
                let values = packing.pack(rule, regions[index].as_ref(), link.near);
                request = Luggage::with(values).put(request);
            }
            requests.push((index, request));
        }
        if packing.left_behind() > 0 {
            let (url, count) = (page.url(), packing.left_behind());
            harvest.problem(format!(
                "{url}: the values for {count} links are too long to travel with them, or take too long to find"
            ));
        }
        requests
    }
}

impl FollowRule {
    fn takes(&self, url: &CanonicalUrl) -> bool {
        (self.allow.is_empty() || self.allow.iter().any(|pattern| pattern.matches(url)))
            && !self.deny.iter().any(|pattern| pattern.matches(url))
    }
}

/// What a rule finds that is no link of the page like others.
fn found_by<'p>(
    rule: &FollowRule,
    region: Option<&Region>,
    page: &'p Page,
) -> Result<Vec<Sighted<'p>>, ExtractError> {
    if rule.json.is_some() {
        return if page.is_json() { links::of_json(rule, page) } else { Ok(Vec::new()) };
    }
    if rule.feed {
        return links::of_feed(rule, page);
    }
    if !page.is_html() {
        return Ok(Vec::new());
    }
    let mut found = if rule.is_of_links() { Vec::new() } else { links::of_attributes(rule, page) };
    found.retain(|link| is_inside(region, &link.around()));
    found.extend(links::of_texts(region, page));
    Ok(found)
}

/// The page gives what else it has.
fn note(error: &ExtractError, page: &Page, harvest: &mut Harvest) {
    harvest.problem(format!("{}: some of its links were not found: {error}", page.url()));
}

fn suits_text(rule: &FollowRule, link: &Sighted<'_>) -> bool {
    rule.text.as_ref().is_none_or(|text| text.is_match(&link.text))
}

fn is_inside(region: Option<&Region>, around: &[NodeId]) -> bool {
    region.is_none_or(|region| around.iter().any(|node| region.elements.contains(node)))
}

/// Links in the order in which they were found, each URL once, with the best rule so far.
#[derive(Default)]
struct Taken<'p> {
    in_order: Vec<(Sighted<'p>, usize)>,
    places: ByFingerprint<usize>,
}

impl<'p> Taken<'p> {
    fn make_room(&mut self, links: usize) {
        self.in_order.reserve(links);
        self.places.reserve(links);
    }

    fn add(&mut self, link: Sighted<'p>, rule: usize) {
        let place = *self.places.entry(link.url.fingerprint()).or_insert(self.in_order.len());
        match self.in_order.get_mut(place) {
            Some(best) if rule < best.1 => *best = (link, rule),
            Some(_) => {}
            None => self.in_order.push((link, rule)),
        }
    }
}

#[cfg(test)]
mod tests;
