//! What a request is worth on one host: the gain in freshness below which no page is asked.
//!
//! Pages compete for the requests that their host may have. A histogram of their rates is enough to find the price at which
//! they ask for exactly these. It costs about a hundred microseconds; every few hundred visits is often enough.

use super::interval::unbounded;
use super::{Bounds, Rate};

const BUCKETS: usize = 256;
/// Each bucket's rates are so many times those of the one before: eight decades in all.
const FACTOR: f64 = 1.0746;
/// Where the first bucket begins, in changes a day.
const FIRST: f64 = 1e-4;
/// Halvings of the range in which the logarithm of the price is sought.
const HALVINGS: u32 = 26;
/// Prices below are as good as none: at 0.1 changes a day it means a visit every tenth of a second.
const CHEAPEST: f64 = 1e-14;
/// At this price every rate of the histogram is too dear.
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

/// How many pages of a host change how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    pages: [u32; BUCKETS],
}

impl Default for Demand {
    fn default() -> Self {
        Self { pages: [0; BUCKETS] }
    }
}

impl Demand {
    /// Counts a page in.
    pub fn add(&mut self, rate: Rate) {
        let pages = &mut self.pages[bucket(rate)];
        *pages = pages.saturating_add(1);
    }

    /// Takes a page out; `rate` must be the one that it was counted with.
    pub fn remove(&mut self, rate: Rate) {
        let pages = &mut self.pages[bucket(rate)];
        *pages = pages.saturating_sub(1);
    }

    /// Pages that are counted.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.pages.iter().copied().map(u64::from).sum()
    }

    /// Requests a day that all pages together ask for at this price.
    #[must_use]
    pub fn requests_per_day(&self, price: Price, bounds: Bounds) -> f64 {
        let (min, max) = bounds.days();
        let asked = self.pages.iter().zip(0..).filter(|(pages, _)| **pages > 0);
        asked
            .map(|(pages, bucket)| {
                f64::from(*pages) / unbounded(middle(bucket), price.days()).clamp(min, max)
            })
            .sum()
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

fn bucket(rate: Rate) -> usize {
    // A rate below the first bucket has a negative logarithm, which the cast takes to 0.
    let place = (rate.changes_per_day() / FIRST).ln() / FACTOR.ln();
    (place as usize).min(BUCKETS - 1)
}

/// The rate in the middle of a bucket, in changes a day.
fn middle(bucket: u32) -> f64 {
    FIRST * FACTOR.powf(f64::from(bucket) + 0.5)
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
    fn every_rate_has_its_bucket() {
        for exponent in -12..12 {
            assert!(bucket(Rate::per_day(10_f64.powi(exponent))) < BUCKETS);
        }
        for index in 0..256 {
            assert_eq!(bucket(Rate::per_day(middle(index))), index as usize);
        }
    }
}
