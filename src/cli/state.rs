//! A crawl's state as its readers see it, while no run holds it: `status`, `hosts`, `explain` and `plan`.
//!
//! Nothing is asked of any host and nothing is changed, but for what opening a state after a crash mends.

use std::collections::HashMap;
use std::path::PathBuf;

use super::args::{Sets, StateArgs};
use super::exit::Failure;
use super::{Registry, crawling, demo_site, setup};
use crate::clock::Clock;
use crate::config::{Loader, Plan};
use crate::politeness::{HostState, Policy};
use crate::robots::{ProductToken, RobotsAnswer, RobotsRecord, RobotsRules};
use crate::store::disk::DiskStore;
use crate::store::{Holdings, Recovered, RunRecord, Store};
use crate::time::Timestamp;
use crate::url::{HostKey, Origin};

/// Tables of a crawler file that say nothing about hosts, URLs or waits.
const OTHER_TABLES: [&str; 11] = [
    "extract",
    "follow",
    "paginate",
    "requests",
    "login",
    "stage",
    "sink",
    "download",
    "failed",
    "expect",
    "state-dir",
];

/// Where a state is, and the crawler file that goes with it.
pub(super) struct Place {
    pub(super) dir: PathBuf,
    plan: Option<Plan>,
    sets: Sets,
}

impl Place {
    pub(super) fn of(args: &StateArgs) -> Result<Self, Failure> {
        Self::at(args.file.as_ref(), args.state.as_ref(), &args.sets)
    }

    pub(super) fn at(file: Option<&PathBuf>, state: Option<&PathBuf>, sets: &Sets) -> Result<Self, Failure> {
        let plan = file.map(|file| sets.over(Some(file)).load()).transpose()?;
        let dir = match (state, &plan) {
            (Some(dir), _) => dir.clone(),
            (None, Some(plan)) => plan.state_dir.clone(),
            (None, None) => {
                return Err(Failure::Usage("which crawl? name its crawler file, or --state DIR".to_owned()));
            }
        };
        Ok(Self { dir, plan, sets: sets.clone() })
    }

    /// Whether there is a state.
    pub(super) fn is_begun(&self) -> bool {
        self.dir.join("FORMAT").exists()
    }

    /// An error if there is no state: to look for something in it must not make one.
    pub(super) fn must_be_begun(&self) -> Result<(), Failure> {
        if self.is_begun() {
            return Ok(());
        }
        let dir = self.dir.display();
        Err(Failure::Usage(format!("there is no state in `{dir}`: begin with `crawl run`")))
    }

    /// Opens what is there.
    pub(super) fn open(&self) -> Result<Known, Failure> {
        self.must_be_begun()?;
        let options = self.plan.as_ref().map(|plan| plan.disk.clone()).unwrap_or_default();
        let mut store = DiskStore::open(&self.dir, options)?;
        let (recovered, held) = (store.recover()?, store.holdings()?);
        let run = recovered.run.as_ref();
        let plan = self.plan.clone().or_else(|| plan_of(run?, &self.sets));
        let mut known = Known { store, recovered, held, now: now()?, plan };
        if let (Some(plan), Some(home)) = (&mut known.plan, demo_site::known_home(&self.dir)) {
            plan.place_demo(&home);
        }
        Ok(known)
    }

    /// The crawler file's plan where there is no state yet.
    pub(super) fn into_plan(self) -> Option<Plan> {
        self.plan
    }
}

/// The machine's time.
pub(super) fn now() -> Result<Timestamp, Failure> {
    // The clock belongs to the runtime's time, even though nothing waits here.
    Ok(crawling::runtime()?.block_on(async { Clock::start().now() }))
}

/// The plan as the last run wrote it down. None if it was no crawler file's, or holds what was not written down (secrets).
fn plan_of(run: &RunRecord, sets: &Sets) -> Option<Plan> {
    let told = run.plan.iter().filter(|(key, value)| {
        let table = key.split(['.', '[']).next().unwrap_or_default();
        !OTHER_TABLES.contains(&table) && !value.contains("***") && !value.contains("${")
    });
    let loader = told.fold(Loader::new(), |loader, (key, value)| loader.set(format!("{key}={value}")));
    sets.laid_over(loader).load().ok()
}

/// What is known of a crawl.
pub(super) struct Known {
    pub(super) store: DiskStore,
    pub(super) recovered: Recovered,
    /// Hosts, their robots.txt and their queues.
    pub(super) held: Holdings,
    pub(super) now: Timestamp,
    /// The crawler file given, else the values that the last run had.
    pub(super) plan: Option<Plan>,
}

/// A host as the state has it, with all that belongs to it.
pub(super) struct KnownHost<'a> {
    pub(super) key: HostKey,
    pub(super) state: HostState,
    /// Requests in its queues.
    pub(super) waiting: u64,
    /// robots.txt of its origins.
    pub(super) robots: Vec<&'a (Origin, RobotsRecord)>,
}

impl Known {
    /// Takes the seeds of a spider in code into the plan.
    pub(super) fn adopt(&mut self, registry: &Registry) -> Result<(), Failure> {
        if let Some(plan) = &mut self.plan {
            setup::spider(plan, registry)?;
        }
        Ok(())
    }

    /// The round that the state is in; 0 if it never ran.
    pub(super) fn round(&self) -> u32 {
        self.recovered.run.as_ref().map_or(0, |run| run.round)
    }

    /// The rules of pace for a host.
    pub(super) fn policy(&self, host: &HostKey) -> Policy {
        self.plan.as_ref().map_or_else(Policy::default, |plan| plan.policy(host))
    }

    /// What a robots.txt says to this crawler.
    pub(super) fn rules(&self, record: &RobotsRecord) -> RobotsRules {
        let name = self.plan.as_ref().map_or("crawl", |plan| &plan.identity.token);
        match (&record.answer, ProductToken::parse(name)) {
            (RobotsAnswer::Text(body), Ok(agent)) => RobotsRules::parse(body, &agent),
            (RobotsAnswer::Text(body), Err(_)) => RobotsRules::parse_for_name(body, name),
            (RobotsAnswer::AllowAll, _) => RobotsRules::allow_all(),
            (RobotsAnswer::DenyAll | RobotsAnswer::Unreachable { .. }, _) => RobotsRules::deny_all(),
        }
    }

    /// Every host that was asked or has something waiting, by name.
    pub(super) fn hosts(&self) -> Vec<KnownHost<'_>> {
        let mut hosts: HashMap<HostKey, KnownHost<'_>> = HashMap::new();
        for (key, state) in &self.held.hosts {
            Self::entry(&mut hosts, key.clone()).state = state.clone();
        }
        for (origin, count) in &self.held.queues {
            Self::entry(&mut hosts, origin.host_key()).waiting += count;
        }
        for record in &self.held.robots {
            Self::entry(&mut hosts, record.0.host_key()).robots.push(record);
        }
        let mut hosts: Vec<_> = hosts.into_values().collect();
        hosts.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        hosts
    }

    fn entry<'a, 'k>(hosts: &'k mut HashMap<HostKey, KnownHost<'a>>, key: HostKey) -> &'k mut KnownHost<'a> {
        hosts.entry(key.clone()).or_insert_with(|| KnownHost {
            key,
            state: HostState::default(),
            waiting: 0,
            robots: Vec::new(),
        })
    }
}

impl KnownHost<'_> {
    /// The longest delay that its robots.txt files ask for.
    pub(super) fn wish(&self, known: &Known) -> Option<std::time::Duration> {
        self.robots.iter().filter_map(|(_, record)| known.rules(record).min_delay()).max()
    }
}
