//! How well a host's pace is learned: refusals and throughput against models of servers, hour after hour.
//!
//! The machine of the host is asked directly, without an engine: six hours are milliseconds. `cargo test --test pace -- --ignored
//! --nocapture` prints the tables of docs/pace.md.

mod aimd;
mod drive;
mod fixed;
mod short;
mod worlds;

use aimd::Aimd;
use crawl::politeness::Host;
use crawl::testing::ServerModel;
use drive::{Drive, HOUR, Rule, Scenario, Score, score};
use fixed::Run;
use worlds::{development, random, silent, stepping};

const DEVELOPMENT_SEEDS: u64 = 5;
const RANDOM_LIMITS: usize = 120;
const RANDOM_SEEDS: u64 = 2;
/// The draw of limits that was not looked at while the rule was made.
const HELD_OUT: u64 = 40_429;

/// Scores of many servers.
struct Scores(Vec<Score>);

impl Scores {
    fn of<R: Rule>(scenarios: &[Scenario], rule: impl Fn() -> R, seeds: u64) -> Self {
        Self(scenarios.iter().map(|scenario| score(scenario, &rule, seeds)).collect())
    }

    fn mean(&self, of: impl Fn(&Score) -> f64) -> f64 {
        self.0.iter().map(of).sum::<f64>() / self.0.len() as f64
    }

    /// The value below which this share of the servers lies.
    fn quantile(&self, share: f64, of: impl Fn(&Score) -> f64) -> f64 {
        let mut all: Vec<f64> = self.0.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[((all.len() - 1) as f64 * share) as usize]
    }

    fn row(&self, rule: &str) {
        let share = |of: fn(&Score) -> f64| {
            let percent = |value: f64| format!("{:.1}", value * 100.0);
            [self.mean(of), self.quantile(0.1, of), self.quantile(0.0, of)].map(percent).join(" / ")
        };
        println!(
            "| {rule} | {:.1} | {:.2} / {:.1} / {:.1} | {} | {} |",
            self.mean(|score| score.first_hour),
            self.mean(|score| score.later),
            self.quantile(0.5, |score| score.later),
            self.quantile(0.9, |score| score.later),
            share(|score| score.efficiency_later),
            share(|score| score.efficiency)
        );
    }
}

fn wide(mut scenarios: Vec<Scenario>) -> Vec<Scenario> {
    for scenario in &mut scenarios {
        scenario.policy.max_concurrency = 4;
    }
    scenarios
}

#[test]
fn seventeen_servers_refuse_sixty_times_an_hour_at_most_and_are_used_to_nine_tenths() {
    for scenarios in [development(), wide(development())] {
        let scores = Scores::of(&scenarios, Host::default, DEVELOPMENT_SEEDS);
        let refused: f64 = scores.0.iter().map(|score| score.later).sum();
        let used = scores.mean(|score| score.efficiency);
        assert!(refused <= 60.0, "{refused} refusals an hour");
        assert!(used >= 0.9, "{used}");
    }
}

#[test]
fn limits_drawn_at_random_refuse_four_times_an_hour_at_most_and_are_used_to_five_sixths() {
    let limits = random(RANDOM_LIMITS, HELD_OUT);
    for scenarios in [limits.clone(), wide(limits)] {
        let scores = Scores::of(&scenarios, Host::default, RANDOM_SEEDS);
        let (refused, used) = (scores.mean(|score| score.later), scores.mean(|score| score.efficiency));
        assert!(refused <= 4.0, "{refused} refusals an hour");
        assert!(used >= 0.84, "{used}");
    }
}

#[test]
fn a_server_that_announces_its_limit_never_refuses() {
    for scenarios in [development(), wide(development())] {
        for scenario in scenarios.iter().filter(|scenario| scenario.name.ends_with("RateLimit")) {
            let Score { first_hour, later, efficiency, .. } =
                score(scenario, Host::default, DEVELOPMENT_SEEDS);
            assert!(first_hour + later < 1e-9, "{}: {first_hour} {later}", scenario.name);
            assert!(efficiency > 0.95, "{}: {efficiency}", scenario.name);
        }
    }
}

#[test]
fn a_limit_that_is_halved_is_found_within_two_minutes_twenty_four_times_of_twenty_five() {
    let bucket = ServerModel::bucket;
    let window = ServerModel::fixed_window;
    let told = [
        bucket(2.0, 10),
        bucket(2.0, 60),
        bucket(1.0, 20),
        bucket(0.5, 10),
        window(60, 60.0),
        window(30, 30.0),
    ];
    let silent = told.clone().map(silent);
    let mut found = Vec::new();
    for (model, hour) in
        told.into_iter().chain(silent).flat_map(|model| [1.8, 2.0, 2.1, 2.25].map(|at| (model.clone(), at)))
    {
        let mut scenario = development().remove(0);
        scenario.model = stepping(model, &[(hour * HOUR, 0.5)]);
        let limit = scenario.model.rate_at(hour * HOUR);
        for seed in 0..5 {
            let mut drive = Drive::new(&scenario, Host::default(), seed);
            drive.until(hour * HOUR + 120.0);
            let rate = drive.rule.rate(&scenario.policy);
            found.push((0.45..1.1).contains(&(rate / limit)));
        }
    }
    let missed = found.iter().filter(|found| !**found).count();
    assert!(missed * 25 <= found.len(), "{missed} of {} were not found", found.len());
}

#[test]
fn a_second_run_begins_at_seven_tenths_of_the_limit_and_seldom_with_a_refusal_in_its_first_minute() {
    let mut refusals = Vec::new();
    for scenario in &development() {
        let limit = scenario.allowed(3.0 * HOUR, 3.0 * HOUR + 60.0) / 60.0;
        for (seed, pause) in (0..5).flat_map(|seed| [(seed, 0.0), (seed, 10.0), (seed, 86_400.0)]) {
            let mut drive = Drive::new(scenario, Host::default(), seed);
            drive.until(3.0 * HOUR);
            drive.restart(pause);
            let begin = 3.0 * HOUR + pause;
            let rate = drive.rule.rate(&scenario.policy);
            drive.until(begin + 60.0);
            refusals.push(drive.log.refused_between(begin, begin + 60.0));
            let told = || format!("{}, seed {seed}, after {pause} s", scenario.name);
            // A server of whose capacity others use a share has no limit to be found.
            assert!(rate >= 0.7 * limit || scenario.model.load.is_some(), "{}: {}", told(), rate / limit);
        }
    }
    // A window that was spent at the moment of the restart refuses whatever comes.
    let refused = refusals.iter().filter(|refused| **refused > 0).count();
    assert!(refused * 100 <= refusals.len(), "{refused} of {}", refusals.len());
}

#[test]
fn a_short_crawl_of_five_a_second_takes_fifteen_percent_more_than_the_limit_allows_at_most() {
    for latency in [0.001, 0.002, 0.005, 0.01] {
        let site = short::bucket(5.0, 5, Some(2)).answering_in(latency);
        let short::Trip { over, refused } = short::trip(&site, 10);
        assert!(over <= 1.15 && refused <= 9, "{over}, {refused} refusals");
    }
}

#[test]
fn short_crawls_of_many_limits_take_half_as_long_again_where_waits_are_named_and_short() {
    for (word, most) in [(None, 1.95), (Some(1), 1.5), (Some(2), 1.6)] {
        let trips: Vec<short::Trip> =
            short::limits(word).iter().map(|(_, limit)| short::trip(limit, 3)).collect();
        let mean = (trips.iter().map(|trip| trip.over.ln()).sum::<f64>() / trips.len() as f64).exp();
        assert!(mean <= most, "{word:?}: {mean}");
        assert!(trips.iter().all(|trip| trip.refused <= 16), "{word:?}: {trips:?}");
    }
}

/// What it was before, at 2 ms: 87 refusals in 44.1 s, and 795 in 399 s.
#[test]
fn a_fixed_pace_settles_by_how_many_requests_are_out_at_once() {
    let quick = fixed::unbridled(0.002);
    let Run { took, refused } = fixed::run(&quick, 112);
    assert!(refused <= 35 && took <= 44.1 * 1.05, "{refused} refusals in {took} s");
    let Run { took, refused } = fixed::run(&quick, 1_000);
    assert!(refused <= 220 && took <= 398.8 * 1.05, "{refused} refusals in {took} s");
}

/// Two requests at once are below the limit in a server that takes 0.4 s, one where it takes 0.2 s. 0.4: 498 refusals before, in 465 s.
#[test]
fn where_so_many_at_once_are_within_the_limit_a_fixed_pace_comes_to_rest_there() {
    let Run { took, refused } = fixed::run(&fixed::unbridled(0.2), 1_000);
    let ideal = (1_000.0 - 5.0) / 5.0;
    assert!(refused <= 30 && took <= ideal * 1.3, "{refused} refusals in {took} s");
    let Run { took, refused } = fixed::run(&fixed::unbridled(0.4), 1_000);
    assert!(refused <= 15 && took <= ideal * 1.4, "{refused} refusals in {took} s");
}

/// Prints the table of short crawls in docs/pace.md.
#[test]
#[ignore = "prints, and judges nothing"]
fn short_crawls() {
    short::table();
}

/// Prints the tables of docs/pace.md.
#[test]
#[ignore = "prints, and judges nothing"]
fn tables() {
    let limits = random(RANDOM_LIMITS, HELD_OUT);
    for (name, scenarios, seeds) in [("17 by hand", development(), 20), ("120 at random", limits, 4)] {
        println!("{name}:");
        Scores::of(&scenarios, Host::default, seeds).row("learned");
        for left in [0.5, 0.7] {
            Scores::of(&scenarios, || Aimd::new(left), seeds).row(&format!("AIMD x{left}"));
        }
        Scores::of(&wide(scenarios), Host::default, seeds).row("learned, 4 at a time");
    }
    let seventeen = development();
    let [learned, half, seven_tenths] = [
        Scores::of(&seventeen, Host::default, 20),
        Scores::of(&seventeen, || Aimd::new(0.5), 20),
        Scores::of(&seventeen, || Aimd::new(0.7), 20),
    ];
    for (number, scenario) in seventeen.iter().enumerate() {
        let cells = [&learned, &half, &seven_tenths].map(|scores| {
            let Score { first_hour, later, efficiency, .. } = scores.0[number];
            format!("{first_hour:.0} -> {later:.1} ({:.0})", efficiency * 100.0)
        });
        println!("| {} | {} |", scenario.name, cells.join(" | "));
    }
}
