//! Short crawls of servers with a limit: a hundred pages, over before a rule that learns for hours has learned anything.
//!
//! What is measured is the time that a crawl takes, as a multiple of what the limit allows at best, its burst included.

use std::time::Duration;

use crawl::politeness::{Host, Policy};
use crawl::testing::{Latency, ServerModel, Window};

use crate::drive::{Drive, Scenario};
use crate::worlds::silent;

/// Pages of a crawl.
const PAGES: usize = 112;

/// How one crawl went.
#[derive(Debug, Clone, Copy)]
pub struct Trip {
    /// Its time over the ideal one.
    pub over: f64,
    pub refused: usize,
}

/// A limit of so many requests a second in a bucket of this depth, whose refusals name this many seconds.
pub fn bucket(rate: f64, burst: u32, word: Option<u64>) -> Scenario {
    limited(ServerModel::bucket(rate, burst), word)
}

/// So many requests in each window of so many seconds.
pub fn window(requests: u32, seconds: f64, word: Option<u64>) -> Scenario {
    limited(ServerModel::fixed_window(requests, seconds), word)
}

fn limited(model: ServerModel, word: Option<u64>) -> Scenario {
    let model = if word.is_some() { model } else { silent(model) };
    let policy = Policy { delay: Duration::ZERO, jitter: 0.0, ..Policy::default() };
    Scenario { name: format!("{model:?}"), model, latency: Latency::Fixed(0.002), policy, word }
}

impl Scenario {
    /// The same with answers that take so many seconds.
    pub fn answering_in(self, seconds: f64) -> Self {
        Self { latency: Latency::Fixed(seconds), ..self }
    }
}

/// The mean over these seeds.
pub fn trip(scenario: &Scenario, seeds: u64) -> Trip {
    let trips: Vec<Trip> = (0..seeds).map(|seed| one(scenario, seed)).collect();
    let over = trips.iter().map(|trip| trip.over).sum::<f64>() / seeds as f64;
    Trip { over, refused: trips.iter().map(|trip| trip.refused).max().unwrap_or(0) }
}

fn one(scenario: &Scenario, seed: u64) -> Trip {
    let mut drive = Drive::new(scenario, Host::default(), seed);
    let mut end = 0.0;
    while drive.log.served.len() < PAGES {
        end += 0.25;
        drive.until(end);
    }
    let took = drive.log.served[PAGES - 1] - drive.log.served[0];
    let refused = drive.log.refused.iter().filter(|moment| **moment < drive.log.served[PAGES - 1]).count();
    Trip { over: took / ideal(&scenario.model), refused }
}

/// Seconds in which the limit lets all pages through.
fn ideal(model: &ServerModel) -> f64 {
    let full = f64::from(model.requests);
    let beyond = (PAGES as f64 - full).max(0.0);
    match model.window {
        Window::Bucket => beyond / full * model.seconds,
        Window::Fixed => ((PAGES as f64 / full).ceil() - 1.0) * model.seconds,
    }
}

/// Limits of all kinds whose refusals name this many seconds.
pub fn limits(word: Option<u64>) -> Vec<(String, Scenario)> {
    let rates = [1.0, 2.0, 5.0, 10.0, 20.0].into_iter();
    let buckets = rates.flat_map(|rate| [1, 5, 20].map(|burst| (rate, burst)));
    let buckets =
        buckets.map(|(rate, burst)| (format!("bucket {rate}/s, burst {burst}"), bucket(rate, burst, word)));
    let windows = [(5, 1.0), (10, 2.0), (20, 10.0), (50, 10.0)].into_iter();
    let windows = windows.map(|(requests, seconds)| {
        (format!("window {requests} per {seconds} s"), window(requests, seconds, word))
    });
    buckets.chain(windows).collect()
}

/// Prints the table of docs/pace.md.
pub fn table() {
    let [none, one, two, thirty] = [None, Some(1), Some(2), Some(30)].map(limits);
    println!("| limit | no word | 1 s | 2 s | 30 s |\n|---|---|---|---|---|");
    for (place, (name, silent)) in none.iter().enumerate() {
        let cells = [silent, &one[place].1, &two[place].1, &thirty[place].1].map(|scenario| {
            let Trip { over, refused } = trip(scenario, 10);
            format!("{over:.2} ({refused})")
        });
        println!("| {name} | {} |", cells.join(" | "));
    }
}
