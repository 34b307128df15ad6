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
use crate::engine::{BuildError, Crawl, CrawlError, Execution, Report, Start};
use crate::item::Item;
use crate::politeness::{Backoff, PaceRule, Policy};
use crate::scope::Scope;
use crate::sink::memory::Collect;
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
    /// Whether the host's own pace is learned. Default: it is.
    pub pace: PaceRule,
    /// Requests in flight to a host. Default 1.
    pub max_concurrency: u32,
    /// Requests in flight over all hosts.
    pub max_in_flight: Option<usize>,
    /// Most pages of the run.
    pub max_pages: Option<u64>,
    /// Most pages of a host.
    pub max_pages_per_host: Option<u64>,
    /// Most links from a seed.
    pub max_depth: Option<u32>,
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
            pace: PaceRule::Adaptive,
            max_concurrency: 1,
            max_in_flight: None,
            max_pages: None,
            max_pages_per_host: None,
            max_depth: None,
            patience: 60.0,
            head: 64,
            seed: 1,
            time_of_day: 0,
            kill_at: Vec::new(),
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
        let start = clock.now();
        let mut kills = self.crawl.kill_at.iter();
        let report = loop {
            let kill = kills.next();
            let end = start + Duration::from_secs_f64(*kill.unwrap_or(&ENDLESS));
            let crawl = self.crawl(&web, &clock, &store, &items)?;
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
            ..Yardstick::default()
        };
        for site in &self.sites {
            for origin in site.origins() {
                let never = site.never.iter().map(|path| format!("{origin}{path}"));
                yardstick.never.extend(never);
                let wish = Duration::from_secs_f64(site.wish);
                if let Ok(url) = CanonicalUrl::parse(&origin) {
                    let wishes = &mut yardstick.wishes;
                    let known = wishes.entry(url.host().to_owned()).or_default();
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
    ) -> Result<Crawl<SimWeb>, BuildError> {
        let model = self.crawl.clone();
        let policy = Policy {
            max_pages: model.max_pages_per_host,
            delay: Duration::from_secs_f64(model.delay),
            jitter: model.jitter,
            pace: model.pace,
            max_concurrency: model.max_concurrency,
            backoff: Backoff { patience: Duration::from_secs_f64(model.patience), ..Backoff::default() },
            ..Policy::default()
        };
        let scope = Scope { max_depth: model.max_depth, ..Scope::default() };
        let mut builder = Crawl::builder()
            .identity("simbot", "tests@example.com")
            .spider(FollowAll::new("sim", self.seeds()))
            .policy(policy)
            .scope(scope)
            .clock(clock.clone())
            .store(store.clone())
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
            settings.seed = model.seed;
        });
        tuned.build_with(web.clone())
    }
}
