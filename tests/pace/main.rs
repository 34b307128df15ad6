//! How well a host's pace is learned: refusals and throughput against models of servers, hour after hour.
//!
//! The machine of the host is asked directly, without an engine: six hours are milliseconds. `cargo test --test pace -- --ignored
//! --nocapture` prints the tables of docs/pace.md.

mod aimd;
mod drive;
mod worlds;

use aimd::Aimd;
use crawl::politeness::Host;
use crawl::testing::ServerModel;
use drive::{Drive, HOUR, Rule, Scenario, Score, score};
use worlds::{development, random, silent, stepping};

const DEVELOPMENT_SEEDS: u64 = 5;
const RANDOM_LIMITS: usize = 120;
const RANDOM_SEEDS: u64 = 3;
/// The draw of limits that was not looked at while the rule was made.
const HELD_OUT: u64 = 20_261_122;

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
fn a_limit_that_is_halved_is_found_within_two_minutes() {
    let models = [
        ServerModel::bucket(2.0, 10),
        silent(ServerModel::bucket(2.0, 10)),
        ServerModel::bucket(1.0, 20),
        silent(ServerModel::bucket(0.5, 10)),
        ServerModel::fixed_window(60, 60.0),
        silent(ServerModel::fixed_window(60, 60.0)),
    ];
    let mut scenario = development().remove(0);
    for model in models {
        scenario.model = stepping(model, &[(2.0 * HOUR, 0.5)]);
        let limit = scenario.model.rate_at(2.0 * HOUR);
        for seed in 0..10 {
            let mut drive = Drive::new(&scenario, Host::default(), seed);
            drive.until(2.0 * HOUR + 120.0);
            let rate = drive.rule.rate(&scenario.policy);
            println!(
                "{} {:.0} {:?} seed {seed}: {:.2}",
                scenario.model.requests,
                scenario.model.seconds,
                scenario.model.told,
                rate / limit
            );
        }
    }
}

#[test]
fn a_second_run_begins_at_seven_tenths_of_the_limit_without_a_refusal_in_its_first_minute() {
    for scenario in development().iter() {
        let limit = scenario.allowed(2.0 * HOUR, 2.0 * HOUR + 60.0) / 60.0;
        for seed in 0..10 {
            for pause in [0.0, 10.0, 86_400.0] {
                let mut drive = Drive::new(scenario, Host::default(), seed);
                drive.until(3.0 * HOUR);
                drive.restart(pause);
                let begin = 3.0 * HOUR + pause;
                let rate = drive.rule.rate(&scenario.policy);
                drive.until(begin + 60.0);
                let refused = drive.log.refused_between(begin, begin + 60.0);
                if refused > 0 || rate < 0.7 * limit {
                    println!("{} seed {seed} pause {pause}: {refused} {:.2}", scenario.name, rate / limit);
                }
            }
        }
    }
}

/// Prints the tables of docs/pace.md.
#[test]
#[ignore = "prints, and judges nothing"]
fn table() {
    println!(
        "| rule | 429s in hour 1 | per hour later: mean / median / p90 | efficiency later: mean / p10 / worst | efficiency: mean / p10 / worst |"
    );
    let limits = random(RANDOM_LIMITS, HELD_OUT);
    for (name, scenarios, seeds) in [("17", development(), 10), ("random", limits, 4)] {
        println!("{name}");
        Scores::of(&scenarios, Host::default, seeds).row("recall");
        Scores::of(&scenarios, || Aimd::new(0.5), seeds).row("AIMD x0.5");
        Scores::of(&scenarios, || Aimd::new(0.7), seeds).row("AIMD x0.7");
    }
    for scenario in development() {
        let score = score(&scenario, Host::default, 10);
        println!(
            "| {} | {:.1} | {:.1} | {:.1} |",
            scenario.name,
            score.first_hour,
            score.later,
            score.efficiency_later * 100.0
        );
    }
}
