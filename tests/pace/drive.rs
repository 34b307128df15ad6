//! A host asked by a rule for hours, in milliseconds: no engine, no runtime, only the rule and the model of a server.

use std::time::Duration;

use crawl::politeness::{Class, Host, HostState, Outcome, Policy};
use crawl::response::FailureKind;
use crawl::testing::{Latency, Server, ServerModel, Treatment};
use crawl::time::Timestamp;
use fastrand::Rng;

/// When everything begins.
const START: Timestamp = Timestamp::from_secs(1_790_000_000);
pub const HOUR: f64 = 3_600.0;

/// A server, and how it is asked.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub name: String,
    pub model: ServerModel,
    pub latency: Latency,
    pub policy: Policy,
    /// The seconds that each refusal names, in the place of the model's own.
    pub word: Option<u64>,
}

/// What decides when the next request goes out.
pub trait Rule {
    fn eligible_at(&self, policy: &Policy) -> Option<Timestamp>;
    fn begin(&mut self, now: Timestamp, policy: &Policy, rng: &mut Rng);
    fn finish(&mut self, outcome: &Outcome, policy: &Policy, rng: &mut Rng);
}

impl Rule for Host {
    fn eligible_at(&self, policy: &Policy) -> Option<Timestamp> {
        Self::eligible_at(self, policy)
    }

    fn begin(&mut self, now: Timestamp, policy: &Policy, rng: &mut Rng) {
        Self::begin(self, now, policy, rng);
    }

    fn finish(&mut self, outcome: &Outcome, policy: &Policy, rng: &mut Rng) {
        Self::finish(self, outcome, policy, rng);
    }
}

/// A crawl of one host under way. Moments are seconds.
pub struct Drive<'a, R> {
    scenario: &'a Scenario,
    server: Server,
    pub rule: R,
    rng: Rng,
    latency: Rng,
    now: f64,
    in_flight: Vec<Outcome>,
    pub log: Log,
}

/// When what came back.
#[derive(Debug, Default)]
pub struct Log {
    pub served: Vec<f64>,
    pub refused: Vec<f64>,
}

impl Log {
    pub fn refused_between(&self, from: f64, to: f64) -> usize {
        self.refused.iter().filter(|moment| (from..to).contains(*moment)).count()
    }

    pub fn served_between(&self, from: f64, to: f64) -> usize {
        self.served.iter().filter(|moment| (from..to).contains(*moment)).count()
    }
}

impl<'a, R: Rule> Drive<'a, R> {
    pub fn new(scenario: &'a Scenario, rule: R, seed: u64) -> Self {
        Self {
            scenario,
            server: scenario.model.server(seed),
            rule,
            rng: Rng::with_seed(seed ^ 1),
            latency: Rng::with_seed(seed ^ 2),
            now: 0.0,
            in_flight: Vec::new(),
            log: Log::default(),
        }
    }

    /// Goes on until this moment.
    pub fn until(&mut self, end: f64) {
        loop {
            let next = self.rule.eligible_at(&self.scenario.policy).map(|at| seconds(at).max(self.now));
            let answer = self.next_answer();
            match (next, answer) {
                (Some(at), answer) if answer.is_none_or(|(_, ended)| at < ended) => {
                    if at >= end {
                        self.now = end;
                        return;
                    }
                    self.now = at;
                    self.ask();
                }
                (_, Some((_, ended))) if ended >= end => {
                    self.now = end;
                    return;
                }
                (_, Some((place, ended))) => {
                    self.now = ended;
                    let outcome = self.in_flight.swap_remove(place);
                    self.rule.finish(&outcome, &self.scenario.policy, &mut self.rng);
                }
                (None | Some(_), None) => unreachable!("nothing is in flight and nothing may go out"),
            }
        }
    }

    fn next_answer(&self) -> Option<(usize, f64)> {
        let ends = self.in_flight.iter().map(|outcome| seconds(outcome.ended)).enumerate();
        ends.min_by(|(_, a), (_, b)| a.total_cmp(b))
    }

    fn ask(&mut self) {
        let began = moment(self.now);
        self.rule.begin(began, &self.scenario.policy, &mut self.rng);
        let ruling = self.server.ask(self.now);
        let took = self.scenario.latency.draw(&mut self.latency) + ruling.queued;
        let (class, status, told) = match ruling.what {
            Treatment::Served => (Class::Fetched, Some(200), None),
            Treatment::Refused { status, wait } => {
                (Class::Throttled, Some(status), self.scenario.word.or(wait))
            }
            Treatment::Down => (Class::Unreachable(FailureKind::Connect), None, None),
        };
        match class {
            Class::Fetched => self.log.served.push(self.now),
            _ => self.log.refused.push(self.now),
        }
        self.in_flight.push(Outcome {
            class,
            status,
            told: told.map(Duration::from_secs),
            announced: ruling.announced,
            began,
            ended: began + Duration::from_secs_f64(took),
        });
    }
}

impl Drive<'_, Host> {
    /// The process is killed and starts again after so many seconds, from what was stored.
    pub fn restart(&mut self, pause: f64) {
        self.now += pause;
        self.in_flight.clear();
        let state: HostState = self.rule.state().clone();
        self.rule = Host::resume(state, moment(self.now), &self.scenario.policy);
    }
}

fn moment(seconds: f64) -> Timestamp {
    START + Duration::from_millis((seconds * 1000.0).round() as u64)
}

fn seconds(moment: Timestamp) -> f64 {
    moment.since(START).as_millis() as f64 / 1000.0
}

impl Scenario {
    /// What the server's limit and our own floor together allow in a time.
    pub fn allowed(&self, from: f64, to: f64) -> f64 {
        let minutes = ((to - from) / 60.0).ceil() as u32;
        let ends =
            (0..minutes).map(|n| from + f64::from(n) * 60.0).map(|start| (start, (start + 60.0).min(to)));
        ends.map(|(start, end)| self.model.allowed(start, end).min(self.floor() * (end - start))).sum()
    }

    /// Requests a second that our own floor allows. One at a time, the delay counts from the end of the answer.
    fn floor(&self) -> f64 {
        let delay = self.policy.delay.as_secs_f64() * (1.0 + self.policy.jitter / 2.0);
        let answer = if self.policy.max_concurrency > 1 { 0.0 } else { self.latency.mean() };
        1.0 / (delay + answer)
    }
}

/// How a rule did in six hours.
#[derive(Debug, Clone, Copy, Default)]
pub struct Score {
    /// Refusals in the first hour.
    pub first_hour: f64,
    /// Refusals an hour later.
    pub later: f64,
    /// Successes as a share of what limit and floor allow, from the first minute on.
    pub efficiency: f64,
    /// The same after the first hour.
    pub efficiency_later: f64,
}

/// The mean over this many seeds.
pub fn score<R: Rule>(scenario: &Scenario, rule: impl Fn() -> R, seeds: u64) -> Score {
    let end = 6.0 * HOUR;
    let mut mean = Score::default();
    for seed in 0..seeds {
        let mut drive = Drive::new(scenario, rule(), 1_000 + seed);
        drive.until(end);
        let log = &drive.log;
        let share = 1.0 / seeds as f64;
        mean.first_hour += share * log.refused_between(0.0, HOUR) as f64;
        mean.later += share * log.refused_between(HOUR, end) as f64 / 5.0;
        mean.efficiency += share * log.served.len() as f64 / scenario.allowed(0.0, end);
        mean.efficiency_later += share * log.served_between(HOUR, end) as f64 / scenario.allowed(HOUR, end);
    }
    mean
}
