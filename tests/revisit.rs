//! Two thousand pages of one host, each with a rate of change that only the simulation knows: how fresh is our copy of them?
//!
//! A simulation of the rule alone, without a network or a clock. Pages change as Poisson processes. Whether a visit finds a
//! change is drawn; the freshness between two visits is not drawn but its expectation, so that chance adds little to the
//! figures. All policies begin with nothing but a list of pages. Requests go out at an even pace, and a page that is due waits
//! for its turn. The best possible is not simulated but worked out: the optimum for the true rates, in the same bounds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crawl::revisit::{Bounds, Demand, Observations, Price, Prior, Rate, Seen, interval};
use fastrand::Rng;

const PAGES: usize = 2_000;
/// Requests for each page and day.
const BUDGETS: [f64; 3] = [0.1, 0.5, 2.0];
/// Days before anything is measured, and days that are measured.
const DAYS: f64 = 60.0;
/// The same in visits of each page, if that takes longer.
const VISITS: f64 = 20.0;
/// Visits after which prices are found anew.
const EVERY: u64 = 256;
const DAY_MILLIS: f64 = 86_400_000.0;

/// How often a page changes, in changes a day.
#[derive(Debug, Clone, Copy)]
struct Page {
    rate: f64,
    /// From this day on, this often.
    turn: Option<(f64, f64)>,
}

impl Page {
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
            _ => (-self.changes(taken, from)).exp() * (to - from) * share(self.rate_on(from) * (to - from)),
        }
    }

    fn visit(&self, taken: f64, day: f64, rng: &mut Rng) -> Seen {
        let changed = rng.f64() < -(-self.changes(taken, day)).exp_m1();
        if changed { Seen::Changed } else { Seen::Same }
    }
}

/// The share of time in which a copy is fresh until the next visit, if so many changes are expected.
fn share(changes: f64) -> f64 {
    if changes > 1e-9 { -(-changes).exp_m1() / changes } else { 1.0 }
}

fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * rng.f64().max(1e-12).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
}

fn log_normal(median: f64, sigma: f64, rng: &mut Rng) -> f64 {
    median * (sigma * normal(rng)).exp()
}

/// Four decades around once in ten days.
fn wide(rng: &mut Rng) -> f64 {
    log_normal(0.1, 2.3, rng)
}

/// A Gamma distribution of shape one half and mean 1: the square of a normal draw.
fn gamma(rng: &mut Rng) -> f64 {
    normal(rng).powi(2)
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

/// Every decade from 0.003 to 30 alike.
fn even(rng: &mut Rng) -> f64 {
    10_f64.powf(4.0 * rng.f64() - 2.5)
}

struct Mix {
    name: &'static str,
    draw: fn(&mut Rng) -> f64,
    /// Share of the pages that draw anew on some day.
    turning: f64,
}

const MIXES: [Mix; 5] = [
    Mix { name: "log-normal", draw: wide, turning: 0.0 },
    Mix { name: "gamma", draw: gamma, turning: 0.0 },
    Mix { name: "news", draw: news, turning: 0.0 },
    Mix { name: "docs", draw: docs, turning: 0.0 },
    Mix { name: "turning", draw: even, turning: 0.5 },
];

/// Pages, what may be asked of them, and for how long.
struct Setting {
    pages: Vec<Page>,
    /// Requests a day.
    budget: f64,
    bounds: Bounds,
    /// The first day that is measured.
    warm: f64,
    end: f64,
}

impl Setting {
    fn new(mix: &Mix, per_page: f64) -> Self {
        let warm = (VISITS / per_page).max(DAYS);
        let end = 2.0 * warm;
        let mut rng = Rng::with_seed(42);
        let page = |_| {
            let rate = (mix.draw)(&mut rng);
            let turns = rng.f64() < mix.turning;
            Page { rate, turn: turns.then(|| (end * rng.f64(), (mix.draw)(&mut rng))) }
        };
        let pages: Vec<Page> = (0..PAGES).map(page).collect();
        Self { budget: per_page * pages.len() as f64, pages, bounds: Bounds::default(), warm, end }
    }

    /// The share of time in which a copy can be fresh at best, all rates being known at all times.
    fn best(&self) -> f64 {
        let turning = self.pages.iter().any(|page| page.turn.is_some());
        let slices = if turning { 12 } else { 1 };
        let length = (self.end - self.warm) / f64::from(slices);
        let middle = |slice| self.warm + (f64::from(slice) + 0.5) * length;
        (0..slices).map(|slice| self.best_on(middle(slice))).sum::<f64>() / f64::from(slices)
    }

    fn best_on(&self, day: f64) -> f64 {
        let rates: Vec<f64> = self.pages.iter().map(|page| page.rate_on(day)).collect();
        let asked = |price: f64| rates.iter().map(|rate| 1.0 / self.optimal(*rate, price)).sum::<f64>();
        let price = bisect(1e-9, 1e6, |price| asked(price) > self.budget);
        let fresh = rates.iter().map(|rate| share(rate * self.optimal(*rate, price)));
        fresh.sum::<f64>() / rates.len() as f64
    }

    /// The interval in days that gains this price, if the rate is the true one.
    fn optimal(&self, rate: f64, price: f64) -> f64 {
        let (min, max) = (days(self.bounds.min), days(self.bounds.max));
        let gain = |interval: f64| {
            let changes = rate * interval;
            (1.0 - (1.0 + changes) * (-changes).exp()) / rate
        };
        if rate == 0.0 || gain(max) < price {
            return max;
        }
        bisect(min, max, |interval| gain(interval) < price)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Policy {
    /// All alike.
    Uniform,
    /// As often as the estimated rate, but for a factor, in the same bounds.
    Proportional,
    /// The rule.
    Ours,
}

/// What a policy has learned.
struct Crawl<'a> {
    policy: Policy,
    setting: &'a Setting,
    known: Vec<Observations>,
    rates: Vec<Option<Rate>>,
    demand: Demand,
    price: Price,
    /// Visits for each change, of the proportional policy.
    factor: f64,
}

impl<'a> Crawl<'a> {
    fn new(policy: Policy, setting: &'a Setting) -> Self {
        let pages = setting.pages.len();
        Self {
            policy,
            setting,
            known: vec![Observations::default(); pages],
            rates: vec![None; pages],
            demand: Demand::default(),
            price: Price::PROHIBITIVE,
            factor: 1.0,
        }
    }

    /// Days until this page is due again, after a visit.
    fn wait(&mut self, page: usize) -> f64 {
        if self.policy == Policy::Uniform {
            return self.setting.pages.len() as f64 / self.setting.budget;
        }
        let rate = self.known[page].rate(&Prior::default());
        if let Some(old) = self.rates[page].replace(rate) {
            self.demand.remove(old);
        }
        self.demand.add(rate);
        match self.policy {
            Policy::Proportional => self.proportional(rate, self.factor),
            _ => days(interval(rate, self.price, self.setting.bounds)),
        }
    }

    fn proportional(&self, rate: Rate, factor: f64) -> f64 {
        let Bounds { min, max } = self.setting.bounds;
        (1.0 / (rate.changes_per_day() * factor)).clamp(days(min), days(max))
    }

    fn reprice(&mut self) {
        let budget = self.setting.budget;
        match self.policy {
            Policy::Uniform => {}
            Policy::Ours => self.price = self.demand.price(budget, self.setting.bounds),
            Policy::Proportional => {
                for _step in 0..3 {
                    let rates = self.rates.iter().flatten();
                    let asked: f64 = rates.map(|rate| 1.0 / self.proportional(*rate, self.factor)).sum();
                    self.factor *= budget / asked;
                }
            }
        }
    }
}

/// Where the answer turns from yes to no, to a relative 10^-7 or better.
fn bisect(low: f64, high: f64, too_low: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (low.ln(), high.ln());
    for _halving in 0..28 {
        let middle = f64::midpoint(low, high);
        if too_low(middle.exp()) { low = middle } else { high = middle }
    }
    high.exp()
}

fn days(time: Duration) -> f64 {
    time.as_secs_f64() / 86_400.0
}

fn time(days: f64) -> Duration {
    Duration::from_secs_f64(days * 86_400.0)
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Outcome {
    /// Share of pages and time, in percent.
    fresh: f64,
    /// For each page and day.
    requests: f64,
    /// The longest time between two visits of one page, in days.
    longest: f64,
}

fn run(policy: Policy, setting: &Setting) -> Outcome {
    let mut rng = Rng::with_seed(1);
    let mut crawl = Crawl::new(policy, setting);
    let mut due: BinaryHeap<_> = (0..setting.pages.len()).map(|page| Reverse((0, page))).collect();
    let mut taken: Vec<Option<f64>> = vec![None; setting.pages.len()];
    let (mut fresh, mut requests, mut visits, mut longest) = (0.0, 0_u64, 0_u64, 0.0_f64);
    // What is not used is kept for an hour.
    let (mut day, mut credit, most) = (0.0, 0.0_f64, (setting.budget / 24.0).max(1.0));
    while day < setting.end {
        credit = (credit + 1.0).min(most);
        while credit >= 1.0 && due.peek().is_some_and(|Reverse((at, _))| *at <= millis(day)) {
            let Reverse((_, page)) = due.pop().expect("it was just seen");
            (credit, visits) = (credit - 1.0, visits + 1);
            requests += u64::from(day >= setting.warm);
            if let Some(last) = taken[page].replace(day) {
                longest = longest.max(day - last);
                fresh += setting.pages[page].fresh(last, last.max(setting.warm), day);
                crawl.known[page].note(time(day - last), setting.pages[page].visit(last, day, &mut rng));
            }
            if visits.is_multiple_of(EVERY) {
                crawl.reprice();
            }
            due.push(Reverse((millis(day + crawl.wait(page)), page)));
        }
        day += 1.0 / setting.budget;
    }
    for (page, taken) in setting.pages.iter().zip(taken) {
        let last = taken.expect("all are visited in the first round");
        fresh += page.fresh(last, last.max(setting.warm), setting.end);
    }
    let all = setting.pages.len() as f64 * (setting.end - setting.warm);
    Outcome { fresh: fresh / all * 100.0, requests: requests as f64 / all, longest }
}

fn millis(day: f64) -> u64 {
    (day * DAY_MILLIS) as u64
}

/// One mix at one budget.
struct Row {
    name: &'static str,
    per_page: f64,
    uniform: Outcome,
    proportional: Outcome,
    ours: Outcome,
    best: f64,
}

impl Row {
    fn new(mix: &Mix, per_page: f64) -> Self {
        let setting = Setting::new(mix, per_page);
        Self {
            name: mix.name,
            per_page,
            uniform: run(Policy::Uniform, &setting),
            proportional: run(Policy::Proportional, &setting),
            ours: run(Policy::Ours, &setting),
            best: setting.best() * 100.0,
        }
    }

    fn reached(&self) -> f64 {
        self.ours.fresh / self.best * 100.0
    }

    /// As it stands in docs/revisit.md.
    fn print(&self) -> String {
        let shown = |outcome: &Outcome| format!("{:.1} ({:.2})", outcome.fresh, outcome.requests);
        format!(
            "| {} | {} | {} | {} | {} | {:.1} | {:.1} |",
            self.name,
            self.per_page,
            shown(&self.uniform),
            shown(&self.proportional),
            shown(&self.ours),
            self.best,
            self.reached(),
        )
    }
}

/// All rows, the mixes side by side.
fn rows() -> Vec<Row> {
    std::thread::scope(|scope| {
        let mixes = MIXES.map(|mix| scope.spawn(move || BUDGETS.map(|budget| Row::new(&mix, budget))));
        mixes.into_iter().flat_map(|rows| rows.join().expect("a simulation does not panic")).collect()
    })
}

#[test]
fn learned_rates_keep_pages_nearly_as_fresh_as_the_true_ones_could() {
    let rows = rows();
    let table: Vec<String> = rows.iter().map(Row::print).collect();
    println!("{}", table.join("\n"));

    for (row, line) in rows.iter().zip(&table) {
        assert!(row.reached() >= if row.per_page < 0.5 { 90.0 } else { 95.0 }, "{line}");
        assert!(row.ours.fresh > row.uniform.fresh && row.ours.fresh > row.proportional.fresh, "{line}");
        assert!(row.ours.requests <= row.per_page * 1.005, "{line}");
    }
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/revisit.md")).unwrap();
    for line in table {
        assert!(page.contains(&line), "docs/revisit.md lacks this row:\n{line}");
    }
}

#[test]
fn the_same_seed_gives_the_same_visits() {
    let setting = Setting::new(&MIXES[4], 0.5);
    assert_eq!(run(Policy::Ours, &setting), run(Policy::Ours, &setting));
}

#[test]
fn no_page_waits_much_longer_than_the_bounds_say() {
    for mix in &MIXES {
        let ours = run(Policy::Ours, &Setting::new(mix, 0.1));
        assert!(ours.longest < 36.0, "{}: {} days", mix.name, ours.longest);
    }
}

/// Days from the turn until the page is asked at least this often.
fn until_known(before: f64, after: f64, within: f64) -> f64 {
    let price = Price::in_days(0.5);
    let page = Page { rate: before, turn: Some((400.0, after)) };
    let (mut known, mut day, mut rng) = (Observations::default(), 0.0, Rng::with_seed(5));
    loop {
        let wait = days(interval(known.rate(&Prior::default()), price, Bounds::default()));
        if day > 400.0 && wait <= within {
            return day - 400.0;
        }
        assert!(day < 2_000.0, "stuck at {wait} days");
        known.note(time(wait), page.visit(day, day + wait, &mut rng));
        day += wait;
    }
}

#[test]
fn a_page_that_was_given_up_is_found_again() {
    let settled = until_known(100.0, 0.05, 10.0);
    assert!(settled < 100.0, "too fast before: {settled} days");
    let woken = until_known(0.0, 0.5, 3.0);
    assert!(woken < 200.0, "never changed before: {woken} days");
}
