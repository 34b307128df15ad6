//! What enters a crawl without a page that links to it: seeds, the sitemaps that a robots.txt names, and pages that earlier rounds
//! have met.

use super::CrawlError;
use super::worker::Context;
use super::writer::Change;
use crate::fetch::Fetcher;
use crate::request::Request;
use crate::robots::RobotsRules;
use crate::spider::SeedError;
use crate::url::{HostKey, Origin};

/// Requests that are made before the ones before them are in their queues.
const AT_ONCE: usize = 1_000;

/// The seeds of all spiders, and the sitemaps that are read from the start.
pub(super) fn seeds<F: Fetcher>(context: &Context<F>) -> Change {
    let mut change = Change::default();
    for (index, spider) in context.spiders.iter().enumerate() {
        for mut seed in spider.seeds() {
            seed.spider = u16::try_from(index).unwrap_or(u16::MAX);
            plant(context, &mut change, seed);
        }
    }
    for url in &context.sitemaps.rules.urls {
        plant(context, &mut change, Request::sitemap(url.clone()));
    }
    change
}

/// The next of the requests that a spider brings beyond its seeds; nothing when there are no more.
pub(super) fn some<F: Fetcher>(
    context: &Context<F>,
    spider: usize,
    more: &mut (dyn Iterator<Item = Result<Request, SeedError>> + Send),
) -> Result<Option<Change>, CrawlError> {
    let mut change = Change::default();
    let mut is_over = true;
    for seed in more.take(AT_ONCE) {
        let mut seed = seed?;
        seed.spider = u16::try_from(spider).unwrap_or(u16::MAX);
        plant(context, &mut change, seed);
        is_over = false;
    }
    Ok((!is_over).then_some(change))
}

/// Known pages, as far as they still belong to the crawl.
pub(super) fn known<F: Fetcher>(context: &Context<F>, found: Vec<Request>) -> Change {
    let belongs = |request: &Request| {
        usize::from(request.spider) < context.spiders.len() && context.scope.judge(request).is_ok()
    };
    Change { links: found.into_iter().filter(belongs).collect(), ..Change::default() }
}

fn plant<F: Fetcher>(context: &Context<F>, change: &mut Change, seed: Request) {
    let seed = seed.wanted_on(None);
    match context.judge(&seed) {
        Ok(()) => change.links.push(seed),
        Err(why) => {
            tracing::warn!(url = %seed.url, reason = %why, "seed is out of scope");
            change.totals.out_of_scope += 1;
        }
    }
}

/// The sitemaps of origins whose robots.txt is now known. They are named once in a run; that they were seen before in this
/// round is for the seen-set to know.
pub(super) fn sitemaps<F: Fetcher>(context: &Context<F>, opened: Vec<(Origin, RobotsRules)>) -> Change {
    let mut change = Change::default();
    for (origin, rules) in opened {
        let spiders = spiders_at(context, &origin.host_key());
        for request in context.sitemaps.named(&origin, &rules, &context.canon) {
            if let Err(why) = context.scope.judge(&request) {
                tracing::info!(url = %request.url, reason = %why, "sitemap is out of scope");
                change.totals.out_of_scope += 1;
                continue;
            }
            for spider in &spiders {
                let mut request = request.clone();
                request.spider = *spider;
                change.links.push(request);
            }
        }
    }
    change
}

/// Who reads the pages that a sitemap of this host lists.
fn spiders_at<F: Fetcher>(context: &Context<F>, host: &HostKey) -> Vec<u16> {
    if context.spiders.len() == 1 {
        return vec![0];
    }
    let has_seed = |index: &u16| {
        let seeds = context.spiders[usize::from(*index)].seeds();
        seeds.iter().any(|seed| seed.host() == *host)
    };
    (0..u16::try_from(context.spiders.len()).unwrap_or(u16::MAX)).filter(has_seed).collect()
}
