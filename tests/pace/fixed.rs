//! A fixed pace against a limit: the delay stays what it is, and what is learned is how many requests may be out at once.

use std::time::Duration;

use crawl::politeness::{Host, Policy};
use crawl::testing::{Latency, ServerModel};

use crate::drive::{Drive, Scenario};

/// How a crawl of so many pages went.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Seconds from the first page to the last.
    pub took: f64,
    pub refused: usize,
}

/// No delay and eight requests at once, against five a second with a burst of five that names two seconds; answers take so long.
pub fn unbridled(latency: f64) -> Scenario {
    let policy = Policy { max_concurrency: 8, jitter: 0.0, ..Policy::fixed(Duration::ZERO) };
    let model = ServerModel::bucket(5.0, 5);
    Scenario { name: String::new(), model, latency: Latency::Fixed(latency), policy, word: Some(2) }
}

pub fn run(scenario: &Scenario, pages: usize) -> Run {
    let mut drive = Drive::new(scenario, Host::default(), 1);
    let mut end = 0.0;
    while drive.log.served.len() < pages {
        end += 0.25;
        drive.until(end);
    }
    let last = drive.log.served[pages - 1];
    let refused = drive.log.refused.iter().filter(|moment| **moment < last).count();
    Run { took: last - drive.log.served[0], refused }
}
