//! What a request is worth on one host: the gain in freshness below which no page is asked.
//!
//! Pages compete for the requests that their host may have. A histogram of their rates is enough to find the price at which
//! they ask for exactly these. It costs some twenty microseconds; every few hundred visits is often enough.

use super::interval::unbounded;
use super::{Bounds, Rate};

const BUCKETS: usize = 64;
/// Each bucket stands for a rate so many times that of the one before: nine decades in all.
const FACTOR: f64 = 1.4;
/// The rate of the first bucket, in changes a day.
const FIRST: f64 = 1e-5;
/// A page is divided into so many parts, between the two buckets around its rate. So the demand is straight between them, and
/// many pages of almost one rate do not all fall on one side of a bucket's border.
const PARTS: u32 = 256;
/// Halvings of the range in which the logarithm of the price is sought.
const HALVINGS: u32 = 26;
/// Prices below are as good as none: at one change in ten days it means 25 visits a second.
const CHEAPEST: f64 = 1e-14;
/// At this price even the pages of the first bucket are asked once in centuries, and all others never.
const DEAREST: f64 = 1.0 / FIRST;

/// What one more request a day has to add to the share of time in which the copy of a page is fresh.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Price(f64);

impl Price {
    /// Requests cost nothing: every page is asked as often as the bounds allow.
    pub const FREE: Self = Self(0.0);
    /// No page is worth a request: all are asked as seldom as the bounds allow.
    pub const PROHIBITIVE: Self = Self(f64::INFINITY);

    /// A share of time for each request a day has the unit of a time: days. What is no number, or below zero, counts as free.
    #[must_use]
    pub const fn in_days(days: f64) -> Self {
        Self(days.max(0.0))
    }

    /// In days.
    #[must_use]
    pub const fn days(self) -> f64 {
        self.0
    }
}

/// How many pages of a host change how often, in 256 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    parts: [u32; BUCKETS],
}

impl Default for Demand {
    fn default() -> Self {
        Self { parts: [0; BUCKETS] }
    }
}

impl Demand {
    /// Counts a page in. There is room for 16 million of one rate.
    pub fn add(&mut self, rate: Rate) {
        for (bucket, parts) in split(rate) {
            self.parts[bucket] = self.parts[bucket].saturating_add(parts);
        }
    }

    /// Takes a page out; `rate` must be the one that it was counted with.
    pub fn remove(&mut self, rate: Rate) {
        for (bucket, parts) in split(rate) {
            self.parts[bucket] = self.parts[bucket].saturating_sub(parts);
        }
    }

    /// Pages that are counted.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.parts.iter().copied().map(u64::from).sum::<u64>() / u64::from(PARTS)
    }

    /// Requests a day that all pages together ask for at this price.
    #[must_use]
    pub fn requests_per_day(&self, price: Price, bounds: Bounds) -> f64 {
        let (min, max) = bounds.days();
        let pages = self.parts.iter().map(|parts| f64::from(*parts) / f64::from(PARTS)).zip(0..);
        let asked = pages.filter(|(pages, _)| *pages > 0.0);
        asked.map(|(pages, bucket)| pages / unbounded(rate_of(bucket), price).clamp(min, max)).sum()
    }

    /// The price at which the pages ask for `budget` requests a day.
    ///
    /// [`Price::FREE`] if the budget is enough for all of them at the least interval, [`Price::PROHIBITIVE`] if it is not enough
    /// even at the longest one: then they ask for more than the budget, and the host's pace makes them wait.
    #[must_use]
    pub fn price(&self, budget: f64, bounds: Bounds) -> Price {
        if self.requests_per_day(Price::FREE, bounds) <= budget {
            return Price::FREE;
        }
        if self.requests_per_day(Price::PROHIBITIVE, bounds) > budget {
            return Price::PROHIBITIVE;
        }
        let (mut low, mut high) = (CHEAPEST.ln(), DEAREST.ln());
        for _halving in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if self.requests_per_day(Price(middle.exp()), bounds) > budget {
                low = middle;
            } else {
                high = middle;
            }
        }
        Price(high.exp())
    }
}

/// The two buckets around a rate, and the parts of a page that fall to each.
fn split(rate: Rate) -> [(usize, u32); 2] {
    let place = (rate.changes_per_day() / FIRST).ln() / FACTOR.ln();
    let place = place.clamp(0.0, (BUCKETS - 1) as f64);
    let upper = (place.fract() * f64::from(PARTS)).round() as u32;
    let bucket = place as usize;
    [(bucket, PARTS - upper), ((bucket + 1).min(BUCKETS - 1), upper)]
}

fn rate_of(bucket: i32) -> Rate {
    Rate::per_day(FIRST * FACTOR.powi(bucket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revisit::interval;
    use std::time::Duration;

    fn mixed() -> (Demand, Vec<Rate>) {
        let mut rng = fastrand::Rng::with_seed(7);
        let rates: Vec<Rate> =
            (0..5_000).map(|_| Rate::per_day(10_f64.powf(rng.f64() * 4.0 - 2.5))).collect();
        let mut demand = Demand::default();
        rates.iter().for_each(|rate| demand.add(*rate));
        (demand, rates)
    }

    #[test]
    fn at_the_price_the_pages_ask_for_the_budget() {
        let (demand, rates) = mixed();
        let bounds = Bounds::default();
        for per_page in [0.05, 0.1, 0.5, 1.0, 2.0, 10.0] {
            let budget = per_page * rates.len() as f64;
            let price = demand.price(budget, bounds);
            let asked: f64 =
                rates.iter().map(|rate| 86_400.0 / interval(*rate, price, bounds).as_secs_f64()).sum();
            assert!((asked / budget - 1.0).abs() < 0.03, "{asked} of {budget}");
        }
    }

    #[test]
    fn a_budget_for_all_makes_requests_free_and_one_for_none_prohibitive() {
        let (demand, rates) = mixed();
        let bounds = Bounds::default();
        assert_eq!(demand.price(rates.len() as f64 * 24.0, bounds), Price::FREE);
        assert_eq!(demand.price(rates.len() as f64 / 31.0, bounds), Price::PROHIBITIVE);
        assert_eq!(Demand::default().price(0.0, bounds), Price::FREE);
        for odd in [f64::NAN, f64::INFINITY, -1.0] {
            let _any = demand.price(odd, bounds);
        }
        let none = Bounds { min: Duration::ZERO, max: Duration::ZERO };
        let _any = demand.price(1.0, none);
    }

    #[test]
    fn what_was_added_can_be_removed() {
        let (mut demand, rates) = mixed();
        assert_eq!(demand.pages(), 5_000);
        rates.iter().for_each(|rate| demand.remove(*rate));
        assert_eq!(demand, Demand::default());
        demand.remove(Rate::per_day(1.0));
        assert_eq!(demand.pages(), 0);
    }

    #[test]
    fn every_rate_has_its_buckets() {
        for exponent in -12..12 {
            let parts = split(Rate::per_day(10_f64.powi(exponent)));
            assert!(parts.iter().all(|(bucket, _)| *bucket < BUCKETS));
            assert_eq!(parts.iter().map(|(_, parts)| parts).sum::<u32>(), PARTS);
        }
        for bucket in 0..64 {
            let whole = split(rate_of(bucket)).into_iter().find(|(_, parts)| *parts == PARTS);
            assert_eq!(whole.map(|(bucket, _)| bucket as i32), Some(bucket));
        }
    }
}
