//! A limit of pages puts pages off: what is left is counted and kept, and a run with a higher limit goes on with it.

use std::collections::BTreeMap;
use std::time::Duration;

use crawl::engine::{Crawl, End, Execution, Report, Start};
use crawl::politeness::Policy;
use crawl::scope::Scope;
use crawl::testing::{FollowAll, Operator, ScenarioError, Simulation, Site};

const HOSTS: u64 = 3;
/// Pages of each host, its first included.
const PAGES: u64 = 21;

/// The limits of a run.
#[derive(Clone, Copy)]
struct Limits {
    host: Option<u64>,
    crawl: Option<u64>,
}

/// Three hosts with 21 pages each, and what becomes of them run by run.
struct World {
    simulation: Simulation,
    runtime: tokio::runtime::Runtime,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O can be built");
        let sites = Site { count: HOSTS as u32, pages: PAGES as u32 - 1, ..Site::at("http://h{}.example") };
        let simulation = runtime.block_on(async { Simulation::new([sites], 0, 1) });
        Self { simulation, runtime }
    }

    fn run(&self, limits: Limits) -> Report {
        let crawl = |world: &Simulation| -> Result<_, ScenarioError> {
            let delay = Duration::from_millis(200);
            let policy = Policy { max_pages: limits.host, delay, ..Policy::default() };
            let seeds = (1..=HOSTS).map(|host| format!("http://h{host}.example/"));
            let builder = Crawl::builder()
                .identity("simbot", "tests@example.com")
                .spider(FollowAll::new("sim", seeds))
                .policy(policy)
                .scope(Scope::default())
                .clock(world.clock.clone())
                .store(world.store.clone())
                .journals(world.journals.clone())
                .start(Start::Continue)
                .execution(Execution::Inline)
                .settings(move |settings| settings.max_pages = limits.crawl);
            Ok(builder.build_with(world.web.clone())?)
        };
        let operator = Operator::default();
        let course = self.simulation.run(&operator, crawl);
        self.runtime.block_on(course).expect("it runs").report
    }

    /// How often each page was asked for.
    fn asked(&self) -> BTreeMap<String, u32> {
        let (transcript, mut asked) = (self.simulation.web.transcript(), BTreeMap::new());
        for arrival in transcript.arrivals.iter().filter(|one| one.is_page()) {
            *asked.entry(format!("{}{}", arrival.origin, arrival.path)).or_default() += 1;
        }
        asked
    }
}

/// Pages, and requests that wait, of each host.
fn hosts(report: &Report) -> Vec<(u64, u64)> {
    report.hosts.iter().map(|host| (host.pages, host.waiting)).collect()
}

#[test]
fn what_a_limit_of_a_host_leaves_is_counted_and_a_higher_limit_goes_on_with_it() {
    let world = World::new();
    let limit = |host| Limits { host, crawl: None };
    for most in [4, 10] {
        let report = world.run(limit(Some(most)));
        assert_eq!((report.round, report.exit_code()), (1, 3));
        assert_eq!(hosts(&report), vec![(most, PAGES - most); HOSTS as usize]);
    }
    let again = world.run(limit(Some(10)));
    assert_eq!((again.round, again.exit_code()), (1, 3), "nothing is given up");
    assert_eq!(world.asked().len() as u64, 10 * HOSTS, "and nothing asked for beyond the limit");
    let last = world.run(limit(None));
    assert_eq!((last.end, last.round, last.exit_code()), (End::Complete, 1, 0));
    assert_eq!(hosts(&last), vec![(PAGES, 0); HOSTS as usize]);
    assert_eq!(world.asked().len() as u64, PAGES * HOSTS);
    assert!(world.asked().values().all(|times| *times == 1));
}

#[test]
fn what_a_limit_of_the_crawl_leaves_is_counted_and_a_higher_limit_goes_on_with_it() {
    let world = World::new();
    for most in [10, 30] {
        let report = world.run(Limits { host: None, crawl: Some(most) });
        assert_eq!((report.end, report.round, report.exit_code()), (End::Limit, 1, 3));
        let (pages, waiting) =
            hosts(&report).into_iter().fold((0, 0), |sum, host| (sum.0 + host.0, sum.1 + host.1));
        assert_eq!((pages, pages + waiting), (most, PAGES * HOSTS));
    }
    let last = world.run(Limits { host: None, crawl: None });
    assert_eq!((last.end, last.round, last.exit_code()), (End::Complete, 1, 0));
    assert_eq!(world.asked().len() as u64, PAGES * HOSTS);
    assert!(world.asked().values().all(|times| *times == 1));
}
