//! A web, a clock and a store on simulated time, and what an operator does with a crawl: starts it, kills it, starts it again.
//!
//! Wants a paused current-thread runtime. The same seed gives the same course, to the millisecond.

use std::time::Duration;

use serde::Deserialize;

use super::scenario::ScenarioError;
use super::site::Site;
use super::store::SharedStore;
use super::web::SimWeb;
use crate::clock::Clock;
use crate::engine::{Crawl, End, Report};
use crate::politeness::HostState;
use crate::store::Store;
use crate::store::journal::Journals;
use crate::time::Timestamp;
use crate::url::HostKey;

/// Midnight (UTC) of the day on which simulations begin.
const DAY: Timestamp = Timestamp::from_secs(1_790_035_200);
/// Seconds after which a crawl that does not end is taken for endless.
const ENDLESS: f64 = 30.0 * 86_400.0;

/// The world of a simulated crawl.
#[derive(Debug)]
pub struct Simulation {
    /// Its time.
    pub clock: Clock,
    /// Its web.
    pub web: SimWeb,
    /// What outlives a run.
    pub store: SharedStore,
    /// The journals of its runs.
    pub journals: Journals,
    began: Timestamp,
}

/// What the operator does.
#[derive(Debug, Clone, Default)]
pub struct Operator {
    /// Seconds at which the process is killed, in order; it starts again at once.
    pub kill_at: Vec<f64>,
    /// Seconds after which the run is stopped in order. Without it, a crawl that goes on for a month is an error.
    pub stop_at: Option<f64>,
    /// What becomes of a run that has parked itself.
    pub parked: Parked,
}

/// What becomes of a run that ends because all that is left must wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parked {
    /// That was it.
    #[default]
    Stays,
    /// It is run again when the wait is over.
    RunsAgain,
}

/// How it went.
#[derive(Debug)]
pub struct Course {
    /// The report of the last run.
    pub report: Report,
    /// Runs that were begun.
    pub runs: u32,
    /// When the last one was over.
    pub ended: Timestamp,
}

impl Simulation {
    /// A web of these sites that begins so many seconds after midnight. `seed` is that of all its draws.
    #[must_use]
    pub fn new(sites: impl IntoIterator<Item = Site>, time_of_day: u64, seed: u64) -> Self {
        let clock = Clock::starting_at(DAY + Duration::from_secs(time_of_day));
        let web = SimWeb::new(sites, clock.clone(), seed);
        Self {
            began: clock.now(),
            web,
            store: SharedStore::default(),
            journals: Journals::in_memory(),
            clock,
        }
    }

    /// Runs a crawl until it is over. `crawl` is called for each run; it takes clock and store of this world.
    ///
    /// # Errors
    /// If a crawl cannot be built or cannot go on, or does not end.
    pub async fn run<E: From<ScenarioError>>(
        &self,
        operator: &Operator,
        mut crawl: impl FnMut(&Self) -> Result<Crawl<SimWeb>, E>,
    ) -> Result<Course, E> {
        let mut kills = operator.kill_at.iter().map(|seconds| self.at(*seconds)).peekable();
        let stop_at = operator.stop_at.map(|seconds| self.at(seconds));
        let last = stop_at.unwrap_or_else(|| self.at(ENDLESS));
        let mut runs = 0;
        loop {
            runs += 1;
            let kill = kills.peek().copied();
            let report = self.run_once(crawl(self)?, kill, stop_at).await?;
            // The workers of a dropped run notice when they are next polled.
            tokio::task::yield_now().await;
            let Some(report) = report else {
                kills.next();
                continue;
            };
            match report.end {
                End::Parked { until } if operator.parked == Parked::RunsAgain && until < last => {
                    self.clock.sleep_until(until).await;
                }
                _ => return Ok(Course { report, runs, ended: self.clock.now() }),
            }
        }
    }

    /// One run; nothing is reported by one that was killed.
    async fn run_once(
        &self,
        crawl: Crawl<SimWeb>,
        kill: Option<Timestamp>,
        stop_at: Option<Timestamp>,
    ) -> Result<Option<Report>, ScenarioError> {
        let stop = crawl.stop_handle();
        let mut run = Box::pin(crawl.run());
        let end = stop_at.unwrap_or_else(|| self.at(ENDLESS));
        tokio::select! {
            biased;
            () = self.clock.sleep_until(kill.unwrap_or(Timestamp::MAX)), if kill.is_some() => return Ok(None),
            report = &mut run => return Ok(Some(report?)),
            () = self.clock.sleep_until(end) => {}
        }
        if stop_at.is_none() {
            return Err(ScenarioError::Endless);
        }
        stop.stop();
        Ok(Some(run.await?))
    }

    fn at(&self, seconds: f64) -> Timestamp {
        self.began + Duration::from_secs_f64(seconds)
    }

    /// What is remembered of each host.
    ///
    /// # Errors
    /// Never: the store is in memory.
    pub fn hosts(&self) -> Result<Vec<(HostKey, HostState)>, ScenarioError> {
        Ok(self.store.holdings().map_err(crate::engine::CrawlError::from)?.hosts)
    }
}
