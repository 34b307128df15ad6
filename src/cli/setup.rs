//! From a plan to a crawl that is ready to run.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::{Plan, Reader};
use crate::engine::{Builder, Crawl};
use crate::extract::ExtractError;
use crate::extract::sitemap::Sitemap;
use crate::fetch::http::HttpFetcher;
use crate::item::Harvest;
use crate::page::Page;
use crate::request::Request;
use crate::response::Failure as PageFailure;
use crate::robots::ProductToken;
use crate::sink::{Sink, SinkError, Target};
use crate::spider::declarative::{SeedError, SeedFile};
use crate::spider::{Downloaded, Spider};
use crate::url::Fingerprint;

use super::Registry;
use super::exit::Failure;

/// Tables and keys whose values decide what a page gives.
const READING: [&str; 8] =
    ["extract", "follow", "paginate", "url", "spider", "stage", "robots.nofollow", "robots.noindex"];

/// The spider of a plan. The seeds of the plan come before the spider's own; if there are none, the plan adopts these.
pub(super) fn spider(plan: &mut Plan, registry: &Registry) -> Result<Arc<dyn Spider>, Failure> {
    let spider = registry.of(plan)?;
    if matches!(plan.reader, Reader::Recipe(_)) {
        return Ok(spider);
    }
    if plan.seeds.is_empty() && plan.seed_file.is_none() {
        let more = spider.more_seeds().next().and_then(Result::ok);
        plan.adopt(&spider.seeds().into_iter().chain(more).collect::<Vec<_>>())?;
        return Ok(spider);
    }
    let (seeds, file) = (plan.requests(), plan.seed_file.clone());
    Ok(Arc::new(Seeded { spider, seeds, file }))
}

/// Describes the crawl of a plan; where it keeps its state and where items go is left to the caller.
pub(super) fn describe(
    plan: &Plan,
    spider: Arc<dyn Spider>,
    clock: &Clock,
) -> Result<Builder<HttpFetcher>, Failure> {
    let agent = ProductToken::parse(&plan.identity.token)?;
    let seed = clock.now().as_millis();
    let mut builder = Crawl::builder();
    if let Some(contact) = &plan.identity.contact {
        builder = builder.identity(&plan.identity.token, contact);
    }
    builder = match plan.cookie_jar() {
        Some(jar) => builder.cookies(jar),
        None => builder.without_cookies(),
    };
    for stage in &plan.stages {
        builder = builder.stage(stage.clone());
    }
    let [policies, headers, whole] = [(); 3].map(|()| plan.clone());
    Ok(builder
        .shared_spider(spider)
        .scope(plan.scope.clone())
        .sitemaps(plan.sitemaps.clone())
        .canon(plan.canon.clone())
        .limits(plan.limits)
        .calls(plan.calls)
        .freshness(plan.freshness)
        .unlinked(plan.unlinked)
        .policies(move |host| policies.policy(host))
        .host_headers(move |host| headers.headers_for(host))
        .http(plan.http.clone())
        .settings(move |settings| {
            whole.tune(settings);
            settings.agent = agent;
            settings.seed = seed;
        })
        .rules_digest(rules_digest(plan))
        .plan(plan.effective_values())
        .clock(clock.clone()))
}

/// Opens everything that items go to.
pub(super) fn sinks(plan: &Plan) -> Result<Vec<Box<dyn Sink>>, SinkError> {
    plan.sinks.iter().map(Target::open).collect()
}

/// Changes with everything that decides what a page gives: the rules, this program's version, and for a spider in code the
/// program itself.
fn rules_digest(plan: &Plan) -> u64 {
    let mut digest = Fingerprint::hasher();
    digest.update(env!("CARGO_PKG_VERSION").as_bytes());
    for entry in plan.explain() {
        let table = entry.key.split(['.', '[']).next().unwrap_or_default();
        // Links to files are kept with the rest of a page.
        let finds_files = ["download.fields", "download.hosts"].iter().any(|key| entry.key.starts_with(key));
        if READING.contains(&table) || READING.contains(&entry.key.as_str()) || finds_files {
            // The zero keeps keys and values apart.
            for part in [&entry.key, &entry.value] {
                digest.update(part.as_bytes());
                digest.update(&[0]);
            }
        }
    }
    if matches!(plan.reader, Reader::Spider(_)) {
        digest.update(this_program().as_bytes());
    }
    Fingerprint::from_hasher(&digest).get()
}

/// Length and date of the program: whoever changes a spider's code builds it anew.
fn this_program() -> String {
    let file = std::env::current_exe().and_then(std::fs::metadata);
    file.map_or_else(|_| String::new(), |file| format!("{} {:?}", file.len(), file.modified().ok()))
}

/// A spider that starts elsewhere.
struct Seeded {
    spider: Arc<dyn Spider>,
    seeds: Vec<Request>,
    file: Option<SeedFile>,
}

impl Spider for Seeded {
    fn name(&self) -> &str {
        self.spider.name()
    }

    fn seeds(&self) -> Vec<Request> {
        self.seeds.clone()
    }

    fn more_seeds(&self) -> Box<dyn Iterator<Item = Result<Request, SeedError>> + Send + '_> {
        Box::new(self.file.iter().flat_map(SeedFile::requests))
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        self.spider.parse(page, harvest)
    }

    fn sitemap(&self, request: &Request, sitemap: &Sitemap, harvest: &mut Harvest) {
        self.spider.sitemap(request, sitemap, harvest);
    }

    fn downloaded(&self, request: &Request, file: &Downloaded, harvest: &mut Harvest) {
        self.spider.downloaded(request, file, harvest);
    }

    fn failed(&self, request: &Request, failure: &PageFailure, harvest: &mut Harvest) {
        self.spider.failed(request, failure, harvest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loader;

    fn plan(text: &str) -> Plan {
        Loader::new().text("a.toml", format!("seeds = [\"demo:\"]\n{text}")).load().unwrap()
    }

    #[test]
    fn the_digest_changes_with_the_rules_and_with_nothing_else() {
        let rules = |css: &str| format!("[[extract]]\nfields = {{ title = \"{css}\" }}\n");
        let digest = rules_digest(&plan(&rules("h1")));
        assert_eq!(digest, rules_digest(&plan(&format!("[politeness]\ndelay = \"3s\"\n{}", rules("h1")))));
        assert_ne!(digest, rules_digest(&plan(&rules("h2"))));
        assert_ne!(rules_digest(&plan("")), rules_digest(&plan("[url]\nsort-query = true\n")));
    }
}
