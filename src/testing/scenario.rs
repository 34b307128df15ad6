//! A simulated crawl in a file: the sites, the crawl, what is expected of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::expect::Expected;
use super::judge::Yardstick;
use super::site::Site;
use super::spider::FollowAll;
use super::store::SharedStore;
use super::transcript::Transcript;
use super::web::SimWeb;
use crate::clock::Clock;
use crate::engine::{BuildError, Crawl, CrawlError, Execution, Report, RobotsSitemaps, Sitemaps, Start};
use crate::frontier::{Grouping, Sharing};
use crate::item::Item;
use crate::politeness::{Backoff, Policy, Rate};
use crate::scope::Scope;
use crate::sink::memory::Collect;
use crate::store::journal::Journals;
use crate::time::Timestamp;
use crate::url::CanonicalUrl;

/// Midnight (UTC) of the day on which scenarios begin.
const DAY: Timestamp = Timestamp::from_secs(1_790_035_200);
/// Seconds after which a scenario that does not end is taken for endless.
const ENDLESS: f64 = 30.0 * 86_400.0;

/// A scenario: `[crawl]`, `[[site]]`, `[expect]`. All times are seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, in a sentence.
    pub about: String,
    /// The crawl.
    pub crawl: CrawlModel,
    /// The web.
    #[serde(rename = "site")]
    pub sites: Vec<Site>,
    /// What is expected.
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
    /// Seed of all random draws, the crawler's and the web's.
    pub seed: u64,
    /// Seconds after midnight UTC at which it begins.
    pub time_of_day: u64,
    /// Seconds at which the process is killed, if it still runs; it starts again at once.
    pub kill_at: Vec<f64>,
}

impl Default for CrawlModel {
    fn default() -> Self {
        Self {
            seeds: Vec::new(),
            other_spiders: Vec::new(),
            delay: 1.0,
            jitter: 0.0,
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
            seed: 1,
            time_of_day: 0,
            kill_at: Vec::new(),
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
    File(#[from] toml::de::Error),
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
    /// What was not as expected, breaches of politeness included.
    pub faults: Vec<String>,
    /// The journals of all its runs.
    pub journals: Journals,
}

impl Scenario {
    /// Reads a scenario from TOML.
    ///
    /// # Errors
    /// [`ScenarioError::File`] with line and column.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        Ok(toml::from_str(text)?)
    }

    /// Runs it. Wants a paused current-thread runtime; on a running clock it takes as long as it says.
    ///
    /// # Errors
    /// [`ScenarioError`] if there is no run to judge. What is not as expected is in [`ScenarioRun::faults`].
    pub async fn run(&self) -> Result<ScenarioRun, ScenarioError> {
        let clock = Clock::starting_at(DAY + Duration::from_secs(self.crawl.time_of_day));
        let web = SimWeb::new(self.sites.iter().cloned(), clock.clone(), self.crawl.seed);
        let (store, items) = (SharedStore::default(), Collect::default());
        let journals = Journals::in_memory();
        let start = clock.now();
        let mut kills = self.crawl.kill_at.iter();
        let report = loop {
            let kill = kills.next();
            let end = start + Duration::from_secs_f64(*kill.unwrap_or(&ENDLESS));
            let crawl = self.crawl(&web, &clock, &store, &items, &journals)?;
            tokio::select! {
                biased;
                () = clock.sleep_until(end), if kill.is_some() => {}
                report = crawl.run() => break report?,
                () = clock.sleep_until(end) => return Err(ScenarioError::Endless),
            }
            // The workers of the dropped run notice when they are next polled.
            tokio::task::yield_now().await;
        };
        let mut run = ScenarioRun {
            report,
            transcript: web.transcript(),
            items: items.items().clone(),
            ended: clock.now(),
            faults: Vec::new(),
            journals,
        };
        run.faults = self.judge(&run);
        Ok(run)
    }

    fn judge(&self, run: &ScenarioRun) -> Vec<String> {
        let mut faults = self.expect.faults(run);
        let breaches = run.transcript.breaches(&self.yardstick());
        faults.extend(breaches.iter().map(ToString::to_string));
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for item in &run.items {
            *seen.entry(item.url.as_str()).or_default() += 1;
        }
        let doubled = seen.iter().filter(|(_, count)| **count > self.spiders());
        faults.extend(audit(&run.journals));
        faults.extend(doubled.map(|(url, count)| format!("{count} items of {url}")));
        faults
    }

    fn spiders(&self) -> usize {
        1 + self.crawl.other_spiders.len()
    }

    fn seeds(&self) -> Vec<String> {
        if !self.crawl.seeds.is_empty() {
            return self.crawl.seeds.clone();
        }
        let origins = self.sites.iter().flat_map(Site::origins);
        origins.map(|origin| format!("{origin}/")).collect()
    }

    /// What the run is measured by, beside the scenario's own expectations.
    #[must_use]
    pub fn yardstick(&self) -> Yardstick {
        let mut yardstick = Yardstick {
            delay: Duration::from_secs_f64(self.crawl.delay),
            concurrency: self.crawl.max_concurrency as usize,
            spiders: self.spiders(),
            address_concurrency: self.crawl.address_concurrency as usize,
            ..Yardstick::default()
        };
        for site in &self.sites {
            for origin in site.origins() {
                let never = site.never.iter().map(|path| format!("{origin}{path}"));
                yardstick.never.extend(never);
                let wish = Duration::from_secs_f64(site.wish);
                if let Ok(url) = CanonicalUrl::parse(&origin) {
                    let name = || url.host().to_owned();
                    yardstick.groups.extend(site.group.clone().map(|group| (name(), group)));
                    yardstick.addresses.extend(site.address.map(|address| (name(), address)));
                    let wishes = &mut yardstick.wishes;
                    let known = wishes.entry(name()).or_default();
                    *known = wish.max(*known);
                }
            }
        }
        yardstick
    }

    fn crawl(
        &self,
        web: &SimWeb,
        clock: &Clock,
        store: &SharedStore,
        items: &Collect,
        journals: &Journals,
    ) -> Result<Crawl<SimWeb>, BuildError> {
        let model = self.crawl.clone();
        let policy = Policy {
            max_pages: model.max_pages_per_host,
            delay: Duration::from_secs_f64(model.delay),
            jitter: model.jitter,
            max_concurrency: model.max_concurrency,
            rate: model.rate,
            burst: model.burst,
            backoff: Backoff { patience: Duration::from_secs_f64(model.patience), ..Backoff::default() },
            ..Policy::default()
        };
        let sharing = model.sharing();
        let scope = Scope { max_depth: model.max_depth, ..Scope::default() };
        let mut builder = Crawl::builder()
            .identity("simbot", "tests@example.com")
            .spider(FollowAll::new("sim", self.seeds()))
            .policy(policy)
            .scope(scope)
            .sitemaps(Sitemaps {
                robots: if model.sitemaps { RobotsSitemaps::Read } else { RobotsSitemaps::Ignore },
                max_per_host: model.max_sitemaps,
                ..Sitemaps::default()
            })
            .clock(clock.clone())
            .store(store.clone())
            .journals(journals.clone())
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
            settings.sharing = sharing;
            settings.seed = model.seed;
        });
        tuned.build_with(web.clone())
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
