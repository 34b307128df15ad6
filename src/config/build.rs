//! From the mirror of the file to the [`Plan`]: every table's own build, then the rules between tables.

use std::mem::take;
use std::path::PathBuf;

use super::check::Check;
use super::path::Path;
use super::plan::{LoginPlan, MissingContact, Plan, Reader};
use super::raw::CrawlerFile;
use super::tables::failed::FailedTable;
use super::tables::follow::FollowTable;
use super::tables::labels::Said;
use super::tables::names::Names;
use super::tables::pace::RobotsTable;
use super::tables::pages::ExtractTable;
use super::tables::paginate::PaginateTable;
use super::tables::requests::Shape;
use super::tables::seeds::Seeds;
use super::tables::sink::SinkTable;
use super::tables::url::UrlTable;
use super::tables::{
    follow, hosts, pace, pages, paginate, requests, scope, seeds, session, sink, stage, wire,
};
use crate::address::AddressPolicy;
use crate::cookies::JarLimits;
use crate::engine::Sitemaps;
use crate::fetch::http::HttpOptions;
use crate::host::is_loopback;
use crate::politeness::Policy;
use crate::request::{Kind, Request};
use crate::scope::Scope;
use crate::sink::Target;
use crate::sink::warc::WarcOptions;
use crate::spider::declarative::{ExtractRule, FollowRule, PaginateRule, Recipe, RequestRule};
use crate::url::Canon;

/// What the tables do not know.
pub(super) struct Surroundings {
    /// The crawler file's name without its ending, if there is a file.
    pub(super) stem: Option<String>,
}

/// Builds the plan, and reports everything that makes no sense. The plan is only good if nothing was reported.
pub(super) fn build(mut file: CrawlerFile, around: Surroundings, check: &mut Check<'_>) -> Plan {
    let starts = Starts::take(&mut file, check);
    let identity = file.identity.build(check);
    let (mut scope, budget) = file.scope.build(check);
    let first = starts.requests();
    scope::add_seed_hosts(&mut scope, &first, check);
    let pace = pace::build(&file.politeness, &file.robots, &file.backoff, &file.retry, check);
    let rules = rules((file.extract, file.follow, file.paginate), &starts, check);
    let (names, stages) = stage::build(file.stage, rules.names(file.spider.as_deref()), check);
    check_starts(file.spider.as_deref(), identity.contact.as_deref(), &starts, &scope, check);
    let name = around.stem.unwrap_or_else(|| starts.first_host());
    let Outputs { archive, sinks, failed } =
        outputs(file.sink, file.failed, &sink::Around { name: &name, extract: names.rules() }, check);
    let policy =
        Policy { block: file.block.build(check), max_pages: budget.max_pages_per_host, ..pace.policy };
    let Starts { canon, seeds, sitemaps, cookies, jar, login, .. } = starts;
    let (seeds, seed_file) = seeds.into_parts();
    let plan = Plan {
        state_dir: file.state_dir.unwrap_or_else(|| PathBuf::from(".crawl").join(&name)),
        failed,
        expect: file.expect.build(&names, check),
        stages,
        archive,
        sinks,
        downloads: file.download.build(names.rules(), file.spider.as_deref(), check),
        limits: file.http.limits(check),
        calls: file.limits.build(check),
        cookies,
        jar,
        login: login.map(|(_, login)| login),
        max_bodies: file.cache.bodies(check),
        journal_rounds: file.journal.build(check),
        disk: file.state.build(check),
        freshness: file.cache.freshness(),
        cache: file.cache.options(check),
        overrides: hosts::build(file.hosts, check),
        allow: file.net.build(check),
        http: HttpOptions { trust: file.net.trust(check), ..file.http.options(&identity, check) },
        reader: reader(file.spider, rules.recipe(&name, &identity.token, &file.robots, &file.url)),
        seeds,
        seed_file,
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
        policy,
        hosts_follow_seeds: !check.is_there(&Path::of(&["scope", "hosts"])),
        effective: Vec::new(),
    };
    check_credentials(&plan, check);
    with_starts(plan, &first)
}

/// What the tables for pages say.
struct Rules {
    extract: Vec<ExtractRule>,
    follow: Vec<FollowRule>,
    paginate: Vec<PaginateRule>,
    requests: Vec<RequestRule>,
    /// Names of values that travel with requests.
    travelling: Vec<String>,
}

/// The tables for pages, as they stand in the file.
type PageTables = (Vec<ExtractTable>, Vec<FollowTable>, Vec<PaginateTable>);

fn rules((extract, follow, paginate): PageTables, starts: &Starts, check: &mut Check<'_>) -> Rules {
    let extract = pages::build_extract(extract, check);
    let follow = self::follow::build(follow, check);
    let paginate = self::paginate::build(paginate, check);
    let requests: Vec<RequestRule> = starts.shapes.iter().map(|shape| shape.rule.clone()).collect();
    let seeds = &starts.seeds.written;
    let said = Said { seeds, requests: &requests, extract: &extract, follow: &follow, paginate: &paginate };
    said.check_labels(check);
    said.check_carried(check);
    let travelling = said.travelling();
    Rules { extract, follow, paginate, requests, travelling }
}

impl Rules {
    fn names(&self, spider: Option<&str>) -> Names {
        Names::of(&self.extract, &self.travelling, spider)
    }

    /// Without seeds, which are those of the plan.
    fn recipe(self, name: &str, agent: &str, robots: &RobotsTable, url: &UrlTable) -> Recipe {
        let Self { extract, follow, paginate, requests, .. } = self;
        Recipe {
            name: name.to_owned(),
            seeds: Vec::new(),
            seed_file: None,
            extract,
            follow,
            paginate,
            requests,
            nofollow: robots.nofollow(),
            noindex: robots.noindex(),
            originals: url.originals(),
            agent: agent.to_owned(),
        }
    }
}

/// Where things go.
struct Outputs {
    archive: Option<WarcOptions>,
    sinks: Vec<Target>,
    failed: Option<PathBuf>,
}

fn outputs(
    sinks: SinkTable,
    failed: FailedTable,
    around: &sink::Around<'_>,
    check: &mut Check<'_>,
) -> Outputs {
    let archive = sinks.archive(around.name, check);
    let sinks = sinks.build(around, check);
    Outputs { failed: failed.build(&sinks, check), archive, sinks }
}

fn reader(spider: Option<String>, recipe: Recipe) -> Reader {
    spider.map_or(Reader::Recipe(recipe), Reader::Spider)
}

/// A seed or a sitemap that is written with an address allows that address; and the recipe learns its seeds.
fn with_starts(mut plan: Plan, first: &[Request]) -> Plan {
    plan.http.addresses = AddressPolicy::new(plan.allow.clone());
    plan.allow(first.iter().map(|request| &request.url));
    plan.share_seeds();
    plan
}

/// Everything that the file says to begin with.
struct Starts {
    canon: Canon,
    seeds: Seeds,
    sitemaps: Sitemaps,
    /// Where the sitemaps stand in the file.
    places: Vec<Path>,
    shapes: Vec<Shape>,
    cookies: Option<Vec<(String, String)>>,
    jar: JarLimits,
    login: Option<(Path, LoginPlan)>,
}

impl Starts {
    /// Takes these tables out of the file.
    fn take(file: &mut CrawlerFile, check: &mut Check<'_>) -> Self {
        let canon = file.url.build();
        let seeds = seeds::build((take(&mut file.seeds), take(&mut file.seeds_file)), &canon, check);
        let (sitemaps, places) = take(&mut file.sitemap).build(&canon, check);
        let shapes = requests::build(take(&mut file.requests), &canon, check);
        let jar = file.cookies.limits(check);
        let (cookies, login) = session::build(take(&mut file.cookies), take(&mut file.login), &canon, check);
        Self { canon, seeds, sitemaps, places, shapes, cookies, jar, login }
    }

    /// What is asked first, with its place. Seeds at the demo site have no URL yet.
    fn placed(&self) -> impl Iterator<Item = (&Path, Request)> {
        let sitemaps = self.sitemaps.urls.iter().cloned().map(Request::sitemap);
        let shapes = self.shapes.iter().filter_map(|shape| Some((&shape.place, shape.first.clone()?)));
        let login = self.login.as_ref().and_then(|(place, login)| Some((place, login.url()?)));
        let login = login.map(|(place, url)| (place, Request::get(url.clone()).for_login()));
        self.seeds.placed().chain(self.places.iter().zip(sitemaps)).chain(shapes).chain(login)
    }

    fn requests(&self) -> Vec<Request> {
        self.placed().map(|(_, request)| request).collect()
    }

    fn first_host(&self) -> String {
        let demo = match self.seeds.written.first() {
            Some((_, seed)) => seed.url().is_none(),
            None => self.seeds.is_empty() && self.shapes.iter().any(|shape| shape.rule.is_demo()),
        };
        let first = self.placed().next().filter(|_| !demo);
        let host = first.map_or_else(
            || if demo { "demo" } else { "crawl" }.to_owned(),
            |(_, request)| request.url.host().to_owned(),
        );
        host.replace(['[', ']', ':'], "-")
    }
}

/// Either the file reads the pages, or a spider in code does.
fn check_reader(spider: Option<&str>, starts: &Starts, check: &mut Check<'_>) {
    let Some(spider) = spider else {
        let has_shapes = check.is_there(&Path::of(&["requests"]));
        let nothing = starts.seeds.is_empty() && starts.sitemaps.urls.is_empty() && !has_shapes;
        if nothing && !check.is_misplaced("seeds") {
            check.missing(
                &Path::of(&["seeds"]),
                "no seeds: write seeds = [\"https://…\"] above the first table",
            );
        }
        return;
    };
    check.must(!spider.is_empty(), &Path::of(&["spider"]), "expected the name of a registered spider");
    for table in ["extract", "follow", "paginate", "requests"] {
        let place = Path::of(&[table]);
        if let Some(first) = check.items(&place).first() {
            check.wrong(
                first,
                format!("the spider {spider:?} reads the pages: remove either `spider` or [[{table}]]"),
            );
        }
    }
}

fn check_starts(
    spider: Option<&str>,
    contact: Option<&str>,
    starts: &Starts,
    scope: &Scope,
    check: &mut Check<'_>,
) {
    check_reader(spider, starts, check);
    check_contact(contact, starts, check);
    check_starts_in_scope(starts, scope, check);
}

/// A crawl that leaves this machine says whose it is. The seeds of a spider in code are not known here; see [`Plan::adopt`].
fn check_contact(contact: Option<&str>, starts: &Starts, check: &mut Check<'_>) {
    let away = starts.placed().find(|(_, request)| !is_loopback(request.url.host()));
    let (None, Some((place, request))) = (contact, away) else {
        return;
    };
    let host = request.url.host().to_owned();
    check.missing_for(&Path::of(&["identity", "contact"]), place, MissingContact { host }.to_string());
}

/// A seed that does not belong would leave the crawl without a first page. Of a file of seeds the scope may take a part.
fn check_starts_in_scope(starts: &Starts, scope: &Scope, check: &mut Check<'_>) {
    let listed = starts.seeds.listed.as_ref().map(|listed| &listed.place);
    for (place, request) in starts.placed().filter(|(place, _)| Some(*place) != listed) {
        if let Err(why) = scope.judge(&request) {
            let what = match request.kind {
                Kind::Page | Kind::NextPage | Kind::Download => "seed",
                Kind::Sitemap { .. } => "sitemap",
                Kind::Login => "login page",
            };
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
