//! Two thousand pages of one host, each with a rate of change that only the simulation knows: how fresh is our copy of them?
//!
//! A simulation of the rule alone, without a network or a clock. Pages change as Poisson processes. Whether a visit finds a
//! change is drawn; the freshness between two visits is not drawn but its expectation, so that chance adds little to the
//! figures. All policies begin with nothing but the pages, and have the same requests.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crawl::revisit::{Bounds, Demand, Observations, Price, Prior, Rate, Seen, interval};
use fastrand::Rng;

const PAGES: usize = 2_000;
const DAY: f64 = 86_400_000.0;
/// Visits after which prices are found anew.
const EVERY: u64 = 256;
const BUDGETS: [f64; 4] = [0.1, 0.3, 1.0, 2.0];

/// How often a page changes, in changes a day.
#[derive(Debug, Clone, Copy)]
struct Page {
    rate: f64,
    /// From this day on, this often.
    turn: Option<(f64, f64)>,
}

impl Page {
    const fn steady(rate: f64) -> Self {
        Self { rate, turn: None }
    }

    fn rate_on(&self, day: f64) -> f64 {
        self.turn.filter(|(turn, _)| day >= *turn).map_or(self.rate, |(_, rate)| rate)
    }

    /// Changes expected between two days.
    fn changes(&self, from: f64, to: f64) -> f64 {
        let (turn, later) = self.turn.unwrap_or((f64::INFINITY, 0.0));
        self.rate * (to.min(turn) - from).max(0.0) + later * (to - from.max(turn)).max(0.0)
    }

    /// Expected days between `from` and `to` on which a copy of the day `taken` is fresh.
    fn fresh(&self, taken: f64, from: f64, to: f64) -> f64 {
        if to <= from {
            return 0.0;
        }
        match self.turn {
            Some((turn, _)) if from < turn && turn < to => {
                self.fresh(taken, from, turn) + self.fresh(taken, turn, to)
            }
            _ => {
                let rate = self.rate_on(from);
                let length = if rate > 0.0 { -(-rate * (to - from)).exp_m1() / rate } else { to - from };
                (-self.changes(taken, from)).exp() * length
            }
        }
    }
}

fn log_normal(median: f64, sigma: f64, rng: &mut Rng) -> f64 {
    let normal = (-2.0 * rng.f64().max(1e-12).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos();
    median * (sigma * normal).exp()
}

/// A Gamma distribution of shape one half: half the square of a normal draw, so that rates spread far downwards.
fn gamma(mean: f64, rng: &mut Rng) -> f64 {
    let normal = log_normal(1.0, 1.0, rng).ln();
    mean * normal * normal
}

fn even(rng: &mut Rng) -> f64 {
    10_f64.powf(4.0 * rng.f64() - 2.5)
}

fn news(rng: &mut Rng) -> f64 {
    match rng.f64() {
        share if share < 0.05 => log_normal(24.0, 0.7, rng),
        share if share < 0.25 => log_normal(1.0, 0.8, rng),
        _ => log_normal(0.02, 1.0, rng),
    }
}

fn docs(rng: &mut Rng) -> f64 {
    if rng.f64() < 0.6 { 0.0 } else { log_normal(0.05, 1.2, rng) }
}

struct Mix {
    name: &'static str,
    draw: fn(&mut Rng) -> f64,
    turning: bool,
}

const MIXES: [Mix; 5] = [
    Mix { name: "log-normal around 0.1, sigma 2.3", draw: |rng| log_normal(0.1, 2.3, rng), turning: false },
    Mix { name: "gamma", draw: |rng| gamma(1.0, rng), turning: false },
    Mix { name: "news", draw: news, turning: false },
    Mix { name: "docs", draw: docs, turning: false },
    Mix { name: "turning", draw: even, turning: true },
];

impl Mix {
    fn pages(&self, days: f64) -> Vec<Page> {
        let mut rng = Rng::with_seed(42);
        let page = |_| {
            let rate = (self.draw)(&mut rng);
            let turns = self.turning && rng.bool();
            Page { turn: turns.then(|| (days * rng.f64(), (self.draw)(&mut rng))), ..Page::steady(rate) }
        };
        (0..PAGES).map(page).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Policy {
    Uniform,
    Proportional,
    Ours,
    Best,
}

/// What a policy sees and decides.
struct Crawl<'a> {
    policy: Policy,
    pages: &'a [Page],
    budget: f64,
    bounds: Bounds,
    known: Vec<Observations>,
    rates: Vec<Option<Rate>>,
    demand: Demand,
    price: Price,
    /// Requests for each change.
    share: f64,
}

impl<'a> Crawl<'a> {
    fn new(policy: Policy, pages: &'a [Page], per_page: f64) -> Self {
        let budget = per_page * pages.len() as f64;
        Self {
            policy,
            pages,
            budget,
            bounds: Bounds::default(),
            known: vec![Observations::default(); pages.len()],
            rates: vec![None; pages.len()],
            demand: Demand::default(),
            price: Price::PROHIBITIVE,
            share: 1.0,
        }
    }

    fn learn(&mut self, page: usize, since: f64, seen: Seen) {
        self.known[page].note(duration(since), seen);
    }

    fn rate(&mut self, page: usize) -> Rate {
        let rate = self.known[page].rate(&Prior::default());
        if let Some(old) = self.rates[page].replace(rate) {
            self.demand.remove(old);
        }
        self.demand.add(rate);
        rate
    }

    fn reprice(&mut self, day: f64) {
        match self.policy {
            Policy::Uniform => {}
            Policy::Ours => self.price = self.demand.price(self.budget, self.bounds),
            Policy::Proportional => {
                self.share = bisect(1e-9, 1e9, |share| {
                    self.asked(|rate| self.proportional(rate, share)) < self.budget
                });
            }
            Policy::Best => {
                let rates: Vec<Rate> = self.pages.iter().map(|page| Rate::per_day(page.rate_on(day))).collect();
                let price = bisect(1e-12, 1e6, |price| {
                    let asked: f64 = rates
                        .iter()
                        .map(|rate| 1.0 / days(interval(*rate, Price::in_days(price), self.bounds)))
                        .sum();
                    asked > self.budget
                });
                self.price = Price::in_days(price);
            }
        }
    }

    fn asked(&self, interval: impl Fn(Rate) -> f64) -> f64 {
        self.rates.iter().flatten().map(|rate| 1.0 / interval(*rate)).sum()
    }

    fn proportional(&self, rate: Rate, share: f64) -> f64 {
        let (min, max) = (days(self.bounds.min), days(self.bounds.max));
        (1.0 / (rate.changes_per_day() * share)).clamp(min, max)
    }

    /// The day of the next visit.
    fn due(&mut self, page: usize, day: f64) -> f64 {
        match self.policy {
            Policy::Uniform => day + self.pages.len() as f64 / self.budget,
            Policy::Proportional => {
                let rate = self.rate(page);
                day + self.proportional(rate, self.share)
            }
            Policy::Ours => {
                let rate = self.rate(page);
                day + days(interval(rate, self.price, self.bounds))
            }
            Policy::Best => {
                let after = |rate| day + days(interval(Rate::per_day(rate), self.price, self.bounds));
                let due = after(self.pages[page].rate_on(day));
                match self.pages[page].turn {
                    Some((turn, rate)) if day < turn && turn < due => after(rate).max(turn),
                    _ => due,
                }
            }
        }
    }
}

fn bisect(low: f64, high: f64, too_low: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (low.ln(), high.ln());
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if too_low(middle.exp()) { low = middle } else { high = middle }
    }
    high.exp()
}

fn duration(days: f64) -> Duration {
    Duration::from_secs_f64(days * 86_400.0)
}

fn days(duration: Duration) -> f64 {
    duration.as_secs_f64() / 86_400.0
}

fn millis(day: f64) -> u64 {
    (day * DAY) as u64
}

struct Outcome {
    freshness: f64,
    /// For each page and day.
    requests: f64,
}

fn run(policy: Policy, pages: &[Page], per_page: f64, warm_up: f64, end: f64) -> Outcome {
    let mut rng = Rng::with_seed(1);
    let mut crawl = Crawl::new(policy, pages, per_page);
    let mut due: BinaryHeap<Reverse<(u64, usize)>> = (0..pages.len()).map(|page| Reverse((0, page))).collect();
    let mut taken: Vec<Option<f64>> = vec![None; pages.len()];
    let (mut fresh, mut requests, mut visits) = (0.0, 0_u64, 0_u64);
    let slot = 1.0 / crawl.budget;
    let most = crawl.budget / 24.0;
    let (mut day, mut credit) = (0.0, 0.0_f64);
    crawl.reprice(0.0);
    while day < end {
        credit = (credit + 1.0).min(most.max(1.0));
        while credit >= 1.0 && due.peek().is_some_and(|Reverse((at, _))| *at <= millis(day)) {
            let Reverse((_, page)) = due.pop().unwrap();
            credit -= 1.0;
            visits += 1;
            requests += u64::from(day >= warm_up);
            if let Some(last) = taken[page].replace(day) {
                fresh += pages[page].fresh(last, last.max(warm_up), day);
                let changed = rng.f64() < -(-pages[page].changes(last, day)).exp_m1();
                crawl.learn(page, day - last, if changed { Seen::Changed } else { Seen::Same });
            }
            if visits.is_multiple_of(EVERY) && (policy != Policy::Best || pages.iter().any(|page| page.turn.is_some()) && visits.is_multiple_of(EVERY * 8)) {
                crawl.reprice(day);
            }
            due.push(Reverse((millis(crawl.due(page, day)), page)));
        }
        day += slot;
    }
    for (page, taken) in pages.iter().zip(taken) {
        let last = taken.unwrap();
        fresh += page.fresh(last, last.max(warm_up), end);
    }
    let page_days = pages.len() as f64 * (end - warm_up);
    Outcome { freshness: fresh / page_days, requests: requests as f64 / page_days }
}

#[test]
fn table() {
    for mix in &MIXES {
        for per_page in BUDGETS {
            let warm_up = (20.0 / per_page).max(60.0);
            let end = warm_up * 2.0;
            let pages = mix.pages(end);
            let row: Vec<Outcome> = [Policy::Uniform, Policy::Proportional, Policy::Ours, Policy::Best]
                .into_iter()
                .map(|policy| run(policy, &pages, per_page, warm_up, end))
                .collect();
            let of = row[2].freshness / row[3].freshness * 100.0;
            println!("{:35} {per_page:4} | {} | {of:.1}", mix.name, row.iter().map(|o| format!("{:.1} ({:.3})", o.freshness * 100.0, o.requests)).collect::<Vec<_>>().join(" | "));
        }
    }
}
