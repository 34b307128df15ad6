//! Large crawls on simulated time: as fast as they must be, the same every time, and no slower than politeness demands.

use std::time::{Duration, Instant};

use crawl::clock::Clock;
use crawl::engine::{Builder, Crawl, End, Execution, Report};
use crawl::fetch::http::HttpFetcher;
use crawl::politeness::Policy;
use crawl::scope::Scope;
use crawl::store::disk::DiskStore;
use crawl::testing::{FollowAll, Latency, SimWeb, Site, Transcript, Yardstick};
use crawl::time::Timestamp;

struct World {
    hosts: u32,
    pages: u32,
    delay: u64,
    jitter: f64,
    latency: Latency,
    seed: u64,
    awake: usize,
}

struct Outcome {
    report: Report,
    transcript: Transcript,
    wall: Duration,
}

impl World {
    fn run(&self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O can be built");
        let began = wall_clock();
        let (report, transcript) = runtime.block_on(self.crawl());
        Outcome { report, transcript, wall: began.elapsed() }
    }

    async fn crawl(&self) -> (Report, Transcript) {
        let clock = Clock::starting_at(Timestamp::from_secs(1_790_000_000));
        let (web, crawl) = self.describe(&clock);
        let crawl = crawl.build_with(web.clone()).expect("it has a name and a spider");
        let report = crawl.run().await.expect("a store in memory does not fail");
        (report, web.transcript())
    }

    fn describe(&self, clock: &Clock) -> (SimWeb, Builder<HttpFetcher>) {
        let site = Site {
            count: self.hosts,
            pages: self.pages - 1,
            latency: self.latency,
            ..Site::at("http://h{}.example")
        };
        let web = SimWeb::new([site], clock.clone(), self.seed);
        let policy =
            Policy { delay: Duration::from_secs(self.delay), jitter: self.jitter, ..Policy::default() };
        let (seed, awake) = (self.seed, self.awake);
        let seeds = (1..=self.hosts).map(|host| format!("http://h{host}.example/"));
        let crawl = Crawl::builder()
            .identity("simbot", "tests@example.com")
            .spider(FollowAll::new("all", seeds))
            .scope(Scope::default())
            .policy(policy)
            .settings(move |settings| (settings.seed, settings.awake) = (seed, awake))
            .clock(clock.clone())
            .execution(Execution::Inline);
        (web, crawl)
    }

    fn yardstick(&self) -> Yardstick {
        Yardstick { delay: Duration::from_secs(self.delay), ..Yardstick::default() }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a simulation takes is measured in real time")]
fn wall_clock() -> Instant {
    Instant::now()
}

#[test]
fn an_hour_over_ten_thousand_hosts_takes_seconds() {
    let world = World {
        hosts: 10_000,
        pages: 60,
        delay: 60,
        jitter: 0.0,
        latency: Latency::Fixed(0.2),
        seed: 1,
        awake: 20_000,
    };
    let outcome = world.run();
    let pages = outcome.report.totals.pages;
    println!(
        "{pages} pages, {:.2} h of simulated time in {:.1} s: {:.1} us a page",
        outcome.report.took.as_secs_f64() / 3600.0,
        outcome.wall.as_secs_f64(),
        outcome.wall.as_secs_f64() * 1e6 / pages as f64
    );
    assert_eq!(outcome.report.end, End::Complete);
    assert_eq!(pages, 600_000);
    assert!(outcome.report.took >= Duration::from_hours(1));
    assert!(outcome.report.took <= Duration::from_secs(3_700));
    outcome.transcript.assert_polite(&world.yardstick());
}

#[test]
fn the_same_seed_gives_the_same_transcript_and_another_seed_another() {
    let world = |seed| World {
        hosts: 300,
        pages: 20,
        delay: 1,
        jitter: 0.5,
        latency: Latency::LogNormal { median: 0.2, sigma: 0.7 },
        seed,
        awake: 20_000,
    };
    let digest = |seed| world(seed).run().transcript.digest();
    let first = digest(1);
    assert_eq!(first, digest(1));
    assert_ne!(first, digest(2));
}

#[test]
fn a_thousand_hosts_take_no_longer_than_politeness_demands() {
    let world = World {
        hosts: 1_000,
        pages: 20,
        delay: 1,
        jitter: 0.0,
        latency: Latency::Fixed(0.1),
        seed: 1,
        awake: 20_000,
    };
    let outcome = world.run();
    outcome.transcript.assert_polite(&world.yardstick());
    // robots.txt and 20 pages: 21 answers and the delays between them.
    let ideal = 21.0 * 0.1 + 20.0;
    let took = outcome.report.took.as_secs_f64();
    println!("{took:.2} s, ideal {ideal:.2} s");
    assert_eq!(outcome.report.totals.pages, 20_000);
    assert!(took <= ideal * 1.05, "{took} s, ideal {ideal} s");
}

#[test]
fn two_thousand_hosts_of_which_a_hundred_are_awake_take_no_longer_and_are_as_politely_asked() {
    let world = |awake| World {
        hosts: 2_000,
        pages: 10,
        delay: 10,
        jitter: 0.5,
        latency: Latency::LogNormal { median: 0.2, sigma: 0.7 },
        seed: 3,
        awake,
    };
    let usual = world(20_000).run();
    for awake in [100, 1] {
        let drowsy = world(awake).run();
        drowsy.transcript.assert_polite(&world(awake).yardstick());
        let took = [&drowsy, &usual].map(|outcome| outcome.report.took.as_secs_f64());
        println!(
            "{awake} awake: {took:?} s, {:.1} s and {:.1} s real",
            drowsy.wall.as_secs_f64(),
            usual.wall.as_secs_f64()
        );
        assert_eq!(drowsy.report.end, End::Complete);
        assert_eq!(drowsy.report.totals.pages, 20_000);
        assert!(took[0] <= took[1] * 1.05);
        assert_eq!((drowsy.report.hosts.len(), drowsy.report.unlisted.hosts), (1_000, 1_000));
    }
}

#[test]
fn hosts_that_sleep_in_a_state_on_disk_go_on_where_they_were_when_it_is_opened_again() {
    let world = World {
        hosts: 150,
        pages: 6,
        delay: 2,
        jitter: 0.5,
        latency: Latency::Fixed(0.1),
        seed: 4,
        awake: 10,
    };
    let dir = tempfile::tempdir().unwrap();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let transcript = runtime.block_on(async {
        let clock = Clock::starting_at(Timestamp::from_secs(1_790_000_000));
        let (web, _) = world.describe(&clock);
        for most in [200, 450, 1_000] {
            let store = DiskStore::open(dir.path(), Default::default()).unwrap();
            let (_, crawl) = world.describe(&clock);
            let crawl = crawl.store(store).settings(move |settings| {
                (settings.awake, settings.max_pages) = (10, Some(most));
            });
            let report = crawl.build_with(web.clone()).unwrap().run().await.unwrap();
            assert_eq!(report.totals.pages, most.min(900));
            assert_eq!(report.end, if most < 900 { End::Limit } else { End::Complete });
            assert_eq!(report.hosts.iter().map(|host| host.waiting).sum::<u64>() == 0, most > 900);
        }
        web.transcript()
    });
    transcript.assert_polite(&world.yardstick());
}
