//! How much a simulated server bears, and what it does to whom asks more.
//!
//! A [`ServerModel`] is plain data, the `limit` table of a site; [`ServerModel::server`] sets it to work. One model may join a
//! limit (a bucket or a window, with or without a ban behind it, changing in steps), a load that it shares with others, outages
//! and a block for good. It also tells what it [allows](ServerModel::allowed), which is what a crawler's pace is measured by.
//!
//! Pure: the moment of each request is a parameter, in seconds since the server began; draws come from a seed.

use std::time::Duration;

use fastrand::Rng;
use serde::Deserialize;

use crate::headers::rate_limit::Announced;

/// How many requests a site bears, and how it refuses the others. The default bears everything.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ServerModel {
    /// How it counts.
    pub window: Window,
    /// Requests in `seconds`; the depth of a bucket. 0, the default, is no limit.
    pub requests: u32,
    /// Length of the window, or time in which an empty bucket fills.
    pub seconds: f64,
    /// What it says when refusing.
    pub told: Told,
    /// The status of a refusal. Default 429.
    pub status: u16,
    /// What it says of its limit before it refuses.
    pub announces: Announces,
    /// Seconds for which it refuses everything once the limit is passed. Each request in that time begins them anew.
    pub ban: Option<f64>,
    /// Changes of the limit, in order of time.
    pub steps: Vec<RateStep>,
    /// A capacity that is shared with others.
    pub load: Option<Load>,
    /// Requests after which it refuses for good.
    pub block_after: Option<u64>,
    /// The status of that refusal. Default 403.
    pub block_status: u16,
    /// Share of requests that a block lets through, 0 to 1. Default 0.
    pub leak: f64,
    /// When it is down.
    pub outages: Vec<Outage>,
}

impl Default for ServerModel {
    fn default() -> Self {
        Self {
            window: Window::Bucket,
            requests: 0,
            seconds: 1.0,
            told: Told::Seconds,
            status: 429,
            announces: Announces::Nothing,
            ban: None,
            steps: Vec::new(),
            load: None,
            block_after: None,
            block_status: 403,
            leak: 0.0,
            outages: Vec::new(),
        }
    }
}

/// How a site counts requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// A bucket of `requests` tokens that fills evenly.
    #[default]
    Bucket,
    /// `requests` in each window; the first request opens it.
    Fixed,
}

/// Whether a refusal says how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// `Retry-After` in seconds.
    #[default]
    Seconds,
    /// `Retry-After` as a date.
    Date,
    /// No word.
    Nothing,
}

/// Which fields tell of the limit on every answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Announces {
    /// None.
    #[default]
    Nothing,
    /// `RateLimit: "default";r=50;t=30` and its policy (draft-ietf-httpapi-ratelimit-headers-10).
    RateLimit,
    /// `RateLimit-Limit`, `-Remaining` and `-Reset` (the drafts up to -06).
    ThreeFields,
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset`, the latter in seconds.
    XFields,
}

/// From a moment on the limit is another.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RateStep {
    /// When it begins to hold.
    pub from: f64,
    /// Share of the first limit.
    pub factor: f64,
}

/// One server for everybody: who comes waits behind those who came before.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Load {
    /// Requests a second that it can answer.
    pub capacity: f64,
    /// Share of the capacity that others use, 0 to 1.
    #[serde(default)]
    pub others: f64,
    /// Requests waiting above which it answers 503 at once. Default: none.
    #[serde(default)]
    pub most_waiting: Option<f64>,
}

impl Load {
    /// The mean seconds that requests of others take when nobody else comes (one server, arrivals and work at random).
    #[must_use]
    pub fn others_alone(&self) -> f64 {
        1.0 / (self.capacity * (1.0 - self.others))
    }
}

/// A time in which the server is down.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Outage {
    /// Its first moment.
    pub from: f64,
    /// Its end.
    pub until: f64,
    /// What it answers meanwhile; connections are refused if absent.
    #[serde(default)]
    pub status: Option<u16>,
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ruling {
    /// What the limits make of it.
    pub what: Treatment,
    /// Seconds it waits for the server, beside the site's latency.
    pub queued: f64,
    /// What the answer tells of the limit; the reset counts from the arrival, in whole seconds.
    pub announced: Announced,
}

/// What the limits make of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Treatment {
    /// It is answered as if there were no limit.
    Served,
    /// It is refused.
    Refused {
        /// The status.
        status: u16,
        /// The whole seconds of its `Retry-After`.
        wait: Option<u64>,
    },
    /// The connection is refused.
    Down,
}

impl ServerModel {
    /// A bucket of this depth that fills with so many tokens a second.
    #[must_use]
    pub fn bucket(rate: f64, burst: u32) -> Self {
        Self { requests: burst, seconds: f64::from(burst) / rate, ..Self::default() }
    }

    /// So many requests in each window of so many seconds.
    #[must_use]
    pub fn fixed_window(requests: u32, seconds: f64) -> Self {
        Self { window: Window::Fixed, requests, seconds, ..Self::default() }
    }

    /// Sets it to work. The same seed gives the same server.
    #[must_use]
    pub fn server(&self, seed: u64) -> Server {
        Server {
            tokens: f64::from(self.requests),
            since: 0.0,
            opened: false,
            banned_until: 0.0,
            asked: 0,
            backlog: 0.0,
            loaded_at: 0.0,
            others: (0, 0.0),
            rng: Rng::with_seed(seed),
            model: self.clone(),
        }
    }

    /// The requests that it would bear between two moments if they came evenly; infinite without a limit.
    #[must_use]
    pub fn allowed(&self, from: f64, to: f64) -> f64 {
        let mut edges = vec![from, to];
        edges.extend(self.steps.iter().map(|step| step.from));
        edges.extend(self.outages.iter().flat_map(|outage| [outage.from, outage.until]));
        edges.retain(|edge| (from..=to).contains(edge));
        edges.sort_by(f64::total_cmp);
        let stretches = edges.windows(2).filter(|edge| self.outage(edge[0]).is_none());
        let borne = stretches.map(|edge| (edge[1] - edge[0]) * self.rate_at(edge[0])).sum();
        self.block_after.map_or(borne, |most| (most as f64).min(borne))
    }

    /// The requests a second that it bears for long at this moment; infinite without a limit.
    #[must_use]
    pub fn rate_at(&self, now: f64) -> f64 {
        let limit = match self.requests {
            0 => f64::INFINITY,
            requests => f64::from(requests) / self.seconds * self.factor(now),
        };
        let free = self.load.map_or(f64::INFINITY, |load| load.capacity * (1.0 - load.others));
        limit.min(free)
    }

    fn factor(&self, now: f64) -> f64 {
        let begun = self.steps.iter().rev().find(|step| step.from <= now);
        begun.map_or(1.0, |step| step.factor)
    }

    fn outage(&self, now: f64) -> Option<&Outage> {
        self.outages.iter().find(|outage| (outage.from..outage.until).contains(&now))
    }
}

/// A server at work.
#[derive(Debug, Clone)]
pub struct Server {
    model: ServerModel,
    /// What is left of the limit.
    tokens: f64,
    /// When that was so, or when the window was opened.
    since: f64,
    /// Whether there is a window.
    opened: bool,
    banned_until: f64,
    asked: u64,
    /// Seconds of work that wait.
    backlog: f64,
    loaded_at: f64,
    /// Requests of others, and the seconds that all of them took.
    others: (u64, f64),
    rng: Rng,
}

impl Server {
    /// Takes a request that arrives at this moment. Moments never go back.
    pub fn ask(&mut self, now: f64) -> Ruling {
        self.asked += 1;
        let what = self.treat(now);
        let announced = self.announced(now);
        let mut ruling = Ruling { what, queued: 0.0, announced };
        if let (Treatment::Served, Some(load)) = (what, self.model.load) {
            match self.enqueue(load, now) {
                Some(seconds) => ruling.queued = seconds,
                None => ruling.what = Treatment::Refused { status: 503, wait: None },
            }
        }
        ruling
    }

    fn treat(&mut self, now: f64) -> Treatment {
        if let Some(outage) = self.model.outage(now) {
            return outage.status.map_or(Treatment::Down, |status| Treatment::Refused { status, wait: None });
        }
        let blocked = self.model.block_after.is_some_and(|most| self.asked > most);
        if blocked && self.rng.f64() >= self.model.leak {
            return Treatment::Refused { status: self.model.block_status, wait: None };
        }
        match self.wait(now) {
            Some(wait) => Treatment::Refused { status: self.model.status, wait: self.word(wait) },
            None => Treatment::Served,
        }
    }

    fn word(&self, wait: f64) -> Option<u64> {
        (self.model.told != Told::Nothing).then(|| wait.ceil().max(1.0) as u64)
    }

    /// For how many seconds the limit says no.
    fn wait(&mut self, now: f64) -> Option<f64> {
        let passed = self.take(now);
        let Some(ban) = self.model.ban else {
            return passed;
        };
        if passed.is_none() && now >= self.banned_until {
            return None;
        }
        self.banned_until = now + ban;
        Some(ban)
    }

    /// Takes a token, or tells for how many seconds there is none.
    fn take(&mut self, now: f64) -> Option<f64> {
        if self.model.requests == 0 {
            return None;
        }
        self.refill(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return None;
        }
        Some(match self.model.window {
            Window::Bucket => (1.0 - self.tokens) / self.fill_rate(now),
            Window::Fixed => self.since + self.model.seconds - now,
        })
    }

    fn refill(&mut self, now: f64) {
        let full = f64::from(self.model.requests);
        match self.model.window {
            Window::Bucket => {
                let filled = (now - self.since) * self.fill_rate(now);
                (self.tokens, self.since) = ((self.tokens + filled).min(full), now);
            }
            Window::Fixed if !self.opened || now >= self.since + self.model.seconds => {
                (self.tokens, self.since, self.opened) =
                    ((full * self.model.factor(now)).max(1.0), now, true);
            }
            Window::Fixed => {}
        }
    }

    fn fill_rate(&self, now: f64) -> f64 {
        f64::from(self.model.requests) / self.model.seconds * self.model.factor(now)
    }

    fn announced(&self, now: f64) -> Announced {
        if self.model.announces == Announces::Nothing || self.model.requests == 0 {
            return Announced::default();
        }
        let full = f64::from(self.model.requests);
        let reset = match self.model.window {
            Window::Bucket => (full - self.tokens) / self.fill_rate(now),
            Window::Fixed => self.since + self.model.seconds - now,
        };
        Announced {
            limit: Some(u64::from(self.model.requests)),
            remaining: Some(self.tokens as u64),
            reset: Some(Duration::from_secs_f64(reset.max(0.0).ceil())),
        }
    }

    /// The mean seconds that requests of others took so far; `None` if there were none.
    #[must_use]
    pub fn others_took(&self) -> Option<f64> {
        let (count, seconds) = self.others;
        (count > 0).then(|| seconds / count as f64)
    }

    /// Queues a request behind the others, and tells after how many seconds it is served.
    fn enqueue(&mut self, load: Load, now: f64) -> Option<f64> {
        let service = 1.0 / load.capacity;
        let others = load.capacity * load.others;
        while others > 0.0 && self.loaded_at < now {
            let next = self.loaded_at + exponential(&mut self.rng, 1.0 / others);
            if next > now {
                break;
            }
            self.work_off(next);
            self.backlog += exponential(&mut self.rng, service);
            self.others = (self.others.0 + 1, self.others.1 + self.backlog);
        }
        self.work_off(now);
        if load.most_waiting.is_some_and(|most| self.backlog > most * service) {
            return None;
        }
        self.backlog += exponential(&mut self.rng, service);
        Some(self.backlog)
    }

    fn work_off(&mut self, now: f64) {
        self.backlog = (self.backlog - (now - self.loaded_at)).max(0.0);
        self.loaded_at = now;
    }
}

/// How long an answer takes, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Latency {
    /// Always the same.
    Fixed(f64),
    /// Log-normal, drawn from the web's seed.
    LogNormal {
        /// The median.
        median: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
}

impl Default for Latency {
    fn default() -> Self {
        Self::Fixed(0.05)
    }
}

impl Latency {
    /// The seconds of one answer.
    pub fn draw(&self, rng: &mut Rng) -> f64 {
        match *self {
            Self::Fixed(seconds) => seconds,
            Self::LogNormal { median, sigma } => median * (sigma * normal(rng)).exp(),
        }
    }

    /// The mean over many answers.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Fixed(seconds) => seconds,
            Self::LogNormal { median, sigma } => median * (sigma * sigma / 2.0).exp(),
        }
    }
}

/// A draw from the exponential distribution of this mean.
fn exponential(rng: &mut Rng, mean: f64) -> f64 {
    -mean * (1.0 - rng.f64()).ln()
}

/// A draw from the standard normal distribution (Box and Muller).
fn normal(rng: &mut Rng) -> f64 {
    let (a, b) = (1.0 - rng.f64(), rng.f64());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: fn(u64) -> Treatment = |wait| Treatment::Refused { status: 429, wait: Some(wait) };

    fn rulings<const N: usize>(model: &ServerModel, moments: [f64; N]) -> [Treatment; N] {
        let mut server = model.server(1);
        moments.map(|now| server.ask(now).what)
    }

    #[test]
    fn a_bucket_fills_evenly_and_a_window_at_once() {
        let moments = [0.0, 0.0, 0.0, 3.0, 4.0, 8.0, 8.0];
        let (ok, no) = (Treatment::Served, REFUSED);
        let bucket = ServerModel::bucket(0.25, 2);
        assert_eq!(rulings(&bucket, moments), [ok, ok, no(4), no(1), ok, ok, no(4)]);
        let window = ServerModel::fixed_window(2, 8.0);
        assert_eq!(rulings(&window, moments), [ok, ok, no(8), no(5), no(4), ok, ok]);
    }

    #[test]
    fn each_try_extends_a_ban() {
        let model = ServerModel { ban: Some(60.0), ..ServerModel::bucket(1.0, 1) };
        let moments = [0.0, 0.5, 50.0, 100.0, 160.0];
        let (ok, no) = (Treatment::Served, REFUSED);
        assert_eq!(rulings(&model, moments), [ok, no(60), no(60), no(60), ok]);
    }

    #[test]
    fn a_block_is_for_good_but_for_its_leak() {
        let mut model = ServerModel { block_after: Some(2), ..ServerModel::default() };
        let blocked = Treatment::Refused { status: 403, wait: None };
        let moments = [0.0, 1.0, 2.0, 1e6];
        assert_eq!(rulings(&model, moments), [Treatment::Served, Treatment::Served, blocked, blocked]);
        model.leak = 0.01;
        let mut server = model.server(3);
        let served = (0..10_000).filter(|n| server.ask(f64::from(*n)).what == Treatment::Served).count();
        assert!((60..150).contains(&served), "{served}");
    }

    #[test]
    fn what_is_allowed_follows_steps_and_outages() {
        let step = |from, factor| RateStep { from, factor };
        let outage = Outage { from: 10.0, until: 20.0, status: None };
        let model = ServerModel {
            steps: vec![step(100.0, 0.5), step(200.0, 1.0)],
            outages: vec![outage],
            ..ServerModel::bucket(4.0, 20)
        };
        assert!((model.allowed(0.0, 300.0) - (90.0 + 50.0 + 100.0) * 4.0).abs() < 1e-6);
        assert!(ServerModel::default().allowed(0.0, 1.0).is_infinite());
        assert_eq!(rulings(&model, [15.0, 20.0]), [Treatment::Down, Treatment::Served]);
    }

    #[test]
    fn a_load_makes_answers_slow_and_then_refuses() {
        let load = Load { capacity: 3.0, others: 0.3, most_waiting: Some(20.0) };
        let model = ServerModel { load: Some(load), ..ServerModel::default() };
        let mean = |step: f64| {
            let mut server = model.server(5);
            let rulings: Vec<Ruling> = (0..2_000).map(|n| server.ask(f64::from(n) * step)).collect();
            let refused = rulings.iter().filter(|ruling| ruling.what != Treatment::Served).count();
            (rulings.iter().map(|ruling| ruling.queued).sum::<f64>() / 2_000.0, refused)
        };
        let ((calm, none), (busy, many)) = (mean(2.0), mean(0.2));
        assert!(calm < 1.0 && none == 0, "{calm} {none}");
        assert!(busy > 2.0 && many > 100, "{busy} {many}");
    }

    #[test]
    fn the_limit_is_announced_with_what_is_left_of_it() {
        let model = ServerModel { announces: Announces::RateLimit, ..ServerModel::fixed_window(2, 60.0) };
        let mut server = model.server(1);
        let told = [0.0, 10.5, 20.0].map(|now| server.ask(now).announced);
        let left = told.map(|told| (told.remaining.unwrap_or(9), told.reset.unwrap_or_default().as_secs()));
        assert_eq!(left, [(1, 60), (0, 50), (0, 40)]);
    }
}
