//! From the mirror of the file to the [`Plan`]: every table's own build, then the rules between tables.

use std::path::PathBuf;

use super::check::Check;
use super::path::Path;
use super::plan::{MissingContact, Plan, Reader, Seed};
use super::raw::CrawlerFile;
use super::tables::{hosts, pace, pages, scope, seeds, wire};
use crate::address::AddressPolicy;
use crate::host::is_loopback;
use crate::politeness::Policy;
use crate::request::Request;
use crate::scope::Scope;
use crate::spider::declarative::Recipe;
use crate::url::CanonicalUrl;

/// What the tables do not know.
pub(super) struct Surroundings {
    /// The crawler file's name without its ending, if there is a file.
    pub(super) stem: Option<String>,
}

/// Builds the plan, and reports everything that makes no sense. The plan is only good if nothing was reported.
pub(super) fn build(file: CrawlerFile, around: Surroundings, check: &mut Check<'_>) -> Plan {
    let canon = file.url.build();
    let seeds = seeds::build(file.seeds, &canon, check);
    let identity = file.identity.build(check);
    let (mut scope, budget) = file.scope.build(check);
    let (sitemaps, places) = file.sitemap.build(&canon, check);
    let starts = Starts { seeds: &seeds, sitemaps: &sitemaps.urls, places: &places };
    let hosts_follow_seeds = !check.is_there(&Path::of(&["scope", "hosts"]));
    scope::add_seed_hosts(&mut scope, &starts.requests(), check);
    let pace = pace::build(&file.politeness, &file.robots, &file.backoff, &file.retry, check);
    let block = file.block.build(check);
    let extract = pages::build_extract(file.extract, check);
    let follow = pages::build_follow(file.follow, check);
    pages::check_labels(&seeds, &extract, &follow, check);
    check_reader(file.spider.as_deref(), &starts, check);
    check_contact(identity.contact.as_deref(), &starts, check);
    check_starts_in_scope(&starts, &scope, check);
    let name = around.stem.unwrap_or_else(|| starts.first_host());
    let plan = Plan {
        state_dir: file.state_dir.unwrap_or_else(|| PathBuf::from(".crawl").join(&name)),
        sinks: file.sink.build(&extract, check),
        downloads: file.download.build(&extract, file.spider.as_deref(), check),
        limits: file.http.limits(check),
        max_bodies: file.cache.bodies(check),
        journal_rounds: file.journal.build(check),
        freshness: file.cache.freshness(),
        cache: file.cache.options(check),
        overrides: hosts::build(file.hosts, check),
        allow: file.net.build(check),
        http: file.http.options(&identity, check),
        reader: match file.spider {
            Some(spider) => Reader::Spider(spider),
            None => Reader::Recipe(Recipe {
                name: name.clone(),
                seeds: Vec::new(),
                extract,
                follow,
                nofollow: file.robots.nofollow(),
                agent: identity.token.clone(),
            }),
        },
        seeds: seeds.into_iter().map(|(_, seed)| seed).collect(),
        name,
        identity,
        scope,
        sitemaps,
        budget,
        max_in_flight: pace.max_in_flight,
        max_rate: pace.max_rate,
        sharing: pace.sharing,
        unlinked: file.revisit.unlinked(),
        revisit: file.revisit.build(check),
        canon,
        policy: Policy { max_pages: budget.max_pages_per_host, block, ..pace.policy },
        hosts_follow_seeds,
        effective: Vec::new(),
    };
    check_credentials(&plan, check);
    with_starts(plan)
}

/// A seed or a sitemap that is written with an address allows that address; and the recipe learns its seeds.
fn with_starts(mut plan: Plan) -> Plan {
    plan.http.addresses = AddressPolicy::new(plan.allow.clone());
    for request in plan.requests() {
        plan.allow(&request.url);
    }
    for url in plan.sitemaps.urls.clone() {
        plan.allow(&url);
    }
    plan.share_seeds();
    plan
}

/// Everything that the file says to begin with.
struct Starts<'a> {
    seeds: &'a [(Path, Seed)],
    sitemaps: &'a [CanonicalUrl],
    /// Where the sitemaps stand in the file.
    places: &'a [Path],
}

impl Starts<'_> {
    /// What is asked first, with its place. Seeds at the demo site have no URL yet.
    fn placed(&self) -> impl Iterator<Item = (&Path, Request)> {
        let seeds = self.seeds.iter().filter_map(|(place, seed)| Some((place, seed.request()?)));
        let sitemaps = self.sitemaps.iter().cloned().map(Request::sitemap);
        seeds.chain(self.places.iter().zip(sitemaps))
    }

    fn requests(&self) -> Vec<Request> {
        self.placed().map(|(_, request)| request).collect()
    }

    fn first_host(&self) -> String {
        let demo = self.seeds.first().is_some_and(|(_, seed)| seed.url().is_none());
        let first = self.placed().next().filter(|_| !demo);
        let host = first.map_or_else(
            || if demo { "demo" } else { "crawl" }.to_owned(),
            |(_, request)| request.url.host().to_owned(),
        );
        host.replace(['[', ']', ':'], "-")
    }
}

/// Either the file reads the pages, or a spider in code does.
fn check_reader(spider: Option<&str>, starts: &Starts<'_>, check: &mut Check<'_>) {
    let Some(spider) = spider else {
        if starts.seeds.is_empty() && starts.sitemaps.is_empty() && !check.is_misplaced("seeds") {
            check.missing(
                &Path::of(&["seeds"]),
                "no seeds: write seeds = [\"https://…\"] above the first table",
            );
        }
        return;
    };
    check.must(!spider.is_empty(), &Path::of(&["spider"]), "expected the name of a registered spider");
    for table in ["extract", "follow"] {
        let place = Path::of(&[table]);
        if let Some(first) = check.items(&place).first() {
            check.wrong(
                first,
                format!("the spider {spider:?} reads the pages: remove either `spider` or [[{table}]]"),
            );
        }
    }
}

/// A crawl that leaves this machine says whose it is. The seeds of a spider in code are not known here; see [`Plan::adopt`].
fn check_contact(contact: Option<&str>, starts: &Starts<'_>, check: &mut Check<'_>) {
    let away = starts.placed().find(|(_, request)| !is_loopback(request.url.host()));
    let (None, Some((place, request))) = (contact, away) else {
        return;
    };
    let host = request.url.host().to_owned();
    check.missing_for(&Path::of(&["identity", "contact"]), place, MissingContact { host }.to_string());
}

/// A seed that does not belong would leave the crawl without a first page.
fn check_starts_in_scope(starts: &Starts<'_>, scope: &Scope, check: &mut Check<'_>) {
    for (place, request) in starts.placed() {
        if let Err(why) = scope.judge(&request) {
            let what = if request.kind.is_page() { "seed" } else { "sitemap" };
            check.wrong(place, format!("this {what} is out of scope and would not be fetched: {why}"));
        }
    }
}

/// A credential in `[http.headers]` goes to every host of the crawl, so there may only be one.
fn check_credentials(plan: &Plan, check: &mut Check<'_>) {
    let hosts = Path::of(&["scope", "hosts"]);
    let wildcard =
        check.items(&hosts).iter().any(|place| check.text(place).is_some_and(|text| text.contains('*')));
    let one_host =
        plan.scope.hosts.len() == 1 && !wildcard || plan.scope.hosts.is_empty() && plan.needs_demo();
    if one_host {
        return;
    }
    for (name, _) in plan.http.headers.iter().filter(|(name, _)| wire::is_credential(name)) {
        check.wrong(
            &Path::of(&["http", "headers", name]),
            "this would be sent to every host of the crawl: put it under [hosts.\"name\".headers]",
        );
    }
}
