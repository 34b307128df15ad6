//! The same worlds on the whole engine: robots.txt of each host, then its first page, which links to all others.

use std::time::Duration;

use crawl::clock::Clock;
use crawl::engine::{Crawl, End, Execution};
use crawl::politeness::{PaceRule, Policy};
use crawl::scope::Scope;
use crawl::testing::{FollowAll, Latency, Shape, SimWeb, Site, Yardstick};
use crawl::time::Timestamp;

use crate::world::{MEAN, SIGMA, World};

/// Crawls a world; gives the seconds that it took, and those that it takes at least.
pub fn crawl(world: &World) -> (f64, f64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O can be built");
    (runtime.block_on(run(world)), least(world))
}

/// With the mean for each answer. Each host is asked for robots.txt too.
fn least(world: &World) -> f64 {
    let requests = world.pages() + world.sizes.len() as u64;
    let longest = world.sizes.iter().max().map_or(0.0, |pages| f64::from(*pages));
    let chain = longest * (world.delay + MEAN) + MEAN;
    (requests as f64 * MEAN / world.connections as f64).max(chain)
}

async fn run(world: &World) -> f64 {
    let clock = Clock::starting_at(Timestamp::from_secs(1_790_000_000));
    let latency = Latency::LogNormal { median: MEAN * (-SIGMA * SIGMA / 2.0).exp(), sigma: SIGMA };
    let site = |(host, pages): (usize, &u32)| Site {
        pages: pages - 1,
        latency,
        shape: Some(Shape::Star),
        ..Site::at(format!("http://h{host}.example"))
    };
    let web = SimWeb::new(world.sizes.iter().enumerate().map(site), clock.clone(), 1);
    let delay = Duration::from_secs_f64(world.delay);
    let policy = Policy { delay, jitter: 0.0, pace: PaceRule::Fixed, ..Policy::default() };
    let seeds = (0..world.sizes.len()).map(|host| format!("http://h{host}.example/"));
    let connections = world.connections;
    let crawl = Crawl::builder()
        .identity("simbot", "tests@example.com")
        .spider(FollowAll::new("all", seeds))
        .scope(Scope::default())
        .policy(policy)
        .settings(move |settings| settings.max_in_flight = connections)
        .clock(clock)
        .execution(Execution::Inline)
        .build_with(web.clone())
        .expect("it has a name and a spider");
    let report = crawl.run().await.expect("a store in memory does not fail");
    assert_eq!((report.end, report.totals.pages), (End::Complete, world.pages()));
    web.transcript().assert_polite(&Yardstick { delay, ..Yardstick::default() });
    report.took.as_secs_f64()
}
