//! From the mirror of the file to the [`Plan`]: every table's own build, then the rules between tables.

use std::path::PathBuf;

use super::check::Check;
use super::path::Path;
use super::plan::{MissingContact, Plan, Reader, Seed};
use super::raw::CrawlerFile;
use super::tables::{hosts, pace, pages, scope, seeds, wire};
use crate::address::AddressPolicy;
use crate::politeness::Policy;
use crate::request::Request;
use crate::scope::Scope;
use crate::spider::declarative::Recipe;

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
    let hosts_follow_seeds = !check.is_there(&Path::of(&["scope", "hosts"]));
    scope::add_seed_hosts(&mut scope, &seeds, check);
    let pace = pace::build(&file.politeness, &file.robots, &file.backoff, &file.retry, check);
    let extract = pages::build_extract(file.extract, check);
    let follow = pages::build_follow(file.follow, check);
    pages::check_labels(&seeds, &extract, &follow, check);
    check_reader(file.spider.as_deref(), &seeds, check);
    check_contact(identity.contact.as_deref(), &seeds, check);
    check_seeds_in_scope(&seeds, &scope, check);
    let name = around.stem.unwrap_or_else(|| first_host(&seeds));
    let mut plan = Plan {
        state_dir: file.state_dir.unwrap_or_else(|| PathBuf::from(".crawl").join(&name)),
        sinks: file.sink.build(&extract, check),
        limits: file.http.limits(check),
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
        budget,
        max_in_flight: pace.max_in_flight,
        max_rate: pace.max_rate,
        sharing: pace.sharing,
        canon,
        policy: Policy { max_pages: budget.max_pages_per_host, ..pace.policy },
        hosts_follow_seeds,
        effective: Vec::new(),
    };
    check_credentials(&plan, check);
    plan.http.addresses = AddressPolicy::new(plan.allow.clone());
    for request in plan.requests() {
        plan.allow(&request.url);
    }
    plan.share_seeds();
    plan
}

fn first_host(seeds: &[(Path, Seed)]) -> String {
    seeds
        .first()
        .map_or("crawl", |(_, seed)| seed.url().map_or("demo", |url| url.host()))
        .replace(['[', ']', ':'], "-")
}

/// Either the file reads the pages, or a spider in code does.
fn check_reader(spider: Option<&str>, seeds: &[(Path, Seed)], check: &mut Check<'_>) {
    let Some(spider) = spider else {
        if seeds.is_empty() && !check.is_misplaced("seeds") {
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
fn check_contact(contact: Option<&str>, seeds: &[(Path, Seed)], check: &mut Check<'_>) {
    let away = seeds.iter().find(|(_, seed)| !seed.is_local());
    let (None, Some((place, seed))) = (contact, away) else {
        return;
    };
    let host = seed.url().map_or("", |url| url.host()).to_owned();
    check.missing_for(&Path::of(&["identity", "contact"]), place, MissingContact { host }.to_string());
}

/// A seed that does not belong would leave the crawl without a first page.
fn check_seeds_in_scope(seeds: &[(Path, Seed)], scope: &Scope, check: &mut Check<'_>) {
    for (place, seed) in seeds {
        let Some(url) = seed.url() else { continue };
        if let Err(why) = scope.judge(&Request::get(url.clone())) {
            check.wrong(place, format!("this seed is out of scope and would not be fetched: {why}"));
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
