//! The servers that the rule is measured against: seventeen by hand, and as many drawn at random as one likes.

use std::time::Duration;

use crawl::politeness::Policy;
use crawl::testing::{Announces, Latency, Load, RateStep, ServerModel, Told};
use fastrand::Rng;

use crate::drive::Scenario;

fn scenario(name: impl Into<String>, model: ServerModel) -> Scenario {
    Scenario { name: name.into(), model, latency: around(0.2, 0.35), policy: policy(), word: None }
}

/// The floor is 0.2 s, counted from the end of an answer, with up to a fifth more.
pub fn policy() -> Policy {
    Policy { delay: Duration::from_millis(200), jitter: 0.2, ..Policy::default() }
}

/// Log-normal with this mean.
fn around(mean: f64, sigma: f64) -> Latency {
    Latency::LogNormal { median: mean * (-sigma * sigma / 2.0).exp(), sigma }
}

pub fn silent(model: ServerModel) -> ServerModel {
    ServerModel { told: Told::Nothing, ..model }
}

fn telling(model: ServerModel) -> ServerModel {
    ServerModel { announces: Announces::RateLimit, ..model }
}

fn banning(model: ServerModel) -> ServerModel {
    ServerModel { ban: Some(60.0), ..model }
}

pub fn stepping(model: ServerModel, steps: &[(f64, f64)]) -> ServerModel {
    let steps = steps.iter().map(|&(from, factor)| RateStep { from, factor }).collect();
    ServerModel { steps, ..model }
}

/// The seventeen servers on which the rule was developed.
pub fn development() -> Vec<Scenario> {
    let bucket = ServerModel::bucket;
    let window = ServerModel::fixed_window;
    let load = Load { capacity: 3.0, others: 0.3, most_waiting: None };
    let mut list = vec![
        scenario("bucket 0.5/s, burst 10, Retry-After", bucket(0.5, 10)),
        scenario("bucket 0.5/s, burst 10", silent(bucket(0.5, 10))),
        scenario("bucket 2/s, burst 60, Retry-After", bucket(2.0, 60)),
        scenario("bucket 2/s, burst 60", silent(bucket(2.0, 60))),
        scenario("window 60 per 60 s, Retry-After", window(60, 60.0)),
        scenario("window 60 per 60 s", silent(window(60, 60.0))),
        scenario("window 300 per hour, Retry-After", window(300, 3_600.0)),
        scenario("window 300 per hour", silent(window(300, 3_600.0))),
        scenario("bucket 1/s, burst 20, RateLimit", telling(bucket(1.0, 20))),
        scenario("window 60 per 60 s, RateLimit", telling(window(60, 60.0))),
        scenario("bucket 1/s, burst 10, ban 60 s extended by tries, Retry-After", banning(bucket(1.0, 10))),
        scenario("bucket 1/s, burst 10, ban 60 s extended by tries", silent(banning(bucket(1.0, 10)))),
        scenario(
            "bucket 4/s, in hour 2 1/s, then 4/s again, burst 20, Retry-After",
            stepping(bucket(4.0, 20), &[(3_600.0, 0.25), (7_200.0, 1.0)]),
        ),
        scenario(
            "capacity 3/s of which others use 30 %",
            ServerModel { load: Some(load), ..ServerModel::default() },
        ),
        scenario("no limit", ServerModel::default()),
        scenario("no limit, heavy-tailed latency", ServerModel::default()),
        scenario("bucket 3/min, burst 3", silent(bucket(0.05, 3))),
    ];
    list[15].latency = around(0.2, 0.9);
    list
}

/// `count` limits from 0.01 to 5/s: a bucket, a window, a bucket with a ban, a bucket that changes twice, in turn; half of
/// them without Retry-After, none of them announced.
pub fn random(count: usize, seed: u64) -> Vec<Scenario> {
    let mut rng = Rng::with_seed(seed);
    (0..count).map(|number| draw(number % 4, &mut rng)).collect()
}

fn draw(kind: usize, rng: &mut Rng) -> Scenario {
    let rate = log_uniform(rng, 0.01, 5.0);
    let bucket = ServerModel::bucket(rate, log_uniform(rng, 1.0, 100.0).round() as u32);
    let model = match kind {
        0 => bucket,
        1 => {
            let requests = (rate * log_uniform(rng, 10.0, 3_600.0)).round().max(1.0);
            ServerModel::fixed_window(requests as u32, requests / rate)
        }
        2 => ServerModel { ban: Some(log_uniform(rng, 10.0, 600.0)), ..bucket },
        _ => {
            let (first, second) = (rng.f64() * 3.0 * 3_600.0, (3.0 + rng.f64() * 3.0) * 3_600.0);
            stepping(bucket, &[(first, log_uniform(rng, 0.25, 4.0)), (second, 1.0)])
        }
    };
    let kind = ["bucket", "window", "ban", "steps"][kind];
    let name = format!("{kind} {rate:.3}/s, {} in {:.0} s", model.requests, model.seconds);
    scenario(name, if rng.bool() { model } else { silent(model) })
}

fn log_uniform(rng: &mut Rng, least: f64, most: f64) -> f64 {
    (least.ln() + rng.f64() * (most / least).ln()).exp()
}
