//! A simulated crawl in a file: the sites, the crawl, what is expected of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::expect::Expected;
use super::judge::{Breach, Yardstick};
use super::measure::{Measure, Measures};
use super::reading::{self, Misreading};
use super::simulation::{Course, Operator, Parked, Simulation};
use super::site::{Format, Shape, Site};
use super::spider::FollowAll;
use super::transcript::Transcript;
use super::web::SimWeb;
use crate::engine::{BuildError, Crawl, CrawlError, Execution, Report, RobotsSitemaps, Sitemaps, Start};
use crate::frontier::{Grouping, Sharing};
use crate::item::Item;
use crate::politeness::{Backoff, PaceRule, Policy, Rate};
use crate::scope::Scope;
use crate::sink::memory::Collect;
use crate::store::journal::Journals;
use crate::time::Timestamp;
use crate::url::CanonicalUrl;

/// A scenario: `[crawl]`, `[[site]]`, `[expect]`. All times are seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, in a sentence.
    #[serde(default)]
    pub about: String,
    /// The crawl.
    #[serde(default)]
    pub crawl: CrawlModel,
    /// The web.
    #[serde(rename = "site")]
    pub sites: Vec<Site>,
    /// What is expected. Breaches of politeness are faults without a word here.
    #[serde(default)]
    pub expect: Expected,
}

/// The crawl of a scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct CrawlModel {
    /// Where it starts. Default: `/` of every site.
    pub seeds: Vec<String>,
    /// More spiders: the seeds of each.
    pub other_spiders: Vec<Vec<String>>,
    /// The configured delay. Default 1.
    pub delay: f64,
    /// Share of the delay that is added at random. Default 0, unlike a real crawl.
    pub jitter: f64,
    /// Whether the host's own pace is learned. Default: it is.
    pub pace: PaceRule,
    /// Requests in flight to a host. Default 1.
    pub max_concurrency: u32,
    /// Requests of a host in a time, as in "5/s". The judge does not measure it: a site's limit does.
    pub rate: Option<Rate>,
    /// Requests that `rate` lets go at once after a pause. Default 1.
    pub burst: u32,
    /// Which hosts share one pace. Default: each has its own.
    pub group: Grouping,
    /// Domains whose hosts stay single.
    pub multi_tenant: Vec<String>,
    /// Requests in flight to an address. Default 2.
    pub address_concurrency: u32,
    /// Requests of an address in a time.
    pub address_rate: Option<Rate>,
    /// Requests in flight over all hosts.
    pub max_in_flight: Option<usize>,
    /// Most pages of the run.
    pub max_pages: Option<u64>,
    /// Most pages of a host.
    pub max_pages_per_host: Option<u64>,
    /// Most links from a seed.
    pub max_depth: Option<u32>,
    /// Whether the sitemaps that a robots.txt names are read. Default no.
    pub sitemaps: bool,
    /// Most sitemaps of a host. Default 500.
    pub max_sitemaps: u32,
    /// Longest wait with nothing else to do. Default 60.
    pub patience: f64,
    /// Requests of an origin that are kept in memory. Default 64.
    pub head: usize,
    /// Hosts of which everything is in memory; none at all puts every host to sleep after each answer. Default 20,000.
    pub awake: usize,
    /// Seed of all random draws, the crawler's and the web's.
    pub seed: u64,
    /// Seconds after midnight UTC at which it begins.
    pub time_of_day: u64,
    /// Seconds at which the process is killed, if it still runs; it starts again at once.
    pub kill_at: Vec<f64>,
    /// Hours after which it is stopped, if it still runs.
    pub hours: Option<f64>,
    /// What becomes of a run that has parked itself: `stays`, the default, or `runs-again`.
    pub parked: Parked,
}

impl Default for CrawlModel {
    fn default() -> Self {
        Self {
            seeds: Vec::new(),
            other_spiders: Vec::new(),
            delay: 1.0,
            jitter: 0.0,
            pace: PaceRule::Adaptive,
            max_concurrency: 1,
            rate: None,
            burst: 1,
            group: Grouping::Host,
            multi_tenant: Vec::new(),
            address_concurrency: 2,
            address_rate: None,
            max_in_flight: None,
            max_pages: None,
            max_pages_per_host: None,
            max_depth: None,
            sitemaps: false,
            max_sitemaps: 500,
            patience: 60.0,
            head: 64,
            awake: 20_000,
            seed: 1,
            time_of_day: 0,
            kill_at: Vec::new(),
            hours: None,
            parked: Parked::Stays,
        }
    }
}

impl CrawlModel {
    fn sharing(&self) -> Sharing {
        Sharing {
            group: self.group,
            multi_tenant: self.multi_tenant.clone(),
            address_concurrency: Some(self.address_concurrency),
            address_rate: self.address_rate,
            ..Sharing::default()
        }
    }
}

/// Why a scenario could not be run at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The file is not a scenario.
    #[error("not a scenario: {0}")]
    File(#[from] Misreading),
    /// The crawl cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The crawl could not go on.
    #[error(transparent)]
    Crawl(#[from] CrawlError),
    /// The crawl went on for a month of simulated time.
    #[error("the crawl does not end: after a month it is still running")]
    Endless,
}

/// What came of a scenario.
#[derive(Debug)]
pub struct ScenarioRun {
    /// The report of the run that came to its end.
    pub report: Report,
    /// Everything that arrived.
    pub transcript: Transcript,
    /// Items in the output.
    pub items: Vec<Item>,
    /// When it was over.
    pub ended: Timestamp,
    /// Runs that were begun.
    pub runs: u32,
    /// How well it did by its servers.
    pub measures: Measures,
    /// Rules of politeness that were broken.
    pub breaches: Vec<Breach>,
    /// What was not as expected, breaches of politeness included.
    pub faults: Vec<String>,
    /// The journals of all its runs.
    pub journals: Journals,
}

impl Scenario {
    /// Reads a scenario from TOML.
    ///
    /// # Errors
    /// [`ScenarioError::File`] with line, column and key.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        Ok(reading::read(text)?)
    }

    /// Runs it. Wants a paused current-thread runtime; on a running clock it takes as long as it says.
    ///
    /// # Errors
    /// [`ScenarioError`] if there is no run to judge. What is not as expected is in [`ScenarioRun::faults`].
    pub async fn run(&self) -> Result<ScenarioRun, ScenarioError> {
        let items = Collect::default();
        let simulation = self.simulation(self.crawl.seed);
        let operator = Operator {
            kill_at: self.crawl.kill_at.clone(),
            stop_at: self.crawl.hours.map(|hours| hours * 3_600.0),
            parked: self.crawl.parked,
        };
        let course = simulation.run(&operator, |world| self.crawl(world, &items)).await?;
        let mut run = self.judge(&simulation, course, |_| self.policy());
        run.items.clone_from(&items.items());
        run.faults.extend(self.expect.item_faults(&run.items, self.spiders()));
        Ok(run)
    }

    /// The world in which it happens; `seed` is that of all the web's draws.
    #[must_use]
    pub fn simulation(&self, seed: u64) -> Simulation {
        Simulation::new(self.sites.iter().cloned(), self.crawl.time_of_day, seed)
    }

    /// Makes all sites such as a crawler file expects them where nothing else is said: HTML, and a tree of pages.
    pub fn for_crawler_file(&mut self) {
        for site in &mut self.sites {
            site.format.get_or_insert(Format::Html);
            site.shape.get_or_insert(Shape::Tree);
        }
    }

    /// Measures and judges what happened in a world. `policy` is what was configured for a host.
    #[must_use]
    pub fn judge(
        &self,
        simulation: &Simulation,
        course: Course,
        policy: impl Fn(&str) -> Policy,
    ) -> ScenarioRun {
        let Course { report, runs, ended } = course;
        let (transcript, sites) = (simulation.web.transcript(), simulation.web.sites());
        let waiting = report.hosts.iter().map(|host| (host.host.as_str(), host.waiting));
        let waiting: BTreeMap<&str, u64> = waiting.collect();
        let finished = |host: &str| waiting.get(host) == Some(&0);
        let measure =
            Measure { transcript: &transcript, sites: &sites, policy: &policy, ended, finished: &finished };
        let measures = Measures { others: simulation.web.felt(), ..measure.take() };
        let breaches = transcript.breaches(&self.yardstick(&sites, &measures, policy));
        let mut run = ScenarioRun {
            report,
            transcript,
            items: Vec::new(),
            ended,
            runs,
            measures,
            breaches,
            faults: Vec::new(),
            journals: simulation.journals.clone(),
        };
        run.faults = self.expect.faults(&run);
        run.faults.extend(audit(&run.journals));
        run.faults.extend(run.breaches.iter().map(ToString::to_string));
        run
    }

    fn spiders(&self) -> usize {
        1 + self.crawl.other_spiders.len()
    }

    fn seeds(&self) -> Vec<String> {
        if !self.crawl.seeds.is_empty() {
            return self.crawl.seeds.clone();
        }
        let seeds = self.sites.iter().flat_map(|site| {
            let origins = site.origins().into_iter();
            origins.map(|origin| format!("{origin}{}", site.prefix()))
        });
        seeds.collect()
    }

    /// What the run is measured by, beside the scenario's own expectations.
    fn yardstick(
        &self,
        sites: &BTreeMap<Arc<str>, Arc<Site>>,
        measures: &Measures,
        policy: impl Fn(&str) -> Policy,
    ) -> Yardstick {
        let mut yardstick = Yardstick {
            spiders: self.spiders(),
            address_concurrency: self.crawl.address_concurrency as usize,
            ..Yardstick::default()
        };
        for host in measures.hosts.keys() {
            let policy = policy(host);
            let pace = (policy.delay, policy.max_concurrency.max(1) as usize);
            yardstick.own_pace.insert(host.clone(), pace);
        }
        for (origin, site) in sites {
            yardstick.never.extend(site.never.iter().map(|path| format!("{origin}{path}")));
            if let Ok(url) = CanonicalUrl::parse(origin) {
                let name = || url.host().to_owned();
                yardstick.groups.extend(site.group.clone().map(|group| (name(), group)));
                yardstick.addresses.extend(site.address.map(|address| (name(), address)));
                let known = yardstick.wishes.entry(name()).or_default();
                *known = Duration::from_secs_f64(site.wish).max(*known);
            }
        }
        yardstick
    }

    fn policy(&self) -> Policy {
        let model = &self.crawl;
        Policy {
            max_pages: model.max_pages_per_host,
            delay: Duration::from_secs_f64(model.delay),
            jitter: model.jitter,
            pace: model.pace,
            max_concurrency: model.max_concurrency,
            rate: model.rate,
            burst: model.burst,
            backoff: Backoff { patience: Duration::from_secs_f64(model.patience), ..Backoff::default() },
            ..Policy::default()
        }
    }

    fn crawl(&self, world: &Simulation, items: &Collect) -> Result<Crawl<SimWeb>, ScenarioError> {
        let model = self.crawl.clone();
        let sharing = model.sharing();
        let scope = Scope { max_depth: model.max_depth, ..Scope::default() };
        let mut builder = Crawl::builder()
            .identity("simbot", "tests@example.com")
            .spider(FollowAll::new("sim", self.seeds()))
            .policy(self.policy())
            .scope(scope)
            .sitemaps(Sitemaps {
                robots: if model.sitemaps { RobotsSitemaps::Read } else { RobotsSitemaps::Ignore },
                max_per_host: model.max_sitemaps,
                ..Sitemaps::default()
            })
            .clock(world.clock.clone())
            .store(world.store.clone())
            .journals(world.journals.clone())
            .sink(items.clone())
            .start(Start::Continue)
            .execution(Execution::Inline);
        for (number, seeds) in model.other_spiders.iter().enumerate() {
            builder = builder.spider(FollowAll::new(format!("sim-{number}"), seeds));
        }
        let tuned = builder.settings(move |settings| {
            settings.max_in_flight = model.max_in_flight.unwrap_or(settings.max_in_flight);
            settings.max_pages = model.max_pages;
            settings.head = model.head;
            settings.awake = model.awake;
            settings.sharing = sharing;
            settings.seed = model.seed;
        });
        Ok(tuned.build_with(world.web.clone())?)
    }
}

/// What the audit of the journals finds: it must agree with the judge, who sees the server's side.
fn audit(journals: &Journals) -> Vec<String> {
    match journals.audit() {
        Ok(findings) => {
            let breaches = findings.breaches.iter().map(|breach| format!("audit: {breach}"));
            breaches.chain(findings.damage).collect()
        }
        Err(error) => vec![error.to_string()],
    }
}
