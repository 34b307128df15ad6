//! The scenarios of `tests/scenarios/`: each file is a simulated web, a crawl and what is expected of it.
//!
//! `cargo test --test scenarios NAME -- --nocapture` prints the access log of one that fails.

use std::path::{Path, PathBuf};

use crawl::testing::{Scenario, ScenarioError, ScenarioRun};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn run(name: &str) -> ScenarioRun {
    let text = std::fs::read_to_string(folder().join(format!("{name}.toml"))).expect("the file is there");
    let scenario = Scenario::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    simulate(&scenario).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Runs a scenario on paused time.
fn simulate(scenario: &Scenario) -> Result<ScenarioRun, ScenarioError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O can be built");
    runtime.block_on(scenario.run())
}

fn check(name: &str) {
    let run = run(name);
    if !run.faults.is_empty() {
        let log = run.transcript.to_text();
        let log: String = log.lines().take(400).map(|line| format!("{line}\n")).collect();
        let shown: Vec<_> = run.faults.iter().take(30).cloned().collect();
        panic!("{name}\n{log}\n{:?}\n\n{}\n", run.report, shown.join("\n"));
    }
}

/// One test per file.
macro_rules! scenarios {
    ($($test:ident => $file:literal,)*) => {
        $(
            #[test]
            fn $test() {
                check($file);
            }
        )*

        const FILES: &[&str] = &[$($file),*];
    };
}

scenarios! {
    n403_held_then_dropped => "403-held-then-dropped",
    n429_without_word => "429-without-word",
    n503_with_retry_after => "503-with-retry-after",
    address_is_shared => "address-is-shared",
    address_of_one_busy_host => "address-of-one-busy-host",
    all_forbidden => "all-forbidden",
    burst_is_one_strike => "burst-is-one-strike",
    crawl_delay => "crawl-delay",
    crawl_delay_below_ours => "crawl-delay-below-ours",
    crawl_delay_longer_than_patience => "crawl-delay-longer-than-patience",
    crawl_delay_too_long => "crawl-delay-too-long",
    dead_for_a_while => "dead-for-a-while",
    dead_host_does_not_delay_others => "dead-host-does-not-delay-others",
    domain_shares_a_pace => "domain-shares-a-pace",
    domain_waits_together => "domain-waits-together",
    fair_among_hosts => "fair-among-hosts",
    fixed_pace_settles => "fixed-pace-settles",
    jitter_only_lengthens => "jitter-only-lengthens",
    kill_anywhere => "kill-anywhere",
    kill_during_retry_after => "kill-during-retry-after",
    kill_in_a_group_s_wait => "kill-in-a-group-s-wait",
    kill_while_asking_robots => "kill-while-asking-robots",
    kill_with_a_small_head => "kill-with-a-small-head",
    kill_with_addresses => "kill-with-addresses",
    kill_with_crawl_delay => "kill-with-crawl-delay",
    max_depth => "max-depth",
    max_pages => "max-pages",
    max_pages_per_host => "max-pages-per-host",
    not_before => "not-before",
    not_found => "not-found",
    page_refused_alone => "page-refused-alone",
    page_refused_alone_small_head => "page-refused-alone-small-head",
    parked_beyond_patience => "parked-beyond-patience",
    parked_but_others_work_on => "parked-but-others-work-on",
    polite_delay => "polite-delay",
    priority_then_fifo => "priority-then-fifo",
    priority_with_a_small_head => "priority-with-a-small-head",
    probe_after_wait => "probe-after-wait",
    rate_with_burst => "rate-with-burst",
    redirect_chain => "redirect-chain",
    redirect_loop => "redirect-loop",
    redirect_to_other_host => "redirect-to-other-host",
    refused_for_hours => "refused-for-hours",
    retry_after_date => "retry-after-date",
    retry_after_on_other_answers => "retry-after-on-other-answers",
    retry_after_seconds => "retry-after-seconds",
    robots_404 => "robots-404",
    robots_429_then_rules => "robots-429-then-rules",
    robots_503 => "robots-503",
    robots_503_then_well => "robots-503-then-well",
    robots_503_with_retry_after => "robots-503-with-retry-after",
    robots_disallow => "robots-disallow",
    robots_disallow_all => "robots-disallow-all",
    robots_expires => "robots-expires",
    robots_redirect_5_hops => "robots-redirect-5-hops",
    robots_redirect_loop => "robots-redirect-loop",
    robots_short_lived_and_slow => "robots-short-lived-and-slow",
    robots_timeout => "robots-timeout",
    server_errors_retried_then_failed => "server-errors-retried-then-failed",
    sitemap_404 => "sitemap-404",
    sitemap_429_holds_the_host => "sitemap-429-holds-the-host",
    sitemap_index => "sitemap-index",
    sitemap_kill => "sitemap-kill",
    sitemap_loop => "sitemap-loop",
    sitemap_newest_first => "sitemap-newest-first",
    sitemap_off => "sitemap-off",
    sitemap_with_page_limit => "sitemap-with-page-limit",
    slow_answers => "slow-answers",
    token_bucket => "token-bucket",
    two_origins_one_host => "two-origins-one-host",
    two_spiders_one_host => "two-spiders-one-host",
    unknown_name => "unknown-name",
    visit_time => "visit-time",
    visit_time_ends => "visit-time-ends",
    visit_time_shorter_than_delay => "visit-time-shorter-than-delay",
    window_with_dates => "window-with-dates",
}

#[test]
fn every_file_is_a_test() {
    let files = std::fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    // The folders beside them are run by `simulated_servers.rs`.
    let mut found: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".toml").map(str::to_owned)).collect();
    found.sort();
    assert_eq!(found, FILES);
    println!("{} scenarios", FILES.len());
}

/// Runs every scenario with so few hosts awake; tells in which of them the servers see something else.
fn all_with_few_awake(awake: usize) -> Vec<&'static str> {
    let mut others = Vec::new();
    for name in FILES {
        let text = std::fs::read_to_string(folder().join(format!("{name}.toml"))).expect("the file is there");
        let mut scenario = Scenario::parse(&text).expect("it is a scenario");
        let usual = simulate(&scenario).expect("it runs");
        scenario.crawl.awake = awake;
        let run = simulate(&scenario).unwrap_or_else(|error| panic!("{name}, {awake} awake: {error}"));
        let log = run.transcript.to_text();
        assert!(run.faults.is_empty(), "{name}, {awake} awake\n{log}\n{}", run.faults.join("\n"));
        if log != usual.transcript.to_text() {
            others.push(*name);
            let known = usual.transcript.to_text();
            for (one, two) in known.lines().zip(log.lines()).filter(|(one, two)| one != two).take(4) {
                println!("{awake} {name}\n  {one}\n  {two}");
            }
        }
    }
    others
}

#[test]
fn every_scenario_holds_with_no_host_awake_between_two_requests() {
    let others = all_with_few_awake(0);
    println!("{} of {} scenarios differ: {others:?}", others.len(), FILES.len());
}

#[test]
fn every_scenario_holds_with_one_or_two_hosts_awake() {
    for awake in [1, 2] {
        let others = all_with_few_awake(awake);
        println!("{} of {} scenarios differ: {others:?}", others.len(), FILES.len());
    }
}

#[test]
fn every_scenario_is_the_same_when_it_is_run_again() {
    for name in ["kill-anywhere", "token-bucket", "burst-is-one-strike", "jitter-only-lengthens"] {
        assert_eq!(run(name).transcript.digest(), run(name).transcript.digest(), "{name}");
    }
}

#[test]
fn killed_at_random_moments_it_loses_nothing_and_undercuts_nothing() {
    for (name, length) in [("kill-anywhere", 60.0), ("sitemap-kill", 12.0)] {
        let text = std::fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap();
        kill_again_and_again(&Scenario::parse(&text).unwrap(), length);
    }
}

#[test]
fn killed_at_random_moments_it_keeps_its_promises_with_few_hosts_awake() {
    let mut rng = fastrand::Rng::with_seed(13);
    for (name, length) in [("kill-anywhere", 60.0), ("sitemap-kill", 12.0)] {
        let text = std::fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap();
        let mut scenario = Scenario::parse(&text).unwrap();
        for awake in [0, 1, 2] {
            scenario.crawl.awake = awake;
            kill_randomly(&mut scenario, 50, length, &mut rng);
        }
    }
}

#[test]
fn killed_at_random_moments_groups_keep_their_waits_with_few_hosts_awake() {
    let mut rng = fastrand::Rng::with_seed(14);
    for file in ["kill-in-a-group-s-wait.toml", "kill-with-addresses.toml"] {
        let text = std::fs::read_to_string(folder().join(file)).unwrap();
        let mut scenario = Scenario::parse(&text).unwrap();
        for awake in [0, 1, 2] {
            scenario.crawl.awake = awake;
            kill_randomly(&mut scenario, 30, 50.0, &mut rng);
        }
    }
}

fn kill_randomly(scenario: &mut Scenario, times: u64, length: f64, rng: &mut fastrand::Rng) {
    for seed in 0..times {
        let kills = rng.usize(1..10);
        scenario.crawl.seed = seed;
        scenario.crawl.head = rng.usize(1..5);
        scenario.crawl.kill_at = (0..kills).map(|_| rng.f64() * length).collect();
        scenario.crawl.kill_at.sort_by(f64::total_cmp);
        let run = simulate(scenario).unwrap_or_else(|error| panic!("{:?}\n{error}", scenario.crawl));
        assert!(run.faults.is_empty(), "{:?}\n{}", scenario.crawl, run.faults.join("\n"));
    }
}

fn kill_again_and_again(scenario: &Scenario, length: f64) {
    let mut scenario = scenario.clone();
    let mut rng = fastrand::Rng::with_seed(11);
    for seed in 0..150 {
        let kills = rng.usize(1..12);
        scenario.crawl.seed = seed;
        scenario.crawl.head = rng.usize(1..5);
        scenario.crawl.kill_at = (0..kills).map(|_| rng.f64() * length).collect();
        scenario.crawl.kill_at.sort_by(f64::total_cmp);
        let run = simulate(&scenario).unwrap_or_else(|error| panic!("{error}"));
        assert!(run.faults.is_empty(), "{:?}\n{}", scenario.crawl, run.faults.join("\n"));
    }
}

#[test]
fn killed_at_random_moments_groups_keep_their_pace_and_their_waits() {
    let mut rng = fastrand::Rng::with_seed(12);
    for file in ["kill-in-a-group-s-wait.toml", "kill-with-addresses.toml"] {
        let text = std::fs::read_to_string(folder().join(file)).unwrap();
        let mut scenario = Scenario::parse(&text).unwrap();
        for seed in 0..60 {
            let kills = rng.usize(1..10);
            scenario.crawl.seed = seed;
            scenario.crawl.kill_at = (0..kills).map(|_| rng.f64() * 50.0).collect();
            scenario.crawl.kill_at.sort_by(f64::total_cmp);
            let run = simulate(&scenario).unwrap();
            assert!(run.faults.is_empty(), "{:?}\n{}", scenario.crawl, run.faults.join("\n"));
        }
    }
}
