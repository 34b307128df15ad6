//! The numbers that hold over all hosts.

use std::time::Duration;

use super::sharing::Sharing;
use crate::politeness::{Policy, Rate};
use crate::robots::ProductToken;
use crate::trap::TrapPolicy;

/// What holds for the crawl as a whole.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name that robots.txt knows us by.
    pub agent: ProductToken,
    /// Requests in flight over all hosts. Default 256.
    pub max_in_flight: usize,
    /// Requests of the whole crawl, robots.txt included. Default: as many as the hosts allow.
    pub max_rate: Option<Rate>,
    /// What holds for hosts that belong together.
    pub sharing: Sharing,
    /// Pages of a round after which the run ends. Default: no limit.
    pub max_pages: Option<u64>,
    /// How much of the same is too much. Default 50 pages.
    pub traps: TrapPolicy,
    /// Requests of an origin that are kept in memory, 1 at least; down to 8 where thousands of hosts are awake. Default 64.
    pub head: usize,
    /// Hosts of which everything is in memory; all others sleep, with little more than their names, until they are due. More are
    /// awake if more are in flight, or hold what is not in the store. Default 20,000.
    pub awake: usize,
    /// Longest wait that a run sits through with nothing else to do. Default 60 s.
    pub patience: Duration,
    /// Seed of all random draws. The same seed and the same answers give the same crawl.
    pub seed: u64,
}

impl Settings {
    /// The defaults for a crawler of this name.
    #[must_use]
    pub fn new(agent: ProductToken) -> Self {
        Self {
            agent,
            max_in_flight: 256,
            max_rate: None,
            sharing: Sharing::default(),
            max_pages: None,
            traps: TrapPolicy::default(),
            head: 64,
            awake: 20_000,
            patience: Policy::default().backoff.patience,
            seed: 0,
        }
    }
}
